/*
 * Of several addresses of ours one is taken by lot for each connection, so that
 * they share the load.  When a route has some of one family only, hosts are met
 * over that family only: another address of ours would be as good as a
 * stranger's to who trusts these.
 */
#include "deliverd/session_way.h"

#include "common/proc/own.h"

static size_t
count_sources(const struct route_way *way, enum ipaddr_family family)
{
	size_t n = 0;

	for (size_t i = 0; i < way->n_sources; i++)
		n += way->sources[i].family == family ? 1 : 0;
	return n;
}

static bool
may_use(const struct route_way *way, enum ipaddr_family family)
{
	const enum conf_family other = family == IPADDR_4 ?
	    CONF_FAMILY_IPV6 : CONF_FAMILY_IPV4;

	return way->family != other &&
	    (way->n_sources == 0 || count_sources(way, family) > 0);
}

struct hops_setup
session_way_hops(const struct session *s)
{
	const struct settings *set = s->settings;
	const struct route_way *way = s->route.way;
	const bool may_ipv6 = may_use(way, IPADDR_6);
	const bool has_ipv6 = may_ipv6 && (!route_is_mx(&s->route) ||
	    set->has_ipv6 || own_has_ipv6());

	return (struct hops_setup){
		.targets = s->route.targets, .n_targets = s->route.n_targets,
		.share = way->share,
		.is_ipv6_first = way->family == CONF_FAMILY_IPV6_FIRST,
		.has_ipv4 = may_use(way, IPADDR_4), .has_ipv6 = has_ipv6,
		.lacks_ipv6 = may_ipv6 && !has_ipv6,
		.may_loopback = set->may_loopback,
		.refuses_private = set->refuses_private,
		.wants_dane = policy_wants_dane(s->route.tls,
		    s->requires_tls),
		.own_name = set->hostname,
		.own = set->own, .n_own = set->n_own,
	};
}

const struct ipaddr *
session_way_source(const struct session *s)
{
	const struct route_way *way = s->route.way;
	const enum ipaddr_family family = s->at.addr.family;
	size_t n = count_sources(way, family);

	if (n == 0)
		return NULL;
	n = (size_t)rng_below(&s->d->dice, n);
	for (size_t i = 0; i < way->n_sources; i++)
		if (way->sources[i].family == family && n-- == 0)
			return &way->sources[i];
	return NULL;
}

void
session_way_begin(struct session *s)
{
	s->setup = s->settings->tx;
	if (s->route.way->helo[0] != '\0')
		s->setup.helo = s->route.way->helo;
}
