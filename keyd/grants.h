/*
 * Tokens for next hops: got by fetchd, kept here, and told to the deliverds that
 * ask.  What they are got with leaves this process for one request only.
 *
 * One request at a time for each grant; who asks meanwhile waits for it,
 * GRANTS_WAIT_MS at most.  Without a token they are told why.
 */
#ifndef MTAD_KEYD_GRANTS_H
#define MTAD_KEYD_GRANTS_H

#include "common/base/err.h"
#include "common/ipc/messages.h"

#define GRANTS_MAX		256	/* as in messages.def */
#define GRANTS_WAIT_MS		30000
#define GRANTS_WAITING_MAX	10000	/* who wait, of all grants together */

struct channel;
struct grants;
struct log;
struct loop;

/* All are borrowed; PARENT keeps refresh tokens that have changed.  ERR_NOMEM. */
enum err grants_new(struct loop *loop, struct log *log, struct channel *parent,
    struct grants **out);
void grants_free(struct grants **g);

/* ROWS of `hop_grants`.  What a row does not change stays, with its token.
 * ERR_NOMEM: those of before stay, all of them. */
enum err grants_load(struct grants *g, const struct msg_list *rows);

/* C, a deliverd, is answered by `hop_token`, now or later; or is gone. */
void grants_ask(struct grants *g, struct channel *c,
    const struct msg_hop_token_ask *m);
void grants_forget(struct grants *g, const struct channel *c);

/* fetchd is there, or gone (NULL); and what it has fetched. */
void grants_set_fetchd(struct grants *g, struct channel *fetchd);
void grants_fetched(struct grants *g, const struct msg_token_fetched *m);

#endif
