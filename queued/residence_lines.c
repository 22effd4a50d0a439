/*
 * A walk of a line goes from the first row that it may have, over the rows of
 * all, and takes in those of its destination until the line is long enough
 * again: there it goes on the next time.  What goes to the index meanwhile lies
 * before the walk or behind, and is seen only a check-point later: so a walk
 * that has come to the end begins again, at a pace by what it costs, and the
 * line is forgotten only when nothing has gone for a while and nothing is found.
 */
#include "queued/residence_lines.h"

#include "common/base/mtime.h"
#include "queued/plan/plan_look.h"
#include "queued/residence_private.h"

#include <string.h>

enum {
	TURN_ROWS = 128,	/* taken in in one turn, … */
	PASSED_PART = 32,	/* … or so many times as many passed over */
	SCAN_ROWS = 256,	/* of these in one look at the index */
	GATHERED = 64,		/* rows that are taken in together */
	ROWS_A_MS = 100,	/* a walk's pause, by its rows … */
	PAUSE_LEAST_MS = 20,	/* … but within these */
	PAUSE_MOST_MS = 2000,
	FULL_MS = 100,		/* with no room: whoever has it needs it */
	UNSEEN_MS = 3000,	/* check-points have come by then */
};

/* ---- the table ---- */

static struct residence_line *
find(struct residence_lines *t, uint64_t hash)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->lines[i].hash == hash)
			return &t->lines[i];
	return NULL;
}

static void
drop(struct residence_lines *t, struct residence_line *line)
{
	*line = t->lines[--t->n];
}

static bool
is_proven(const struct queued *q, struct span key)
{
	struct plan_dest_view dest;

	return plan_dest_look(q->plan, key, &dest) &&
	    dest.class == PLAN_PROVEN;
}

static struct span
key_of(const struct residence_line *line)
{
	return span_of(line->key, line->key_bytes);
}

/* One that answers may take the place of one that does not. */
static struct residence_line *
place_for(struct queued *q, struct span key)
{
	struct residence_lines *t = &q->pass.lines;

	if (t->n < RESIDENCE_LINES)
		return &t->lines[t->n++];
	if (!is_proven(q, key))
		return NULL;
	for (uint32_t i = 0; i < t->n; i++)
		if (!is_proven(q, key_of(&t->lines[i])))
			return &t->lines[i];
	return NULL;
}

/* ---- where the rest of a line begins ---- */

/* A cursor stands on a row that was seen: this one on none, before ROW. */
static struct store_due
before(const struct store_due *row)
{
	struct store_due at = { .due_at = row->due_at, .id = row->id,
	    .unit = row->unit };

	if (at.unit > 0) {
		at.unit--;
	} else if (at.id > 0) {
		at.id--;
		at.unit = UINT32_MAX;
	}
	return at;
}

static bool
is_earlier(const struct store_due *a, const struct store_due *b)
{
	if (a->due_at != b->due_at)
		return a->due_at < b->due_at;
	return a->id != b->id ? a->id < b->id : a->unit < b->unit;
}

static void
note_new(struct queued *q, struct span key, const struct store_due *row)
{
	struct residence_line *line;

	if (key.n > RESIDENCE_LINE_KEY || (line = place_for(q, key)) == NULL)
		return;
	*line = (struct residence_line){ .hash = row->key_hash,
	    .first = before(row), .at = before(row),
	    .left_at = queued_now(q), .begun_at = queued_now(q),
	    .next_at = INT64_MIN, .key_bytes = (uint16_t)key.n };
	if (key.n > 0)
		memcpy(line->key, key.p, key.n);
}

void
residence_lines_note(struct queued *q, struct span key,
    const struct store_due *row, bool is_new)
{
	struct residence_line *line = find(&q->pass.lines, row->key_hash);
	struct store_due at = before(row);

	/* a reload has given it another one: no walk would find its kind */
	if (store_key_hash(key) != row->key_hash)
		return;
	if (line == NULL) {
		note_new(q, key, row);
		return;
	}
	if (is_earlier(&at, &line->first))
		line->first = at;
	if (is_earlier(&at, &line->at))
		line->at = at;
	if (is_new)
		line->left_at = queued_now(q);
}

/* ---- walking ---- */

/* Half of it is gone, of a destination that takes more. */
static bool
is_short(const struct queued *q, const struct residence_line *line)
{
	struct plan_dest_view dest;

	return residence_crowd(q) < RESIDENCE_HIGH &&
	    plan_dest_look(q->plan, key_of(line), &dest) &&
	    dest.class == PLAN_PROVEN && dest.blocked_until == 0 &&
	    dest.ready < residence_line_depth(q) / 2;
}

/* Rows are gathered and then taken in, as in a pass. */
struct gathering {
	uint64_t hash;
	struct store_due rows[GATHERED];
	size_t n;
};

static bool
gather(void *ctx, const struct store_due *row)
{
	struct gathering *g = ctx;

	if (!row->is_held && row->key_hash == g->hash)
		g->rows[g->n++] = *row;
	return g->n < GATHERED;
}

static void
end_walk(struct queued *q, struct residence_line *line)
{
	int64_t now = queued_now(q);
	int64_t pause = (int64_t)(line->rows / ROWS_A_MS);

	if (!line->has_found && line->begun_at - line->left_at > UNSEEN_MS) {
		drop(&q->pass.lines, line);
		return;
	}
	line->at = line->first;
	line->begun_at = now;
	line->rows = 0;
	line->has_found = false;
	line->next_at = mtime_add(now, mtime_max(PAUSE_LEAST_MS,
	    mtime_min(pause, PAUSE_MOST_MS)));
}

/* A row for which there is no room was noted: AT lies before it again. */
static bool
take_in(struct queued *q, struct residence_line *line,
    const struct gathering *g)
{
	for (size_t i = 0; i < g->n; i++) {
		enum residence_taken taken = residence_take_in(q, &g->rows[i]);

		if (taken == RESIDENCE_FULL)
			return false;
		line->has_found |= taken == RESIDENCE_TAKEN;
	}
	return true;
}

static void
walk(struct queued *q, struct residence_line *line)
{
	uint64_t until = queued_wall(q) + (uint64_t)RESIDENCE_HORIZON_MS / 2;
	size_t cost = 0;

	while (cost < TURN_ROWS && residence_crowd(q) < RESIDENCE_HIGH) {
		struct gathering g = { .hash = line->hash };
		size_t looks = SCAN_ROWS;
		bool has_more = store_due_scan(q->store, &line->at, until,
		    &looks, gather, &g);

		line->rows += SCAN_ROWS - looks;
		cost += g.n + (SCAN_ROWS - looks) / PASSED_PART + 1;
		if (!take_in(q, line, &g)) {
			line->next_at = mtime_add(queued_now(q), FULL_MS);
			return;
		}
		if (!has_more) {
			end_walk(q, line);
			return;
		}
	}
}

void
residence_lines_turn(struct queued *q)
{
	struct residence_lines *t = &q->pass.lines;

	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t turn = ++t->turn % t->n;

		if (t->lines[turn].next_at <= queued_now(q) &&
		    is_short(q, &t->lines[turn])) {
			walk(q, &t->lines[turn]);
			return;
		}
	}
}

int64_t
residence_lines_at(const struct queued *q)
{
	const struct residence_lines *t = &q->pass.lines;
	int64_t at = PLAN_NEVER;

	for (uint32_t i = 0; i < t->n; i++)
		if (t->lines[i].next_at < at && is_short(q, &t->lines[i]))
			at = mtime_max(t->lines[i].next_at, queued_now(q) + 1);
	return at;
}
