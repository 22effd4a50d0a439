/*
 * A destination: how many of its units may be out at a time (window), how fast
 * they may follow each other (pace), and how long nothing is tried after it
 * failed as a whole (back-off).
 *
 * The window is TCP's: it begins with window_first, grows by one with each
 * success, and above the size at which it last shrank by one with each
 * windowful; it is halved when the destination would take less, once for all
 * leases that were out by then.  Beyond window_first it does not grow while
 * leases take long: then they only wait in a line elsewhere, where nobody can
 * overtake.
 *
 * After a failure everything waits for blocked_until; then one unit goes as a
 * probe, until a success clears the failures.
 *
 * The clock of a destination is set while it backs off or pauses for its rate,
 * and while it is remembered, after a back-off or with the last of its units; it
 * is what keeps a destination without units.  Such memories are bounded: the oldest go.
 */
#include "queued/plan/plan_dest.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/plan/plan_retry.h"
#include "queued/plan/plan_turn.h"

#include <stdlib.h>

enum {
	MEMORIES_MAX = 20000,		/* destinations without units */
	LEASE_GOOD_MS = 1000,		/* up to here the window grows … */
	LEASE_LONG_MS = 5000,		/* … from here on it shrinks slowly */
	LADEN = 64,			/* units that wait: much to gain */
};

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
	plan_groups_init(&ds->groups, &seed);
	plan_fair_init(&ds->fair, &seed);
	list_init(&ds->all);
	for (int i = 0; i < PLAN_CLASSES; i++)
		list_init(&ds->turns[i]);
	list_init(&ds->memories);
	list_init(&ds->untold);
	heap_init(&ds->clocks);
	ds->trial.at = INT64_MIN;
	ds->proven_at = INT64_MIN;
}

void
plan_dests_clear(struct plan_dests *ds)
{
	struct list *node;

	heap_clear(&ds->clocks);	/* it touches its nodes: first */
	while ((node = list_take_first(&ds->all)) != NULL) {
		struct plan_dest *d = CONTAINER_OF(node, struct plan_dest, all);

		free(d->why);
		free(d);
	}
	plan_fair_clear(&ds->fair);
	map_span_clear(&ds->map);
	plan_groups_clear(&ds->groups);
}

static struct plan_dest *
dest_new(struct plan_dests *ds, struct span key)
{
	struct plan_dest *d;

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
	list_init(&d->memory);
	list_init(&d->untold);
	list_init(&d->ready);
	plan_lines_init(&ds->fair, &d->lines);
	d->class = PLAN_NEW;
	d->trying_as = PLAN_CLASSES;
	d->window = ds->params.window_first;
	d->calm = UINT32_MAX;
	d->shrunk_at = INT64_MIN;
	return d;
}

/* Only from plan_dest_update(): nobody else knows that it is not needed. */
static void
dest_free(struct plan_dests *ds, struct plan_dest *d)
{
	map_span_remove(&ds->map, dest_key(d));
	list_remove(&d->all);
	plan_group_leave_turn(ds, d);
	plan_group_join(ds, d, SPAN_NONE);
	list_remove(&d->untold);
	heap_remove(&ds->clocks, &d->clock);
	free(d->why);
	free(d);
}

/* ---- clocks ---- */

/* Can't fail: see dest_new(). */
void
plan_dest_set_clock(struct plan_dests *ds, struct plan_dest *d)
{
	int64_t at = PLAN_NEVER;

	if (d->blocked_until != 0)
		at = d->blocked_until;
	else if (d->forget_at != 0)
		at = d->forget_at;
	if (d->is_paced && d->pace.at < at)
		at = d->pace.at;
	if (d->stopped_until != 0 && d->stopped_until < at)
		at = d->stopped_until;
	if (at == PLAN_NEVER)
		heap_remove(&ds->clocks, &d->clock);
	else if (heap_has(&d->clock))
		heap_move(&ds->clocks, &d->clock, at);
	else
		MUST(heap_add(&ds->clocks, &d->clock, at) == OK);
}

