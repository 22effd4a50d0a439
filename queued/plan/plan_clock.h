/*
 * The spool's time [pure]: the wall clock as it would be had nobody set it.
 *
 * Everything that the spool keeps (arrivals, due times) is in this time.  It
 * follows the wall clock as long as that follows the monotonic one.  When the
 * wall clock jumps by more than PLAN_CLOCK_JUMP_MS against it, spool time goes
 * on as if nothing had happened, and the difference is kept: so no message is
 * suddenly due, late or too old, in memory or in the index.  For people the
 * times are those of today's wall clock (plan_clock_shown()).
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_CLOCK_H
#define MTAD_QUEUED_PLAN_PLAN_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define PLAN_CLOCK_JUMP_MS INT64_C(60000)

struct plan_clock {
	int64_t offset_ms;	/* wall clock minus spool time */
	int64_t drift_ms;	/* wall clock minus monotonic, when last seen */
	uint64_t jumps;		/* that it saw */
	int64_t jumped_ms;	/* by how much, the last time */
};

/* OFFSET is the one kept, SEEN a wall time at which the spool was used with it
 * (0: not known): while it was not, its time did not run backwards. */
void plan_clock_begin(struct plan_clock *c, int64_t offset_ms, int64_t seen,
    int64_t wall, int64_t mono);

/* Spool time at WALL and MONO, which were read together. */
int64_t plan_clock_now(struct plan_clock *c, int64_t wall, int64_t mono);

/* A moment of the spool as today's wall clock has it. */
int64_t plan_clock_shown(const struct plan_clock *c, int64_t at);

#endif
