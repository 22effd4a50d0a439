/*
 * In: a cursor walks the index's rows by due time in slices, all of them in the
 * end, and starts again as long as that brings something in.
 */
#include "queued/residence_private.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/lists.h"
#include "queued/outcome.h"
#include "queued/plan/plan_look.h"
#include "queued/residence_lines.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"

enum {
	REFILL_ROWS = 500,	/* index rows taken in in one slice, … */
	PASSED_PART = 32,	/* … or so many times as many passed over */
	SCAN_ROWS = 256,	/* of these in one look at the index */
	GATHERED = 64,		/* taken in before the next look */
	UNPROVEN_MAX = 8,	/* units of one that nobody knows yet … */
	UNPROVEN_MS = 1000,	/* … for that time, in a crowd */
	UNINDEXED_MAX = STORE_UNINDEXED_MANY,	/* rows in memory for it */
	FULL_ROWS = 64,		/* in vain, after which … */
	FULL_STEP = 32,		/* … one of so many is looked at */
	FOUND_ROWS_A_MS = 2500,	/* the pause after a pass, by its rows … */
	VAIN_ROWS_A_MS = 100,	/* … when it found none to take in … */
	PASS_PAUSE_MS = 10000,	/* … and the longest */
};

/* Rows are gathered and then taken in: loading a unit while the index is being
 * read would change what is walked. */
struct refill {
	struct queued *q;
	struct store_due rows[GATHERED];
	size_t n;
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
static enum residence_taken
take_blocked(struct queued *q, struct plan_unit *pu)
{
	if (outcome_overdue(q, pu))
		return RESIDENCE_PUT_OFF;
	if (store_unindexed(q->store) < UNINDEXED_MAX &&
	    residence_park(q, pu) == OK)
		return RESIDENCE_PUT_OFF;
	residence_give_back(q, pu);
	return RESIDENCE_PASSED;
}

/* There is room for PU, or there will be. */
static enum residence_taken
settle_in(struct queued *q, struct plan_unit *pu, const struct store_due *row)
{
	int64_t horizon = mtime_add(queued_now(q), RESIDENCE_HORIZON_MS);
	struct residence_key *key = note_key(q, row);

	if (plan_unit_blocked_until(q->plan, pu) > horizon) {
		key->until = mtime_sub(plan_unit_blocked_until(q->plan, pu),
		    RESIDENCE_HORIZON_MS);
		return take_blocked(q, pu);
	}
	if (is_plenty(q, pu)) {
		key->until = mtime_add(queued_now(q), UNPROVEN_MS);
		q->pass.has_left = true;
	} else if (plan_unit_depth(q->plan, pu) > residence_line_depth(q)) {
		key->vain++;
	} else {
		key->vain = 0;
		return RESIDENCE_TAKEN;
	}
	residence_lines_note(q, plan_unit_key(pu), row, false);
	residence_give_back(q, pu);
	return RESIDENCE_FULL;
}

enum residence_taken
residence_take_in(struct queued *q, const struct store_due *row)
{
	struct store_unit *unit;
	bool is_list, is_news;

	/* A damaged row is the store's to report. */
	if (store_load_unit(q->store, row->id, row->unit, &unit) != OK)
		return RESIDENCE_PASSED;
	is_list = store_is_list(unit->message);
	is_news = is_list ? lists_add(q, unit) :
	    residence_adopt(q, unit) == OK;
	if (is_list || !is_news) {
		store_yield_unit(q->store, &unit);
		return is_news ? RESIDENCE_TAKEN : RESIDENCE_PASSED;
	}
	return settle_in(q, unit->plan, row);
}

/* A pass costs a look at each row, also at those whose unit is here: the next
 * one waits some ten times as long as this one took, and after one in vain much
 * longer, or a third of that if somebody will be known soon. */
static int64_t
pause_after(const struct residence_pass *p)
{
	uint64_t rows_a_ms = p->has_found ? FOUND_ROWS_A_MS :
	    p->has_left ? 3 * VAIN_ROWS_A_MS : VAIN_ROWS_A_MS;

	return mtime_min((int64_t)(p->rows / rows_a_ms), PASS_PAUSE_MS);
}

static void
end_pass(struct queued *q)
{
	struct residence_pass *p = &q->pass;

	p->has_more = p->has_found || p->has_put_off || p->has_left;
	p->next_at = mtime_add(queued_now(q), pause_after(p));
	if (p->was_crowded)
		p->crowd_at = mtime_add(queued_now(q), PASS_PAUSE_MS);
	p->has_found = p->has_put_off = p->has_left = p->was_crowded = false;
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

static void
note_taken(struct queued *q, enum residence_taken taken)
{
	q->pass.has_found |= taken == RESIDENCE_TAKEN;
	q->pass.has_put_off |= taken == RESIDENCE_PUT_OFF;
}

/* Some rows; false at the end of the pass.  *COST is in rows taken in: those
 * passed over cost a PASSED_PARTth. */
static bool
refill_some(struct queued *q, uint64_t until, size_t *cost)
{
	struct refill r = { .q = q };
	size_t looks = SCAN_ROWS;
	bool has_more = store_due_scan(q->store, &q->pass.cursor, until,
	    &looks, note_row, &r);

	q->pass.rows += SCAN_ROWS - looks;
	q->pass.was_crowded |= is_crowded(q);
	*cost += r.n + (SCAN_ROWS - looks) / PASSED_PART + 1;
	for (size_t i = 0; i < r.n; i++)
		if (!is_passed_over(q, &r.rows[i]))
			note_taken(q, residence_take_in(q, &r.rows[i]));
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
