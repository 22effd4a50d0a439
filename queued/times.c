/*
 * An envelope is looked at only where the flag says that there is something.
 * One that is damaged says nothing: it was checked before it was stored.
 *
 * A unit whose time will be over is noted when it comes to memory.  What is to be
 * returned then is due at that time at the latest (times_cut()), so that it
 * comes from the index, and is not tried any more.  Of what is only to be told of
 * there, and of what finds no room here, the next attempt tells.
 */
#include "queued/times.h"

#include <stdlib.h>

#include "common/base/mtime.h"
#include "common/ipc/messages.h"
#include "queued/lease_doubt.h"
#include "queued/outcome.h"
#include "queued/plan/plan_look.h"
#include "queued/residence.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"

enum {
	WATCHED_MAX = 65536,
	LATE_MAX = 64,		/* in a turn: each costs a report */
};

uint8_t
times_flag(const struct envelope *e)
{
	return e->hold_ms > 0 || e->by != 0 ? CONTENT_TIMED : 0;
}

static bool
read_envelope(const struct store_message *m, struct envelope *out)
{
	return (m->content_flags & CONTENT_TIMED) != 0 &&
	    envelope_check(m->envelope, out) == OK;
}

uint64_t
times_released(const struct store_message *m)
{
	struct envelope e;

	return m->arrived_at + (read_envelope(m, &e) ? e.hold_ms : 0);
}

int64_t
times_plan(const struct queued *q, const struct store_message *m, uint64_t at)
{
	uint64_t released = times_released(m);
	uint64_t now = queued_wall(q);

	if (released <= now)
		return queued_plan_time(q, at);
	/* as much later as it begins later */
	return mtime_add(queued_plan_time(q, at > released ?
	    at - released + now : now), (int64_t)((at < released ? at :
	    released) - now));
}

/* ---- deliver by ---- */

/* A delay is told once, and never of a report or to nobody. */
static bool
find_by(const struct store_message *m, uint64_t *at, uint8_t *by)
{
	struct envelope e;
	int64_t moment;

	if (!read_envelope(m, &e) || e.by == 0)
		return false;
	if ((e.by & ENVELOPE_BY_NOTIFY) != 0 && (m->is_warned ||
	    m->is_report || m->sender.n == 0))
		return false;
	moment = mtime_add((int64_t)m->arrived_at, e.by_ms);
	*at = moment > 0 ? (uint64_t)moment : 0;
	*by = e.by;
	return true;
}

bool
times_is_late(const struct queued *q, const struct store_message *m)
{
	uint64_t at;
	uint8_t by;

	return find_by(m, &at, &by) && at <= queued_wall(q);
}

bool
times_is_returned(const struct queued *q, const struct store_message *m)
{
	uint64_t at;
	uint8_t by;

	return find_by(m, &at, &by) && at <= queued_wall(q) &&
	    (by & ENVELOPE_BY_RETURN) != 0;
}

uint64_t
times_end(struct queued *q, const struct store_unit *unit)
{
	uint64_t end = times_released(unit->message) +
	    (uint64_t)residence_life_ms(q, unit);
	uint64_t at;
	uint8_t by;

	if (find_by(unit->message, &at, &by) && at < end &&
	    (by & ENVELOPE_BY_RETURN) != 0)
		end = at;
	return end;
}

uint64_t
times_cut(const struct queued *q, const struct store_message *m, uint64_t due)
{
	uint64_t at;
	uint8_t by;

	return find_by(m, &at, &by) && (by & ENVELOPE_BY_RETURN) != 0 &&
	    at < due && at > queued_wall(q) ? at : due;
}

static bool
make_room(struct times_watch *w)
{
	size_t size = w->size > 0 ? 2 * w->size : 64;
	struct times_watched *rows;

	if (w->n < w->size)
		return true;
	if (w->n >= WATCHED_MAX)
		return false;
	rows = realloc(w->rows, size * sizeof(*rows));
	if (rows == NULL)
		return false;
	w->rows = rows;
	w->size = size;
	return true;
}

void
times_watch(struct queued *q, const struct store_unit *unit)
{
	struct times_watch *w = &q->pass.by;
	uint64_t at;
	uint8_t by;

	if (find_by(unit->message, &at, &by) && make_room(w))
		w->rows[w->n++] = (struct times_watched){ at,
		    unit->message->id, unit->number };
}

/* Whether it is over for this row; what is out is dealt with by its verdict,
 * what is held by whoever releases it. */
static bool
deal_with(struct queued *q, const struct times_watched *row, int *left)
{
	struct store_unit *unit = store_find_unit(q->store, row->id, row->unit);

	if (unit == NULL || unit->plan == NULL)
		return true;
	if (row->at > queued_wall(q) || *left == 0 ||
	    plan_unit_state(unit->plan) == PLAN_LEASED ||
	    unit->message->is_held || lease_is_waiting(q) ||
	    store_is_behind(q->store))
		return false;
	if (!times_is_late(q, unit->message))
		return true;
	--*left;
	return outcome_late(q, unit) == OK;
}

void
times_turn(struct queued *q)
{
	struct times_watch *w = &q->pass.by;
	int left = LATE_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++)
		if (!deal_with(q, &w->rows[i], &left))
			w->rows[kept++] = w->rows[i];
	w->n = kept;
	if (w->n > 0 || w->size == 0)
		return;
	free(w->rows);
	*w = (struct times_watch){ .n = 0 };
}
