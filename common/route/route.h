/*
 * A route: the next hops of a recipient, and the name under which recipients
 * with the same ones are gathered.
 *
 * Borrows everything from the route table that gave it.
 */
#ifndef MTAD_ROUTE_ROUTE_H
#define MTAD_ROUTE_ROUTE_H

#include "common/base/buf.h"
#include "common/conf/conf.h"
#include "common/route/route_way.h"

#define ROUTE_BY_MX UINT32_MAX	/* index of "no rule matched" */
#define ROUTE_KEY_MAX 2048	/* bytes of a destination's key, at most */

struct route_target {
	enum conf_scheme scheme;
	const char *user;	/* "" without */
	const char *host;	/* "" for CONF_SCHEME_MX; of LMTP perhaps a path */
	bool is_address;
	struct ipaddr ip;	/* when is_address */
	uint16_t port;		/* never 0: defaults are filled in */
};

/* What decides about the route of a recipient; whoever lacks one leaves it
 * empty.  Spans are borrowed for the call. */
struct route_facts {
	struct span recipient;	/* without angle brackets */
	struct span sender;	/* the same; empty: the null one */
	struct span client;	/* 4 or 16 octets; empty: this host */
	struct span user;	/* who authenticated; empty: nobody */
	struct span headers;	/* header_notes.h; empty: none noted */
	uint64_t size;		/* bytes of the content, trace header included */
	bool is_released;	/* by an operator: no rule holds it again */
};

/* How mail on a route is sent; what a rule does not say is filled in. */
struct route_policy {
	int64_t first_retry_ms;
	int64_t max_retry_ms;
	int64_t warn_ms;	/* 0: never */
	int64_t expire_ms;
	enum conf_eight_bit eight_bit;	/* what of such mail */
	enum conf_doubt in_doubt;	/* what of mail whose end nobody knows */
	uint32_t connections;	/* at a time, to a destination */
	uint32_t mails;		/* over one connection */
	uint32_t window;	/* messages under way */
	struct conf_rate rate;	/* count 0: any */
};

struct route {
	uint32_t index;		/* row of conf.routes, or ROUTE_BY_MX */
	const struct route_target *targets;
	size_t n_targets;	/* one or more; mx stands alone */
	enum conf_route_tls tls;
	const struct route_policy *policy;
	const struct route_way *way;
	const char *auth_user;	/* "" without */
	const char *auth_secret; /* the file by which keyd knows its password or
				  * token; "" without */
	bool has_token;		/* it is one, not a password */
	enum conf_mechanism auth_mechanism;
	const char *certificate; /* the file of what is shown; "" without */
	const char *text;	/* of a refusal, without its status; or "" */
	char status[12];	/* "5.7.1" */
	const char *manner;	/* see route_key() */
	const char *to;		/* the pattern that matched, as written: for */
	const char *from;	/* an operator's question; "*" for ROUTE_BY_MX */
};

/* A socket on this host: lmtp:///path. */
static inline bool
route_target_is_unix(const struct route_target *target)
{
	return target->host[0] == '/';
}

/* Nobody is spoken to: it is discarded, refused or held. */
static inline bool
route_is_ours(const struct route *route)
{
	return route->targets[0].scheme >= CONF_SCHEME_DISCARD;
}

static inline bool
route_is_mx(const struct route *route)
{
	return route->targets[0].scheme == CONF_SCHEME_MX;
}

/* Appends the key of the destination, at most ROUTE_KEY_MAX bytes of printable
 * ASCII: recipients with equal keys go to the same hosts in the same manner
 * and may share a connection.  By MX it is the recipient's domain in lower
 * case ("example.org"), else the list of hosts ("smtp://relay:25"); what
 * differs from the default manner follows behind a `;`. */
void route_key(const struct route *route, struct span recipient,
    struct buf *out);

/* Behind it, for mail with REQUIRETLS (RFC 8689): it goes to the same hosts,
 * but shares no connection with other mail. */
void route_key_require_tls(struct buf *out);

/* The same by FLAGS of an envelope; mail with TLS-Required: No goes its own way,
 * too. */
void route_key_tls(uint32_t flags, struct buf *out);

/* For the table, which keeps it as `manner`: what all recipients of ROUTE have
 * in common in their keys. */
void route_manner(const struct route *route, struct buf *out);

/* The domain of an address: what is behind its last @; empty without. */
struct span route_domain(struct span address);

#endif
