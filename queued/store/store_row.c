/*
 * LMDB compares keys as bytes, so their numbers are big-endian.  The sum covers
 * the key too: a value that came under another key is damage.
 *
 * Values are borrowed from a read transaction, so an object in memory is one
 * allocation with the row's bytes in it, into which its spans point.  It takes
 * two passes: into a probe, for sizes and checks, then into the object.  Counts
 * are bounded although the sum was right, as everything from disk is (I-05).
 */
#include "queued/store/store_row.h"

#include "common/base/crc32c.h"
#include "common/base/wire.h"
#include "common/mail/envelope.h"
#include "queued/store/store_list.h"
#include "queued/store/store_read.h"

#include <endian.h>
#include <stdlib.h>

enum {		/* bits of a message */
	BIT_REPORT = 1, BIT_HELD = 2, BIT_WARNED = 4, BIT_QUARANTINED = 8,
	BIT_FILE = 16, BIT_LIST = 32, BIT_RELEASED = 64,
};

/* ---- keys ---- */

/* Keys are built part by part, the most significant first: due rows sort by
 * time, then by id, so that scans read in the order in which mail is due. */
static void
add_key_u64(struct store_row_key *key, uint64_t v)
{
	v = htobe64(v);
	memcpy(key->p + key->n, &v, sizeof(v));
	key->n = (uint8_t)(key->n + sizeof(v));
}

static void
add_key_u32(struct store_row_key *key, uint32_t v)
{
	v = htobe32(v);
	memcpy(key->p + key->n, &v, sizeof(v));
	key->n = (uint8_t)(key->n + sizeof(v));
}

struct store_row_key
store_row_key_message(uint64_t id)
{
	struct store_row_key key = { .n = 0 };

	add_key_u64(&key, id);
	return key;
}

struct store_row_key
store_row_key_unit(uint64_t id, uint32_t unit)
{
	struct store_row_key key = { .n = 0 };

	add_key_u64(&key, id);
	add_key_u32(&key, unit);
	return key;
}

struct store_row_key
store_row_key_due(uint64_t due, uint64_t id, uint32_t unit)
{
	struct store_row_key key = { .n = 0 };

	add_key_u64(&key, due);
	add_key_u64(&key, id);
	add_key_u32(&key, unit);
	return key;
}

static uint64_t
read_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static uint32_t
read_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

/* Keys bear no sum of their own: a damaged one shows in the value's. */
bool
store_row_read_due_key(struct span key, uint64_t *due, uint64_t *id,
    uint32_t *unit)
{
	if (key.n != STORE_KEY_DUE)
		return false;
	*due = read_u64(key.p);
	*id = read_u64(key.p + 8);
	*unit = read_u32(key.p + 16);
	return true;
}

bool
store_row_read_unit_key(struct span key, uint64_t *id, uint32_t *unit)
{
	if (key.n != STORE_KEY_UNIT)
		return false;
	*id = read_u64(key.p);
	*unit = read_u32(key.p + 8);
	return true;
}

/* 0, which is no id and no segment, for a key of another form. */
uint64_t
store_row_read_number(struct span key)
{
	return key.n == 8 ? read_u64(key.p) : 0;
}

/* ---- the sum at the end of each value ---- */

/* AT: where the value begins in OUT. */
static void
put_sum(struct buf *out, size_t at, struct span key)
{
	uint32_t crc = crc32c(0, key.p, key.n);

	if (!buf_failed(out))
		wire_put_u32(out, crc32c(crc, out->p + at, out->n - at));
}

/* The value without its sum; false when that is wrong. */
static bool
open_value(struct span key, struct span value, struct wire *w)
{
	uint32_t crc = crc32c(0, key.p, key.n);
	struct wire sum;

	if (value.n < sizeof(uint32_t))
		return false;
	wire_init(&sum, span_from(value, value.n - sizeof(uint32_t)));
	value.n -= sizeof(uint32_t);
	wire_init(w, value);
	return wire_u32(&sum) == crc32c(crc, value.p, value.n);
}

bool
store_row_is_sound(struct span key, struct span value)
{
	struct wire w;

	return open_value(key, value, &w);
}

/* ---- message ---- */

/* Only what the record in the log no longer says, or what would need a read of
 * it; bits and counts are those of this moment. */
