/*
 * A unit lives in memory with a plan entry, or in the index without one; in
 * between it is yielded: the store keeps it until the index has caught up.
 * Whatever leaves is found again by its due time alone, so nothing needs to be
 * remembered about it (I-04).
 *
 * Out: once a second sweep() moves out what waits beyond the horizon, and what
 * is ready but cannot be leased soon.  In: a cursor walks the index's rows by
 * due time in slices; LOW lies well below HIGH so that one unit does not go
 * out and in again and again.
 */
#include "queued/residence.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/mail/envelope.h"
#include "queued/lease.h"
#include "queued/lists.h"
#include "queued/outcome.h"
#include "queued/plan/plan_look.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"

#include <malloc.h>

enum {
	SWEEP_MAX = 10000,	/* units moved out in one sweep … */
	SWEEP_LOOKS = 50000,	/* … and looked at: some milliseconds */
	REFILL_ROWS = 500,	/* index rows taken in in one slice, … */
	PASSED_PART = 32,	/* … or so many times as many passed over */
	SCAN_ROWS = 256,	/* of these in one look at the index */
	UNPROVEN_MAX = 8,	/* units of one that nobody knows yet … */
	UNPROVEN_MS = 1000,	/* … for that time, in a crowd */
	UNINDEXED_MAX = STORE_UNINDEXED_MANY,	/* rows in memory for it */
	FULL_ROWS = 64,		/* in vain, after which … */
	FULL_STEP = 32,		/* … one of so many is looked at */
	PASS_ROWS_A_MS = 100,
	PASS_PAUSE_MS = 10000,
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

	if (way->id == m->id && way->unit == unit->number &&
	    way->row == row && way->generation == q->generation)
		return way->route;
	*way = (struct residence_way){ m->id, unit->number, row,
	    q->generation, route_table_find(q->routes, m->sender,
	    unit->recipients[row].address) };
	return way->route;
}

const struct route_policy *
residence_policy(struct queued *q, const struct store_unit *unit)
{
	return residence_route(q, unit).policy;
}

struct plan_limits
residence_limits(const struct route_policy *policy)
{
	return (struct plan_limits){
		.first_retry_ms = policy->first_retry_ms,
		.max_retry_ms = policy->max_retry_ms,
		.window_max = policy->window,
		.rate_count = policy->rate.count,
		.rate_ms = policy->rate.period_ms,
	};
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
	return queued_plan_time(q, m->arrived_at + (uint64_t)life);
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
	entry.key = buf_span(&q->scratch);
	entry.limits = residence_limits(route.policy);
	if (envelope_check(m->envelope, &head) == OK) {
		entry.client = head.client;
		entry.priority = head.priority;
	}
	entry.due = queued_plan_time(q, unit->due_at);
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
	if (e == OK)
		unit->plan = pu;
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

/* It came from the index, unchanged: nothing new is to be found there. */
static void
give_back(struct queued *q, struct plan_unit *pu)
{
	struct store_unit *unit = plan_unit_owner(pu);

	unit->plan = NULL;
	plan_remove(q->plan, &pu);
	store_yield_unit(q->store, &unit);
}

/* The index has the unit from now on, or as soon as it can. */
static void
move_out(struct queued *q, struct plan_unit *pu)
{
	give_back(q, pu);
	q->pass.has_more = true;
}

/*
 * A unit that is due and whose destination backs off for long would be read
 * from the index again and again: it is put off to the time of the next probe.
 * The first come a little earlier, so that something is there to be the probe;
 * of very many the rest comes later, by half of the wait at most.  Whoever is
 * too old by then is told of when it comes (take_in()).
 */
static enum err
park(struct queued *q, struct plan_unit *pu)
{
	int64_t wait = plan_unit_blocked_until(pu) - queued_now(q);
	int64_t later = (int64_t)plan_dest_park(q->plan, pu) *
	    MTIME_SECOND / PARK_RATE;
	uint64_t due;
	enum err e;

	if (later <= PARK_SPREAD_MS)
		wait -= (int64_t)rng_below(&q->dice, PARK_SPREAD_MS);
	else
		wait += mtime_min(later, wait / 2);
	due = queued_wall(q) + (wait > 0 ? (uint64_t)wait : 0);
	e = store_reschedule(q->store, plan_unit_owner(pu), due);
	if (e == OK)
		move_out(q, pu);
	return e;
}

/* How long a line may be in a crowd: the long ones share half of memory. */
static uint32_t
line_depth(const struct queued *q)
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
	move_out(q, pu);
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
	    plan_unit_blocked_until(pu) <= horizon &&
	    plan_unit_depth(q->plan, pu) <= line_depth(q) &&
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
		move_out(q, unit->plan);
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
		move_out(q, pu);
}

