/*
 * SMTPUTF8 towards a next hop, RFC 6531.  Inside the engine.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_UTF8_H
#define MTAD_DELIVERD_ENGINE_TX_UTF8_H

#include "deliverd/engine/tx_state.h"

/* Settles those who need what the host lacks. */
void tx_utf8_refuse(struct tx *t, struct tx_mail *m);

/* Whether the transaction whose recipients were chosen needs it. */
bool tx_utf8_is_needed(const struct tx_mail *m);

/* ORCPT as the host may be told it. */
void tx_utf8_put_orcpt(const struct tx_mail *m, struct span orcpt,
    struct buf *out);

#endif
