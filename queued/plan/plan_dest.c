/*
 * A destination: how many of its units may be out at a time (window), and how
 * long nothing is tried after it failed as a whole (back-off).
 *
 * The window begins with window_first, grows by one with each success and
 * falls back to its beginning with a failure: a host that takes much gets
 * much, a new or shaky one little.  After a failure everything waits for
 * blocked_until; then one unit goes as a probe, until a success clears the
 * failures.
 *
 * The clock of a destination is set while it backs off and, after that, while
 * the back-off is remembered; it is what keeps a destination without units.
 */
#include "queued/plan/plan_dest.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/plan/plan_retry.h"

#include <stdlib.h>

static struct span
dest_key(const void *object)
{
	const struct plan_dest *d = object;

	return span_of(d->key, d->key_bytes);
}

/* Keys hold domains that strangers choose: the map's seed is not theirs to
 * know. */
void
plan_dests_init(struct plan_dests *ds, const struct plan_params *params)
{
	struct siphash_key seed;

	ds->params = *params;
	rng_init(&ds->dice, params->seed);
	seed.k0 = rng_u64(&ds->dice);
	seed.k1 = rng_u64(&ds->dice);
	map_span_init(&ds->map, &seed, dest_key);
	list_init(&ds->all);
	list_init(&ds->turns);
	heap_init(&ds->clocks);
}

void
plan_dests_clear(struct plan_dests *ds)
{
	struct list *node;

	heap_clear(&ds->clocks);	/* it touches its nodes: first */
	while ((node = list_take_first(&ds->all)) != NULL)
		free(CONTAINER_OF(node, struct plan_dest, all));
	map_span_clear(&ds->map);
}

struct plan_dest *
plan_dest_get(struct plan_dests *ds, struct span key)
{
	struct plan_dest *d = map_span_get(&ds->map, key);

	if (d != NULL)
		return d;
	/* Reserving for all makes later clock settings infallible. */
	if (heap_reserve(&ds->clocks, map_span_count(&ds->map) + 1) != OK)
		return NULL;
	d = calloc(1, sizeof(*d) + key.n);
	if (d == NULL)
		return NULL;
	d->key_bytes = key.n;
	if (key.n > 0)
		memcpy(d->key, key.p, key.n);
	if (map_span_add(&ds->map, d) != OK) {
		free(d);
		return NULL;
	}
	list_add_last(&ds->all, &d->all);
	list_init(&d->turn);
	list_init(&d->ready);
	d->window = ds->params.window_first;
	return d;
}

/* Only from plan_dest_update(): nobody else knows that it is not needed. */
static void
dest_free(struct plan_dests *ds, struct plan_dest *d)
{
	map_span_remove(&ds->map, dest_key(d));
	list_remove(&d->all);
	list_remove(&d->turn);
	heap_remove(&ds->clocks, &d->clock);
	free(d);
}

/* Can't fail: see plan_dest_get(). */
static void
set_clock(struct plan_dests *ds, struct plan_dest *d, int64_t at)
{
	if (heap_has(&d->clock))
		heap_move(&ds->clocks, &d->clock, at);
	else
		MUST(heap_add(&ds->clocks, &d->clock, at) == OK);
}

/* After failures a destination gets one probe at a time.  The limit may have
 * sunk since the window grew. */
static uint32_t
dest_window(const struct plan_dests *ds, const struct plan_dest *d)
{
	uint32_t max = ds->params.window_max;

	if (d->failures > 0)
		return 1;
	return d->window < max ? d->window : max;
}

void
plan_dest_update(struct plan_dests *ds, struct plan_dest *d)
{
	bool may_lease = d->ready_count > 0 && d->blocked_until == 0 &&
	    d->leased < dest_window(ds, d);

	if (d->units == 0 && !heap_has(&d->clock)) {
		dest_free(ds, d);
		return;
	}
	/* one that is in the ring keeps its turn */
	if (may_lease && !list_is_linked(&d->turn))
		list_add_last(&ds->turns, &d->turn);
	else if (!may_lease)
		list_remove(&d->turn);
}

/*
 * The back-off of a destination is remembered for as long again as the curve
 * may wait: units that come back from the index then find it, and send one
 * probe instead of a windowful.
 */
static void
dest_tick(struct plan_dests *ds, struct plan_dest *d, int64_t now)
{
	if (d->blocked_until != 0) {
		d->blocked_until = 0;
		set_clock(ds, d, mtime_add(now, ds->params.max_retry_ms));
	} else {
		heap_remove(&ds->clocks, &d->clock);
	}
	plan_dest_update(ds, d);
}

/* dest_tick() moves the clock on or takes it out of the heap, so this ends. */
void
plan_dests_tick(struct plan_dests *ds, int64_t now)
{
	struct heap_node *node;

	while ((node = heap_min(&ds->clocks)) != NULL && node->key <= now)
		dest_tick(ds, CONTAINER_OF(node, struct plan_dest, clock), now);
}

/* The failures stay: the next to go is a probe still. */
void
plan_dest_lift(struct plan_dests *ds, struct plan_dest *d)
{
	if (d->blocked_until == 0)
		return;
	d->blocked_until = 0;
	heap_remove(&ds->clocks, &d->clock);
	plan_dest_update(ds, d);
}

/* It talked: nothing is remembered against it. */
void
plan_dest_note_ok(struct plan_dests *ds, struct plan_dest *d)
{
	d->failures = 0;
	d->blocked_until = 0;
	heap_remove(&ds->clocks, &d->clock);
	if (d->window < ds->params.window_max)
		d->window++;
	plan_dest_update(ds, d);
}

int64_t
plan_dest_note_failure(struct plan_dests *ds, struct plan_dest *d, int64_t now)
{
	if (d->blocked_until > now)	/* others of the same window failed */
		return d->blocked_until;
	if (d->failures < UINT32_MAX)
		d->failures++;
	d->window = ds->params.window_first;
	d->blocked_until = mtime_add(now, plan_retry_delay(
	    ds->params.first_retry_ms, ds->params.max_retry_ms, d->failures,
	    rng_u64(&ds->dice)));
	set_clock(ds, d, d->blocked_until);
	plan_dest_update(ds, d);
	return d->blocked_until;
}
