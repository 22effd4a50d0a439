/*
 * Numbers take as few bytes as they need: most of a record are small ones, and
 * a journal is written for every message there is.
 */
#include "queued/journal/journal_record.h"

#include "common/base/crc32c.h"

#include <endian.h>

enum { NUMBER_BYTES = 10, SUM_BYTES = 4 };

/* ---- writing ---- */

size_t
journal_record_begin(struct buf *out)
{
	static const uint8_t head[JOURNAL_HEAD];
	size_t at = out->n;

	buf_add(out, head, sizeof(head));
	return at;
}

/* A record too long for its length field fails the buffer: lists are bounded
 * by those who make them. */
void
journal_record_end(struct buf *out, size_t at, enum journal_type type,
    uint8_t flags, uint64_t id)
{
	size_t n = out->n - at;
	uint16_t length = htole16((uint16_t)n);
	uint64_t le_id = htole64(id);
	uint32_t sum;
	uint8_t *p;

	if (n > UINT16_MAX)
		out->is_failed = true;
	if (out->is_failed)
		return;
	p = out->p + at;
	memcpy(p + 4, &length, sizeof(length));
	p[6] = (uint8_t)type;
	p[7] = flags;
	memcpy(p + 8, &le_id, sizeof(le_id));
	sum = htole32(crc32c(0, p + SUM_BYTES, n - SUM_BYTES));
	memcpy(p, &sum, sizeof(sum));
}

void
journal_put(struct buf *out, uint64_t v)
{
	uint8_t bytes[NUMBER_BYTES];
	size_t n = 0;

	while (v >= 0x80) {
		bytes[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	bytes[n++] = (uint8_t)v;
	buf_add(out, bytes, n);
}

void
journal_put_text(struct buf *out, struct span s, size_t max)
{
	struct span cut = span_sub(s, 0, max);

	journal_put(out, cut.n);
	buf_add_span(out, cut);
}

void
journal_mark_put(struct buf *out, uint64_t group, uint64_t at)
{
	size_t start = journal_record_begin(out);

	journal_put(out, at);
	journal_record_end(out, start, JOURNAL_MARK, 0, group);
}

/* ---- reading ---- */

/* More than 64 bits are a failure, not a smaller number. */
uint64_t
journal_get(struct wire *w)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = wire_u8(w);

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (shift == 63 && byte > 1)
			break;
		if ((byte & 0x80) == 0)
			return w->is_failed ? 0 : v;
	}
	wire_fail(w);
	return 0;
}

struct span
journal_get_text(struct wire *w)
{
	uint64_t n = journal_get(w);

	if (n > w->n) {
		wire_fail(w);
		return SPAN_NONE;
	}
	return wire_raw(w, (size_t)n);
}

enum err
journal_record_next(struct span *rest, struct journal_record *out)
{
	struct wire w;
	uint32_t sum;
	size_t n;

	if (rest->n < JOURNAL_HEAD)
		return ERR_AGAIN;
	wire_init(&w, *rest);
	sum = wire_u32(&w);
	n = wire_u16(&w);
	if (n < JOURNAL_HEAD)
		return ERR_CORRUPT;
	if (n > rest->n)
		return ERR_AGAIN;
	if (crc32c(0, rest->p + SUM_BYTES, n - SUM_BYTES) != sum)
		return ERR_CORRUPT;
	out->type = wire_u8(&w);
	out->flags = wire_u8(&w);
	out->id = wire_u64(&w);
	out->bytes = span_sub(*rest, 0, n);
	out->fields = span_from(out->bytes, JOURNAL_HEAD);
	*rest = span_from(*rest, n);
	return OK;
}

/* Few offsets look like a head at all, so few sums are made. */
size_t
journal_record_find(struct span s)
{
	for (size_t at = 0; at + JOURNAL_HEAD <= s.n; at++) {
		struct span rest = span_from(s, at);
		struct journal_record r;

		if (s.p[at + 6] == 0 || s.p[at + 6] > JOURNAL_MARK ||
		    s.p[at + 7] > JOURNAL_IS_OVER)
			continue;
		if (journal_record_next(&rest, &r) == OK)
			return at;
	}
	return s.n;
}
