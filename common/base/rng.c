/*
 * xoshiro256** by Blackman and Vigna, seeded by SplitMix64, both in the public
 * domain.  Written anew from their description.
 */
#include "common/base/rng.h"

#include "common/base/check.h"

static uint64_t
rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

/* SplitMix64: spreads a small seed over the whole state. */
static uint64_t
split_mix(uint64_t *at)
{
	uint64_t v = *at += UINT64_C(0x9e3779b97f4a7c15);

	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

/* Any seed will do, 0 too: an all-zero state would stay so, and can't
 * arise. */
void
rng_init(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = split_mix(&seed);
}

uint64_t
rng_u64(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

/* The lowest 2^64 mod N values are thrown away, so that the rest divides
 * evenly; for small N that hardly ever happens. */
uint64_t
rng_below(struct rng *r, uint64_t n)
{
	uint64_t uneven, v;

	MUST(n > 0);
	/* 2^64 mod n: so many of the lowest values would favour some results */
	uneven = (0 - n) % n;
	do {
		v = rng_u64(r);
	} while (v < uneven);
	return v % n;
}

/* Computed unsigned: the width of two signed numbers may not fit into one. */
int64_t
rng_between(struct rng *r, int64_t low, int64_t high)
{
	uint64_t width = (uint64_t)high - (uint64_t)low;

	MUST(low <= high);
	if (width == UINT64_MAX)
		return (int64_t)rng_u64(r);
	return (int64_t)((uint64_t)low + rng_below(r, width + 1));
}
