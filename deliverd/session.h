/*
 * A connection to a next hop, from the question where it is to its end: hosts
 * are tried in their order (hops), then the dialogue (tx) is fed from the
 * stream and from the pool's jobs.
 */
#ifndef MTAD_DELIVERD_SESSION_H
#define MTAD_DELIVERD_SESSION_H

#include "common/loop/dial.h"
#include "common/loop/stream.h"
#include "common/loop/timer.h"
#include "common/tls/tls_filter.h"
#include "deliverd/deliverd.h"
#include "deliverd/hops/hops.h"
#include "deliverd/job.h"
#include "deliverd/policy/policy.h"
#include "deliverd/pool.h"
#include "deliverd/settings.h"
#include "deliverd/way_sts.h"

/* A connection being made to an address of the host. */
struct try {
	struct dial *dial;		/* NULL: none */
	struct endpoint at;
	uint64_t begun_at;		/* wall */
	int64_t begun_at_ms;
};

struct session {
	struct list all;		/* of the pool */
	struct list node;		/* of dest->sessions */
	struct list idle;		/* of dest->idle */
	struct list least;		/* of the pool's idle ones, or of … */
	struct list early;		/* … those that look for a host */
	struct deliverd *d;
	struct dest *dest;		/* NULL after pool_leave() */
	struct settings *settings;
	struct route route;		/* borrowed from settings */
	struct tx_setup setup;		/* of tx, with the route's helo */
	bool requires_tls;		/* of its mail: RFC 8689 */
	uint32_t n_waits;		/* for the route's certificate */
	uint32_t n_unfit;		/* hosts whose TLS won't do */
	struct hops *hops;		/* until the dialogue is up */
	struct try tries[2];		/* one, or one of each family */
	struct stream *stream;
	struct tx *tx;
	struct timer timer;
	uint32_t progress;		/* of tx, when the timer was set */
	bool is_timed;			/* and whether it was */
	bool is_up;
	uint32_t mails_max;		/* over this connection */
	bool is_counted;		/* in dest->n_up */
	bool is_first;			/* no job had it yet */
	int64_t made_at_ms;
	char host[DNS_NAME_SIZE];	/* now tried, or connected to */
	struct endpoint at;		/* with begun_at: told of, or next */
	const char *user;		/* at this host; "": the route's */
	struct list asking;		/* of d->asking, or of d->dialing */
	uint64_t cookie;
	bool is_tls_host;		/* it begins with TLS */
	bool is_lmtp;
	bool is_literal;		/* its name is an address */
	bool is_unix;			/* ... or the path of a socket */
	bool is_plain;			/* TLS failed there: once without */
	const struct hop_dane *dane;	/* of it; borrowed from hops */
	struct way_sts sts;
	struct policy policy;		/* what it has to show */
	struct tls_filter *tls;		/* the stream's, or NULL */
	char tls_text[64];		/* what was agreed on, for people */
	uint64_t begun_at;		/* wall */
	int64_t begun_at_ms;
	struct buf failed;		/* attempts that led nowhere */
	uint32_t n_failed;
	struct tx_finding trouble;	/* the last of them */
	char trouble_text[1024];
};

/* Begins to look for a host; the result comes later.  ERR_NOMEM. */
enum err session_new(struct deliverd *d, struct dest *dest,
    struct session **out);

/* There may be a job for this idle session. */
void session_offer(struct session *s);

/* Takes no more jobs; ends when those in hand are done. */
void session_quit(struct session *s);

/* At once: what is in hand is given back as lost, WHY. */
void session_kill(struct session *s, const char *why);

/* A piece of content of one of its jobs. */
void session_content(struct session *s, struct job *j,
    const struct msg_content *m);

/* session_tls: first of all, what the host has to show; false: skip it */
bool session_tls_judge(struct session *s, const struct hop_dane *dane);

/* What the route shows is there, if it shows anything. */
bool session_tls_is_ready(const struct session *s);
enum tx_tls_need session_tls_need(const struct session *s);
enum err session_tls_make(struct session *s);	/* for the stream to be made;
				 * ERR_NOT_FOUND: not ready any more */
enum err session_tls_begin(struct session *s);	/* for the one that is there */
void session_tls_note(struct session *s);	/* it is open */

/* The words of a failure, written to TEXT when there is more to say. */
struct span session_tls_reason(const struct session *s,
    const struct tx_finding *why, char *text, size_t size);

/* Whether what failed was TLS, and the mail may go in clear. */
bool session_tls_may_retry(const struct session *s,
    const struct tx_finding *why);

/* session: for session_dial */
void session_connected(struct session *s, int fd);
void session_end(struct session *s);
void session_pump(struct session *s);		/* may end the session */

#endif
