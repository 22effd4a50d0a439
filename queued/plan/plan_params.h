/*
 * What the planner goes by [pure]: numbers for all together, for one
 * destination, for one unit.  A maximum of 0 is none.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_PARAMS_H
#define MTAD_QUEUED_PLAN_PLAN_PARAMS_H

#include "common/base/span.h"

#define PLAN_PRIORITY_MAX 9		/* RFC 6710: -9 to 9, 0 is usual */

struct plan_params {
	uint32_t window_first;		/* leases out to a new destination */
	uint32_t leases_max;		/* out to all of them */
	uint64_t bytes_max;		/* of contents that leases hold */
	uint32_t trying_max;		/* destinations that have leases and … */
	uint32_t probes_max;		/* … never answered, or failed before */
	uint32_t trials_rate;		/* leases a second to such ones, … */
	uint32_t trials_part;		/* … and one for so many to others */
	int64_t proven_ms;		/* one without mail is known so long */
	uint64_t seed;			/* of jitter and hashes */
};

struct plan_limits {			/* of a destination */
	int64_t first_retry_ms;		/* of its back-off, plan_retry.h */
	int64_t max_retry_ms;
	uint32_t window_max;		/* leases out to it */
	uint32_t rate_count;		/* messages … */
	uint32_t rate_ms;		/* … in this time; count 0: any number */
	int64_t stopped_until;		/* its route is suspended: nothing goes
					 * before; 0: not, INT64_MAX: no end */
	uint32_t origin;		/* whose limits these are; only kept */
};

/* What is known of a destination besides the limits of its route. */
struct plan_advice {
	int64_t stopped_until;		/* as of limits; both have to be over */
	uint32_t window_max;		/* the smaller one counts; 0: none */
	uint32_t rate_count, rate_ms;	/* the slower one counts */
	struct span group;		/* of destinations that share limits; it
					 * is copied; empty: none */
	uint32_t group_window;		/* its own limits; 0: those of whoever … */
	uint32_t group_count, group_ms;	/* … of its members was heard of last */
};

/* Asked for each destination that is made; ADVICE is zero. */
typedef void plan_advisor(void *ctx, struct span key,
    struct plan_advice *advice);

/* A unit as it enters; spans are copied, or only looked at. */
struct plan_entry {
	void *owner;
	struct span key;		/* of its destination */
	struct plan_limits limits;	/* the newest ones count */
	struct span client;		/* its address; empty: local */
	struct span sender;		/* reverse-path */
	int64_t due;
	int64_t overdue;		/* when somebody must hear of it */
	uint64_t size;			/* of the message */
	uint32_t bytes;			/* of it that a lease holds in memory */
	int8_t priority;		/* beyond the bounds: the bound */
	bool is_held;
};

#endif
