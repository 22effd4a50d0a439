/*
 * A period is cut into SLOTS, of which the one that is begun and the SLOTS - 1
 * before count: seven eighths of it at least, and nothing that is older.
 */
#include "queued/shape/shape_breaker.h"

#include <stdlib.h>
#include <string.h>

enum { SETS = 1024, WAYS = 4, SLOTS = 8 };

struct row {
	uint64_t hash;			/* 0: free */
	int64_t slot;			/* number of the newest one */
	uint32_t slot_ms;
	uint32_t refused[SLOTS], taken[SLOTS];	/* by number % SLOTS */
};

struct shape_breaker {
	struct siphash_key seed;
	struct row rows[SETS][WAYS];
};

enum err
shape_breaker_new(const struct siphash_key *seed, struct shape_breaker **out)
{
	struct shape_breaker *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return ERR_NOMEM;
	b->seed = *seed;
	*out = b;
	return OK;
}

void
shape_breaker_free(struct shape_breaker **b)
{
	free(*b);
	*b = NULL;
}

/* ---- places ---- */

static uint64_t
hash_of(const struct shape_breaker *b, struct span key)
{
	return siphash(&b->seed, key) | 1;
}

static uint64_t
hash_of_route(const struct shape_breaker *b, uint32_t route)
{
	return siphash_u64(&b->seed, (uint64_t)route << 32 | UINT32_MAX) | 1;
}

static const struct row *
find(const struct shape_breaker *b, uint64_t hash)
{
	const struct row *set = b->rows[hash >> 1 & (SETS - 1)];

	for (int i = 0; i < WAYS; i++)
		if (set[i].hash == hash)
			return &set[i];
	return NULL;
}

/* In front of its set; the last one goes for one that is new. */
static struct row *
place(struct shape_breaker *b, uint64_t hash)
{
	struct row *set = b->rows[hash >> 1 & (SETS - 1)];
	struct row found;
	int i = 0;

	if (set[0].hash == hash)
		return &set[0];
	while (i < WAYS - 1 && set[i].hash != hash)
		i++;
	found = set[i].hash == hash ? set[i] : (struct row){ .hash = hash };
	memmove(&set[1], &set[0], (size_t)i * sizeof(set[0]));
	set[0] = found;
	return &set[0];
}

static void
forget(struct shape_breaker *b, uint64_t hash)
{
	struct row *row = place(b, hash);

	*row = (struct row){ .hash = hash };
}

/* ---- time ---- */

static uint32_t
slot_ms(uint32_t period_ms)
{
	return period_ms < SLOTS ? 1 : period_ms / SLOTS;
}

/* Empties the slots that have begun since; of another period all. */
static void
turn(struct row *row, uint32_t period_ms, int64_t now)
{
	int64_t slot = now / slot_ms(period_ms);

	if (row->slot_ms != slot_ms(period_ms) || slot - row->slot >= SLOTS ||
	    slot < row->slot) {
		*row = (struct row){ .hash = row->hash, .slot = slot,
		    .slot_ms = slot_ms(period_ms) };
		return;
	}
	while (row->slot < slot) {
		row->slot++;
		row->refused[row->slot % SLOTS] = 0;
		row->taken[row->slot % SLOTS] = 0;
	}
}

static void
add(uint32_t *count, uint32_t n)
{
	*count = UINT32_MAX / SLOTS - *count > n ? *count + n :
	    UINT32_MAX / SLOTS;
}

static struct shape_breaker_count
sum(const struct row *row)
{
	struct shape_breaker_count c = { 0, 0 };

	for (int i = 0; i < SLOTS; i++) {
		c.refused += row->refused[i];
		c.taken += row->taken[i];
	}
	return c;
}

/* ---- counting ---- */

static bool
note(struct shape_breaker *b, uint64_t hash,
    const struct shape_breaker_limit *limit, uint32_t refused, uint32_t taken,
    int64_t now)
{
	struct row *row = place(b, hash);
	struct shape_breaker_count c;

	turn(row, limit->refused.period_ms, now);
	add(&row->refused[row->slot % SLOTS], refused);
	add(&row->taken[row->slot % SLOTS], taken);
	if (refused == 0)
		return false;
	c = sum(row);
	return c.refused >= limit->refused.count &&
	    (uint64_t)c.refused * 100 >=
	    (uint64_t)limit->share * ((uint64_t)c.refused + c.taken);
}

bool
shape_breaker_note(struct shape_breaker *b, struct span key,
    const struct shape_breaker_limit *limit, uint32_t refused,
    uint32_t taken, int64_t now)
{
	return limit->refused.count > 0 &&
	    note(b, hash_of(b, key), limit, refused, taken, now);
}

bool
shape_breaker_note_route(struct shape_breaker *b, uint32_t route,
    struct span key, const struct shape_breaker_limit *limit,
    uint32_t refused, uint32_t taken, int64_t now)
{
	uint32_t most = limit->refused.count / SHAPE_BREAKER_PART;
	struct shape_breaker_count c;
	uint32_t before;

	if (limit->refused.count == 0)
		return false;
	if (most == 0)
		most = 1;
	c = shape_breaker_count(b, key, limit->refused.period_ms, now);
	before = c.refused > refused ? c.refused - refused : 0;
	/* what is beyond its part counts neither way */
	if (before >= most)
		refused = 0;
	else if (refused > most - before)
		refused = most - before;
	return note(b, hash_of_route(b, route), limit, refused, taken, now);
}

struct shape_breaker_count
shape_breaker_count(const struct shape_breaker *b, struct span key,
    uint32_t period_ms, int64_t now)
{
	const struct row *found = find(b, hash_of(b, key));
	struct row row;

	if (found == NULL || period_ms == 0)
		return (struct shape_breaker_count){ 0, 0 };
	row = *found;
	turn(&row, period_ms, now);
	return sum(&row);
}

void
shape_breaker_reset(struct shape_breaker *b, struct span key)
{
	forget(b, hash_of(b, key));
}

void
shape_breaker_reset_route(struct shape_breaker *b, uint32_t route)
{
	forget(b, hash_of_route(b, route));
}
