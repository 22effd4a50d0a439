/*
 * Fetching by HTTPS for the rest of this process: a request in, an answer out.
 *
 * The name of the host is asked of dnsd.  Addresses that the DNS must not send
 * us to (loopback outside of a laboratory, link-local, multicast, unspecified,
 * broadcast, and where this instance itself listens) are left out, as they are
 * for mail exchangers; a request of the administrator's own making (is_ours)
 * may go anywhere.  See web.h for what the exchange is like.
 *
 * Bounded: FETCH_AT_ONCE under way, FETCH_WAITING_MAX behind them, each in
 * bytes and time.  Bodies are overwritten when they are done with.
 */
#ifndef MTAD_FETCHD_FETCH_H
#define MTAD_FETCHD_FETCH_H

#include "common/base/endpoint.h"
#include "common/base/err.h"
#include "common/base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define FETCH_AT_ONCE		16
#define FETCH_WAITING_MAX	1000
#define FETCH_BYTES_MAX		((size_t)256 * 1024)	/* of a body, each way */
#define FETCH_ADDRESSES_MAX	8	/* of a host, of both families */

struct ask;
struct fetch;
struct loop;

struct fetch_setup {
	bool may_loopback;		/* a laboratory */
	bool has_ipv4;			/* by the configuration */
	bool has_ipv6;			/* by it, and there is a way */
	int64_t dns_ms;			/* for a question to dnsd */
	const struct endpoint *own;	/* where this instance listens; copied */
	size_t n_own;
};

struct fetch_request {
	const char *url;		/* https://host[:port]/path; copied */
	const char *content_type;	/* of the body of a POST; NULL: GET */
	struct span body;		/* copied */
	const char *header;		/* one more field, "Name: value"; copied;
					 * NULL without */
	size_t bytes_max;		/* of the answer's body */
	int64_t timeout_ms;		/* from now to the last byte */
	bool is_ours;			/* not aimed by the DNS of others */
};

struct fetch_answer {
	unsigned status;		/* of HTTP; 0: none came, see text */
	const char *content_type;	/* as sent; "" without */
	struct span body;
	bool is_untrusted;		/* status is 0 for the certificate */
	const char *text;		/* for people, when status is 0 */
};

/* Everything is borrowed for the call. */
typedef void fetch_fn(void *ctx, const struct fetch_answer *answer);

/* life: ASK is borrowed.  ERR_NOMEM.  Freeing tells nobody anything. */
enum err fetch_new(struct loop *l, struct ask *ask, struct fetch **out);
void fetch_free(struct fetch **f);

/* At the start and at each reload.  On failure (ERR_NOMEM) the old one stays. */
enum err fetch_set_up(struct fetch *f, const struct fetch_setup *setup);
enum err fetch_set_authorities(struct fetch *f, struct span pem);

/*
 * FN comes once, later, from the loop, unless CTX is cancelled.  Without FN:
 * ERR_SYNTAX (no https URL, or one with a user; a header of several lines),
 * ERR_RANGE (too long, too large), ERR_FULL (FETCH_WAITING_MAX wait already), ERR_NOMEM.
 */
enum err fetch_start(struct fetch *f, const struct fetch_request *r,
    fetch_fn *fn, void *ctx);

/* Every request of CTX ends without a word. */
void fetch_cancel(struct fetch *f, const void *ctx);

/* inspection */
size_t fetch_count(const struct fetch *f);	/* waiting and under way */

#endif
