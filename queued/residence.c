/*
 * A unit lives in memory with a plan entry, or in the index without one; in
 * between it is yielded: the store keeps it until the index has caught up.
 * Whatever leaves is found again by its due time alone, so nothing needs to be
 * remembered about it (I-04).
 *
 * Out: once a second sweep() moves out what waits beyond the horizon, and what
 * is ready but cannot be leased soon.  In: residence_refill.c.  LOW lies well
 * below HIGH so that one unit does not go out and in again and again.
 */
#include "queued/residence.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/mail/envelope.h"
#include "queued/facts.h"
#include "queued/lease.h"
#include "queued/lists.h"
#include "queued/outcome.h"
#include "queued/plan/plan_look.h"
#include "queued/residence_lines.h"
#include "queued/residence_private.h"
#include "queued/shaping.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"
#include "queued/times.h"

#include <malloc.h>

enum {
	SWEEP_MAX = 10000,	/* units moved out in one sweep … */
	SWEEP_LOOKS = 50000,	/* … and looked at: some milliseconds */
	ROOM_LOOKS = 16,	/* at long lines, for a newcomer */
	TRIM_PEAK = 20000,	/* messages in memory that were many */
};

/* Units of one destination come back spread over this time, and no more than
 * so many a second, so that a million of them are no wave. */
#define PARK_SPREAD_MS INT64_C(10000)
#define PARK_RATE 500

struct route
residence_route(struct queued *q, const struct store_unit *unit)
{
	const struct store_message *m = unit->message;
	struct residence_way *way = &q->pass.way;
	uint32_t row = lease_first_row(unit);
	struct route_facts facts;

	if (way->id == m->id && way->unit == unit->number &&
	    way->row == row && way->generation == q->generation &&
	    way->is_released == m->is_released)
		return way->route;
	facts = facts_of(q, m);
	facts.recipient = unit->recipients[row].address;
	*way = (struct residence_way){ m->id, unit->number, row,
	    q->generation, m->is_released,
	    route_table_find(q->routes, &facts) };
	return way->route;
}

const struct route_policy *
residence_policy(struct queued *q, const struct store_unit *unit)
{
	return residence_route(q, unit).policy;
}

struct plan_limits
residence_limits(struct queued *q, const struct route *route)
{
	const struct route_policy *policy = route->policy;
	struct plan_limits limits = {
		.first_retry_ms = policy->first_retry_ms,
		.max_retry_ms = policy->max_retry_ms,
		.window_max = policy->window,
		.rate_count = policy->rate.count,
		.rate_ms = policy->rate.period_ms,
	};

	shaping_limit(q, route, &limits);
	return limits;
}

void
residence_limits_of(void *ctx, void *owner, struct plan_limits *out)
{
	const struct route route = residence_route(ctx, owner);

	*out = residence_limits(ctx, &route);
}

int64_t
residence_life_ms(struct queued *q, const struct store_unit *unit)
{
	return unit->message->is_report ? q->conf->queue.report_expire_ms :
	    residence_policy(q, unit)->expire_ms;
}

int64_t
residence_overdue(struct queued *q, const struct store_unit *unit)
{
	const struct store_message *m = unit->message;
	int64_t warn = residence_policy(q, unit)->warn_ms;
	int64_t life = residence_life_ms(q, unit);

	if (warn > 0 && warn < life && !m->is_warned && !m->is_report &&
	    m->sender.n > 0)
		life = warn;
	return times_plan(q, m, times_released(m) + (uint64_t)life);
}

/* An envelope was checked before it was stored, and by its record's sum since:
 * one that is damaged all the same has no priority and no client, no more. */
struct plan_entry
residence_entry(struct queued *q, const struct store_unit *unit,
    const struct route_policy **policy)
{
	const struct store_message *m = unit->message;
	struct route route = residence_route(q, unit);
	struct plan_entry entry = { .sender = m->sender };
	struct envelope head;

	buf_reset(&q->scratch);
	route_key(&route, unit->recipients[lease_first_row(unit)].address,
	    &q->scratch);
	entry.limits = residence_limits(q, &route);
	if (envelope_check(m->envelope, &head) == OK) {
		route_key_tls(head.flags, &q->scratch);
		entry.client = head.client;
		entry.priority = head.priority;
	}
	entry.key = buf_span(&q->scratch);
	entry.due = times_plan(q, m, unit->due_at);
	entry.size = store_message_size(m);
	entry.bytes = lease_inline_bytes(m);
	entry.is_held = m->is_held;
	*policy = route.policy;
	return entry;
}

