/*
 * From memory to the index.
 *
 * What changed hangs in two lists; changing again costs nothing, so a row is
 * written once for each check-point, however often its unit was tried.
 * Freezing turns them into bytes and moves them to the frozen lists.  From then
 * on they may change again, and hang in both: `now' is what the index has of a
 * unit, `next' what it will have once the frozen bytes are applied.  A row's
 * old key by time is known that way, and is deleted with it.
 *
 * The bytes go in one transaction, with the position that they are of, so the
 * index is always that of one point of the log.  If it fails, it is tried again:
 * nothing is lost by waiting, but a start has more to replay, segments stay, and
 * a long lag slows what is accepted.
 */
#include "queued/store/store_overlay.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/os/clock.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_private.h"
#include "queued/store/store_row.h"
#include "queued/store/store_tap_private.h"
#include "queued/store/store_term.h"

/* A row that changes costs some four pages, which LMDB holds in memory until the
 * transaction ends, and keeps for the next ones. */
#define PERIOD_MS	MTIME_SECOND
#define SOON_MS		((int64_t)20)
#define BYTES_MAX	((uint64_t)32 << 20)	/* of log: freeze earlier */
#define DIRTY_MAX	((size_t)16384)		/* bounds a freeze's time */
#define ROWS_MAX	((size_t)2048)		/* of them rows that change */
#define TRIM_OBJECTS	((size_t)1024)
#define LAG_BYTES	((uint64_t)64 << 20)	/* accepting slows down */
#define LAG_OLD_BYTES	((uint64_t)16 << 20)	/* ... when this old: */
#define LAG_MS		(2 * MTIME_SECOND)
#define OPS_MAX		((size_t)1 << 30)
#define META_MAX	((size_t)4096)

void
store_overlay_init(struct store_overlay *o)
{
	*o = (struct store_overlay){ .dirty = 0 };
	list_init(&o->messages);
	list_init(&o->units);
	list_init(&o->frozen_messages);
	list_init(&o->frozen_units);
	buf_init(&o->ops, OPS_MAX);
}

void
store_overlay_clear(struct store_overlay *o)
{
	buf_clear(&o->ops);
}

/* Twice is once: it hangs in the list already. */
void
store_overlay_message(struct store_overlay *o, struct message *m)
{
	if (list_is_linked(&m->dirty))
		return;
	list_add_last(&o->messages, &m->dirty);
	o->dirty++;
	o->dirty_rows += m->has_row;
}

void
store_overlay_unit(struct store_overlay *o, struct unit *u)
{
	if (list_is_linked(&u->dirty))
		return;
	list_add_last(&o->units, &u->dirty);
	o->dirty++;
	o->dirty_rows += u->now.has;
}

static void
unlink_dirty(struct store_overlay *o, struct list *node)
{
	if (!list_is_linked(node))
		return;
	list_remove(node);
	o->dirty--;
}

void
store_overlay_forget_message(struct store_overlay *o, struct message *m)
{
	unlink_dirty(o, &m->dirty);
	list_remove(&m->frozen);
}

void
store_overlay_forget_unit(struct store_overlay *o, struct unit *u)
{
	unlink_dirty(o, &u->dirty);
	list_remove(&u->frozen);
}

static bool
is_large(const struct store_overlay *o)
{
	return o->dirty >= DIRTY_MAX || o->dirty_rows >= ROWS_MAX;
}

bool
store_overlay_is_due(const struct store_overlay *o, int64_t now_ms)
{
	uint64_t lag = store_overlay_lag(o);

	if (o->is_frozen || now_ms < o->retry_at_ms ||
	    (lag == 0 && o->dirty == 0 && !o->has_news))
		return false;
	return now_ms - o->begun_at_ms >= (o->frees ? SOON_MS : PERIOD_MS) ||
	    lag >= BYTES_MAX || is_large(o) || o->is_awaited;
}

void
store_overlay_hurry(struct store *s)
{
	struct store_overlay *o = &s->overlay;

	o->is_awaited = true;
	s->log.wants_sync |= o->is_frozen && !o->is_sent;
}