void
store_row_put_message(struct buf *out, struct span key,
    const struct message *m)
{
	const struct store_message *p = &m->pub;
	unsigned bits = (p->is_report ? BIT_REPORT : 0U) |
	    (p->is_held ? BIT_HELD : 0U) | (p->is_warned ? BIT_WARNED : 0U) |
	    (p->is_quarantined ? BIT_QUARANTINED : 0U) |
	    (p->is_released ? BIT_RELEASED : 0U) |
	    (p->place.is_file ? BIT_FILE : 0U) |
	    (p->list.id != 0 ? BIT_LIST : 0U);
	size_t at = out->n;

	wire_put_u64(out, p->arrived_at);
	wire_put_u64(out, p->place.segment);
	wire_put_u64(out, p->place.offset);
	wire_put_u32(out, p->place.trace_bytes);
	wire_put_u64(out, p->place.body_bytes);
	wire_put_u32(out, m->content_crc);
	wire_put_u32(out, m->file_crc);
	wire_put_u32(out, m->record_bytes);
	wire_put_u32(out, m->generation);
	wire_put_u8(out, p->content_flags);
	wire_put_u8(out, (uint8_t)bits);
	wire_put_u32(out, p->recipients);
	wire_put_u32(out, p->left);
	wire_put_u32(out, p->unit_count);
	wire_put_u32(out, m->units_left);
	wire_put_u32(out, p->sender.n == 0 ? 0 :
	    (uint32_t)(p->sender.p - p->envelope.p));
	wire_put_u32(out, (uint32_t)p->sender.n);
	wire_put_span(out, p->envelope);
	if (p->list.id != 0)
		store_list_put(out, &p->list);
	put_sum(out, at, key);
}

/* The sender is a place inside the envelope, which stands there once. */
static void
get_message(struct wire *w, struct message *m)
{
	struct store_message *p = &m->pub;
	uint32_t sender_at, sender_n;
	uint8_t bits;

	p->arrived_at = wire_u64(w);
	p->place.segment = wire_u64(w);
	p->place.offset = wire_u64(w);
	p->place.trace_bytes = wire_u32(w);
	p->place.body_bytes = wire_u64(w);
	m->content_crc = wire_u32(w);
	m->file_crc = wire_u32(w);
	m->record_bytes = wire_u32(w);
	m->generation = wire_u32(w);
	p->content_flags = wire_u8(w);
	bits = wire_u8(w);
	p->is_report = (bits & BIT_REPORT) != 0;
	p->is_held = (bits & BIT_HELD) != 0;
	p->is_warned = (bits & BIT_WARNED) != 0;
	p->is_quarantined = (bits & BIT_QUARANTINED) != 0;
	p->is_released = (bits & BIT_RELEASED) != 0;
	p->place.is_file = (bits & BIT_FILE) != 0;
	p->recipients = wire_u32(w);
	p->left = wire_u32(w);
	p->unit_count = wire_u32(w);
	m->units_left = wire_u32(w);
	sender_at = wire_u32(w);
	sender_n = wire_u32(w);
	p->envelope = wire_span(w, w->n);
	p->sender = span_sub(p->envelope, sender_at, sender_n);
	if (p->sender.n != sender_n || p->unit_count == 0 ||
	    p->unit_count > p->recipients ||
	    p->recipients > ENVELOPE_RCPT_COUNT_MAX)
		wire_fail(w);
	if ((bits & BIT_LIST) != 0)
		store_list_get(w, p->place.is_file, &p->list);
}

enum err
store_row_view_message(struct span key, struct span value,
    struct message *out)
{
	struct wire w;

	if (key.n != STORE_KEY_MESSAGE || !open_value(key, value, &w))
		return ERR_CORRUPT;
	memset(out, 0, sizeof(*out));
	get_message(&w, out);
	out->pub.id = read_u64(key.p);
	return wire_done(&w) == OK ? OK : ERR_CORRUPT;
}

enum err
store_row_get_message(struct span key, struct span value,
    struct message **out)
{
	struct message probe;

	if (store_row_view_message(key, value, &probe) != OK)
		return ERR_CORRUPT;
	probe.has_row = true;
	probe.is_held_row = probe.pub.is_held;
	probe.is_placed = true;
	return store_object_message(&probe, out);
}

/* What a search through a segment asks of each message in it. */
enum err
store_row_get_place(struct span key, struct span value,
    struct store_place *place, uint32_t *content_crc)
{
	struct message probe;

	if (store_row_view_message(key, value, &probe) != OK)
		return ERR_CORRUPT;
	*place = probe.pub.place;
	*content_crc = probe.content_crc;
	return OK;
}

