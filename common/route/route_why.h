/*
 * Why a rule does not match: for people who ask which one does.
 *
 * Looks at the rule as it is written, one at a time, and knows nothing of the
 * compiled table; a test holds the two together: the first rule that misses in
 * nothing is the one that route_table_find() gives.  Pure.
 */
#ifndef MTAD_ROUTE_ROUTE_WHY_H
#define MTAD_ROUTE_ROUTE_WHY_H

#include "common/route/route.h"

enum route_why {
	ROUTE_WHY_NONE,		/* it matches */
	ROUTE_WHY_TO, ROUTE_WHY_FROM,
	ROUTE_WHY_RELEASED,	/* it would hold what an operator released */
	ROUTE_WHY_CLIENT, ROUTE_WHY_USER, ROUTE_WHY_SIZE, ROUTE_WHY_HEADER,
	ROUTE_WHY_COUNT
};

/* The first thing in which RULE does not match, in the order above. */
enum route_why route_why(const struct conf_route *rule,
    const struct route_facts *facts);

/* What RULE asks besides recipient and sender: 1 << ROUTE_WHY_CLIENT, USER,
 * SIZE and HEADER. */
unsigned route_why_asks(const struct conf_route *rule);

/* Appends what RULE asks for there, as it is written: at most MAX bytes, "…"
 * for the rest; nothing where it asks for nothing. */
void route_why_put(const struct conf_route *rule, enum route_why why,
    size_t max, struct buf *out);

#endif
