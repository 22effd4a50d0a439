/*
 * What a host says to be its limits (LIMITS, RFC 9422), and those of our own.
 * Inside the engine.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_LIMITS_H
#define MTAD_DELIVERD_ENGINE_TX_LIMITS_H

#include "deliverd/engine/tx_state.h"

/* The open recipients that go into this transaction: TX_RCPT_AWAITED, the first
 * of them in M->at.  Those beyond a limit stay open, and M comes back with
 * TX_REST_MORE. */
void tx_limits_choose(const struct tx *t, struct tx_mail *m);

#endif
