/*
 * The route table: which rule of `routes` a recipient of a sender falls under,
 * and what that means for a connection.
 *
 * The first rule that matches wins; where none does, mail goes by MX to
 * deliver.port (ROUTE_BY_MX): an administrator who routes two domains does not
 * mean that the rest of the world can't be reached.  A rule matches when one
 * of its `to` patterns matches the recipient and one of its `from` patterns
 * the sender, ASCII case ignored:
 *
 *	*                     everything
 *	d  *@d                the domain d, nothing below it
 *	.d  *.d  *@.d         everything below d, not d
 *	u@d                   this one address, quoted or not
 *	<>                    the null sender
 *
 * Compiled: a lookup costs a few hash probes for each label of the two domains,
 * however many rules there are.  Owns all it gives out; the struct conf may go
 * away.  Pure, and read-only after route_table_new.
 */
#ifndef MTAD_ROUTE_ROUTE_TABLE_H
#define MTAD_ROUTE_ROUTE_TABLE_H

#include "common/base/buf.h"
#include "common/conf/conf.h"

#define ROUTE_BY_MX UINT32_MAX	/* index of "no rule matched" */
#define ROUTE_KEY_MAX 2048	/* bytes of a destination's key, at most */

struct route_target {
	enum conf_scheme scheme;
	const char *user;	/* "" without */
	const char *host;	/* "" for CONF_SCHEME_MX */
	bool is_address;
	struct ipaddr ip;	/* when is_address */
	uint16_t port;		/* never 0: defaults are filled in */
};

struct route {
	uint32_t index;		/* row of conf.routes, or ROUTE_BY_MX */
	const struct route_target *targets;
	size_t n_targets;	/* one or more; mx stands alone */
	enum conf_route_tls tls;
	const char *auth_user;	/* "" without */
	const char *to;		/* the pattern that matched, as written: for */
	const char *from;	/* an operator's question; "*" for ROUTE_BY_MX */
};

struct route_table;

enum err route_table_new(const struct conf *conf, struct route_table **out);
void route_table_free(struct route_table **table);

/* Both addresses without angle brackets; an empty SENDER is the null one.
 * Never fails: the last resort is ROUTE_BY_MX.  Borrows from TABLE. */
struct route route_table_find(const struct route_table *table,
    struct span sender, struct span recipient);

/* The route of a row of conf.routes or of ROUTE_BY_MX, for who has kept only
 * the index; false for another index. */
bool route_table_get(const struct route_table *table, uint32_t index,
    struct route *out);

static inline bool
route_is_mx(const struct route *route)
{
	return route->targets[0].scheme == CONF_SCHEME_MX;
}

/* Writes the key of the destination, at most ROUTE_KEY_MAX bytes of printable
 * ASCII: recipients with equal keys go to the same hosts in the same manner
 * and may share a connection.  By MX it is the recipient's domain in lower
 * case ("example.org"), else the list of hosts ("smtp://relay:25"); what
 * differs from the default manner follows behind a `;`. */
void route_key(const struct route *route, struct span recipient,
    struct buf *out);

/* The domain of an address: what is behind its last @; empty without. */
struct span route_domain(struct span address);

#endif
