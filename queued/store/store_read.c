/*
 * Index and memory hold one queue between them: what is in memory wins, what
 * is not is exactly as the index says (SPOOL.md, "The index").  So a row of a
 * unit that is here, even as a tombstone, is passed over: it may be old.
 *
 * What people look at is loaded for the moment only, so that a listing of the
 * whole queue takes no more memory than one message of it (I-04).
 */
#include "queued/store/store_read.h"

#include "common/base/crc32c.h"
#include "common/base/siphash.h"
#include "queued/store/store_body_private.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_move.h"
#include "queued/store/store_private.h"
#include "queued/store/store_row.h"

enum { SHOWN_UNITS = 1000 };

uint64_t
store_key_hash(struct span key)
{
	/* stands in the index, so it never changes */
	static const struct siphash_key fixed = {
		UINT64_C(0x6d74616473706f6f), UINT64_C(0x6c6b657968617368),
	};

	return siphash(&fixed, key);
}

struct store_unit *
store_find_unit(const struct store *s, uint64_t id, uint32_t number)
{
	const struct message *m = store_memory_find(s, id);
	struct unit *u;

	if (m == NULL || number >= m->pub.unit_count)
		return NULL;
	u = m->units[number];
	return u == NULL || u->is_gone || u->is_ours ? NULL : &u->pub;
}

uint32_t
store_count_units(const struct store *s, uint64_t id)
{
	const struct message *m = store_memory_find(s, id);

	return m != NULL ? m->pub.unit_count : 0;
}

uint64_t
store_more_here(const struct store *s)
{
	return s->more_here;
}

enum err
store_load_unit(struct store *s, uint64_t id, uint32_t number,
    struct store_unit **out)
{
	struct message *m;
	struct unit *u;
	enum err e = store_memory_load(s, id, &m);

	if (e != OK)
		return e;
	if ((e = store_memory_load_unit(s, m, number, &u)) != OK) {
		store_memory_release(s, m);
		return e;
	}
	u->is_ours = false;
	*out = &u->pub;
	return OK;
}

/* It may go only when the index has it exactly as it is. */
enum err
store_unload_unit(struct store *s, struct store_unit **unit)
{
	struct unit *u = store_memory_unit(*unit);

	if (!u->now.has || list_is_linked(&u->dirty) ||
	    list_is_linked(&u->frozen))
		return ERR_AGAIN;
	store_memory_drop_unit(s, u);
	*unit = NULL;
	return OK;
}

void
store_yield_unit(struct store *s, struct store_unit **unit)
{
	struct store_unit *u = *unit;

	*unit = NULL;
	if (store_unload_unit(s, &u) != OK)
		store_memory_unit(u)->is_ours = true;
}

/* ---- by time ---- */

/* The map is asked, not store_memory_find(): tombstones count too. */
static bool
is_in_memory(const struct store *s, uint64_t id, uint32_t number)
{
	const struct message *m = map_u64_get(&s->messages, id);

	return m != NULL && number < m->pub.unit_count &&
	    m->units[number] != NULL;
}

struct due_scan {
	struct store *s;
	struct store_due *cursor;
	uint64_t until;
	size_t *looks;
	bool is_started;		/* the cursor's own row is behind us */
	bool has_more;
	bool (*visit)(void *ctx, const struct store_due *row);
	void *ctx;
};

/* Held and not held are different rows, though the times are the same. */
static bool
same_row(const struct store_due *a, const struct store_due *b)
{
	return a->due_at == b->due_at && a->id == b->id &&
	    a->unit == b->unit && a->is_held == b->is_held;
}

/* LOOKS bounds the rows looked at, so a planner's turn is short however many are
 * of units in memory.  A damaged row is told and passed over (I-05); one whose
 * key is none is no place to go on from, so it ends the scan, and queued with it.
 * The row at which VISIT stops counts as seen. */
static bool
visit_due(void *ctx, struct span key, struct span value)
{
	struct due_scan *d = ctx;
	struct store_due row = { .due_at = 0 };
	uint64_t due;

	if (!store_row_read_due_key(key, &due, &row.id, &row.unit)) {
		store_notice(d->s, "index-damage", "key of a due row");
		return false;
	}
	row.due_at = due & ~STORE_DUE_HELD;
	row.is_held = (due & STORE_DUE_HELD) != 0;
	if (due > d->until)
		return false;
	if (!d->is_started) {
		d->is_started = true;
		if (same_row(&row, d->cursor))
			return true;
	}
	if (*d->looks == 0) {
		d->has_more = true;
		return false;
	}
	(*d->looks)--;
	*d->cursor = row;
	if (store_row_get_due(key, value, &row.key_hash,
	    &row.arrived_at) != OK) {
		store_notice(d->s, "index-damage", "due row of message %s",
		    store_id_text(row.id).p);
		return true;
	}
	if (is_in_memory(d->s, row.id, row.unit) ||
	    d->visit(d->ctx, &row))
		return true;
	d->has_more = true;
	return false;
}