bool
store_overlay_is_lagging(const struct store_overlay *o)
{
	uint64_t lag = store_overlay_lag(o);

	return lag > LAG_BYTES || (lag > LAG_OLD_BYTES &&
	    clock_mono_ms() - o->begun_at_ms > LAG_MS);
}

/* ---- freezing ---- */

/* A unit has two rows: its own, and one by time.  The latter is written only
 * when it moves. */
static void
freeze_unit(struct buf *ops, struct unit *u)
{
	uint64_t id = u->pub.message->id;
	struct store_row_key key = store_row_key_unit(id, u->pub.number);
	uint64_t due = u->pub.due_at |
	    (u->pub.message->is_held ? STORE_DUE_HELD : 0);
	struct store_row_key due_key;
	size_t at;

	if (u->now.has && (u->is_gone || u->now.due != due)) {
		due_key = store_row_key_due(u->now.due, id, u->pub.number);
		store_index_delete(ops, STORE_TABLE_DUE, &due_key);
	}
	u->next = (struct store_rows){ .has = !u->is_gone, .due = due };
	if (u->now.has == u->is_gone)
		store_term_unit(ops, u, !u->is_gone);
	if (u->is_gone) {
		if (u->now.has)
			store_index_delete(ops, STORE_TABLE_UNIT, &key);
		return;
	}
	at = store_index_put(ops, STORE_TABLE_UNIT, &key);
	store_row_put_unit(ops, span_of(key.p, key.n), u);
	store_index_put_end(ops, at);
	if (u->now.has && u->now.due == due)
		return;
	due_key = store_row_key_due(due, id, u->pub.number);
	at = store_index_put(ops, STORE_TABLE_DUE, &due_key);
	store_row_put_due(ops, span_of(due_key.p, due_key.n), u);
	store_index_put_end(ops, at);
}

static void
freeze_message(struct buf *ops, struct message *m)
{
	struct store_row_key key = store_row_key_message(m->pub.id);
	bool is_held = m->pub.is_held && !m->is_gone;
	size_t at;

	m->next_has_row = !m->is_gone;
	m->next_is_held_row = is_held;
	if (m->is_held_row != is_held)
		store_term_held(ops, m, is_held);
	if (m->has_row == m->is_gone)
		store_term_message(ops, m, !m->is_gone);
	if (m->is_gone) {
		if (m->has_row)
			store_index_delete(ops, STORE_TABLE_MESSAGE, &key);
		return;
	}
	at = store_index_put(ops, STORE_TABLE_MESSAGE, &key);
	store_row_put_message(ops, span_of(key.p, key.n), m);
	store_index_put_end(ops, at);
}

/* Nothing in it lives, and no verdict in it keeps a message dead. */
static bool
is_over(const struct store_segment *seg, const struct store_position *at)
{
	return seg->number < at->segment && seg->messages == 0 &&
	    seg->settles.n == 0 && !seg->is_going;
}

/* Files go later, when the transaction that forgets their segments is durable;
 * what is doomed here may be pardoned by a thaw. */
static void
freeze_segments(struct store *s, const struct store_position *at)
{
	struct buf *ops = &s->overlay.ops;

	for (size_t i = 0; i < s->segments.n; i++) {
		struct store_segment *seg = s->segments.rows[i];
		struct store_row_key key =
		    store_row_key_message(seg->number);
		size_t place;

		if (is_over(seg, at)) {
			seg->is_doomed = true;
			store_index_delete(ops, STORE_TABLE_SEGMENT, &key);
		} else if (seg->is_dirty) {
			place = store_index_put(ops, STORE_TABLE_SEGMENT,
			    &key);
			store_row_put_segment(ops, span_of(key.p, key.n), seg);
			store_index_put_end(ops, place);
		}
		seg->is_dirty = false;
	}
}

