/*
 * A stream without an owner: sends the rest, ends its side, waits for the
 * peer's end, closes.  The deadline ends all of it.
 *
 * Why the waiting: closing a socket with unread input makes the kernel send a
 * reset, and a reset can overtake the last reply on its way to the peer's
 * program.  So input is read and thrown away until the peer, having seen our
 * end, ends its own side.
 */
#include "common/loop/loop_impl.h"
#include "common/loop/stream_impl.h"

#include <errno.h>
#include <sys/socket.h>

static void
end(void *ctx)
{
	struct stream *s = ctx;

	orphan_remove(&s->orphan);
	stream_destroy(s);
}

/* Everything is sent: close, or first let the peer read to its end. */
static void
after_sending(struct stream *s)
{
	if (s->linger_ms <= 0 || s->error != 0 || s->is_ended) {
		end(s);
		return;
	}
	/* waits for the peer's end or the linger */
	if (s->is_half_closed)
		return;
	s->is_half_closed = true;
	if (shutdown(s->fd, SHUT_WR) != 0)
		end(s);
	else
		timer_start(&s->deadline, s->linger_ms);
}

/* S may be freed on return. */
static void
go_on(struct stream *s)
{
	stream_push(s);
	if (outq_backlog(&s->out) == 0)
		after_sending(s);
	else
		stream_rewatch(s);
}

/* What still comes is thrown away.  A peer that ended its side may still read
 * what we send. */
static void
discard(struct stream *s)
{
	ssize_t n;

	do {
		n = recv(s->fd, s->loop->scratch, STREAM_READ_BYTES,
		    MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		s->is_ended = true;
	else if (n < 0 && errno != EAGAIN)
		s->error = errno;
}

void
stream_finish_ready(struct stream *s, unsigned events)
{
	if ((events & WATCH_READ) != 0 && !s->is_ended)
		discard(s);
	go_on(s);
}

/* Inside a callback of the stream it is freed when that returns. */
void
stream_finish(struct stream **stream, int64_t linger_ms, int64_t timeout_ms)
{
	struct stream *s = *stream;

	*stream = NULL;
	if (s == NULL)
		return;
	deferred_cancel(&s->offer);
	deferred_cancel(&s->write);
	if (timer_init(&s->deadline, s->loop, end, s) != OK) {
		stream_destroy(s);
		return;
	}
	/* from now on the loop owns it */
	orphan_add(&s->orphan, s->loop, end, s);
	stream_drop_input(s);
	stream_filter_end(s);
	s->ops = NULL;
	s->linger_ms = linger_ms;
	timer_start(&s->deadline, timeout_ms);
	go_on(s);
}
