/*
 * Destinations of the planner: window, pace, back-off, turn (plan's own
 * affair).
 *
 * A destination is in a ring of turns exactly while a unit of it may be leased
 * as far as the destination is concerned; plan_dest_update() keeps that true
 * after every change.  Each class has a ring of its own, so that one which may
 * have no more hides none of another.  A destination is freed when it has no
 * unit and nothing to remember.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_DEST_H
#define MTAD_QUEUED_PLAN_PLAN_DEST_H

#include "queued/plan/plan_dest_state.h"

void plan_dests_init(struct plan_dests *ds, const struct plan_params *params);
void plan_dests_clear(struct plan_dests *ds);

/* The destination of KEY, made when new; NULL without memory. */
struct plan_dest *plan_dest_get(struct plan_dests *ds, struct span key,
    const struct plan_limits *limits);
void plan_dest_set_limits(struct plan_dests *ds, struct plan_dest *d,
    const struct plan_limits *limits);

/* What was heard of it from elsewhere. */
void plan_dest_set_advice(struct plan_dests *ds, struct plan_dest *d,
    const struct plan_advice *advice);

/* As MODEL stands, of another planner; D's units and limits stay. */
void plan_dest_become(struct plan_dests *ds, struct plan_dest *d,
    const struct plan_dest *model);

/* After any change of its units, window or back-off; may free it. */
void plan_dest_update(struct plan_dests *ds, struct plan_dest *d);

/* Ends the back-offs and pauses that are over at NOW. */
void plan_dests_tick(struct plan_dests *ds, int64_t now);

/* A lease of BYTES begins; one is sent; ends; or ended before anybody tried. */
void plan_dest_lease(struct plan_dests *ds, struct plan_dest *d,
    uint32_t bytes);
void plan_dest_pace(struct plan_dests *ds, struct plan_dest *d, int64_t now);
void plan_dest_unlease(struct plan_dests *ds, struct plan_dest *d,
    uint32_t bytes);
void plan_dest_give_back(struct plan_dests *ds, struct plan_dest *d);

void plan_dest_lift(struct plan_dests *ds, struct plan_dest *d);
void plan_dest_forget(struct plan_dests *ds, struct plan_dest *d);
void plan_dest_note_ok(struct plan_dests *ds, struct plan_dest *d,
    int64_t took_ms);

/* It would take less than it got; nobody knew before SINCE. */
void plan_dest_note_less(struct plan_dests *ds, struct plan_dest *d,
    int64_t since, int64_t now);

/* Backs off, unless it does so already; the time of the next probe. */
int64_t plan_dest_note_failure(struct plan_dests *ds, struct plan_dest *d,
    int64_t now);

uint32_t plan_dest_window(const struct plan_dest *d);
uint32_t plan_dest_window_max(const struct plan_dest *d);	/* 0: none */

/* After a change of what it waits for; can't fail. */
void plan_dest_set_clock(struct plan_dests *ds, struct plan_dest *d);

/* Until when nothing of it goes; 0: now.  One that is stopped for long is asked
 * for again as often as its curve says. */
int64_t plan_dest_kept_until(const struct plan_dests *ds,
    const struct plan_dest *d);

#endif
