/*
 * Ways to the messages of a selection: how long each is, and how to make it
 * shorter.  What is said here may lead to messages that do not match, and
 * leaves none out that does.
 */
#include "queued/store/store_look.h"

#include "queued/store/store_memory.h"
#include "queued/store/store_read.h"
#include "queued/store/store_term.h"

#include <stdlib.h>

enum {
	MINUTES_MAX = 20000,		/* of a queue: two weeks */
	DUE_ROWS = 4096,		/* in one read transaction */
};

uint64_t
store_path_length(struct store *s, const struct store_path *path)
{
	static const uint8_t any[STORE_TERM_PAIR];
	struct store_cursor *c = NULL;
	struct store_term_key key;
	struct span pair;
	uint64_t n = UINT64_MAX;
	enum err e;

	if (path->is_listed)
		return path->id_count;
	if (!path->has_term)
		return s->count.messages;
	if (store_index_begin(s->index) != OK)
		return UINT64_MAX;
	store_term_key(path->term, path->text, &key);
	e = store_cursor_open(s->index, STORE_TABLE_TERM, &c);
	if (e == OK) {
		e = store_cursor_seek_pair(c, span_of(key.p, key.n),
		    span_of(any, sizeof(any)), &pair);
		n = e == OK ? store_cursor_pairs(c) :
		    e == ERR_NOT_FOUND ? 0 : UINT64_MAX;
	}
	store_cursor_close(&c);
	store_index_end(s->index);
	return n;
}

/* The least and the greatest id of the pairs at the cursor. */
static void
widen(struct store_cursor *c, struct span key, struct span pair,
    uint64_t *first, uint64_t *last)
{
	uint64_t id;

	if (store_term_read(key, pair, &id) && id < *first)
		*first = id;
	if (store_cursor_last_pair(c, &pair) == OK &&
	    store_term_read(key, pair, &id) && id > *last)
		*last = id;
}

/* Over the minutes between FROM and UNTIL that the index has; false: too
 * many. */
static bool
walk_minutes(struct store_cursor *c, uint64_t from, uint64_t until,
    uint64_t *first, uint64_t *last)
{
	struct store_term_key begin, end;
	struct span key, pair;
	enum err e;
	int n = 0;

	store_term_key_minute(from, &begin);
	store_term_key_minute(until, &end);
	e = store_cursor_seek(c, span_of(begin.p, begin.n), &key, &pair);
	while (e == OK && span_compare(key, span_of(end.p, end.n)) <= 0) {
		if (n++ == MINUTES_MAX)
			return false;
		widen(c, key, pair, first, last);
		e = store_cursor_next_key(c, &key, &pair);
	}
	return e == OK || e == ERR_NOT_FOUND;
}

static uint64_t
fresh_first(const struct store *s)
{
	return CONTAINER_OF(s->fresh.next, struct message, fresh)->pub.id;
}

/*
 * Ids grow with time, but a clock may have jumped; what the minutes say is
 * true all the same.  What only memory has may lie anywhere: a fresh message
 * is the youngest of all ids, so the end stays open for it.
 */
void
store_path_arrived(struct store *s, struct store_path *path, uint64_t from,
    uint64_t until)
{
	uint64_t first = UINT64_MAX, last = 0;
	struct store_cursor *c = NULL;

	if (store_index_begin(s->index) != OK)
		return;
	if (store_cursor_open(s->index, STORE_TABLE_TERM, &c) == OK &&
	    walk_minutes(c, from, until, &first, &last)) {
		if (!list_is_empty(&s->fresh)) {
			first = fresh_first(s) < first ? fresh_first(s) :
			    first;
			last = UINT64_MAX;
		}
		path->first = first > path->first ? first : path->first;
		path->last = last < path->last ? last : path->last;
	}
	store_cursor_close(&c);
	store_index_end(s->index);
}

struct due {
	struct buf *ids;
	size_t max;
	bool is_full;
};

static bool
add_id(struct due *d, uint64_t id)
{
	d->is_full = d->ids->n / sizeof(id) >= d->max;
	if (!d->is_full)
		buf_add(d->ids, &id, sizeof(id));
	return !d->is_full && !buf_failed(d->ids);
}

static bool
note_due(void *ctx, const struct store_due *row)
{
	struct due *d = ctx;

	return row->is_held || add_id(d, row->id);
}

static int
compare_ids(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* Ascending, each once. */
static void
sort_ids(struct buf *ids)
{
	uint64_t *p = (uint64_t *)(void *)ids->p;
	size_t n = ids->n / sizeof(*p), kept = 0;

	if (n == 0)
		return;
	qsort(p, n, sizeof(*p), compare_ids);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || p[kept - 1] != p[i])
			p[kept++] = p[i];
	}
	ids->n = kept * sizeof(*p);
}

static bool
add_due(struct store *s, uint64_t until, size_t max, struct buf *ids)
{
	struct store_due cursor = { .due_at = 0 };
	struct due d = { .ids = ids, .max = max };
	const struct message *m;
	size_t at = 0, looks = DUE_ROWS;

	while ((m = map_u64_next(&s->messages, &at)) != NULL) {
		if (!m->is_gone && !add_id(&d, m->pub.id))
			return false;
	}
	while (store_due_scan(s, &cursor, until, &looks, note_due, &d)) {
		if (d.is_full || buf_failed(ids))
			return false;
		looks = DUE_ROWS;
	}
	return !d.is_full && !buf_failed(ids);
}

bool
store_path_due(struct store *s, uint64_t until, size_t max, struct buf *ids)
{
	bool is_whole = add_due(s, until, max, ids);

	sort_ids(ids);
	return is_whole;
}

bool
store_path_awake(struct store *s, uint64_t until, size_t max, struct buf *ids)
{
	struct store_path held = STORE_PATH_ALL;
	bool is_whole;

	held.has_term = true;
	held.term = STORE_TERM_HELD;
	is_whole = add_due(s, until, max, ids) &&
	    store_path_ids(s, &held, max, ids);
	sort_ids(ids);
	return is_whole;
}
