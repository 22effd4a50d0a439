/*
 * A walk merges up to three ascending rows of ids: those that the index leads
 * to by its path, messages that have no row yet, and (for a path by the hold)
 * messages that are held though the index does not say so yet.  Each id is
 * looked up in memory first, for memory wins.
 *
 * Messages and units are read with a cursor each, which nearly always only
 * steps on; units are decoded when they are asked for, so a question about
 * senders alone reads no unit.
 */
#include "queued/store/store_look.h"

#include "common/os/clock.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_row.h"
#include "queued/store/store_term.h"

#include <stdlib.h>

enum {
	STEPS_BEFORE_SEEK = 4,		/* a seek costs some steps */
	TRIM_MESSAGES = 32768,		/* some megabytes of the index */
	CLOCK_ROWS = 32,		/* looked at between two looks at it */
};

/* A cursor and where it stands. */
struct rows {
	struct store_cursor *cursor;
	struct span key, value;
	bool has_row;
};

struct store_glance {
	struct message *here;		/* in memory; NULL: as in ROW */
	struct message row;
	struct rows *units;
	uint32_t next_unit;
	struct unit view;		/* the last one that came from a row */
	struct store_recipient recipients[STORE_UNIT_RECIPIENTS];
};

/* A look under way. */
struct look {
	struct store *s;
	const struct store_path *path;
	struct store_glance *glance;
	struct rows messages, units, terms;
	struct store_term_key term;
	size_t next_id;			/* of path->ids */
	struct list *fresh, *held;	/* next nodes; the head: none */
	uint64_t indexed;		/* the next id; UINT64_MAX: none */
};

/* ---- cursors ---- */

static void
rows_close(struct rows *r)
{
	store_cursor_close(&r->cursor);
}

static void
rows_step(struct rows *r)
{
	r->has_row = r->has_row &&
	    store_cursor_next(r->cursor, &r->key, &r->value) == OK;
}

static void
rows_seek(struct rows *r, const struct store_row_key *key)
{
	r->has_row = store_cursor_seek(r->cursor, span_of(key->p, key->n),
	    &r->key, &r->value) == OK;
}

static int
rows_compare(const struct rows *r, const struct store_row_key *key)
{
	return span_compare(r->key, span_of(key->p, key->n));
}

/* To the row of KEY, or the first behind it.  Where it stands now is mostly
 * that one, or just before it. */
static void
rows_find(struct rows *r, const struct store_row_key *key)
{
	int steps = STEPS_BEFORE_SEEK;

	if (r->has_row && rows_compare(r, key) == 0)
		return;
	/* behind it, or nowhere: something may lie between */
	if (!r->has_row || rows_compare(r, key) > 0) {
		rows_seek(r, key);
		return;
	}
	while (r->has_row && rows_compare(r, key) < 0) {
		if (steps-- == 0) {
			rows_seek(r, key);
			return;
		}
		rows_step(r);
	}
}

/* ---- a glance ---- */

const struct store_message *
store_glance_message(const struct store_glance *g)
{
	return g->here != NULL ? &g->here->pub : &g->row.pub;
}

bool
store_glance_is_here(const struct store_glance *g)
{
	return g->here != NULL;
}

void
store_glance_rewind(struct store_glance *g)
{
	g->next_unit = 0;
}

/* The unit of the row at the cursor, if it is the message's. */
static bool
unit_of_row(struct store_glance *g, uint32_t *number)
{
	uint64_t id;

	return g->units->has_row && store_row_read_unit_key(g->units->key,
	    &id, number) && id == store_glance_message(g)->id;
}

/* Damaged ones are passed over, as everywhere; `spool check' names them. */
static const struct store_unit *
view_unit(struct store_glance *g)
{
	if (store_row_view_unit(g->units->key, g->units->value, &g->view,
	    g->recipients) != OK)
		return NULL;
	/* the message is const to whoever looks */
	g->view.pub.message = g->here != NULL ? &g->here->pub : &g->row.pub;
	return &g->view.pub;
}

/* The next unit at or behind the cursor that is not in memory. */
static const struct store_unit *
next_row_unit(struct store_glance *g, uint32_t number)
{
	uint64_t id = store_glance_message(g)->id;
	struct store_row_key key = store_row_key_unit(id, number);
	const struct store_unit *u = NULL;

	rows_find(g->units, &key);
	while (u == NULL && unit_of_row(g, &number)) {
		g->next_unit = number + 1;
		u = view_unit(g);
		if (u == NULL)
			rows_step(g->units);
	}
	return u;
}

