/*
 * The inside of AUTH, for the files of the engine.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_LOGIN_H
#define MTAD_DELIVERD_ENGINE_TX_LOGIN_H

#include "deliverd/engine/tx_state.h"

/* Behind EHLO or HELO, and TLS: true when the dialogue goes on by AUTH, or ends
 * for want of it; else it is up. */
bool tx_login_begin(struct tx *t);
void tx_login_free(struct tx *t);

/* The owner is to be asked, and was not yet. */
bool tx_login_asks(struct tx *t);

/* In the middle of an exchange, where a command would be a part of it. */
bool tx_login_is_open(const struct tx *t);

/* the states TX_AUTH_SAID and TX_AUTH_ASKING */
void tx_login_reply(struct tx *t, const struct smtp_response *r);
void tx_login_early(struct tx *t, const struct smtp_response *r);

#endif
