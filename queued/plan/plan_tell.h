/*
 * Who is to hear of a destination's failure.
 *
 * A destination that is down would let its units grow old one probe at a time,
 * hours late: what failed for one of them counts as a fresh attempt of all that
 * wait for the same and are past their overdue time.  They may be a hundred
 * thousand, and each costs a report: so the destination is noted, and whoever
 * tells their senders takes some at a time.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_TELL_H
#define MTAD_QUEUED_PLAN_PLAN_TELL_H

#include "queued/plan/plan.h"

/* PU's destination failed as a whole.  An end of its back-off, by an answer or
 * an operator, ends this too. */
void plan_tell(struct plan *plan, struct plan_unit *pu);

bool plan_has_untold(const struct plan *plan);

/* Where a walk over some of them is; zero at its begin. */
struct plan_telling {
	const void *dest;
	struct list *next;
};

/* The next ready unit that was overdue when its destination failed; it leaves
 * READY as if leased.  Between two calls of one walk only units that it gave
 * may change.  False: there are no more, nor is there anybody untold. */
bool plan_next_untold(struct plan *plan, struct plan_telling *t,
    struct plan_unit **out);

#endif
