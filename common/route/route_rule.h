/*
 * One rule of `routes`, as struct route: with what it leaves to the sections
 * `queue` and `deliver`, or to the scheme of a target, filled in.
 *
 * Part of route_table; nobody else needs it.
 */
#ifndef MTAD_ROUTE_ROUTE_RULE_H
#define MTAD_ROUTE_ROUTE_RULE_H

#include "common/base/arena.h"
#include "common/route/route.h"

/* RULE is NULL for what no rule takes: by MX.  Texts are copied into ARENA: the
 * table outlives the configuration that it was made of.  ERR_SYNTAX for a rule
 * without patterns or targets, ERR_NOMEM. */
enum err route_rule_make(struct arena *arena, const struct conf *conf,
    const struct conf_route *rule, uint32_t index, struct route *out);

#endif
