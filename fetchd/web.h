/*
 * One HTTPS exchange at a time or several, by libcurl on our loop; the only
 * room that knows libcurl.
 *
 * It is used for what is tedious and well tried in it: HTTP/1.1 and TLS.  It
 * asks nobody for names (the addresses come with the request), opens no file,
 * follows no redirect, keeps no connection and no cookie, speaks TLS 1.2 or
 * newer only and believes nobody but the authorities it was given.  An answer
 * whose body ends with the connection is none: it may have been cut.
 */
#ifndef MTAD_FETCHD_WEB_H
#define MTAD_FETCHD_WEB_H

#include "common/base/endpoint.h"
#include "common/base/err.h"
#include "common/base/span.h"

#define WEB_URL_MAX	2048
#define WEB_HOST_SIZE	256	/* of a name or an address, with its NUL */
#define WEB_HEADERS_MAX	((size_t)64 * 1024)	/* of an answer */

struct loop;
struct web;
struct web_transfer;

/* The parts of an URL that we need. */
struct web_place {
	char host[WEB_HOST_SIZE];	/* no brackets */
	bool is_address;
	struct ipaddr address;		/* when it is one */
	uint16_t port;
};

struct web_request {
	const char *url;		/* copied */
	const struct web_place *place;	/* of that URL; borrowed for the call */
	const struct ipaddr *addresses;	/* of its host, tried in this order */
	size_t n_addresses;
	const char *content_type;	/* NULL: GET, else POST; copied */
	struct span body;		/* of the POST; borrowed to the end */
	const char *header;		/* one more field, or NULL; copied */
	size_t bytes_max;		/* of the body of the answer */
	int64_t timeout_ms;
};

struct web_answer {
	unsigned status;		/* of HTTP; 0: there was no whole answer */
	const char *content_type;	/* "" without */
	struct span body;
	bool is_untrusted;		/* none for its certificate */
	const char *text;		/* why there was none; else "" */
};

/* Everything is borrowed for the call, and overwritten afterwards. */
typedef void web_fn(void *ctx, const struct web_answer *answer);

/* life: ERR_NOMEM.  Freeing ends all transfers without a word. */
enum err web_new(struct loop *l, struct web **out);
void web_free(struct web **w);

/* Whom to believe from the next transfer on: certificates in PEM, copied;
 * empty: nobody.  ERR_NOMEM. */
enum err web_set_authorities(struct web *w, struct span pem);

/* Takes URL apart.  ERR_SYNTAX: not https, or with a user, a fragment, or a
 * host that is no name and no address; ERR_RANGE: too long; ERR_NOMEM. */
enum err web_split(const char *url, struct web_place *out);

/* FN comes once, from the loop, unless the transfer is cancelled.  Without FN:
 * ERR_NOMEM. */
enum err web_start(struct web *w, const struct web_request *r, web_fn *fn,
    void *ctx, struct web_transfer **out);
void web_cancel(struct web_transfer **t);

#endif
