/*
 * Bytes on their way into a socket: gathered in a buffer, written at once,
 * what the kernel did not take stays in front.
 */
#ifndef MTAD_LOOP_OUTQ_H
#define MTAD_LOOP_OUTQ_H

#include "common/base/buf.h"

struct outq {
	struct buf buf;
	size_t sent;		/* bytes of buf the kernel has already */
	size_t keep;		/* memory kept when all is sent */
	bool is_secret;		/* overwritten when all is sent */
};

/* life: at most MAX bytes wait; KEEP bytes of memory stay for the next use */
void outq_init(struct outq *q, size_t max, size_t keep);
void outq_clear(struct outq *q);

/* Append here; the buffer's sticky failure means that MAX was passed. */
struct buf *outq_buf(struct outq *q);

static inline size_t
outq_backlog(const struct outq *q)
{
	return q->buf.n - q->sent;
}

/* Notes that N more bytes were taken by the kernel. */
void outq_advance(struct outq *q, size_t n);

/* One send(2) of everything.  OK: all is gone; ERR_AGAIN: bytes are left, the
 * socket is full; ERR_IO with errno. */
enum err outq_write(struct outq *q, int fd);

#endif