bool
store_due_scan(struct store *s, struct store_due *cursor, uint64_t until,
    size_t *looks, bool (*visit)(void *ctx, const struct store_due *row),
    void *ctx)
{
	struct due_scan d = { .s = s, .cursor = cursor, .until = until,
	    .looks = looks, .visit = visit, .ctx = ctx };
	uint64_t from = cursor->due_at |
	    (cursor->is_held ? STORE_DUE_HELD : 0);
	struct store_row_key key =
	    store_row_key_due(from, cursor->id, cursor->unit);

	if (store_index_begin(s->index) != OK)
		return false;
	(void)store_index_scan(s->index, STORE_TABLE_DUE,
	    span_of(key.p, key.n), visit_due, &d);
	store_index_end(s->index);
	return d.has_more;
}

/* ---- by id ---- */

/* Shows a message and its units that are not settled, some of which are read
 * for this moment only. */
static bool
show(struct store *s, struct message *m, store_visit *visit, void *ctx)
{
	struct store_unit *units[SHOWN_UNITS + 1];
	struct unit *passing[SHOWN_UNITS];
	size_t n = 0, passing_count = 0;
	struct unit *u;
	bool goes_on;

	m->refs++;
	for (uint32_t i = 0; i < m->pub.unit_count && n < SHOWN_UNITS; i++) {
		bool was_here = m->units[i] != NULL;

		if (store_memory_load_unit(s, m, i, &u) != OK)
			continue;
		units[n++] = &u->pub;
		if (!was_here)
			passing[passing_count++] = u;
	}
	units[n] = NULL;
	goes_on = visit(ctx, &m->pub, units);
	/* a visitor may have changed a unit: then it waits for the index */
	while (passing_count > 0) {
		u = passing[--passing_count];
		if (u->is_ours && !list_is_linked(&u->dirty))
			store_memory_drop_unit(s, u);
	}
	m->refs--;
	return goes_on;
}

struct walk {
	uint64_t after;
	uint64_t id;		/* of the next row; UINT64_MAX: none */
};

static bool
visit_next(void *ctx, struct span key, struct span value)
{
	struct walk *w = ctx;

	(void)value;
	w->id = store_row_read_number(key);
	return w->id <= w->after;
}

/* The first message with a row whose id is above AFTER; UINT64_MAX: none. */
static uint64_t
next_indexed(struct store *s, uint64_t after)
{
	struct store_row_key key = store_row_key_message(after);
	struct walk w = { .after = after, .id = UINT64_MAX };

	if (store_index_scan(s->index, STORE_TABLE_MESSAGE,
	    span_of(key.p, key.n), visit_next, &w) != OK || w.id <= after)
		return UINT64_MAX;
	return w.id;
}

/* Lets go of the fresh message that a walk has stopped at. */
static void
unpin(struct store *s, struct message **pinned)
{
	struct message *m = *pinned;

	*pinned = NULL;
	if (m == NULL)
		return;
	m->refs--;
	store_memory_release(s, m);
}

/* The first message without a row whose id is above AFTER; *PINNED is where
 * the last search ended, which may have left the list since then. */
static uint64_t
next_fresh(struct store *s, uint64_t after, struct message **pinned)
{
	struct list *node = s->fresh.next;
	struct message *m = NULL;

	if (*pinned != NULL && list_is_linked(&(*pinned)->fresh))
		node = &(*pinned)->fresh;
	for (; node != &s->fresh; node = node->next) {
		m = CONTAINER_OF(node, struct message, fresh);
		if (m->pub.id > after)
			break;
	}
	if (node == &s->fresh)
		m = NULL;
	else
		m->refs++;
	unpin(s, pinned);
	*pinned = m;
	return m != NULL ? m->pub.id : UINT64_MAX;
}

/*
 * Merges two ascending rows: messages that the index has, and those that it
 * has not yet.  One that is over though its row is still there is passed over.
 */
