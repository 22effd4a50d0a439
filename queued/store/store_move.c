/*
 * The writer's side of a move; store_remake.c is the replay's.
 *
 * The record takes the rows of units from memory, or, of those that are not
 * there, as they stand in the index.  Between the append and the hand-over a
 * message still counts in its old segment; then a verdict about it may stand
 * in the same group, behind the record.  It may be settled meanwhile: then it
 * counts nowhere, and the object waits for the sync as a tombstone.
 *
 * The segment that holds the record is needed as long as the old one is there
 * with other messages: without it, a message that was settled later would come
 * back when the index is made again (docs/SPOOL.md, "Compaction").
 */
#include "queued/store/store_move.h"

#include "common/base/crc32c.h"
#include "queued/store/store_group.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_record.h"
#include "queued/store/store_row.h"

#include <stdlib.h>

/* Beside rows, envelope and content. */
enum { FIELDS_BYTES = 256 };

/* ---- the record ---- */

static struct store_record_moved
describe(const struct message *m)
{
	const struct store_message *p = &m->pub;

	return (struct store_record_moved){
		.message = { .arrived_at = p->arrived_at,
		    .content_flags = p->content_flags,
		    .is_report = p->is_report, .is_file = p->place.is_file,
		    .trace_bytes = p->place.trace_bytes,
		    .body_bytes = p->place.body_bytes,
		    .file_crc = m->file_crc, .envelope = p->envelope,
		    .unit_count = p->unit_count, .list = p->list },
		.recipients = p->recipients, .is_held = p->is_held,
		.is_warned = p->is_warned,
		.is_quarantined = p->is_quarantined,
		.is_released = p->is_released,
		.row_count = m->units_left,
	};
}

/* ERR_NOT_FOUND: it is settled. */
static enum err
put_row(struct store *s, const struct message *m, uint32_t number,
    struct buf *b)
{
	struct store_row_key key = store_row_key_unit(m->pub.id, number);
	struct span k = span_of(key.p, key.n), value;
	const struct unit *u = m->units[number];
	size_t at;
	enum err e;

	if (u != NULL && u->is_gone)
		return ERR_NOT_FOUND;
	if (u == NULL) {
		e = store_index_get(s->index, STORE_TABLE_UNIT, k, &value);
		if (e != OK)
			return e;
		if (!store_row_is_sound(k, value))
			return ERR_CORRUPT;
		wire_put_u32(b, number);
		wire_put_span(b, value);
		return OK;
	}
	wire_put_u32(b, number);
	at = b->n;
	wire_put_u32(b, 0);
	store_row_put_unit(b, k, u);
	if (!buf_failed(b))
		wire_patch_u32(b, at, (uint32_t)(b->n - at -
		    sizeof(uint32_t)));
	return OK;
}

/* As many as are left, or the index contradicts memory. */
static enum err
put_rows(struct store *s, const struct message *m, struct buf *b)
{
	size_t begin = b->n;
	uint32_t rows = 0;
	enum err e = store_index_begin(s->index);

	if (e != OK)
		return e;
	for (uint32_t i = 0; i < m->pub.unit_count && e == OK; i++) {
		e = put_row(s, m, i, b);
		if (e == OK && b->n - begin > STORE_MOVE_ROWS)
			e = ERR_RANGE;
		rows += e == OK;
		if (e == ERR_NOT_FOUND)
			e = OK;
	}
	store_index_end(s->index);
	return e == OK && rows != m->units_left ? ERR_CORRUPT : e;
}

/* The content was verified when it was read, and is once more: what goes into
 * the new record gets a new sum, which must not vouch for a bad byte. */
static enum err
put_record(struct store *s, const struct message *m, struct span content)
{
	struct store_record_moved fields = describe(m);
	struct buf *b = store_log_records(s);
	size_t at;
	enum err e;

	if (crc32c(0, content.p, content.n) != m->content_crc)
		return ERR_CORRUPT;
	if (buf_reserve(b, FIELDS_BYTES + m->pub.envelope.n + content.n) ==
	    NULL)
		return ERR_NOMEM;
	at = store_record_begin(b);
	store_record_put_moved(b, &fields);
	if ((e = put_rows(s, m, b)) != OK)
		return e;
	buf_add_span(b, content);
	/* and what the end of the group needs, which may not fail later */
	if (buf_reserve(b, STORE_BLOCK + STORE_GROUP_TAIL) == NULL)
		return ERR_NOMEM;
	store_record_end_message(b, at, m->generation + 1,
	    m->pub.list.id != 0, m->pub.id, content.n);
	return OK;
}