/* It ends at a failure: the next second tries again. */
static void
sweep_blocked(struct queued *q, int64_t horizon)
{
	uint32_t looks = SWEEP_LOOKS;
	struct plan_unit *pu;

	for (int i = 0; i < SWEEP_MAX &&
	    plan_spare_blocked(q->plan, horizon, &looks, &pu); i++)
		if (park(q, pu) != OK)
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
		move_out(q, pu);
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
	sweep_deep(q, RESIDENCE_HIGH, line_depth(q));
	if (is_stuck && residence_crowd(q) > LISTS_CROWD)
		sweep_deep(q, residence_crowd(q) - LISTS_ROOM, LISTS_LINE);
}

/* ---- in ---- */

/* Rows are gathered and then taken in: loading a unit while the index is being
 * read would change what is walked. */
struct refill {
	struct queued *q;
	struct store_due rows[64];
	size_t n;
	size_t seen;
};

/* NULL: nothing is known of it. */
static struct residence_key *
find_key(struct queued *q, uint64_t hash)
{
	struct residence_key *keys = q->pass.keys[hash % RESIDENCE_BUCKETS];

	for (size_t i = 0; i < RESIDENCE_BUCKET; i++)
		if (keys[i].hash == hash)
			return &keys[i];
	return NULL;
}

/* From now on only destinations that nothing is known of. */
static bool
is_crowded(const struct queued *q)
{
	return residence_crowd(q) >= RESIDENCE_LOW;
}

/*
 * A long line in memory has as long a one in the index, in front of all that
 * came later; so has a destination that backs off, or that nobody knows yet.
 * To load each row only to find that it is not wanted costs more than all the
 * rest.  So only one of FULL_STEP is looked at, in each pass but the first
 * another one: whoever else has mail among them is found some passes later.
 */
static bool
is_passed_over(struct queued *q, const struct store_due *row)
{
	const struct residence_key *key = find_key(q, row->key_hash);

	if (key == NULL)
		return false;
	if (is_crowded(q))
		return true;
	return (key->until > queued_now(q) || key->vain >= FULL_ROWS) &&
	    (q->pass.number == 0 ||
	    (row->id + q->pass.number) % FULL_STEP != 0);
}

static bool
note_row(void *ctx, const struct store_due *row)
{
	struct refill *r = ctx;

	r->seen++;
	if (!row->is_held && !is_passed_over(r->q, row))
		r->rows[r->n++] = *row;
	return r->n < COUNT_OF(r->rows);
}

/* In a place that is free, or in any. */
static struct residence_key *
note_key(struct queued *q, const struct store_due *row)
{
	uint64_t hash = row->key_hash;
	struct residence_key *keys = q->pass.keys[hash % RESIDENCE_BUCKETS];
	struct residence_key *key = find_key(q, hash);

	if (key != NULL)
		return key;
	key = &keys[row->id % RESIDENCE_BUCKET];
	for (size_t i = 0; i < RESIDENCE_BUCKET; i++)
		if (keys[i].hash == 0)
			key = &keys[i];
	*key = (struct residence_key){ .hash = hash };
	return key;
}

/* A destination that nobody knows needs no more than what is tried first, as
 * long as there may be others to be known. */
static bool
is_plenty(const struct queued *q, const struct plan_unit *pu)
{
	return residence_crowd(q) >= RESIDENCE_LOW / 2 &&
	    plan_unit_unproven(pu) > UNPROVEN_MAX;
}

/* Its destination backs off for long: it is put off, unless the index has
 * enough to write. */
static bool
take_blocked(struct queued *q, struct plan_unit *pu)
{
	if (outcome_overdue(q, pu))
		return true;
	if (store_unindexed(q->store) < UNINDEXED_MAX && park(q, pu) == OK)
		return true;
	give_back(q, pu);
	return false;
}

