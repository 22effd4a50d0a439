/*
 * DELIVERBY towards a next hop, RFC 2852 4.1.  Inside the engine.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_BY_H
#define MTAD_DELIVERD_ENGINE_TX_BY_H

#include "deliverd/engine/tx_state.h"

/* Why M must not go there, NULL when it may; *STATUS is set then. */
const char *tx_by_refusal(const struct tx *t, const struct tx_mail *m,
    struct status *status);

/* The parameter, if the host has it. */
void tx_by_put(const struct tx *t, const struct tx_mail *m, struct buf *out);

/* Its sender is to hear that the host took it: it won't say so itself. */
bool tx_by_is_lost(const struct tx *t, const struct tx_mail *m);

/* What of a recipient's NOTIFY the host is told, which has DSN. */
uint8_t tx_by_notify(const struct tx *t, const struct tx_mail *m,
    uint8_t notify);

#endif