/* ---- unit ---- */

/* All recipients, settled ones too: verdicts name rows by number, and a report
 * or an operator asks what became of each. */
void
store_row_put_unit(struct buf *out, struct span key, const struct unit *u)
{
	const struct store_unit *p = &u->pub;
	size_t at = out->n;

	wire_put_u64(out, p->due_at);
	wire_put_u64(out, p->last_at);
	wire_put_u64(out, p->noted_lease);
	wire_put_u32(out, p->tries);
	wire_put_u32(out, p->count);
	wire_put_u32(out, p->left);
	wire_put_span(out, p->key);
	for (uint32_t i = 0; i < p->count; i++) {
		const struct store_recipient *r = &p->recipients[i];

		wire_put_u8(out, r->is_settled);
		wire_put_u8(out, r->outcome);
		wire_put_u16(out, r->code);
		wire_put_span(out, r->attributes);
		wire_put_u32(out, (uint32_t)(r->address.p - r->attributes.p));
		wire_put_u32(out, (uint32_t)r->address.n);
		wire_put_span(out, r->status);
		wire_put_span(out, r->text);
		wire_put_span(out, r->host);
	}
	put_sum(out, at, key);
}

/* The address is a place inside the attributes; last words are spans of W. */
static void
get_recipient(struct wire *w, struct store_recipient *r)
{
	uint32_t address_at, address_n;

	r->is_settled = wire_u8(w) != 0;
	r->outcome = wire_u8(w);
	r->code = wire_u16(w);
	r->attributes = wire_span(w, w->n);
	address_at = wire_u32(w);
	address_n = wire_u32(w);
	r->address = span_sub(r->attributes, address_at, address_n);
	if (r->address.n != address_n)
		wire_fail(w);
	r->status = wire_span(w, w->n);
	r->text = wire_span(w, w->n);
	r->host = wire_span(w, w->n);
}

/* All but the recipients.  A unit with none left has no row. */
static void
get_unit(struct wire *w, struct unit *u)
{
	struct store_unit *p = &u->pub;

	p->due_at = wire_u64(w);
	p->last_at = wire_u64(w);
	p->noted_lease = wire_u64(w);
	p->tries = wire_u32(w);
	p->count = wire_u32(w);
	p->left = wire_u32(w);
	p->key = wire_span(w, STORE_KEY_MAX);
	if (p->count == 0 || p->count > STORE_UNIT_RECIPIENTS ||
	    p->left == 0 || p->left > p->count)
		wire_fail(w);
}

enum err
store_row_view_unit(struct span key, struct span value, struct unit *out,
    struct store_recipient *rows)
{
	uint32_t left = 0;
	struct wire w;

	if (key.n != STORE_KEY_UNIT || !open_value(key, value, &w))
		return ERR_CORRUPT;
	memset(out, 0, sizeof(*out));
	get_unit(&w, out);
	if (w.is_failed)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < out->pub.count; i++) {
		get_recipient(&w, &rows[i]);
		left += !rows[i].is_settled;
	}
	out->pub.number = read_u32(key.p + 8);
	out->pub.recipients = rows;
	return wire_done(&w) == OK && left == out->pub.left ? OK : ERR_CORRUPT;
}

/* One allocation: unit, recipients, and a copy of the row they point into. */
enum err
store_row_get_unit(struct span key, struct span value, struct unit **out)
{
	struct unit probe, *u;
	struct store_recipient *recipients;
	uint32_t left = 0;
	uint8_t *p;
	struct wire w;

	memset(&probe, 0, sizeof(probe));
	if (key.n != STORE_KEY_UNIT || !open_value(key, value, &w))
		return ERR_CORRUPT;
	get_unit(&w, &probe);
	if (w.is_failed)
		return ERR_CORRUPT;
	p = calloc(1, sizeof(*u) + probe.pub.count * sizeof(*recipients) +
	    value.n);
	if (p == NULL)
		return ERR_NOMEM;
	u = (struct unit *)(void *)p;
	recipients = (struct store_recipient *)(void *)(p + sizeof(*u));
	p += sizeof(*u) + probe.pub.count * sizeof(*recipients);
	memcpy(p, value.p, value.n);
	wire_init(&w, span_of(p, value.n - sizeof(uint32_t)));
	get_unit(&w, u);
	for (uint32_t i = 0; i < u->pub.count; i++) {
		get_recipient(&w, &recipients[i]);
		left += !recipients[i].is_settled;
	}
	if (wire_done(&w) != OK || left != u->pub.left) {
		free(u);
		return ERR_CORRUPT;
	}
	u->pub.number = read_u32(key.p + 8);
	u->pub.recipients = recipients;
	u->is_separate = true;
	list_init(&u->dirty);
	list_init(&u->frozen);
	*out = u;
	return OK;
}

