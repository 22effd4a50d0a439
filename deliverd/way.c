#include "deliverd/way.h"

#include "common/proc/own.h"
#include "common/tls/tls_client.h"

size_t
way_sources(const struct route_way *way, enum ipaddr_family family)
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
	    (way->n_sources == 0 || way_sources(way, family) > 0);
}

/* Named hosts may be at home: nobody need see the world for them. */
void
way_setup(const struct settings *set, const struct route *route,
    bool requires_tls, struct span domain, uint64_t seed,
    struct hops_setup *out)
{
	const struct route_way *way = route->way;
	const bool may_ipv6 = may_use(way, IPADDR_6);
	const bool has_ipv6 = may_ipv6 && (!route_is_mx(route) ||
	    set->has_ipv6 || own_has_ipv6());

	*out = (struct hops_setup){
		.targets = route->targets, .n_targets = route->n_targets,
		.share = way->share,
		.is_ipv6_first = way->family == CONF_FAMILY_IPV6_FIRST,
		.domain = domain,
		.has_ipv4 = may_use(way, IPADDR_4), .has_ipv6 = has_ipv6,
		.lacks_ipv6 = may_ipv6 && !has_ipv6,
		.may_loopback = set->may_loopback,
		.refuses_private = set->refuses_private,
		.wants_dane = policy_wants_dane(route->tls, requires_tls),
		.own_name = set->hostname,
		.own = set->own, .n_own = set->n_own,
		.seed = seed,
	};
}

/* Records of whole certificates that nobody can read are of no use either. */
static bool
is_readable(const struct hop_dane *dane)
{
	for (size_t i = 0; i < dane->n; i++)
		if (tls_dane_is_readable(&dane->records[i]))
			return true;
	return false;
}

/* Nobody stands between two processes of one host, and none wants a
 * password. */
void
way_judge(const struct way_facts *f, struct policy *out)
{
	struct hop_dane unusable;
	struct policy_facts facts = {
		.tls = f->is_unix ? CONF_ROUTE_TLS_NONE : f->route->tls,
		.requires_tls = f->requires_tls,
		.has_secret = !f->is_unix && f->route->auth_secret[0] != '\0',
		.has_certificate = f->route->certificate[0] != '\0',
		.dane = f->dane, .sts = f->sts,
	};

	if (f->dane->state == HOP_DANE_USABLE && !is_readable(f->dane)) {
		unusable = *f->dane;
		unusable.state = HOP_DANE_UNUSABLE;
		facts.dane = &unusable;
	}
	policy_judge(&facts, out);
}

/* RFC 8689 4.2.1: when no host has what the message requires, it is returned;
 * as long as one of them could not be asked, it waits. */
bool
way_returns(uint32_t unfit, uint32_t failed, struct status *status)
{
	if (unfit < failed)
		return false;
	if (status->subject != 7 || status->detail != 10)
		*status = STATUS(0, 7, 30);
	status->class = 5;
	return true;
}