static void
freeze_meta(struct store *s, const struct store_position *at)
{
	struct buf *ops = &s->overlay.ops;
	struct span name = store_index_meta_key();
	struct store_meta meta = { .at = *at, .count = s->count,
	    .start = s->start, .last_segment = at->segment };
	struct store_row_key key = { .n = (uint8_t)name.n };
	size_t place;

	memcpy(key.p, name.p, name.n);
	memcpy(meta.uuid, s->uuid, sizeof(meta.uuid));
	place = store_index_put(ops, STORE_TABLE_META, &key);
	store_row_put_meta(ops, name, &meta);
	store_index_put_end(ops, place);
}

void
store_overlay_freeze(struct store *s, const struct store_position *at,
    int64_t now_ms)
{
	struct store_overlay *o = &s->overlay;
	struct list *node;

	/* who changes many rows waits for this, and it for the sync */
	s->log.wants_sync |= is_large(o) || o->is_awaited;
	buf_reset(&o->ops);
	o->is_frozen = true;
	o->has_news = o->frees = false;
	while ((node = list_take_first(&o->messages)) != NULL) {
		struct message *m = CONTAINER_OF(node, struct message, dirty);

		freeze_message(&o->ops, m);
		list_add_last(&o->frozen_messages, &m->frozen);
	}
	while ((node = list_take_first(&o->units)) != NULL) {
		struct unit *u = CONTAINER_OF(node, struct unit, dirty);

		freeze_unit(&o->ops, u);
		list_add_last(&o->frozen_units, &u->frozen);
	}
	o->frozen = o->dirty;
	o->dirty = 0;
	o->dirty_rows = 0;
	freeze_segments(s, at);
	freeze_meta(s, at);
	o->at = *at;
	o->appended_frozen = o->appended;
	o->begun_at_ms = now_ms;
	o->retry_at_ms = 0;
	/* half of it would be wrong, none is only late */
	if (buf_failed(&o->ops))
		store_overlay_thaw(s);
}

/* All segments are dirty again: which of them were written is not noted, and
 * writing a row twice does no harm. */
void
store_overlay_thaw(struct store *s)
{
	struct store_overlay *o = &s->overlay;
	struct list *node;

	if (!o->is_frozen || o->is_sent)
		return;
	while ((node = list_take_first(&o->frozen_messages)) != NULL)
		store_overlay_message(o,
		    CONTAINER_OF(node, struct message, frozen));
	while ((node = list_take_first(&o->frozen_units)) != NULL)
		store_overlay_unit(o, CONTAINER_OF(node, struct unit, frozen));
	for (size_t i = 0; i < s->segments.n; i++) {
		s->segments.rows[i]->is_dirty = true;
		s->segments.rows[i]->is_doomed = false;
	}
	o->frozen = 0;
	o->is_frozen = false;
}

/* ---- once the index has it ---- */

/* The index has it now.  If it changed since, it stays for the next one. */
static void
settle_unit(struct store *s, struct unit *u)
{
	u->now = u->next;
	if (list_is_linked(&u->dirty))
		return;
	if (u->is_gone || u->is_ours)
		store_memory_drop_unit(s, u);
}

static void
settle_message(struct store *s, struct message *m)
{
	m->has_row = m->next_has_row;
	m->is_held_row = m->next_is_held_row;
	if (m->has_row)
		list_remove(&m->fresh);
	/* unless the hold has come again since */
	if (!list_is_linked(&m->dirty))
		list_remove(&m->held);
	store_memory_release(s, m);
}

/* One that is pinned waits for the next check-point; all do while somebody
 * looks at the spool. */
static void
bury_segments(struct store *s)
{
	if (s->pins > 0)
		return;
	for (size_t i = 0; i < s->segments.n; i++) {
		struct store_segment *seg = s->segments.rows[i];

		if (!seg->is_doomed || seg->is_going || seg->pins > 0)
			continue;
		seg->is_going = store_spares_bury(&s->spares, s->prepare,
		    seg->number, seg->bytes) == OK;
	}
}

