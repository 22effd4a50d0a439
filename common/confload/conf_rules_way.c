#include "common/confload/conf_rules_way.h"

static bool
is_address(const struct ipaddr_prefix *p)
{
	return p->bits == (p->addr.family == IPADDR_4 ? 32 : 128) &&
	    !ipaddr_is_unspecified(&p->addr) &&
	    !ipaddr_is_multicast(&p->addr) && !ipaddr_is_broadcast(&p->addr);
}

static bool
has_family(const struct conf_networks *sources, enum ipaddr_family family)
{
	for (size_t i = 0; i < sources->n; i++)
		if (sources->v[i].addr.family == family)
			return true;
	return false;
}

void
conf_rules_sources(const char *key, const struct conf_networks *sources,
    enum conf_family family, struct conf_place place,
    struct conf_report *report)
{
	for (size_t i = 0; i < sources->n; i++)
		if (!is_address(&sources->v[i]))
			conf_report_add(report, CONF_ERROR, place,
			    "%s: expected addresses of this host", key);
	if (sources->n > 0 && ((family == CONF_FAMILY_IPV4 &&
	    !has_family(sources, IPADDR_4)) || (family == CONF_FAMILY_IPV6 &&
	    !has_family(sources, IPADDR_6))))
		conf_report_add(report, CONF_ERROR, place,
		    "%s has no address of address_family", key);
}

static void
check_sender(const struct conf *conf, const struct conf_route *route,
    struct conf_place place, struct conf_report *report)
{
	for (size_t i = 0; i < route->masquerade.n; i++)
		if (route->masquerade.v[i][0] == '.' ||
		    route->masquerade.v[i][0] == '*')
			conf_report_add(report, CONF_ERROR, place,
			    "masquerade: `%s` is to be the domain itself",
			    route->masquerade.v[i]);
	if (route->srs[0] != '\0' && conf->srs.secret_file[0] == '\0')
		conf_report_add(report, CONF_ERROR, place,
		    "srs needs srs.secret_file");
}

void
conf_rules_way(const struct conf *conf, const struct conf_route *route,
    struct conf_place place, struct conf_report *report)
{
	check_sender(conf, route, place, report);
	conf_rules_sources("source", &route->source, route->address_family,
	    place, report);
	for (size_t i = 0; i < route->via.n && route->source.n > 0; i++)
		if (route->via.v[i].is_address && !has_family(&route->source,
		    route->via.v[i].ip.family))
			conf_report_add(report, CONF_ERROR, place, "source "
			    "has no address of the family of %s",
			    route->via.v[i].host);
	if (route->share > route->via.n)
		conf_report_add(report, CONF_ERROR, place,
		    "share: there are no %u hosts in `via`",
		    (unsigned)route->share);
}
