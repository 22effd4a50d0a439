/*
 * Two sums: one of head and fields, one of the content, which stands in the
 * head.  So a message's content can be checked alone, at each lease, by the sum
 * that its row in the index keeps.
 *
 * Decoders read into a local and assign at the end; the reader remembers the
 * first failure, so one check behind the last field is enough.  Values are
 * checked as if there were no sums: a sum tells accident from intent, no more.
 */
#include "queued/store/store_record.h"

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "queued/store/store_list.h"

/* Offsets in the head; the CRC covers all behind itself. */
enum {
	AT_CRC = 0, AT_TYPE = 4, AT_FLAGS = 6, AT_ID = 8, AT_HEAD = 16,
	AT_CONTENT = 20, AT_CONTENT_CRC = 24, AT_GENERATION = 28,
};

/* Of the fields' form; a new type needs no new version.  That of lists is of
 * messages, which a program that knows none must not read. */
enum { RECORD_VERSION = 1, RECORD_VERSION_LIST = 2 };

enum { BIT_REPORT = 1, BIT_FILE = 2, BIT_LIST = 4 };	/* of a message */
enum {				/* of a moved one */
	BIT_MOVED_HELD = 1, BIT_MOVED_WARNED = 2, BIT_MOVED_QUARANTINED = 4,
	BIT_MOVED_RELEASED = 8,
};
enum { BIT_WARNED = 1 };		/* of a verdict */

/* Zeros: the length of the fields is known only when they are there. */
size_t
store_record_begin(struct buf *out)
{
	static const uint8_t zeros[STORE_RECORD_HEAD];
	size_t at = out->n;

	buf_add(out, zeros, sizeof(zeros));
	return at;
}

/* A note may be passed over by who does not know it. */
static void
end(struct buf *out, size_t at, enum store_record_type type,
    uint8_t version, uint32_t generation, uint64_t id, size_t content_bytes)
{
	size_t head = out->n - at - content_bytes;

	if (buf_failed(out))
		return;
	out->p[at + AT_TYPE] = (uint8_t)type;
	out->p[at + AT_TYPE + 1] = version;
	if (type == STORE_RECORD_NOTE)
		out->p[at + AT_FLAGS] = STORE_RECORD_SKIPPABLE;
	wire_patch_u32(out, at + AT_ID, (uint32_t)id);
	wire_patch_u32(out, at + AT_ID + 4, (uint32_t)(id >> 32));
	wire_patch_u32(out, at + AT_HEAD, (uint32_t)head);
	wire_patch_u32(out, at + AT_CONTENT, (uint32_t)content_bytes);
	wire_patch_u32(out, at + AT_CONTENT_CRC,
	    crc32c(0, out->p + at + head, content_bytes));
	wire_patch_u32(out, at + AT_GENERATION, generation);
	wire_patch_u32(out, at + AT_CRC,
	    crc32c(0, out->p + at + AT_TYPE, head - AT_TYPE));
}

void
store_record_end(struct buf *out, size_t at, enum store_record_type type,
    uint64_t id, size_t content_bytes)
{
	end(out, at, type, RECORD_VERSION, 0, id, content_bytes);
}

void
store_record_end_message(struct buf *out, size_t at, uint32_t generation,
    bool has_list, uint64_t id, size_t content_bytes)
{
	end(out, at, generation > 0 ? STORE_RECORD_MOVED :
	    STORE_RECORD_MESSAGE, has_list ? RECORD_VERSION_LIST :
	    RECORD_VERSION, generation, id, content_bytes);
}

static bool
is_known(uint8_t type, uint8_t version)
{
	return version == RECORD_VERSION || (version == RECORD_VERSION_LIST &&
	    (type == STORE_RECORD_MESSAGE || type == STORE_RECORD_MOVED));
}

/* A type that is not known is for the caller to judge, by type and flags. */
enum err
store_record_next(struct span *rest, struct store_record *out)
{
	struct store_record r = { .type = 0 };
	uint32_t head, content;
	uint8_t version;
	struct wire w;

	wire_init(&w, *rest);
	r.head_crc = wire_u32(&w);
	r.type = wire_u8(&w);
	version = wire_u8(&w);
	r.flags = wire_u16(&w);
	r.id = wire_u64(&w);
	head = wire_u32(&w);
	content = wire_u32(&w);
	r.content_crc = wire_u32(&w);
	r.generation = wire_u32(&w);
	if (w.is_failed || head < STORE_RECORD_HEAD)
		return ERR_CORRUPT;
	r.fields = wire_raw(&w, head - STORE_RECORD_HEAD);
	r.content = wire_raw(&w, content);
	if (w.is_failed ||
	    crc32c(0, rest->p + AT_TYPE, head - AT_TYPE) != r.head_crc)
		return ERR_CORRUPT;
	/* after the sum: damage must not look like another version */
	if (!is_known(r.type, version))
		return ERR_VERSION;
	r.size = (size_t)head + content;
	*rest = span_from(*rest, r.size);
	*out = r;
	return OK;
}

