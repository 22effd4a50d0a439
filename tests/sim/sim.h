/*
 * A world for queued in which nothing is left to chance but the seed.
 *
 * One history at a time: its own disk, clocks, threads, peers, all in memory
 * and all moved by the dice of its seed, so that the same seed gives the same
 * history, bit for bit.  queued's rooms are the real ones; what they ask of
 * the system is answered by the doubles of sim_*.c (docs/TESTING.md).
 */
#ifndef MTAD_TESTS_SIM_SIM_H
#define MTAD_TESTS_SIM_SIM_H

#include "common/base/rng.h"
#include "common/base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_COUNT(id, must_happen, text) SIM_##id,
enum sim_count {
#include "tests/sim/sim_counts.def"
	SIM_COUNT_COUNT
};
#undef SIM_COUNT

struct sim {
	uint64_t seed;
	struct rng dice;
	struct rng system_dice;		/* what queued gets as random bytes */
	int64_t mono_ms;
	int64_t wall_ms;
	int64_t set_back_ms;		/* the wall clock, all together */
	uint64_t digest;		/* of all that happened */
	bool has_damage;		/* some bytes on the disk were changed */
	bool is_tracing;
	bool is_dying;			/* what queued does now has no effect */
	bool is_failed;			/* a promise was broken */
	char failure[512];
	uint64_t counts[SIM_COUNT_COUNT];	/* of all histories */
};

extern struct sim sim;

/* True N times in 1,000. */
bool sim_chance(unsigned n);
uint64_t sim_below(uint64_t n);

/* Adds to the digest; two histories of one seed must have the same. */
void sim_digest(uint64_t a, uint64_t b);

static inline void
sim_note(enum sim_count c)
{
	sim.counts[c]++;
	sim_digest((uint64_t)c, 0);
}

/* A line of the history, when it is traced. */
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A promise does not hold; PROMISE is its number (docs/INVARIANTS.md).  Only
 * the first one of a history counts. */
void sim_broken(const char *promise, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
