/*
 * Random numbers that repeat from their seed (xoshiro256**), for rooms
 * without system calls: jitter, shuffling, simulation.  Never for secrets.
 */
#ifndef MTAD_BASE_RNG_H
#define MTAD_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);

/* Each of 0 .. N - 1 equally likely; N > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);

/* Each of LOW .. HIGH equally likely; LOW <= HIGH. */
int64_t rng_between(struct rng *r, int64_t low, int64_t high);

#endif
