/*
 * A growable byte buffer with a hard ceiling and a sticky failure.
 *
 * It owns its memory; spans from buf_span() are valid until the next append,
 * reserve or clear.  After a failed append (no memory, ceiling) all later
 * appends do nothing and buf_failed() is true, so that a writer checks once,
 * at its end.
 */
#ifndef MTAD_BASE_BUF_H
#define MTAD_BASE_BUF_H

#include "common/base/err.h"
#include "common/base/span.h"

struct buf {
	uint8_t *p;
	size_t n;		/* bytes in use */
	size_t size;		/* bytes allocated */
	size_t max;		/* ceiling in bytes */
	bool is_failed;
};

/* life: init allocates nothing; clear frees and keeps the ceiling */
void buf_init(struct buf *b, size_t max);
void buf_clear(struct buf *b);
void buf_reset(struct buf *b);		/* n = 0, not failed, memory kept */

/* use */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_span(struct buf *b, struct span s);
void buf_add_str(struct buf *b, const char *s);
void buf_add_byte(struct buf *b, uint8_t byte);
void buf_add_u64(struct buf *b, uint64_t decimal);
void buf_addf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for N more bytes behind the last one; NULL on failure (sticky).
 * The caller writes there and then says how many with buf_commit(). */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* Drops the first N bytes (all when N >= n), moving the rest down. */
void buf_drop(struct buf *b, size_t n);

/* inspection */
static inline struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->p, b->n };
}

static inline bool
buf_failed(const struct buf *b)
{
	return b->is_failed;
}

#endif
