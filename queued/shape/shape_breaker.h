/*
 * Circuit breakers [pure]: when so many messages to one destination, or on one
 * route, are refused for good within a time, and these are a large part of all,
 * something is wrong with more than addresses.
 *
 * A bulk sender with a few dead addresses in a hundred never comes to the share;
 * an address book with ten dead ones never to the number; one message with a
 * thousand of them is one.  Of a destination no
 * more than a SHAPE_BREAKER_PARTth of the number counts for its route: it takes
 * several to trip that.
 *
 * A table of a fixed size: who was not noted for longest is forgotten.  Times are
 * ms of a clock that does not go back.
 */
#ifndef MTAD_QUEUED_SHAPE_SHAPE_BREAKER_H
#define MTAD_QUEUED_SHAPE_SHAPE_BREAKER_H

#include "common/base/siphash.h"
#include "common/conf/conf_types.h"

enum { SHAPE_BREAKER_PART = 4 };

struct shape_breaker;

struct shape_breaker_limit {
	struct conf_rate refused;	/* count 0: never */
	uint32_t share;			/* of all, percent */
};

/* What was counted in the period that ends now. */
struct shape_breaker_count {
	uint32_t refused, taken;
};

/* ERR_NOMEM. */
enum err shape_breaker_new(const struct siphash_key *seed,
    struct shape_breaker **out);
void shape_breaker_free(struct shape_breaker **b);

/* So many messages more; true: it trips.  It does so each time while it is
 * above the limit. */
bool shape_breaker_note(struct shape_breaker *b, struct span key,
    const struct shape_breaker_limit *limit, uint32_t refused,
    uint32_t taken, int64_t now);

/* The same for the route ROUTE, of which KEY, noted just now with the same
 * numbers, is a destination. */
bool shape_breaker_note_route(struct shape_breaker *b, uint32_t route,
    struct span key, const struct shape_breaker_limit *limit,
    uint32_t refused, uint32_t taken, int64_t now);

struct shape_breaker_count shape_breaker_count(const struct shape_breaker *b,
    struct span key, uint32_t period_ms, int64_t now);

/* Counts from nothing again. */
void shape_breaker_reset(struct shape_breaker *b, struct span key);
void shape_breaker_reset_route(struct shape_breaker *b, uint32_t route);

#endif
