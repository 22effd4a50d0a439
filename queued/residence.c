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
#include "queued/lease.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"

#include <malloc.h>

enum {
	SWEEP_MAX = 10000,	/* units moved out in one sweep … */
	SWEEP_LOOKS = 50000,	/* … and looked at: some milliseconds */
	REFILL_ROWS = 2000,	/* index rows looked at in one slice */
	TRIM_PEAK = 20000,	/* messages in memory that were many */
};

/* Units of one destination come back spread over this time. */
#define PARK_SPREAD_MS UINT64_C(10000)

int64_t
residence_overdue(const struct queued *q, const struct store_message *m)
{
	const struct conf *conf = q->conf;
	int64_t life = m->is_report ? conf->queue.report_expire_ms :
	    conf->queue.expire_ms;

	if (conf->queue.warn_ms > 0 && conf->queue.warn_ms < life &&
	    !m->is_warned && !m->is_report && m->sender.n > 0)
		life = conf->queue.warn_ms;
	return queued_plan_time(q, m->arrived_at + (uint64_t)life);
}

/* The key of the recipient that the next lease begins with, by today's
 * routes. */
static struct span
unit_key(struct queued *q, const struct store_unit *unit)
{
	uint32_t i = lease_first_row(unit);
	struct route route;

	route = route_table_find(q->routes, unit->message->sender,
	    unit->recipients[i].address);
	buf_reset(&q->scratch);
	route_key(&route, unit->recipients[i].address, &q->scratch);
	return buf_span(&q->scratch);
}

/* The key is of today's routes, not unit->key of the day it came: a reload
 * takes effect on old mail as it enters the planner. */
enum err
residence_adopt(struct queued *q, struct store_unit *unit)
{
	struct plan_unit *pu;
	enum err e;

	if (unit->plan != NULL)
		return OK;
	e = plan_add(q->plan, unit, unit_key(q, unit),
	    queued_plan_time(q, unit->due_at),
	    residence_overdue(q, unit->message), unit->message->is_held, &pu);
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

/* Leased ones cannot leave, so they do not count. */
static uint32_t
units_in_memory(const struct queued *q)
{
	return plan_count(q->plan, PLAN_WAITING) +
	    plan_count(q->plan, PLAN_READY) + plan_count(q->plan, PLAN_HELD);
}

void
residence_release(struct queued *q, struct store_unit *unit)
{
	store_yield_unit(q->store, &unit);
	q->has_more_due = true;
}

/* The index has the unit from now on, or as soon as it can. */
static void
move_out(struct queued *q, struct plan_unit *pu)
{
	struct store_unit *unit = plan_unit_owner(pu);

	unit->plan = NULL;
	plan_remove(q->plan, &pu);
	residence_release(q, unit);
}

/*
 * A unit that is due and whose destination backs off for long would be read
 * from the index again and again: it is put off.  Not beyond the time of the
 * next probe: when that fails, the senders of all that is ready then and too
 * old hear of it.
 */
static enum err
park(struct queued *q, struct plan_unit *pu)
{
	int64_t wait = plan_unit_blocked_until(pu) - queued_now(q) -
	    (int64_t)rng_below(&q->dice, PARK_SPREAD_MS);
	uint64_t due = queued_wall(q) + (wait > 0 ? (uint64_t)wait : 0);
	enum err e = store_reschedule(q->store, plan_unit_owner(pu), due);

	if (e == OK)
		move_out(q, pu);
	return e;
}

enum err
residence_welcome(struct queued *q, struct store_unit *unit)
{
	int64_t horizon = mtime_add(queued_now(q), RESIDENCE_HORIZON_MS);
	uint32_t units = units_in_memory(q);
	struct plan_unit *pu;
	enum err e = residence_adopt(q, unit);

	if (e != OK || units < RESIDENCE_HIGH)
		return e;
	pu = unit->plan;
	if (plan_unit_state(pu) != PLAN_LEASED && (units >= RESIDENCE_MAX ||
	    plan_unit_state(pu) == PLAN_HELD ||
	    plan_unit_blocked_until(pu) > horizon ||
	    plan_unit_depth(pu) > RESIDENCE_DEPTH))
		move_out(q, pu);
	return OK;
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

/* A long line of one destination is cut only in a crowd; lines that back off
 * are always parked.  It ends at a failure: the next second tries again. */
static void
sweep_ready(struct queued *q, int64_t horizon)
{
	uint32_t depth = units_in_memory(q) > RESIDENCE_HIGH ?
	    RESIDENCE_DEPTH : UINT32_MAX;
	uint32_t looks = SWEEP_LOOKS;
	struct plan_unit *pu;
	enum err e = OK;

	for (int i = 0; i < SWEEP_MAX && e == OK &&
	    plan_spare_ready(q->plan, horizon, depth, &looks, &pu); i++) {
		if (plan_unit_blocked_until(pu) > horizon)
			e = park(q, pu);
		else
			move_out(q, pu);
	}
}

static void
sweep(struct queued *q)
{
	int64_t horizon = mtime_add(queued_now(q), RESIDENCE_HORIZON_MS);

	if (units_in_memory(q) <= RESIDENCE_LOW)
		return;
	sweep_waiting(q, horizon);
	sweep_ready(q, horizon);
}

/* ---- in ---- */

/* Rows are gathered and then taken in: loading a unit while the index is being
 * read would change what is walked. */
struct refill {
	struct queued *q;
	struct store_due rows[64];
	size_t n;
};

static bool
note_row(void *ctx, const struct store_due *row)
{
	struct refill *r = ctx;

	if (!row->is_held)
		r->rows[r->n++] = *row;
	return r->n < COUNT_OF(r->rows);
}

/* False: it stays where it was, and this look at it was in vain. */
static bool
take_in(struct queued *q, const struct store_due *row)
{
	int64_t horizon = mtime_add(queued_now(q), RESIDENCE_HORIZON_MS);
	struct store_unit *unit;

	/* A damaged row is the store's to report. */
	if (store_load_unit(q->store, row->id, row->unit, &unit) != OK)
		return false;
	if (residence_adopt(q, unit) != OK) {
		store_yield_unit(q->store, &unit);
		return false;
	}
	if (plan_unit_blocked_until(unit->plan) > horizon)
		return park(q, unit->plan) == OK;
	/* enough of that destination: another pass finds it again */
	if (plan_unit_depth(unit->plan) > RESIDENCE_DEPTH)
		move_out(q, unit->plan);
	return true;
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

	q->has_more_due = true;
	for (int rows = 0; rows < REFILL_ROWS &&
	    units_in_memory(q) < RESIDENCE_LOW;) {
		struct refill r = { .q = q };
		bool has_more = store_due_scan(q->store, &q->due_cursor,
		    until, COUNT_OF(r.rows), note_row, &r);

		rows += (int)COUNT_OF(r.rows);
		for (size_t i = 0; i < r.n; i++)
			q->has_found_due |= take_in(q, &r.rows[i]);
		if (has_more)
			continue;
		q->has_more_due = q->has_found_due;
		q->has_found_due = false;
		q->due_cursor = (struct store_due){ .due_at = 0 };
		return;
	}
}

/* The cursor stands inside a pass, so the next slice has somewhere to go on;
 * at its begin only time or freed memory brings news. */
bool
residence_is_refilling(const struct queued *q)
{
	return q->has_more_due && q->due_cursor.id != 0;
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
