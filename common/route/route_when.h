/*
 * What a rule of `routes` asks besides recipient and sender: the client, who
 * authenticated, the size, header fields; and that mail which an operator has
 * released is not held again.
 *
 * Part of route_table; nobody else needs it.
 */
#ifndef MTAD_ROUTE_ROUTE_WHEN_H
#define MTAD_ROUTE_ROUTE_WHEN_H

#include "common/base/arena.h"
#include "common/route/route_why.h"

struct route_when;

/* *OUT, in ARENA, is NULL when RULE asks nothing more.  ERR_NOMEM. */
enum err route_when_make(struct arena *arena, const struct conf_route *rule,
    const struct route_when **out);

/* Each of them holds, of which one alternative is enough.  IS_EARLY: the
 * message has not come yet, and what is asked of it passes. */
bool route_when_holds(const struct route_when *when,
    const struct route_facts *facts, bool is_early);

/* Whether size or header fields are asked. */
bool route_when_is_late(const struct route_when *when);

/* Which of these RULE asks in vain, the first one: for people. */
enum route_why route_when_miss(const struct conf_route *rule,
    const struct route_facts *facts);

#endif