struct plan_dest *
plan_dest_get(struct plan_dests *ds, struct span key,
    const struct plan_limits *limits)
{
	struct plan_dest *d = map_span_get(&ds->map, key);

	struct plan_advice advice = { .window_max = 0 };

	if (d != NULL) {
		plan_dest_set_limits(ds, d, limits);
		return d;
	}
	if ((d = dest_new(ds, key)) == NULL)
		return NULL;
	d->limits = *limits;
	d->conf = ds->conf;
	if (ds->advisor != NULL)
		ds->advisor(ds->advisor_ctx, key, &advice);
	plan_dest_set_advice(ds, d, &advice);
	return d;
}

/*
 * The back-off of a destination is remembered for as long again as the curve
 * may wait: units that come back from the index then find it, and send one
 * probe instead of a windowful.
 */
static void
dest_tick(struct plan_dests *ds, struct plan_dest *d, int64_t now)
{
	if (d->is_paced && d->pace.at <= now)
		d->is_paced = false;
	if (d->stopped_until <= now)
		d->stopped_until = 0;
	if (d->blocked_until != 0 && d->blocked_until <= now) {
		d->blocked_until = 0;
		d->forget_at = mtime_add(now, d->limits.max_retry_ms);
	} else if (d->blocked_until == 0 && d->forget_at != 0 &&
	    d->forget_at <= now) {
		d->forget_at = 0;
		d->is_proven = d->is_proven && d->units > 0;
	}
	plan_dest_set_clock(ds, d);
	plan_dest_update(ds, d);
}

/* dest_tick() moves the clock on or takes it out of the heap, so this ends. */
void
plan_dests_tick(struct plan_dests *ds, int64_t now)
{
	struct heap_node *node;

	plan_turn_tick(ds, now);
	plan_groups_tick(ds, now);
	while ((node = heap_min(&ds->clocks)) != NULL && node->key <= now)
		dest_tick(ds, CONTAINER_OF(node, struct plan_dest, clock), now);
}

/* ---- turns ---- */

/* After failures a destination gets one probe at a time.  The limit may have
 * sunk since the window grew. */
uint32_t
plan_dest_window(const struct plan_dest *d)
{
	uint32_t max = plan_dest_window_max(d);

	if (d->failures > 0)
		return 1;
	return max != 0 && d->window > max ? max : d->window;
}

/* Who knows whether it answers; but if it does, that is worth more than with
 * others: it is tried before those with little mail, once. */
static void
prefer_laden(struct plan_dests *ds, struct plan_dest *d)
{
	if (d->is_laden || d->is_parked || d->class == PLAN_PROVEN ||
	    d->ready_count < LADEN)
		return;
	d->is_laden = true;
	list_remove(&d->turn);
	list_add_first(&ds->turns[d->class], &d->turn);
}

/* In its ring or in none; one that is in its ring keeps its turn. */
static void
update_turn(struct plan_dests *ds, struct plan_dest *d)
{
	bool may_lease = d->ready_count > 0 && d->blocked_until == 0 &&
	    d->stopped_until == 0 && !d->is_paced &&
	    d->leased < plan_dest_window(d);
	uint8_t class = d->failures > 0 ? PLAN_PROBED :
	    d->is_proven ? PLAN_PROVEN : PLAN_NEW;

	if (!may_lease || class != d->class) {
		plan_group_leave_turn(ds, d);
		d->is_laden = false;
	}
	d->class = class;
	if (!may_lease)
		return;
	if (!list_is_linked(&d->turn))
		plan_group_enter(ds, d);
	prefer_laden(ds, d);
}

/* That it answered is known a while longer than it has mail: else each message
 * to it after a pause would be a trial. */
