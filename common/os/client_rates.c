/*
 * Sets of places as in client_table.c, with another rule for the last place: a
 * flood of addresses may not keep those from being counted that do more than
 * come once.
 */
#include "common/os/client_rates.h"

#include <stdatomic.h>

#define WAYS 8u

/* Of one key; what it counts is in two neighbouring periods. */
struct place {
	_Atomic uint64_t key;
	_Atomic uint64_t began_ms;	/* of the later period */
	_Atomic uint32_t period_ms;	/* 0: never used */
	_Atomic uint32_t now;		/* in it */
	_Atomic uint32_t before;	/* in the one before */
	uint32_t unused;
};

struct set {
	struct place places[WAYS];
};

struct client_rates {
	struct set sets[1];
};

/* What a place says, read once: another process may change it meanwhile. */
struct reading {
	uint64_t began_ms;
	uint32_t period_ms, now, before;
};

size_t
client_rates_bytes(uint32_t sets)
{
	return (size_t)sets * sizeof(struct set);
}

static struct reading
read_place(const struct place *p)
{
	return (struct reading){
		atomic_load_explicit(&p->began_ms, memory_order_relaxed),
		atomic_load_explicit(&p->period_ms, memory_order_relaxed),
		atomic_load_explicit(&p->now, memory_order_relaxed),
		atomic_load_explicit(&p->before, memory_order_relaxed),
	};
}

static void
write_place(struct place *p, uint64_t key, const struct reading *r)
{
	atomic_store_explicit(&p->key, key, memory_order_relaxed);
	atomic_store_explicit(&p->began_ms, r->began_ms, memory_order_relaxed);
	atomic_store_explicit(&p->period_ms, r->period_ms,
	    memory_order_relaxed);
	atomic_store_explicit(&p->now, r->now, memory_order_relaxed);
	atomic_store_explicit(&p->before, r->before, memory_order_relaxed);
}

static const struct set *
set_of(const struct client_rates *r, uint32_t sets, uint64_t key, int which)
{
	uint32_t hash = which == 0 ? (uint32_t)key : (uint32_t)(key >> 32);

	return &r->sets[hash & (sets - 1)];
}

static uint32_t
sum_of(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* The reading as of the period that began at BEGAN_MS; empty when it is of
 * another period's length, or older than the one before. */
static struct reading
brought_up(struct reading r, uint64_t began_ms, uint32_t period_ms)
{
	struct reading empty = { began_ms, period_ms, 0, 0 };

	if (r.period_ms != period_ms)
		return empty;
	if (r.began_ms == began_ms)
		return r;
	if (r.began_ms != began_ms - period_ms)
		return empty;
	empty.before = r.now;
	return empty;
}

static const struct place *
find(const struct client_rates *r, uint32_t sets, uint64_t key)
{
	for (int which = 0; which < 2; which++) {
		const struct set *set = set_of(r, sets, key, which);

		for (uint32_t i = 0; i < WAYS; i++)
			if (atomic_load_explicit(&set->places[i].key,
			    memory_order_relaxed) == key)
				return &set->places[i];
	}
	return NULL;
}

/* How much would be lost; 0: it says nothing any more. */
static uint32_t
worth(const struct place *p, uint64_t now_ms)
{
	struct reading r = read_place(p);

	if (r.period_ms == 0 || r.began_ms > now_ms ||
	    now_ms - r.began_ms >= 2 * (uint64_t)r.period_ms)
		return 0;
	return sum_of(r.now, r.before);
}

static const struct place *
choose(const struct client_rates *r, uint32_t sets, uint64_t key,
    uint64_t now_ms)
{
	const struct place *best = NULL;
	uint32_t least = 0;

	for (int which = 0; which < 2; which++) {
		const struct set *set = set_of(r, sets, key, which);

		for (uint32_t i = 0; i < WAYS; i++) {
			uint32_t v = worth(&set->places[i], now_ms);

			if (best == NULL || v < least) {
				best = &set->places[i];
				least = v;
			}
		}
	}
	return best;
}

void
client_rates_add(struct client_rates *r, uint32_t sets, uint64_t key,
    uint32_t period_ms, int64_t now_ms, uint32_t n)
{
	uint64_t now = (uint64_t)now_ms, began = now - now % period_ms;
	const struct place *p = find(r, sets, key);
	struct reading of = { 0 };

	if (p != NULL)
		of = read_place(p);
	else
		p = choose(r, sets, key, now);
	of = brought_up(of, began, period_ms);
	of.now = sum_of(of.now, n);
	/* from a table that is ours to write */
	write_place((struct place *)(uintptr_t)p, key, &of);
}

uint32_t
client_rates_count(const struct client_rates *r, uint32_t sets, uint64_t key,
    uint32_t period_ms, int64_t now_ms)
{
	uint64_t now = (uint64_t)now_ms, began = now - now % period_ms;
	const struct place *p = find(r, sets, key);
	struct reading of;

	if (p == NULL)
		return 0;
	of = brought_up(read_place(p), began, period_ms);
	/* the part of the period before that is not over yet */
	return sum_of(of.now, (uint32_t)((uint64_t)of.before *
	    (period_ms - (now - began)) / period_ms));
}
