/*
 * Part of conf_rules: how a route meets its hosts (share, source,
 * family) and with which sender (masquerade, srs).
 */
#ifndef MTAD_CONFLOAD_CONF_RULES_WAY_H
#define MTAD_CONFLOAD_CONF_RULES_WAY_H

#include "common/conf/conf.h"
#include "common/confload/conf_report.h"

/* Mistakes of ROUTE of CONF, which stands at PLACE. */
void conf_rules_way(const struct conf *conf, const struct conf_route *route,
    struct conf_place place, struct conf_report *report);

/* Addresses to connect from, of FAMILY, under KEY. */
void conf_rules_sources(const char *key, const struct conf_networks *sources,
    enum conf_family family, struct conf_place place,
    struct conf_report *report);

#endif
