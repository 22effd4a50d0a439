/*
 * What holds a destination back besides its own answers: an operator, a rule, a
 * group that it is in (plan_params.h, struct plan_advice).
 *
 * Who knows of such things is asked for each destination that the planner makes,
 * and again when they have changed.  A destination that is stopped gives out no
 * unit, not even a probe; a back-off that it has goes on meanwhile.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_ADVICE_H
#define MTAD_QUEUED_PLAN_PLAN_ADVICE_H

#include "queued/plan/plan.h"

/* For those that are made from now on. */
void plan_set_advisor(struct plan *plan, plan_advisor *advisor, void *ctx);

/* Asks again, of KEY if it is here; of all. */
void plan_advise(struct plan *plan, struct span key);
void plan_advise_all(struct plan *plan);

/* Asks for the limits of each destination with a unit, by one of its units. */
void plan_refresh(struct plan *plan,
    void (*limits_of)(void *ctx, void *owner, struct plan_limits *out),
    void *ctx);

/* Forgets how KEY did: back-off, window, place in its rate.  False: it is not
 * here. */
bool plan_reset(struct plan *plan, struct span key);

/* PU's destination said that it would not talk before UNTIL: as if it had failed,
 * but not before that.  The time of its next probe. */
int64_t plan_back_off(struct plan *plan, struct plan_unit *pu, int64_t until,
    int64_t now);

/* What waits for a destination that is stopped gets old: whoever is overdue by
 * NOW is to be told of (plan_tell.h).  To be called now and then. */
void plan_tell_stopped(struct plan *plan, int64_t now);

/* When PU's destination failed last, or was seen to be stopped; INT64_MIN: it
 * does neither. */
int64_t plan_unit_told_at(const struct plan_unit *pu);

#endif
