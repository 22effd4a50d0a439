/*
 * One way to tokens for next hops: what they are got with at their endpoint, and
 * the token that is in use.  It decides and does nothing; time is an argument
 * (monotonic ms).
 *
 * A token is used until shortly before it ends.  One that a host has refused is
 * not told again.  However often hosts refuse or tokens end, an endpoint is asked
 * no more than GRANT_BURST times at once and then once in GRANT_PAUSE_MS.
 */
#ifndef MTAD_KEYD_GRANT_H
#define MTAD_KEYD_GRANT_H

#include "common/base/bucket.h"
#include "common/base/buf.h"
#include "common/ipc/messages.h"

#define GRANT_BURST		20u
#define GRANT_PAUSE_MS		2000u
#define GRANT_MARGIN_MS		60000	/* before its end, or half of its life */

struct grant {
	struct buf name, url, client_id, client_secret, scope;
	struct buf given;		/* refresh token, as the parent had it */
	struct buf before;		/* ... and as it may have it */
	struct buf refresh;		/* ... and as the endpoint wants it */
	bool has_changed;		/* and the parent was not told */
	struct buf token;
	uint64_t number;		/* of the token; 0: there is none */
	int64_t until_ms;		/* it is used */
	struct bucket bucket;
};

/* life: ROW is copied; ERR_NOMEM.  Clearing overwrites. */
enum err grant_init(struct grant *g, const struct msg_hop_grant *row,
    int64_t now_ms);
void grant_clear(struct grant *g);

/* Whether ROW, of a reload, changes nothing: what is known stays then. */
bool grant_keep(struct grant *g, const struct msg_hop_grant *row);

enum grant_next {
	GRANT_TELL,			/* the token that there is */
	GRANT_FETCH,			/* another one is due, and may be asked for */
	GRANT_LATER,			/* ... but was asked for too often */
};

/* Somebody wants a token; a host has REFUSED the one with this number, or 0. */
enum grant_next grant_want(struct grant *g, uint64_t refused, int64_t now_ms);

/* The request of GRANT_FETCH, without its number; borrowed from G. */
void grant_request(const struct grant *g, struct msg_token_fetch *out);

/* A token came; its NUMBER is not 0 and no other one's.  ERR_NOMEM: there is
 * none now. */
enum err grant_take(struct grant *g, const struct msg_token_fetched *m,
    uint64_t number, int64_t now_ms);

/* Whether TEXT, a stranger's, holds a secret of G. */
bool grant_is_told(const struct grant *g, struct span text);

#endif
