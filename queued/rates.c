/*
 * Each key has a set of four places, the one noted last in front; a new key
 * pushes out the one that was not noted for longest.
 *
 * Averages are kept in parts so small that rounding does not keep them from
 * where they tend to: a thousand in a row that succeed are 100 %, whatever was
 * before.
 */
#include "queued/rates.h"

#include "common/base/siphash.h"

#include <stdlib.h>

enum { SETS = 1024, WAYS = 4, MEMORY = 16, PARTS = 1 << 16 };

#define DURATION_MAX_MS UINT64_C(3600000)

struct row {
	uint64_t hash;			/* 0: free */
	uint32_t attempts;
	uint32_t answered, down;	/* of 1,000, times PARTS */
	uint64_t duration;		/* of a millisecond, PARTS */
};

struct rates {
	struct row rows[SETS][WAYS];
};

struct rates *
rates_new(void)
{
	return calloc(1, sizeof(struct rates));
}

void
rates_free(struct rates **r)
{
	free(*r);
	*r = NULL;
}

/* Whoever makes keys collide makes our guesses worse, and nothing else. */
static uint64_t
hash_of(struct span key)
{
	static const struct siphash_key even = { 0, 0 };

	return siphash(&even, key) | 1;
}

static uint64_t
average(uint64_t old, uint64_t new, uint32_t attempts)
{
	uint32_t n = attempts < MEMORY ? attempts : MEMORY;

	return (old * n + new * PARTS + n / 2) / (n + 1);
}

static struct row *
place(struct rates *r, uint64_t hash)
{
	struct row *set = r->rows[hash >> 1 & (SETS - 1)];
	struct row found = { .hash = hash };
	int i = 0;

	while (i < WAYS - 1 && set[i].hash != hash)
		i++;
	if (set[i].hash == hash)
		found = set[i];
	for (; i > 0; i--)
		set[i] = set[i - 1];
	set[0] = found;
	return &set[0];
}

void
rates_note(struct rates *r, struct span key, uint32_t answered, bool is_down,
    uint64_t duration_ms)
{
	struct row *row;

	if (r == NULL)
		return;
	if (duration_ms > DURATION_MAX_MS)
		duration_ms = DURATION_MAX_MS;
	row = place(r, hash_of(key));
	row->answered = (uint32_t)average(row->answered, answered,
	    row->attempts);
	row->down = (uint32_t)average(row->down, is_down ? 1000 : 0,
	    row->attempts);
	row->duration = average(row->duration, duration_ms, row->attempts);
	if (row->attempts < UINT32_MAX)
		row->attempts++;
}

static uint32_t
rounded(uint32_t parts)
{
	return (parts + PARTS / 2) / PARTS;
}

struct forecast_rates
rates_of(const struct rates *r, struct span key)
{
	uint64_t hash = hash_of(key);
	const struct row *set;

	if (r == NULL)
		return (struct forecast_rates){ .attempts = 0 };
	set = r->rows[hash >> 1 & (SETS - 1)];
	for (int i = 0; i < WAYS; i++)
		if (set[i].hash == hash)
			return (struct forecast_rates){
				.attempts = set[i].attempts,
				.success = rounded(set[i].answered),
				.down = rounded(set[i].down),
				.duration_us = set[i].duration * 1000 / PARTS,
			};
	return (struct forecast_rates){ .attempts = 0 };
}
