/*
 * Cursors over the byte form of our own records: little-endian, no padding.
 *
 * The writer appends to a struct buf and inherits its sticky failure.  The
 * reader never trusts its bytes: after the first failure every getter returns
 * 0 or an empty span, and wire_done() tells, refusing trailing bytes too.
 * Spans that a reader gives are borrowed from the bytes it reads.
 */
#ifndef MTAD_BASE_WIRE_H
#define MTAD_BASE_WIRE_H

#include "common/base/buf.h"

#include <endian.h>

/* writing */
void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_span(struct buf *b, struct span s);	/* u32 length, bytes */

/* Writes V over the four bytes at offset AT, which must exist. */
void wire_patch_u32(struct buf *b, size_t at, uint32_t v);

/* reading */
struct wire {
	const uint8_t *p;
	size_t n;		/* bytes left */
	bool is_failed;
};

static inline void
wire_init(struct wire *w, struct span s)
{
	*w = (struct wire){ .p = s.p, .n = s.n };
}

/* Fills V with the next N bytes, or leaves it and fails. */
static inline void
wire_get(struct wire *w, void *v, size_t n)
{
	if (w->is_failed || n > w->n) {
		w->is_failed = true;
		return;
	}
	memcpy(v, w->p, n);
	w->p += n;
	w->n -= n;
}

static inline uint8_t
wire_u8(struct wire *w)
{
	uint8_t v = 0;

	wire_get(w, &v, sizeof(v));
	return v;
}

static inline uint16_t
wire_u16(struct wire *w)
{
	uint16_t v = 0;

	wire_get(w, &v, sizeof(v));
	return le16toh(v);
}

static inline uint32_t
wire_u32(struct wire *w)
{
	uint32_t v = 0;

	wire_get(w, &v, sizeof(v));
	return le32toh(v);
}

static inline uint64_t
wire_u64(struct wire *w)
{
	uint64_t v = 0;

	wire_get(w, &v, sizeof(v));
	return le64toh(v);
}

/* u32 length, bytes; more than MAX bytes is a failure. */
struct span wire_span(struct wire *w, size_t max);

/* Exactly N raw bytes. */
struct span wire_raw(struct wire *w, size_t n);

/* For checks of the caller's own ("count too large"). */
static inline void
wire_fail(struct wire *w)
{
	w->is_failed = true;
}

static inline bool
wire_more(const struct wire *w)
{
	return !w->is_failed && w->n > 0;
}

/* OK when nothing failed and nothing is left, else ERR_SYNTAX. */
enum err wire_done(const struct wire *w);

#endif
