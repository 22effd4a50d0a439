/*
 * The planner's own: what plan.c changes and plan_look.c looks at.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_PRIVATE_H
#define MTAD_QUEUED_PLAN_PLAN_PRIVATE_H

#include "queued/plan/plan_dest.h"

struct plan_unit {
	void *owner;
	struct plan_dest *dest;
	struct list link;		/* dest->ready, plan->waiting or leased */
	struct plan_seat seat;		/* in dest->lines while ready */
	struct heap_node clock;		/* plan->clocks while waiting */
	int64_t due;
	int64_t overdue;		/* when somebody must hear of it */
	int64_t leased_at;
	uint32_t bytes;			/* that a lease holds */
	uint8_t state;			/* enum plan_state */
	bool wants_hold;		/* held while leased: at its end */
};

struct plan {
	struct plan_dests dests;
	struct heap clocks;
	struct list waiting;		/* and held; oldest first */
	struct list leased;
	uint32_t counts[PLAN_HELD + 1];
	uint32_t units;
	int64_t now;			/* as plan_next() was told last */
};

/* Into STATE and its list, and out of those of the one it had. */
void plan_change(struct plan *plan, struct plan_unit *pu,
    enum plan_state state);

#endif
