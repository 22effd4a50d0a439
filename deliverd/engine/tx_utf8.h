/*
 * SMTPUTF8 towards a next hop, RFC 6531.  Inside the engine.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_UTF8_H
#define MTAD_DELIVERD_ENGINE_TX_UTF8_H

#include "deliverd/engine/tx_state.h"

/* Settles those who need what the host lacks. */
void tx_utf8_refuse(struct tx *t, struct tx_mail *m);

/* Whether the transaction whose recipients were chosen says it. */
bool tx_utf8_is_said(const struct tx *t, const struct tx_mail *m);

/* ADDRESS as the host may be told it: with A-labels where it has no UTF-8. */
void tx_utf8_put_address(const struct tx_mail *m, struct span address,
    struct buf *out);

/* ORCPT as the host may be told it. */
void tx_utf8_put_orcpt(const struct tx_mail *m, struct span orcpt,
    struct buf *out);

#endif