size_t
store_record_size(struct span head)
{
	struct wire w;

	wire_init(&w, span_from(head, AT_HEAD));
	return (size_t)wire_u32(&w) + wire_u32(&w);
}

bool
store_record_content_ok(const struct store_record *r)
{
	return crc32c(0, r->content.p, r->content.n) == r->content_crc;
}

/* ---- a message ---- */

void
store_record_put_message(struct buf *out, const struct store_record_message *m)
{
	unsigned bits = (m->is_report ? BIT_REPORT : 0U) |
	    (m->is_file ? BIT_FILE : 0U) |
	    (m->list.id != 0 ? BIT_LIST : 0U);

	wire_put_u64(out, m->token);
	wire_put_u64(out, m->arrived_at);
	wire_put_u8(out, m->content_flags);
	wire_put_u8(out, (uint8_t)bits);
	wire_put_u32(out, m->trace_bytes);
	wire_put_u64(out, m->body_bytes);
	wire_put_u32(out, m->file_crc);
	wire_put_span(out, m->envelope);
	wire_put_u32(out, m->unit_count);
	wire_put_span(out, m->keys);
	wire_put_span(out, m->unit_of);
	if (m->list.id != 0)
		store_list_put(out, &m->list);
}

static void
get_message(struct wire *w, struct store_record_message *m)
{
	uint8_t bits;

	m->token = wire_u64(w);
	m->arrived_at = wire_u64(w);
	m->content_flags = wire_u8(w);
	bits = wire_u8(w);
	m->trace_bytes = wire_u32(w);
	m->body_bytes = wire_u64(w);
	m->file_crc = wire_u32(w);
	m->envelope = wire_span(w, w->n);
	m->unit_count = wire_u32(w);
	m->keys = wire_span(w, w->n);
	m->unit_of = wire_span(w, w->n);
	m->is_report = (bits & BIT_REPORT) != 0;
	m->is_file = (bits & BIT_FILE) != 0;
	if (m->unit_count == 0)
		wire_fail(w);
	if ((bits & BIT_LIST) != 0)
		store_list_get(w, m->is_file, &m->list);
}

/*
 * The parts are not compared with each other: store_memory_birth() does that.
 */
enum err
store_record_get_message(struct span fields, struct store_record_message *out)
{
	struct store_record_message m = { .token = 0 };
	struct wire w;

	wire_init(&w, fields);
	get_message(&w, &m);
	if (wire_done(&w) != OK)
		return ERR_CORRUPT;
	*out = m;
	return OK;
}

/* ---- a moved message ---- */

void
store_record_put_moved(struct buf *out, const struct store_record_moved *m)
{
	unsigned bits = (m->is_held ? BIT_MOVED_HELD : 0U) |
	    (m->is_warned ? BIT_MOVED_WARNED : 0U) |
	    (m->is_quarantined ? BIT_MOVED_QUARANTINED : 0U) |
	    (m->is_released ? BIT_MOVED_RELEASED : 0U);

	store_record_put_message(out, &m->message);
	wire_put_u32(out, m->recipients);
	wire_put_u8(out, (uint8_t)bits);
	wire_put_u32(out, m->row_count);
}

/* Walks the rows once, so that store_record_next_row() can't fail. */
enum err
store_record_get_moved(struct span fields, struct store_record_moved *out)
{
	struct store_record_moved m = { .recipients = 0 };
	uint8_t bits;
	struct wire w;

	wire_init(&w, fields);
	get_message(&w, &m.message);
	m.recipients = wire_u32(&w);
	bits = wire_u8(&w);
	m.row_count = wire_u32(&w);
	if (w.is_failed || m.row_count == 0 ||
	    m.row_count > m.message.unit_count ||
	    m.message.unit_count > m.recipients)
		return ERR_CORRUPT;
	m.rows = span_from(fields, fields.n - w.n);
	for (uint32_t i = 0; i < m.row_count && !w.is_failed; i++) {
		if (wire_u32(&w) >= m.message.unit_count)
			wire_fail(&w);
		(void)wire_span(&w, w.n);
	}
	if (wire_done(&w) != OK)
		return ERR_CORRUPT;
	m.is_held = (bits & BIT_MOVED_HELD) != 0;
	m.is_warned = (bits & BIT_MOVED_WARNED) != 0;
	m.is_quarantined = (bits & BIT_MOVED_QUARANTINED) != 0;
	m.is_released = (bits & BIT_MOVED_RELEASED) != 0;
	*out = m;
	return OK;
}