/* The key is of today's routes, not unit->key of the day it came: a reload
 * takes effect on old mail as it enters the planner. */
enum err
residence_adopt(struct queued *q, struct store_unit *unit)
{
	const struct route_policy *policy;
	struct plan_entry entry;
	struct plan_unit *pu;
	enum err e;

	MUST(!store_is_list(unit->message));
	if (unit->plan != NULL)
		return OK;
	entry = residence_entry(q, unit, &policy);
	entry.owner = unit;
	entry.overdue = residence_overdue(q, unit);
	e = plan_add(q->plan, &entry, &pu);
	if (e != OK)
		return e;
	unit->plan = pu;
	times_watch(q, unit);
	return e;
}

void
residence_end(struct queued *q, struct plan_unit *pu)
{
	plan_remove(q->plan, &pu);
}

/* ---- out ---- */

/* Leased ones cannot leave, so they do not count, but their recipients do:
 * four beyond the first take as much as a unit. */
static uint32_t
weight(uint64_t more)
{
	return more / 4 < UINT32_MAX / 2 ? (uint32_t)(more / 4) :
	    UINT32_MAX / 2;
}

uint32_t
residence_crowd(const struct queued *q)
{
	return plan_count(q->plan, PLAN_WAITING) +
	    plan_count(q->plan, PLAN_READY) + plan_count(q->plan, PLAN_HELD) +
	    weight(store_more_here(q->store));
}

void
residence_release(struct queued *q, struct store_unit *unit)
{
	store_yield_unit(q->store, &unit);
	q->pass.has_more = true;
}

void
residence_give_back(struct queued *q, struct plan_unit *pu)
{
	struct store_unit *unit = plan_unit_owner(pu);

	unit->plan = NULL;
	plan_remove(q->plan, &pu);
	store_yield_unit(q->store, &unit);
}

/* What could have gone on at once is read again before its line runs short. */
void
residence_move_out(struct queued *q, struct plan_unit *pu)
{
	const struct store_unit *unit = plan_unit_owner(pu);
	struct store_due row = { .due_at = unit->due_at,
	    .id = unit->message->id, .unit = unit->number,
	    .key_hash = store_key_hash(unit->key) };

	if (plan_unit_state(pu) != PLAN_HELD &&
	    plan_unit_due(pu) <= mtime_add(queued_now(q),
	    RESIDENCE_HORIZON_MS / 2) &&
	    plan_unit_blocked_until(q->plan, pu) == 0)
		residence_lines_note(q, plan_unit_key(pu), &row, true);
	residence_give_back(q, pu);
	q->pass.has_more = true;
}

/*
 * A unit that is due and whose destination backs off for long would be read
 * from the index again and again: it is put off to the time of the next probe.
 * The first come a little earlier, so that something is there to be the probe;
 * of very many the rest comes later, by half of the wait at most.  Whoever is
 * too old by then is told of when it comes (take_in()).
 */
enum err
residence_park(struct queued *q, struct plan_unit *pu)
{
	int64_t wait = plan_unit_blocked_until(q->plan, pu) - queued_now(q);
	int64_t later = (int64_t)plan_dest_park(q->plan, pu) *
	    MTIME_SECOND / PARK_RATE;
	uint64_t due;
	enum err e;

	if (later <= PARK_SPREAD_MS)
		wait -= (int64_t)rng_below(&q->dice, PARK_SPREAD_MS);
	else
		wait += mtime_min(later, wait / 2);
	due = times_cut(q, ((struct store_unit *)plan_unit_owner(pu))->message,
	    queued_wall(q) + (wait > 0 ? (uint64_t)wait : 0));
	e = store_reschedule(q->store, plan_unit_owner(pu), due);
	if (e == OK)
		residence_move_out(q, pu);
	return e;
}

uint32_t
residence_line_depth(const struct queued *q)
{
	uint32_t lines = plan_deep_lines(q->plan);

	return RESIDENCE_DEPTH / (lines > 0 ? lines : 1);
}

/* Memory is full: the end of some long line goes, so that a newcomer finds
 * room whose own line is short. */