/* What is in memory wins; where it has nothing, a row may be. */
static const struct store_unit *
next_here(struct store_glance *g)
{
	const struct message *m = g->here;
	uint64_t id = m->pub.id;
	uint32_t number;

	while (g->next_unit < m->pub.unit_count) {
		uint32_t i = g->next_unit;
		struct store_row_key key = store_row_key_unit(id, i);
		const struct store_unit *u;

		g->next_unit++;
		if (m->units[i] != NULL) {
			if (!m->units[i]->is_gone)
				return &m->units[i]->pub;
			continue;
		}
		if (!m->has_row)
			continue;
		rows_find(g->units, &key);
		if (unit_of_row(g, &number) && number == i &&
		    (u = view_unit(g)) != NULL)
			return u;
	}
	return NULL;
}

const struct store_unit *
store_glance_next(struct store_glance *g)
{
	return g->here != NULL ? next_here(g) :
	    next_row_unit(g, g->next_unit);
}

/* ---- the next id of the index ---- */

static uint64_t
row_id(const struct rows *r)
{
	return r->has_row ? store_row_read_number(r->key) : UINT64_MAX;
}

/* The id of the pair at the cursor, or of the next whole one of the term: a
 * bucket has others, too. */
static uint64_t
pair_id(struct look *l)
{
	struct span key = span_of(l->term.p, l->term.n);
	uint64_t id;

	while (l->terms.has_row) {
		bool is_it = store_term_is(&l->term, l->terms.value);

		if (is_it && store_term_read(key, l->terms.value, &id))
			return id;
		if (is_it)
			store_notice(l->s, "index-damage",
			    "a term of the index");
		l->terms.has_row = store_cursor_next_pair(l->terms.cursor,
		    &l->terms.value) == OK;
	}
	return UINT64_MAX;
}

static void
first_indexed(struct look *l, uint64_t after)
{
	struct store_row_key key = store_row_key_message(after + 1);
	uint8_t from[STORE_TERM_PAIR];

	if (l->path->is_listed) {
		while (l->next_id < l->path->id_count &&
		    l->path->ids[l->next_id] <= after)
			l->next_id++;
		l->indexed = l->next_id < l->path->id_count ?
		    l->path->ids[l->next_id] : UINT64_MAX;
	} else if (l->path->has_term) {
		store_term_from(after + 1, from);
		l->terms.has_row = store_cursor_seek_pair(l->terms.cursor,
		    span_of(l->term.p, l->term.n),
		    span_of(from, sizeof(from)), &l->terms.value) == OK;
		l->indexed = pair_id(l);
	} else {
		rows_seek(&l->messages, &key);
		l->indexed = row_id(&l->messages);
	}
}

/* Several units of one message may lead to it. */
static void
next_indexed(struct look *l)
{
	uint64_t before = l->indexed;

	if (l->path->is_listed) {
		l->next_id++;
		l->indexed = l->next_id < l->path->id_count ?
		    l->path->ids[l->next_id] : UINT64_MAX;
		return;
	}
	if (!l->path->has_term) {
		rows_step(&l->messages);
		l->indexed = row_id(&l->messages);
		return;
	}
	while (l->terms.has_row && l->indexed == before) {
		l->terms.has_row = store_cursor_next_pair(l->terms.cursor,
		    &l->terms.value) == OK;
		l->indexed = pair_id(l);
	}
}

/* ---- the next id of memory ---- */

static uint64_t
fresh_id(const struct look *l)
{
	return l->fresh != &l->s->fresh ?
	    CONTAINER_OF(l->fresh, struct message, fresh)->pub.id :
	    UINT64_MAX;
}

static uint64_t
held_id(const struct look *l)
{
	return l->held != &l->s->held ?
	    CONTAINER_OF(l->held, struct message, held)->pub.id : UINT64_MAX;
}

/* Nothing changes during one call, so the lists stay as they are. */
static void
first_in_memory(struct look *l, uint64_t after)
{
	l->fresh = l->s->fresh.next;
	while (l->fresh != &l->s->fresh && fresh_id(l) <= after)
		l->fresh = l->fresh->next;
	l->held = &l->s->held;
	if (!l->path->has_term || l->path->term != STORE_TERM_HELD)
		return;
	l->held = l->s->held.next;
	while (l->held != &l->s->held && held_id(l) <= after)
		l->held = l->held->next;
}

/* ---- the walk ---- */

static uint64_t
next_id(const struct look *l)
{
	uint64_t id = l->indexed;

	if (fresh_id(l) < id)
		id = fresh_id(l);
	if (held_id(l) < id)
		id = held_id(l);
	return id;
}