static void
settle(struct store *s)
{
	struct store_overlay *o = &s->overlay;
	struct list *node;

	/* the thread has walked through many pages of it */
	if (o->frozen >= TRIM_OBJECTS)
		store_index_trim(s->index);
	o->is_frozen = o->is_awaited = false;
	o->frozen = 0;
	o->indexed = o->at;
	o->appended_indexed = o->appended_frozen;
	while ((node = list_take_first(&o->frozen_units)) != NULL)
		settle_unit(s, CONTAINER_OF(node, struct unit, frozen));
	while ((node = list_take_first(&o->frozen_messages)) != NULL)
		settle_message(s, CONTAINER_OF(node, struct message, frozen));
	/* a large check-point's memory is not kept for the next ones */
	if (o->ops.size > BYTES_MAX)
		buf_clear(&o->ops);
}

/* A transaction that failed may be there all the same, when the write of its
 * last page was what failed; so it is if the index can't tell. */
static bool
may_be_applied(struct store *s)
{
	struct span key = store_index_meta_key();
	struct store_meta meta;
	struct buf row;
	enum err e;

	buf_init(&row, META_MAX);
	e = store_index_peek(s->index, STORE_TABLE_META, key, &row);
	if (e == OK)
		e = store_row_get_meta(key, buf_span(&row), &meta);
	buf_clear(&row);
	return e == OK ? meta.at.sequence == s->overlay.at.sequence :
	    e != ERR_NOT_FOUND;
}

/* The log is the truth; the index follows when it can.  On a full disk only its
 * check-point frees segments, so it may have a spare's room, but the last
 * one's (LMDB tells a full disk as EIO too); and what is not there for sure is
 * gathered anew, for rows of mail that has gone meanwhile need no room. */
static void
put_off(struct store *s)
{
	struct store_overlay *o = &s->overlay;

	if (store_room_available(s) == 0 && s->spares.count > 1)
		(void)store_spares_give_up(&s->spares);
	(void)store_index_revive(s->index);
	if (!may_be_applied(s))
		store_overlay_thaw(s);
	o->retry_at_ms = mtime_add(clock_mono_ms(), PERIOD_MS);
	if (!o->has_failed)
		store_notice(s, "checkpoint-failed", "%s",
		    err_text(o->result));
	o->has_failed = true;
	store_set_timer(s);
}

static void
done(struct store_job *job, void *owner)
{
	struct store *s = owner;
	struct store_overlay *o = &s->overlay;

	(void)job;
	o->is_sent = false;
	if (o->result == OK) {
		o->has_failed = false;
		store_shrink_note(s, o->shrunk, clock_mono_ms());
		settle(s);
		bury_segments(s);
		store_spares_trim(&s->spares, s->prepare);
		store_compact_ask(&s->compact);
		return;
	}
	put_off(s);
}

static void
run(struct store_job *job)
{
	struct store_overlay *o = CONTAINER_OF(job, struct store_overlay, job);

	o->result = store_index_apply(o->index, buf_span(&o->ops));
	o->shrunk = o->result == OK ? store_shrink_look(o->index) : 0;
}

/* Synced: the index is never ahead of the log.  Answered: an open token lies in
 * the groups that a start replays.  Journaled: so does what the history does
 * not have. */
void
store_overlay_send(struct store *s, int64_t now_ms)
{
	struct store_overlay *o = &s->overlay;

	if (!o->is_frozen || o->is_sent || now_ms < o->retry_at_ms ||
	    s->shrink.is_copying ||
	    s->log.synced.sequence < o->at.sequence ||
	    o->answered < o->at.sequence ||
	    o->journaled < o->at.sequence)
		return;
	o->is_sent = true;
	o->index = s->index;
	o->job.run = run;
	o->job.done = done;
	store_worker_put(s->checkpoint, &o->job);
}

enum err
store_overlay_apply_now(struct store *s, const struct store_position *at)
{
	struct store_overlay *o = &s->overlay;
	enum err e;

	store_tap_flush(s);
	store_overlay_freeze(s, at, clock_mono_ms());
	if (!o->is_frozen)
		return ERR_NOMEM;
	e = store_index_apply(s->index, buf_span(&o->ops));
	if (e != OK) {
		store_overlay_thaw(s);
		return e;
	}
	settle(s);
	return OK;
}