static void
remember_proven(struct plan_dests *ds, struct plan_dest *d)
{
	if (d->units > 0 || !d->is_proven || d->forget_at != 0 ||
	    ds->params.proven_ms == 0)
		return;
	d->forget_at = mtime_add(ds->now, ds->params.proven_ms);
	plan_dest_set_clock(ds, d);
}

static void
update_trying(struct plan_dests *ds, struct plan_dest *d, bool is_trying)
{
	if (d->trying_as != PLAN_CLASSES)
		ds->trying[d->trying_as]--;
	d->trying_as = is_trying ? d->class : PLAN_CLASSES;
	if (is_trying)
		ds->trying[d->class]++;
}

/* The list of those that live by their clock alone. */
static void
update_memory(struct plan_dests *ds, struct plan_dest *d)
{
	bool is_listed = list_is_linked(&d->memory);

	if (is_listed == (d->units == 0))
		return;
	if (is_listed) {
		list_remove(&d->memory);
		ds->memory_count--;
		return;
	}
	list_add_last(&ds->memories, &d->memory);
	ds->memory_count++;
}

void
plan_dest_update(struct plan_dests *ds, struct plan_dest *d)
{
	bool is_needed;

	remember_proven(ds, d);
	is_needed = d->units > 0 || heap_has(&d->clock);
	update_turn(ds, d);
	update_trying(ds, d, d->leased > 0 && is_needed);
	update_memory(ds, d);
	if (ds->memory_count > MEMORIES_MAX) {
		struct plan_dest *oldest = CONTAINER_OF(
		    list_first(&ds->memories), struct plan_dest, memory);

		ds->memory_count--;
		list_remove(&oldest->memory);
		dest_free(ds, oldest);
		if (oldest == d)
			return;
	}
	if (is_needed)
		return;
	if (list_is_linked(&d->memory)) {
		list_remove(&d->memory);
		ds->memory_count--;
	}
	dest_free(ds, d);
}

void
plan_dest_lease(struct plan_dests *ds, struct plan_dest *d, uint32_t bytes)
{
	d->leased++;
	ds->leased++;
	d->leased_bytes += bytes;
	ds->leased_bytes += bytes;
	if (d->group != NULL)
		plan_group_leased(d);
}

/* One that somebody had already, or that is not sent, costs no rate. */
void
plan_dest_pace(struct plan_dests *ds, struct plan_dest *d, int64_t now)
{
	if (d->group != NULL)
		plan_group_pace(ds, d, now);
	if (d->rate_count == 0)
		return;
	plan_pace_take(&d->pace, d->rate_count, d->rate_ms, now);
	d->is_paced = d->pace.at > now;
	plan_dest_set_clock(ds, d);
}

void
plan_dest_unlease(struct plan_dests *ds, struct plan_dest *d, uint32_t bytes)
{
	d->leased--;
	ds->leased--;
	d->leased_bytes -= bytes;
	ds->leased_bytes -= bytes;
	if (d->group != NULL)
		plan_group_unleased(ds, d);
}

/* Its place in the rate is free again. */
void
plan_dest_give_back(struct plan_dests *ds, struct plan_dest *d)
{
	if (d->group != NULL)
		plan_group_give_back(ds, d);
	if (d->rate_count == 0)
		return;
	plan_pace_back(&d->pace, d->rate_count, d->rate_ms);
	plan_dest_set_clock(ds, d);
}

/* ---- what is heard of it ---- */

/* The failures stay: the next to go is a probe still. */
void
plan_dest_lift(struct plan_dests *ds, struct plan_dest *d)
{
	list_remove(&d->untold);
	if (d->blocked_until == 0)
		return;
	d->blocked_until = 0;
	d->forget_at = 0;
	plan_dest_set_clock(ds, d);
	plan_dest_update(ds, d);
}

