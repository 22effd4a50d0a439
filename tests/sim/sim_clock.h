/*
 * How old a message may be by the spool's time (queued/spool_time.h), which
 * goes on when the wall clock is set, as long as queued saw it.
 *
 * What the clock was set by while no queued lived, or while one did that died
 * before it had kept it, counts as time that passed, or as none.
 */
#ifndef MTAD_TESTS_SIM_SIM_CLOCK_H
#define MTAD_TESTS_SIM_SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds: by the monotonic clock; what the spool's may be ahead, and
 * behind, since the begin of the history. */
struct sim_moment {
	int64_t mono, ahead, behind;
};

void sim_clock_new(void);
struct sim_moment sim_clock_now(void);

/* The age at UNTIL of what began at SINCE: at the most, and at the least. */
int64_t sim_age_most(struct sim_moment since, struct sim_moment until);
int64_t sim_age_least(struct sim_moment since, struct sim_moment until);

/* The wall clock is set. */
void sim_clock_set(int64_t by_ms);

/* queued saw it, BY so much, and keeps it; could not; has ended. */
void sim_clock_seen(int64_t by_ms);
void sim_clock_unkept(void);
void sim_clock_alone(void);

#endif