static bool
make_room(struct queued *q)
{
	uint32_t looks = ROOM_LOOKS;
	struct plan_unit *pu;

	if (!plan_spare_deep(q->plan, PLAN_LINE_DEPTH, &looks, &pu))
		return false;
	residence_move_out(q, pu);
	return true;
}

/* A bulk sender's own line is what gets too long, nobody else's. */
static bool
is_welcome(struct queued *q, const struct plan_unit *pu, uint32_t units)
{
	int64_t horizon = mtime_add(queued_now(q), RESIDENCE_HORIZON_MS);

	if (plan_unit_state(pu) == PLAN_LEASED)
		return true;
	return plan_unit_state(pu) != PLAN_HELD &&
	    plan_unit_blocked_until(q->plan, pu) <= horizon &&
	    plan_unit_depth(q->plan, pu) <= residence_line_depth(q) &&
	    (units < RESIDENCE_MAX || make_room(q));
}

enum err
residence_welcome(struct queued *q, struct store_unit *unit)
{
	uint32_t units = residence_crowd(q);
	enum err e;

	if (store_is_list(unit->message)) {
		(void)lists_add(q, unit);
		residence_release(q, unit);
		return OK;
	}
	e = residence_adopt(q, unit);
	if (e == OK && units >= RESIDENCE_HIGH &&
	    !is_welcome(q, unit->plan, units))
		residence_move_out(q, unit->plan);
	return e;
}

/* HORIZON is a moment of the planner here and below. */
static void
sweep_waiting(struct queued *q, int64_t horizon)
{
	uint32_t looks = SWEEP_LOOKS;
	struct plan_unit *pu;

	for (int i = 0; i < SWEEP_MAX &&
	    plan_spare_waiting(q->plan, horizon, &looks, &pu); i++)
		residence_move_out(q, pu);
}

/* It ends at a failure: the next second tries again. */
static void
sweep_blocked(struct queued *q, int64_t horizon)
{
	uint32_t looks = SWEEP_LOOKS;
	struct plan_unit *pu;

	for (int i = 0; i < SWEEP_MAX &&
	    plan_spare_blocked(q->plan, horizon, &looks, &pu); i++)
		if (residence_park(q, pu) != OK)
			return;
}

/* A long line is cut only in a crowd. */
static void
sweep_deep(struct queued *q, uint32_t most, uint32_t depth)
{
	uint32_t looks = SWEEP_LOOKS, crowd = residence_crowd(q);
	struct plan_unit *pu;

	/* what leaves is seen in the store a check-point later */
	for (int i = 0; i < SWEEP_MAX && crowd > most &&
	    plan_spare_deep(q->plan, depth, &looks, &pu); i++) {
		const struct store_unit *unit = plan_unit_owner(pu);
		uint32_t gone = 1 + weight(unit->count - 1);

		crowd -= gone < crowd ? gone : crowd;
		residence_move_out(q, pu);
	}
}

/* Lists that can't go on need room for others than those that are in front:
 * then some of what waits in short lines leaves, too. */
static void
sweep(struct queued *q)
{
	int64_t horizon = mtime_add(queued_now(q), RESIDENCE_HORIZON_MS);
	bool is_stuck = lists_are_stuck(q);

	if (residence_crowd(q) <= RESIDENCE_LOW && !is_stuck)
		return;
	sweep_waiting(q, horizon);
	sweep_blocked(q, horizon);
	sweep_deep(q, RESIDENCE_HIGH, residence_line_depth(q));
	if (is_stuck && residence_crowd(q) > LISTS_CROWD)
		sweep_deep(q, residence_crowd(q) - LISTS_ROOM, LISTS_LINE);
}

/* ---- once a second ---- */

/* What a crowd has left behind goes back to the system: the allocator alone
 * would keep it. */
static void
trim_memory(struct queued *q)
{
	struct store_figures f;

	store_figures(q->store, &f);
	if (f.memory_messages > q->memory_peak)
		q->memory_peak = f.memory_messages;
	if (q->memory_peak < TRIM_PEAK ||
	    f.memory_messages > q->memory_peak / 4)
		return;
	q->memory_peak = f.memory_messages;
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}

void
residence_keep_house(struct queued *q)
{
	sweep(q);
	residence_refill(q);
	residence_lines_turn(q);
	times_turn(q);
	trim_memory(q);
	queued_touch(q);
}