/* As if it had just come. */
void
plan_dest_forget(struct plan_dests *ds, struct plan_dest *d)
{
	list_remove(&d->untold);
	d->failures = 0;
	d->parked = 0;
	d->blocked_until = 0;
	d->forget_at = 0;
	d->is_proven = false;
	d->window = ds->params.window_first;
	d->calm = UINT32_MAX;
	d->grown = 0;
	d->shrunk_at = INT64_MIN;
	d->pace = (struct plan_pace){ .at = 0 };
	d->is_paced = false;
	free(d->why);
	d->why = NULL;
	d->status[0] = '\0';
	plan_dest_set_clock(ds, d);
	plan_dest_update(ds, d);
}

static void
grow(struct plan_dests *ds, struct plan_dest *d, int64_t took_ms)
{
	uint32_t first = ds->params.window_first;
	uint32_t max = plan_dest_window_max(d);

	if (took_ms >= LEASE_LONG_MS && d->window > first)
		d->window--;
	if ((took_ms > LEASE_GOOD_MS && d->window >= first) ||
	    (max != 0 && d->window >= max))
		return;
	if (d->window >= d->calm && ++d->grown < d->window)
		return;
	d->grown = 0;
	if (d->window < UINT32_MAX)
		d->window++;
}

void
plan_dest_become(struct plan_dests *ds, struct plan_dest *d,
    const struct plan_dest *model)
{
	d->window = model->window;
	d->calm = model->calm;
	d->grown = model->grown;
	d->shrunk_at = model->shrunk_at;
	d->failures = model->failures;
	d->failed_at = model->failed_at;
	d->blocked_until = model->blocked_until;
	d->forget_at = model->forget_at;
	d->is_proven = model->is_proven;
	d->pace = model->pace;
	d->is_paced = model->is_paced;
	plan_dest_set_clock(ds, d);
	plan_dest_update(ds, d);
}

/* It talked: nothing is remembered against it but how much was too much. */
void
plan_dest_note_ok(struct plan_dests *ds, struct plan_dest *d, int64_t took_ms)
{
	d->failures = 0;
	d->parked = 0;
	d->blocked_until = 0;
	d->forget_at = 0;
	d->is_proven = true;
	list_remove(&d->untold);
	free(d->why);
	d->why = NULL;
	grow(ds, d, took_ms);
	plan_dest_set_clock(ds, d);
	plan_dest_update(ds, d);
}

static void
shrink(struct plan_dest *d, int64_t now)
{
	uint32_t max = plan_dest_window_max(d);

	if (max != 0 && d->window > max)
		d->window = max;
	d->window = d->window > 1 ? d->window / 2 : 1;
	d->calm = d->window;
	d->grown = 0;
	d->shrunk_at = now;
}

void
plan_dest_note_less(struct plan_dests *ds, struct plan_dest *d, int64_t since,
    int64_t now)
{
	if (since <= d->shrunk_at || d->failures > 0)
		return;
	shrink(d, now);
	plan_dest_update(ds, d);
}

/* What it took before is soon found again once it is back: down to a few, but
 * growing fast up to half of that. */
int64_t
plan_dest_note_failure(struct plan_dests *ds, struct plan_dest *d, int64_t now)
{
	uint32_t calm;

	if (d->blocked_until > now)	/* others of the same window failed */
		return d->blocked_until;
	calm = d->failures > 0 ? d->calm : 0;
	if (d->failures < UINT32_MAX)
		d->failures++;
	shrink(d, now);
	if (calm != 0)			/* a probe says nothing of it */
		d->calm = calm;
	if (d->window > ds->params.window_first)
		d->window = ds->params.window_first;
	d->is_proven = false;
	d->parked = 0;
	d->failed_at = now;
	d->forget_at = 0;
	d->blocked_until = mtime_add(now, plan_retry_delay(
	    d->limits.first_retry_ms, d->limits.max_retry_ms, d->failures,
	    rng_u64(&ds->dice)));
	plan_dest_set_clock(ds, d);
	plan_dest_update(ds, d);
	return d->blocked_until;
}