struct span
store_record_next_row(struct span *rest, uint32_t *unit)
{
	struct wire w;
	struct span row;

	wire_init(&w, *rest);
	*unit = wire_u32(&w);
	row = wire_span(&w, w.n);
	MUST(!w.is_failed);
	*rest = span_from(*rest, rest->n - w.n);
	return row;
}

/* ---- a verdict ---- */

/* Words of others are cut here; longer ones in a record are a contradiction. */
static void
put_result(struct buf *out, const struct store_result *r)
{
	wire_put_u32(out, r->first);
	wire_put_u32(out, r->last);
	wire_put_u8(out, r->outcome);
	wire_put_u8(out, r->is_settled);
	wire_put_u16(out, r->code);
	wire_put_span(out, span_sub(r->status, 0, STORE_STATUS_MAX));
	wire_put_span(out, span_sub(r->text, 0, STORE_TEXT_MAX));
	wire_put_span(out, span_sub(r->host, 0, STORE_HOST_MAX));
}

/* Rows that no unit has are refused; those of this one: store_apply_fits(). */
static void
get_result(struct wire *w, struct store_result *r)
{
	r->first = wire_u32(w);
	r->last = wire_u32(w);
	r->outcome = wire_u8(w);
	r->is_settled = wire_u8(w) != 0;
	r->code = wire_u16(w);
	r->status = wire_span(w, STORE_STATUS_MAX);
	r->text = wire_span(w, STORE_TEXT_MAX);
	r->host = wire_span(w, STORE_HOST_MAX);
	if (r->first > r->last || r->last >= STORE_UNIT_RECIPIENTS)
		wire_fail(w);
}

/* Row numbers are those of the unit, whose order never changes. */
void
store_record_put_verdict(struct buf *out, uint32_t unit,
    const struct store_verdict *v)
{
	MUST(v->count <= STORE_UNIT_RECIPIENTS);
	wire_put_u32(out, unit);
	wire_put_u64(out, v->begun_at);
	wire_put_u64(out, v->due_at);
	wire_put_u32(out, v->tries);
	wire_put_u8(out, v->is_warned ? BIT_WARNED : 0);
	wire_put_u32(out, (uint32_t)v->count);
	for (size_t i = 0; i < v->count; i++)
		put_result(out, &v->results[i]);
	wire_put_span(out, span_sub(v->history, 0, STORE_HISTORY_MAX));
}

enum err
store_record_get_verdict(struct span fields, uint32_t *unit,
    struct store_result *results, struct store_verdict *out)
{
	struct store_verdict v = { .results = results };
	uint32_t number;
	struct wire w;

	wire_init(&w, fields);
	number = wire_u32(&w);
	v.begun_at = wire_u64(&w);
	v.due_at = wire_u64(&w);
	v.tries = wire_u32(&w);
	v.is_warned = (wire_u8(&w) & BIT_WARNED) != 0;
	v.count = wire_u32(&w);
	if (v.count > STORE_UNIT_RECIPIENTS)
		return ERR_CORRUPT;
	for (size_t i = 0; i < v.count && !w.is_failed; i++)
		get_result(&w, &results[i]);
	v.history = wire_span(&w, STORE_HISTORY_MAX);
	if (wire_done(&w) != OK)
		return ERR_CORRUPT;
	*unit = number;
	*out = v;
	return OK;
}

/* ---- the small ones ---- */

void
store_record_put_unit(struct buf *out, uint32_t unit, uint64_t value)
{
	wire_put_u32(out, unit);
	wire_put_u64(out, value);
}

enum err
store_record_get_unit(struct span fields, uint32_t *unit, uint64_t *value)
{
	uint32_t number;
	uint64_t v;
	struct wire w;

	wire_init(&w, fields);
	number = wire_u32(&w);
	v = wire_u64(&w);
	if (wire_done(&w) != OK)
		return ERR_CORRUPT;
	*unit = number;
	*value = v;
	return OK;
}

void
store_record_put_hold(struct buf *out, bool is_held)
{
	wire_put_u8(out, is_held);
}

enum err
store_record_get_hold(struct span fields, bool *is_held)
{
	uint8_t v;
	struct wire w;

	wire_init(&w, fields);
	v = wire_u8(&w);
	if (wire_done(&w) != OK || v > 1)
		return ERR_CORRUPT;
	*is_held = v == 1;
	return OK;
}
