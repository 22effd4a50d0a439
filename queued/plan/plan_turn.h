/*
 * Whose turn it is, of all destinations (plan's own affair).
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_TURN_H
#define MTAD_QUEUED_PLAN_PLAN_TURN_H

#include "queued/plan/plan_dest.h"

/* Time has passed: trials may be made again. */
void plan_turn_tick(struct plan_dests *ds, int64_t now);

/* The destination that may lease now and whose turn it is, or NULL; it goes
 * behind the others of its class. */
struct plan_dest *plan_turn_next(struct plan_dests *ds);
bool plan_turn_may(const struct plan_dests *ds);

/* When more trials may be made, if only that is in the way; or PLAN_NEVER. */
int64_t plan_turn_trial_at(const struct plan_dests *ds);

#endif
