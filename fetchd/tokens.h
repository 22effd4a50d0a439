/*
 * Tokens for next hops, fetched for keyd: it has the secrets, and gives them for
 * one request; here they are in the request alone, and overwritten with it.
 */
#ifndef MTAD_FETCHD_TOKENS_H
#define MTAD_FETCHD_TOKENS_H

#include "common/base/err.h"

#define TOKENS_TIMEOUT_MS	20000	/* for an answer of an endpoint */

struct channel;
struct fetch;
struct msg_token_fetch;
struct tokens;

/* FETCH is borrowed.  ERR_NOMEM. */
enum err tokens_new(struct fetch *fetch, struct tokens **out);
void tokens_free(struct tokens **t);

/* keyd is there, or gone (NULL): nobody waits for what is under way then. */
void tokens_set_keyd(struct tokens *t, struct channel *keyd);

/* It is answered, in any case. */
void tokens_ask(struct tokens *t, const struct msg_token_fetch *m);

#endif
