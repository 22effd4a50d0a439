/*
 * STARTTLS between two EHLOs; inside the engine.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_TLS_H
#define MTAD_DELIVERD_ENGINE_TX_TLS_H

#include "deliverd/engine/tx_state.h"

/* Behind EHLO or HELO: true when the dialogue goes on by STARTTLS, or ends for
 * want of it; else it is up. */
bool tx_tls_ask(struct tx *t);

/* the state TX_TLS_ASKED */
void tx_tls_send(struct tx *t);
void tx_tls_reply(struct tx *t, const struct smtp_response *r);

#endif
