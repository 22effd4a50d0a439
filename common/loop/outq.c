/*
 * One buffer, of which the front part may already be with the kernel.  Nothing
 * is moved for each write: the rest is moved down only when more than half of
 * the buffer has been sent.
 */
#include "common/loop/outq.h"

#include "common/base/check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void
outq_init(struct outq *q, size_t max, size_t keep)
{
	buf_init(&q->buf, max);
	q->sent = 0;
	q->keep = keep;
}

void
outq_clear(struct outq *q)
{
	buf_clear(&q->buf);
	q->sent = 0;
}

struct buf *
outq_buf(struct outq *q)
{
	/* moving the rest down costs no more than sending the front did */
	if (q->sent > q->buf.n / 2) {
		buf_drop(&q->buf, q->sent);
		q->sent = 0;
	}
	return &q->buf;
}

void
outq_advance(struct outq *q, size_t n)
{
	MUST(n <= outq_backlog(q));
	q->sent += n;
	if (q->sent < q->buf.n)
		return;
	q->sent = 0;
	if (q->is_secret && q->buf.p != NULL)
		explicit_bzero(q->buf.p, q->buf.size);
	if (q->buf.size > q->keep)
		buf_clear(&q->buf);
	else
		buf_reset(&q->buf);
}

/* MSG_NOSIGNAL: a peer that has gone is an error, not a signal.  A kernel
 * without memory for the bytes has them later. */
enum err
outq_write(struct outq *q, int fd)
{
	ssize_t n;

	if (outq_backlog(q) == 0)
		return OK;
	do {
		n = send(fd, q->buf.p + q->sent, outq_backlog(q),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ?
		    ERR_AGAIN : ERR_IO;
	outq_advance(q, (size_t)n);
	return outq_backlog(q) == 0 ? OK : ERR_AGAIN;
}
