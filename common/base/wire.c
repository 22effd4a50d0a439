/*
 * Little-endian.  Numbers are copied, never accessed in place: nothing in a
 * record is aligned, and the compiler makes one instruction of copy and swap.
 */
#include "common/base/wire.h"

#include "common/base/check.h"

/* Nearly always there is room, and N is a constant: no call for it. */
static inline void
put(struct buf *b, const void *v, size_t n)
{
	if (b->is_failed || n > b->size - b->n || b->n + n > b->max) {
		buf_add(b, v, n);
		return;
	}
	memcpy(b->p + b->n, v, n);
	b->n += n;
}

void
wire_put_u8(struct buf *b, uint8_t v)
{
	put(b, &v, sizeof(v));
}

void
wire_put_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	put(b, &v, sizeof(v));
}

void
wire_put_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	put(b, &v, sizeof(v));
}

void
wire_put_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	put(b, &v, sizeof(v));
}

/* A length that doesn't fit fails the buffer: half a record would be read as
 * something else. */
void
wire_put_span(struct buf *b, struct span s)
{
	if (s.n > UINT32_MAX) {
		b->is_failed = true;
		return;
	}
	wire_put_u32(b, (uint32_t)s.n);
	buf_add_span(b, s);
}

/* For lengths that are known only when what they count was written. */
void
wire_patch_u32(struct buf *b, size_t at, uint32_t v)
{
	/* after a failure the bytes may well be missing */
	if (b->is_failed)
		return;
	MUST(b->n >= 4 && at <= b->n - 4);
	v = htole32(v);
	memcpy(b->p + at, &v, sizeof(v));
}

struct span
wire_raw(struct wire *w, size_t n)
{
	struct span s;

	if (w->is_failed || n > w->n) {
		w->is_failed = true;
		return SPAN_NONE;
	}
	s = span_of(w->p, n);
	/* nothing may be added to a NULL that stands for no bytes */
	if (n > 0)
		w->p += n;
	w->n -= n;
	return s;
}

/* A length above MAX fails before anything is taken. */
struct span
wire_span(struct wire *w, size_t max)
{
	uint32_t n = wire_u32(w);

	if (n > max)
		w->is_failed = true;
	return wire_raw(w, n);
}

/* Trailing bytes are an error: they would mean that reader and writer
 * differ. */
enum err
wire_done(const struct wire *w)
{
	return w->is_failed || w->n > 0 ? ERR_SYNTAX : OK;
}