/* False: it stays where it was, and this look at it was in vain. */
static bool
take_in(struct queued *q, const struct store_due *row)
{
	int64_t horizon = mtime_add(queued_now(q), RESIDENCE_HORIZON_MS);
	struct residence_key *key;
	struct store_unit *unit;
	bool is_list, is_news;

	/* gathered before it was known */
	if (is_passed_over(q, row))
		return false;
	/* A damaged row is the store's to report. */
	if (store_load_unit(q->store, row->id, row->unit, &unit) != OK)
		return false;
	is_list = store_is_list(unit->message);
	is_news = is_list ? lists_add(q, unit) :
	    residence_adopt(q, unit) == OK;
	if (is_list || !is_news) {
		store_yield_unit(q->store, &unit);
		return is_news;
	}
	key = note_key(q, row);
	if (plan_unit_blocked_until(unit->plan) > horizon) {
		key->until = mtime_sub(plan_unit_blocked_until(unit->plan),
		    RESIDENCE_HORIZON_MS);
		return take_blocked(q, unit->plan);
	}
	if (is_plenty(q, unit->plan)) {
		key->until = mtime_add(queued_now(q), UNPROVEN_MS);
		q->pass.has_left = true;
		give_back(q, unit->plan);
		return false;
	}
	/* enough of that line: another pass finds it again */
	if (plan_unit_depth(q->plan, unit->plan) > line_depth(q)) {
		key->vain++;
		give_back(q, unit->plan);
		return false;
	}
	key->vain = 0;
	return true;
}

/* After one in vain the next one waits some ten times as long as this one
 * took, or three times if somebody will be known soon. */
static void
end_pass(struct queued *q)
{
	struct residence_pass *p = &q->pass;
	int64_t pause = mtime_min((int64_t)(p->rows / PASS_ROWS_A_MS),
	    PASS_PAUSE_MS);

	p->has_more = p->has_found || p->has_left;
	if (!p->has_found)
		p->next_at = mtime_add(queued_now(q),
		    p->has_left ? pause / 3 : pause);
	if (p->was_crowded)
		p->crowd_at = mtime_add(queued_now(q), PASS_PAUSE_MS);
	p->has_found = p->has_left = p->was_crowded = false;
	p->rows = 0;
	p->number++;
	p->cursor = (struct store_due){ .due_at = 0 };
}

/* Memory that is crowded takes those in that have nothing there, but now and
 * then only: it costs a look at all rows. */
static bool
may_take_in(const struct queued *q)
{
	return !is_crowded(q) || (residence_crowd(q) < RESIDENCE_HIGH &&
	    queued_now(q) >= q->pass.crowd_at);
}

/* Some rows; false at the end of the pass.  *COST is in rows taken in: those
 * passed over cost a PASSED_PARTth. */
static bool
refill_some(struct queued *q, uint64_t until, size_t *cost)
{
	struct refill r = { .q = q };
	bool has_more = store_due_scan(q->store, &q->pass.cursor, until,
	    SCAN_ROWS, note_row, &r);

	q->pass.rows += r.seen;
	q->pass.was_crowded |= is_crowded(q);
	*cost += r.n + r.seen / PASSED_PART + 1;
	for (size_t i = 0; i < r.n; i++)
		q->pass.has_found |= take_in(q, &r.rows[i]);
	return has_more;
}

/*
 * Goes on where the last slice ended: the first rows are often of units that
 * are here, or that were here and whose end the index does not have yet.  When
 * a pass over all that is due found something, another one follows.
 */
void
residence_refill(struct queued *q)
{
	uint64_t until = queued_wall(q) + (uint64_t)RESIDENCE_HORIZON_MS / 2;
	size_t cost = 0;

	q->pass.has_more = true;
	if (q->pass.cursor.id == 0 && queued_now(q) < q->pass.next_at)
		return;
	while (cost < REFILL_ROWS && may_take_in(q)) {
		if (refill_some(q, until, &cost))
			continue;
		end_pass(q);
		return;
	}
}

/* The cursor stands inside a pass, so the next slice has somewhere to go on;
 * at its begin only time or freed memory brings news, and with memory full
 * only the latter. */
bool
residence_is_refilling(const struct queued *q)
{
	return q->pass.has_more && q->pass.cursor.id != 0 && may_take_in(q);
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
	trim_memory(q);
	queued_touch(q);
}