enum err
store_move_append(struct store *s, struct message *m, struct span content)
{
	struct buf *b = store_log_records(s);
	struct store_move *move;
	size_t before = b->n;
	enum err e;

	if (m->pub.unit_count > STORE_MOVE_UNITS)
		return ERR_RANGE;
	if ((move = calloc(1, sizeof(*move))) == NULL)
		return ERR_NOMEM;
	e = put_record(s, m, content);
	if (e == OK)
		e = store_log_settles(s, m->pub.place.segment);
	if (e != OK) {
		b->n = before;
		b->is_failed = false;
		free(move);
		return e;
	}
	move->message = m;
	move->record_bytes = (uint32_t)(b->n - before);
	move->group_offset = (uint32_t)(b->n - content.n);
	m->move = move;
	m->refs++;
	list_add_last(&s->log.open->moves, &move->link);
	store_want_sync(s);
	return OK;
}

/* ---- its place ---- */

static void
count(struct store *s, uint64_t segment, uint32_t bytes, bool is_more)
{
	struct store_segment *seg =
	    store_segments_find(&s->segments, segment);

	if (seg == NULL)
		return;
	seg->messages += is_more ? 1 : UINT64_MAX;
	seg->live_bytes += is_more ? bytes : -(uint64_t)bytes;
	seg->is_dirty = true;
}

/* Counts M at the place that it has now, no more at the one it had. */
static void
recount(struct store *s, struct message *m, uint64_t segment,
    uint64_t offset, uint32_t bytes)
{
	struct store_place *place = &m->pub.place;

	if (!m->is_gone) {
		count(s, place->segment, m->record_bytes, false);
		count(s, segment, bytes, true);
		store_overlay_message(&s->overlay, m);
	}
	place->segment = segment;
	place->offset = offset;
	m->record_bytes = bytes;
}

void
store_move_place(struct store *s, struct store_group_buf *g,
    struct store_segment *seg)
{
	struct list *link;

	for (link = list_first(&g->moves); link != NULL;
	    link = list_next(&g->moves, link)) {
		struct store_move *move =
		    CONTAINER_OF(link, struct store_move, link);
		struct message *m = move->message;

		move->is_placed = true;
		move->from_segment = m->pub.place.segment;
		move->from_offset = m->pub.place.offset;
		move->from_bytes = m->record_bytes;
		m->generation++;
		recount(s, m, seg->number, g->offset + move->group_offset,
		    move->record_bytes);
	}
}

static void
move_free(struct store_move *move)
{
	move->message->move = NULL;
	move->message->refs--;
	free(move);
}

void
store_move_synced(struct store *s, struct store_group_buf *g)
{
	struct list *link;

	while ((link = list_take_first(&g->moves)) != NULL) {
		struct store_move *move =
		    CONTAINER_OF(link, struct store_move, link);
		struct message *m = move->message;

		move_free(move);
		store_memory_release(s, m);
	}
}

void
store_move_carry(struct store *s, uint64_t id, struct store_group_buf *to,
    size_t at)
{
	struct message *m = map_u64_get(&s->messages, id);
	struct store_move *move = m != NULL ? m->move : NULL;

	if (move == NULL)
		return;
	if (move->is_placed) {
		move->is_placed = false;
		m->generation--;
		recount(s, m, move->from_segment, move->from_offset,
		    move->from_bytes);
	}
	move->group_offset = (uint32_t)at;
	list_remove(&move->link);
	list_add_last(&to->moves, &move->link);
}

void
store_move_drop(struct store_group_buf *g)
{
	struct list *link;

	while ((link = list_take_first(&g->moves)) != NULL)
		move_free(CONTAINER_OF(link, struct store_move, link));
}

void
store_move_source(const struct message *m, uint64_t *segment,
    uint64_t *offset)
{
	bool is_old = m->move != NULL && m->move->is_placed;

	*segment = is_old ? m->move->from_segment : m->pub.place.segment;
	*offset = is_old ? m->move->from_offset : m->pub.place.offset;
}
