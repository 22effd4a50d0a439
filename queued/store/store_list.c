/*
 * Blocks are cut where list_block recipients are full, so the place of a part
 * in its list, and its id, follow from how many were begun before it.
 *
 * The file goes with the last message that needs it.  Who that is, is not
 * counted: the list and its parts have neighbouring ids, and each of them that
 * ends looks whether there is another.  While the list is not begun wholly that
 * is one look; afterwards the newest parts are the likeliest to be there.
 */
#include "queued/store/store_list.h"

#include "common/base/check.h"
#include "common/mail/envelope.h"
#include "queued/store/store_body_private.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_read.h"
#include "queued/store/store_record.h"
#include "queued/store/store_row.h"

/* A block of the longest recipients that there can be fits in it. */
#define BLOCK_BYTES	((size_t)1024 * 1024)
#define BLOCK_USUAL	((size_t)64 * 1024)

/* Beside envelope, keys and trace: two heads, fields. */
enum { FIELDS_BYTES = 512 };

/* ---- forms ---- */

void
store_list_put(struct buf *out, const struct store_list *l)
{
	wire_put_u64(out, l->id);
	wire_put_u64(out, l->bytes);
	wire_put_u64(out, l->at);
	wire_put_u32(out, l->total);
	wire_put_u32(out, l->count);
}

void
store_list_get(struct wire *w, bool is_file, struct store_list *l)
{
	l->id = wire_u64(w);
	l->bytes = wire_u64(w);
	l->at = wire_u64(w);
	l->total = wire_u32(w);
	l->count = wire_u32(w);
	if (!is_file || l->id == 0 || l->at > l->bytes || l->total == 0 ||
	    l->count > l->total || l->total > ENVELOPE_RCPT_COUNT_MAX)
		wire_fail(w);
}

void
store_list_put_begun(struct buf *out, uint64_t at, uint32_t count)
{
	wire_put_u64(out, at);
	wire_put_u32(out, count);
}

enum err
store_list_get_begun(struct span fields, uint64_t *at, uint32_t *count)
{
	struct wire w;
	uint64_t bytes;
	uint32_t n;

	wire_init(&w, fields);
	bytes = wire_u64(&w);
	n = wire_u32(&w);
	if (wire_done(&w) != OK)
		return ERR_CORRUPT;
	*at = bytes;
	*count = n;
	return OK;
}

/* ---- how far it has come ---- */

bool
store_list_begun_fits(const struct message *m, uint64_t at, uint32_t count)
{
	const struct store_list *l = &m->pub.list;

	return store_is_list(&m->pub) && at >= l->at && at <= l->bytes &&
	    count >= l->count && count <= l->total &&
	    (at == l->at) == (count == l->count);
}

bool
store_list_reaches(const struct message *m,
    const struct store_record_message *part, uint64_t *at, uint32_t *count)
{
	struct envelope e;

	if (part->list.count != m->pub.list.count ||
	    envelope_check(part->envelope, &e) != OK ||
	    e.bytes.n < m->pub.envelope.n)
		return false;
	*at = part->list.at + e.bytes.n - m->pub.envelope.n;
	*count = part->list.count + e.rcpt_count;
	return store_list_begun_fits(m, *at, *count);
}

void
store_list_apply_begun(struct store *s, struct message *m, uint64_t at,
    uint32_t count)
{
	struct store_list *l = &m->pub.list;

	m->pub.left -= count - l->count;
	s->count.recipients -= count - l->count;
	l->at = at;
	l->count = count;
	store_overlay_message(&s->overlay, m);
}

/* ---- a block ---- */

/* The attribute at the front of BYTES whole: its size, else 0. */
static size_t
attribute_size(struct span bytes)
{
	struct wire w;

	wire_init(&w, bytes);
	(void)wire_u8(&w);
	(void)wire_span(&w, bytes.n);
	return w.is_failed ? 0 : bytes.n - w.n;
}

/* Cuts s->block behind the last recipient of the block that begins at FROM; the
 * next begins where this ends.  Nothing that is told of the file is believed
 * (I-05). */
static enum err
cut_block(struct store *s, const struct store_list *from, size_t head,
    struct envelope *e, struct store_list *next)
{
	struct span rest = span_from(buf_span(&s->block), head);
	size_t n;

	*next = *from;
	while (rest.n > 0 && next->count - from->count < s->list_block) {
		if ((n = attribute_size(rest)) == 0)
			return ERR_CORRUPT;
		rest = span_from(rest, n);
		next->count++;
		next->at += n;
	}
	s->block.n -= rest.n;
	if ((next->count - from->count < s->list_block &&
	    next->at != next->bytes) ||
	    envelope_check(buf_span(&s->block), e) != OK ||
	    e->rcpt_count != next->count - from->count ||
	    next->count > next->total || next->count >
	    STORE_LIST_PARTS * s->list_block ||
	    (next->count == next->total) != (next->at == next->bytes))
		return ERR_CORRUPT;
	return OK;
}

/* From at most MAX bytes, which may be too few: ERR_CORRUPT then, too. */
static enum err
try_block(struct store *s, const struct message *m,
    const struct store_list *l, size_t max, struct envelope *e,
    struct store_list *next)
{
	uint64_t left = l->bytes - l->at;
	enum err err;

