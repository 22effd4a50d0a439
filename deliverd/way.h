/*
 * From a route to a round over its hosts, and what is demanded of each: the same
 * for a delivery and for who asks where one would go.
 */
#ifndef MTAD_DELIVERD_WAY_H
#define MTAD_DELIVERD_WAY_H

#include "deliverd/hops/hops.h"
#include "deliverd/policy/policy.h"
#include "deliverd/settings.h"

/* Fills OUT, which borrows from SET, ROUTE and DOMAIN, the recipient's, for MX.
 * Asks the routing table whether there is a way into the IPv6 world. */
void way_setup(const struct settings *set, const struct route *route,
    bool requires_tls, struct span domain, uint64_t seed,
    struct hops_setup *out);

/* How many addresses of ours, of FAMILY, the route is met from; of none in all
 * it is any. */
size_t way_sources(const struct route_way *way, enum ipaddr_family family);

struct way_facts {
	const struct route *route;
	bool requires_tls;		/* of the mail */
	bool is_unix;			/* the host is a socket of this one */
	const struct hop_dane *dane;	/* of the host */
	const struct policy_sts *sts;	/* of its domain */
};

/* What a host has to show. */
void way_judge(const struct way_facts *f, struct policy *out);

/* Of mail with REQUIRETLS, when all hosts have failed, and UNFIT of them for
 * what they lack: whether it is returned, with *STATUS changed for that. */
bool way_returns(uint32_t unfit, uint32_t failed, struct status *status);

#endif