/* ---- the small ones ---- */

/* The hash of the key, so that the planner can pass over units of a destination
 * without loading them; the time of arrival likewise. */
void
store_row_put_due(struct buf *out, struct span key, const struct unit *u)
{
	size_t at = out->n;

	wire_put_u64(out, store_key_hash(u->pub.key));
	wire_put_u64(out, u->pub.message->arrived_at);
	put_sum(out, at, key);
}

enum err
store_row_get_due(struct span key, struct span value, uint64_t *key_hash,
    uint64_t *arrived_at)
{
	uint64_t hash, arrived;
	struct wire w;

	if (!open_value(key, value, &w))
		return ERR_CORRUPT;
	hash = wire_u64(&w);
	arrived = wire_u64(&w);
	if (wire_done(&w) != OK)
		return ERR_CORRUPT;
	*key_hash = hash;
	*arrived_at = arrived;
	return OK;
}

/* What keeps the segment; its size is that of its file. */
void
store_row_put_segment(struct buf *out, struct span key,
    const struct store_segment *seg)
{
	size_t at = out->n;

	wire_put_u64(out, seg->messages);
	wire_put_u64(out, seg->live_bytes);
	wire_put_u64(out, seg->cuts);
	wire_put_u32(out, (uint32_t)seg->settles.n);
	for (size_t i = 0; i < seg->settles.n; i++)
		wire_put_u64(out, seg->settles.p[i]);
	put_sum(out, at, key);
}

/* The count is compared with the bytes before anything is allocated. */
enum err
store_row_get_segment(struct span key, struct span value,
    struct store_segment *out)
{
	uint64_t messages, bytes, cuts;
	enum err e = OK;
	uint32_t n;
	struct wire w;

	if (!open_value(key, value, &w))
		return ERR_CORRUPT;
	messages = wire_u64(&w);
	bytes = wire_u64(&w);
	cuts = wire_u64(&w);
	n = wire_u32(&w);
	if (w.is_failed || w.n != (size_t)n * sizeof(uint64_t))
		return ERR_CORRUPT;
	for (; n > 0 && e == OK; n--)
		e = store_numbers_add(&out->settles, wire_u64(&w));
	out->messages = messages;
	out->live_bytes = bytes;
	out->cuts = cuts;
	return e;
}

/* Written in each transaction: position and rows are of one moment. */
void
store_row_put_meta(struct buf *out, struct span key,
    const struct store_meta *meta)
{
	size_t at = out->n;

	wire_put_u64(out, meta->at.segment);
	wire_put_u64(out, meta->at.offset);
	wire_put_u64(out, meta->at.sequence);
	wire_put_u32(out, meta->at.sum);
	wire_put_u64(out, meta->count.messages);
	wire_put_u64(out, meta->count.units);
	wire_put_u64(out, meta->count.recipients);
	wire_put_u64(out, meta->count.bytes);
	wire_put_u64(out, meta->start);
	wire_put_u64(out, meta->last_segment);
	buf_add(out, meta->uuid, sizeof(meta->uuid));
	put_sum(out, at, key);
}

enum err
store_row_get_meta(struct span key, struct span value, struct store_meta *out)
{
	struct store_meta m = { .start = 0 };
	struct span uuid;
	struct wire w;

	if (!open_value(key, value, &w))
		return ERR_CORRUPT;
	m.at.segment = wire_u64(&w);
	m.at.offset = wire_u64(&w);
	m.at.sequence = wire_u64(&w);
	m.at.sum = wire_u32(&w);
	m.count.messages = wire_u64(&w);
	m.count.units = wire_u64(&w);
	m.count.recipients = wire_u64(&w);
	m.count.bytes = wire_u64(&w);
	m.start = wire_u64(&w);
	m.last_segment = wire_u64(&w);
	uuid = wire_raw(&w, sizeof(m.uuid));
	if (wire_done(&w) != OK)
		return ERR_CORRUPT;
	memcpy(m.uuid, uuid.p, sizeof(m.uuid));
	*out = m;
	return OK;
}