	buf_reset(&s->block);
	buf_add_span(&s->block, m->pub.envelope);
	if (buf_failed(&s->block))
		return ERR_NOMEM;
	err = store_bodies_read_list(s, m, l->at, left < max ?
	    (size_t)left : max, &s->block);
	return err != OK ? err :
	    cut_block(s, l, m->pub.envelope.n, e, next);
}

/* Envelope of the part that begins at L, in s->block.  Most are short; and what
 * lies before damaged bytes is not given up for what is read beyond it. */
static enum err
read_block(struct store *s, struct message *m, const struct store_list *l,
    struct envelope *e, struct store_list *next)
{
	enum err err = try_block(s, m, l, BLOCK_USUAL, e, next);

	if (err == ERR_CORRUPT)
		err = try_block(s, m, l, BLOCK_BYTES, e, next);
	if (err == ERR_CORRUPT)
		store_read_quarantine(s, m);
	return err;
}

static struct store_record_message
describe(const struct store *s, const struct message *m,
    const struct envelope *e)
{
	const struct store_message *p = &m->pub;

	return (struct store_record_message){
		.arrived_at = p->arrived_at,
		.content_flags = p->content_flags,
		.is_report = p->is_report, .is_file = true,
		.trace_bytes = p->place.trace_bytes,
		.body_bytes = p->place.body_bytes, .file_crc = m->file_crc,
		.envelope = e->bytes, .unit_count = s->units.count,
		.keys = buf_span(&s->units.keys),
		.unit_of = s->units.count > 1 ?
		    buf_span(&s->units.unit_of) : SPAN_NONE,
		.list = p->list,
	};
}

/* Both records, or neither.  TRACE is the list's own: whoever has the message
 * in the end finds in it the id that the client was told. */
static enum err
append(struct store *s, struct message *list,
    const struct store_record_message *r, struct span trace,
    const struct store_list *next, struct message **out)
{
	struct buf *b = store_log_records(s);
	uint64_t id = list->pub.id + 1 + list->pub.list.count / s->list_block;
	size_t at;
	enum err e = store_write_begin(s, r->envelope.n + r->keys.n +
	    r->unit_of.n + trace.n + FIELDS_BYTES, &at);

	if (e != OK)
		return e;
	store_record_put_message(b, r);
	buf_add_span(b, trace);
	store_record_end_message(b, at, 0, true, id, trace.n);
	if ((e = store_write_birth(s, r, id, at, trace.n, out)) != OK)
		return e;
	at = store_record_begin(b);
	store_list_put_begun(b, next->at, next->count);
	MUST(!buf_failed(b));
	store_record_end(b, at, STORE_RECORD_BEGUN, list->pub.id, 0);
	store_list_apply_begun(s, list, next->at, next->count);
	return OK;
}

/* The record of what was begun is needed as long as that of the list is there,
 * or its recipients would be begun again when the index is made again. */
enum err
store_list_begin(struct store *s, struct store_unit *unit,
    const struct store_submission *keys, struct store_unit **part)
{
	struct message *list = store_memory_message(unit->message), *m;
	struct store_record_message r;
	struct store_list next;
	struct envelope e;
	size_t head;
	enum err err;

	if (store_list_is_begun(&list->pub))
		return ERR_NOT_FOUND;
	if (!list->is_placed)
		return ERR_AGAIN;
	if ((err = read_block(s, list, &list->pub.list, &e, &next)) != OK)
		return err;
	head = s->block.n;
	err = store_content(s, &list->pub, 0, list->pub.place.trace_bytes,
	    &s->block);
	/* it may have moved */
	e.bytes = span_sub(buf_span(&s->block), 0, head);
	if (err == OK)
		err = store_units_divide(&s->units, &e, keys);
	if (err == OK)
		err = store_log_settles(s, list->pub.place.segment);
	if (err != OK)
		return err;
	r = describe(s, list, &e);
	err = append(s, list, &r, span_from(buf_span(&s->block), head), &next,
	    &m);
	if (err == OK)
		*part = &m->units[0]->pub;
	return err;
}

enum err
store_list_bytes(struct store *s, const struct store_message *list,
    uint64_t at, size_t n, struct buf *out)
{
	const struct message *m = map_u64_get(&s->messages, list->id);

	MUST(m != NULL && at <= list->list.bytes &&
	    n <= list->list.bytes - at);
	return !m->is_placed ? ERR_AGAIN :
	    store_bodies_read_list(s, m, at, n, out);
}

/* ---- the file ---- */

static bool
is_there(struct store *s, uint64_t id)
{
	const struct message *m = map_u64_get(&s->messages, id);
	struct store_row_key key = store_row_key_message(id);
	struct span value;
	enum err e;

	if (m != NULL)
		return !m->is_gone;
	if (store_index_begin(s->index) != OK)
		return true;
	e = store_index_get(s->index, STORE_TABLE_MESSAGE,
	    span_of(key.p, key.n), &value);
	store_index_end(s->index);
	return e != ERR_NOT_FOUND;
}

bool
store_list_is_shared(struct store *s, const struct message *m)
{
	const struct store_list *l = &m->pub.list;

	if (l->id == 0)
		return false;
	if (m->pub.id != l->id && is_there(s, l->id))
		return true;
	for (uint32_t n = STORE_LIST_PARTS; n > 0; n--)
		if (l->id + n != m->pub.id && is_there(s, l->id + n))
			return true;
	return false;
}