uint64_t
store_walk(struct store *s, uint64_t after, size_t max, store_visit *visit,
    void *ctx)
{
	struct message *m, *pinned = NULL;
	bool goes_on = true;
	uint64_t indexed, fresh;

	if (store_index_begin(s->index) != OK)
		return after;
	while (goes_on && max-- > 0 && after != UINT64_MAX) {
		fresh = next_fresh(s, after, &pinned);
		indexed = next_indexed(s, after);
		after = fresh < indexed ? fresh : indexed;
		if (after == UINT64_MAX ||
		    store_memory_load(s, after, &m) != OK)
			continue;
		goes_on = show(s, m, visit, ctx);
		store_memory_release(s, m);
	}
	unpin(s, &pinned);
	store_index_end(s->index);
	return after;
}

enum err
store_show(struct store *s, uint64_t id, store_visit *visit, void *ctx)
{
	struct message *m;
	enum err e = store_memory_load(s, id, &m);

	if (e != OK)
		return e;
	(void)show(s, m, visit, ctx);
	store_memory_release(s, m);
	return OK;
}

/* ---- contents ---- */

struct span
store_content_cached(const struct store *s, const struct store_message *message)
{
	const struct message *m = map_u64_get(&s->messages, message->id);
	const struct store_group_buf *g;

	if (m == NULL || m->group == 0 || message->place.is_file ||
	    (g = store_cache_find(&s->cache, m->group)) == NULL)
		return SPAN_NONE;
	return span_of(g->bytes.p + m->group_offset,
	    store_message_size(message));
}

/* What the log has of it: all, or the trace of a large one.  It is read whole,
 * for one sum covers it.  Only a wrong sum is damage; a read that fails is an
 * error of the moment, and no message is marked for it. */
static enum err
read_inline(struct store *s, const struct message *m, struct buf *out)
{
	const struct store_place *place = &m->pub.place;
	size_t n = place->trace_bytes +
	    (place->is_file ? 0 : (size_t)place->body_bytes);
	struct store_segment *seg;
	uint64_t segment, at;
	uint8_t *p;
	int fd;

	if (!m->is_placed)
		return ERR_AGAIN;
	store_move_source(m, &segment, &at);
	seg = store_segments_find(&s->segments, segment);
	if (seg == NULL || store_segments_open(&s->segments, seg, &fd) != OK)
		return ERR_IO;
	if ((p = buf_reserve(out, n)) == NULL)
		return ERR_NOMEM;
	if (store_io_read(fd, p, n, at) != OK)
		return ERR_IO;
	if (crc32c(0, p, n) != m->content_crc)
		return ERR_CORRUPT;
	buf_commit(out, n);
	return OK;
}

/* The part of the trace that was asked for, N bytes from OFFSET on. */
static enum err
read_trace(struct store *s, const struct message *m, uint64_t offset,
    size_t n, struct buf *out)
{
	size_t before = out->n;
	enum err e = read_inline(s, m, out);

	if (e != OK)
		return e;
	out->n -= (size_t)offset;
	memmove(out->p + before, out->p + before + offset, out->n - before);
	if (out->n - before > n)
		out->n = before + n;
	return OK;
}

/* A large one's trace lies in the log, its body in the file: a piece may be of
 * both. */
static enum err
read_content(struct store *s, const struct message *m, uint64_t offset,
    size_t n, struct buf *out)
{
	uint64_t trace = m->pub.place.trace_bytes;
	size_t before = out->n;
	enum err e;

	if (!m->pub.place.is_file)
		return read_inline(s, m, out);
	if (offset < trace) {
		if ((e = read_trace(s, m, offset, n, out)) != OK)
			return e;
		n -= out->n - before;
		offset = trace;
	}
	return n == 0 ? OK :
	    store_bodies_read(s, m, offset - trace, n, out);
}

/* It stays in its place: nothing is delivered of it, nothing thrown away. */
void
store_read_quarantine(struct store *s, struct message *m)
{
	if (m->pub.is_quarantined)
		return;
	m->pub.is_quarantined = true;
	store_overlay_message(&s->overlay, m);
	store_notice(s, "content-damage", "message %s",
	    store_id_text(m->pub.id).p);
}

/* Gives all or nothing. */
enum err
store_content(struct store *s, const struct store_message *message,
    uint64_t offset, size_t n, struct buf *out)
{
	struct message *m = map_u64_get(&s->messages, message->id);
	size_t before = out->n;
	enum err e;

	if (m == NULL)
		return ERR_NOT_FOUND;
	e = read_content(s, m, offset, n, out);
	if (e != OK && out->n > before)
		out->n = before;
	if (e == ERR_CORRUPT)
		store_read_quarantine(s, m);
	return e;
}