static void
step_over(struct look *l, uint64_t id)
{
	if (l->indexed == id)
		next_indexed(l);
	if (fresh_id(l) == id)
		l->fresh = l->fresh->next;
	if (held_id(l) == id)
		l->held = l->held->next;
}

/* False: it is not there any more, or its row can't be read. */
static bool
look_at(struct look *l, uint64_t id)
{
	struct message *m = map_u64_get(&l->s->messages, id);
	struct store_row_key key = store_row_key_message(id);
	struct store_glance *g = l->glance;

	g->here = m;
	g->next_unit = 0;
	g->units = &l->units;
	if (m != NULL)
		return !m->is_gone;
	rows_find(&l->messages, &key);
	if (!l->messages.has_row || rows_compare(&l->messages, &key) != 0)
		return false;
	if (store_row_view_message(l->messages.key, l->messages.value,
	    &g->row) == OK)
		return true;
	store_notice(l->s, "index-damage", "row of message %s",
	    store_id_text(id).p);
	return false;
}

static uint64_t
walk(struct look *l, uint64_t after, size_t max,
    bool (*visit)(void *ctx, struct store_glance *g), void *ctx)
{
	int64_t end = clock_mono_ms() + STORE_LOOK_MS;

	if (after + 1 < l->path->first)
		after = l->path->first - 1;
	first_indexed(l, after);
	first_in_memory(l, after);
	for (size_t n = 1; n <= max; n++) {
		uint64_t id = next_id(l);
		bool goes_on = true;

		if (id == UINT64_MAX || id > l->path->last)
			return UINT64_MAX;
		if (look_at(l, id))
			goes_on = visit(ctx, l->glance);
		step_over(l, id);
		l->s->looked++;
		after = id;
		if (!goes_on || (n % CLOCK_ROWS == 0 &&
		    clock_mono_ms() >= end))
			break;
	}
	return after;
}

/* Whatever has a term in the index has a row there; memory knows better. */
static bool
is_there(const struct look *l, uint64_t id)
{
	const struct message *m = map_u64_get(&l->s->messages, id);

	return m == NULL || !m->is_gone;
}

static bool
gather(struct look *l, size_t max, struct buf *ids)
{
	uint64_t after = l->path->first > 0 ? l->path->first - 1 : 0;
	size_t n = 0;

	first_indexed(l, after);
	first_in_memory(l, after);
	for (uint64_t id = next_id(l); id != UINT64_MAX &&
	    id <= l->path->last; id = next_id(l)) {
		if (n++ == max)
			return false;
		if (is_there(l, id))
			buf_add(ids, &id, sizeof(id));
		step_over(l, id);
	}
	return !buf_failed(ids);
}

static enum err
open_cursors(struct look *l)
{
	struct store_index *x = l->s->index;
	enum err e = store_cursor_open(x, STORE_TABLE_MESSAGE,
	    &l->messages.cursor);

	if (e == OK)
		e = store_cursor_open(x, STORE_TABLE_UNIT, &l->units.cursor);
	if (e == OK)
		e = store_cursor_open(x, STORE_TABLE_TERM, &l->terms.cursor);
	return e;
}

static void
close_cursors(struct look *l)
{
	rows_close(&l->messages);
	rows_close(&l->units);
	rows_close(&l->terms);
}

uint64_t
store_look(struct store *s, const struct store_path *path, uint64_t after,
    size_t max, bool (*visit)(void *ctx, struct store_glance *g), void *ctx)
{
	struct look l = { .s = s, .path = path };
	uint64_t seen = after;

	/* kept: a look comes seldom alone */
	if (s->glance == NULL)
		s->glance = malloc(sizeof(*s->glance));
	l.glance = s->glance;
	if (l.glance == NULL || store_index_begin(s->index) != OK)
		return after;
	if (path->has_term)
		store_term_key(path->term, path->text, &l.term);
	if (open_cursors(&l) == OK)
		seen = walk(&l, after, max, visit, ctx);
	close_cursors(&l);
	store_index_end(s->index);
	/* an end that is none must not be taken for one */
	if (!store_is_damaged(s))
		after = seen;
	if (s->looked >= TRIM_MESSAGES) {
		s->looked = 0;
		store_index_trim(s->index);
	}
	return after;
}

bool
store_path_ids(struct store *s, const struct store_path *path, size_t max,
    struct buf *ids)
{
	struct look l = { .s = s, .path = path };
	bool is_whole = false;

	if (store_index_begin(s->index) != OK)
		return false;
	if (path->has_term)
		store_term_key(path->term, path->text, &l.term);
	if (open_cursors(&l) == OK)
		is_whole = gather(&l, max, ids);
	close_cursors(&l);
	store_index_end(s->index);
	return is_whole && !store_is_damaged(s);
}
