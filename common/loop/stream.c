/*
 * A connected socket.
 *
 * Reading: the bytes that the owner left (s->in) are put in front of the
 * loop's shared memory, one recv(2) fills in behind them, and the owner looks
 * at it all there.  What he leaves again is copied out.  Between two readings
 * nobody else uses the shared memory, for callbacks don't nest over loops.
 *
 * Writing: output gathers until the end of the turn and leaves with one
 * send(2); only what the kernel doesn't take waits for the socket.
 *
 * Ending: read errors and the peer's end are told once.  The owner may close
 * or let go (stream_finish()) from inside any callback; enter() and leave()
 * count callbacks under way and the last one frees.  So after each callback
 * has_owner() is asked before S is used again.
 */
#include "common/loop/stream.h"

#include "common/base/check.h"
#include "common/loop/loop_impl.h"
#include "common/loop/stream_impl.h"
#include "common/os/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* False after stream_close() and after stream_finish(). */
static bool
has_owner(const struct stream *s)
{
	return s->ops != NULL && s->fd >= 0;
}

/* A stream that keeps in_max unread bytes doesn't read: that is the
 * back-pressure. */
static bool
may_read(const struct stream *s)
{
	return has_owner(s) && !s->is_paused && !s->is_ended &&
	    s->in.n < s->in_max;
}

/* Callbacks may close the stream: it is freed when the last one is done. */
static void
enter(struct stream *s)
{
	s->depth++;
}

static void
leave(struct stream *s)
{
	if (--s->depth == 0 && s->fd < 0)
		stream_destroy(s);
}

/* Nobody has said yet whether it is a secret. */
void
stream_drop_input(struct stream *s)
{
	if (s->in.p != NULL)
		explicit_bzero(s->in.p, s->in.size);
	buf_clear(&s->in);
}

/* Twice when called from inside a callback: first closes, then frees. */
void
stream_destroy(struct stream *s)
{
	if (s->fd >= 0) {
		watch_free(&s->watch);
		deferred_clear(&s->offer);
		deferred_clear(&s->write);
		timer_clear(&s->deadline);
		fd_close(&s->fd);
	}
	if (s->depth > 0)
		return;
	stream_drop_input(s);
	stream_filter_free(s);
	outq_clear(&s->out);
	free(s);
}

void
stream_rewatch(struct stream *s)
{
	unsigned events = 0;

	if (may_read(s) || (s->ops == NULL && !s->is_ended))
		events |= WATCH_READ;
	/* what leaves at the end of this turn need not be waited for */
	if (outq_backlog(&s->out) > 0 && s->error == 0 &&
	    !list_is_linked(&s->write.node))
		events |= WATCH_WRITE;
	watch_set(s->watch, events);
}

static void
tell_end(struct stream *s, enum stream_end end, int error)
{
	if (s->is_ended || !has_owner(s))
		return;
	s->is_ended = true;
	stream_rewatch(s);
	s->ops->on_end(s->ctx, end, error);
}

/*
 * Offers the N bytes in the shared memory and keeps what the owner leaves of
 * them.  That is the only copy a stream has of its own, and mostly none.
 */
static void
offer(struct stream *s, size_t n)
{
	struct span bytes = span_of(s->loop->scratch, n);
	size_t used = s->ops->on_bytes(s->ctx, bytes);

	/* the rest may belong to it */
	if (s->is_wiping && s->in.p != NULL)
		explicit_bzero(s->in.p, s->in.size);
	if (has_owner(s)) {
		MUST(used <= n);
		buf_reset(&s->in);
		buf_add_span(&s->in, span_from(bytes, used));
	}
	if (s->is_wiping)
		explicit_bzero(s->loop->scratch, n);
	s->is_wiping = false;
	if (!has_owner(s))
		return;
	/* before anything else clears that: bytes are lost */
	if (buf_failed(&s->in)) {
		tell_end(s, STREAM_ERROR, ENOMEM);
		return;
	}
	/* nothing left: an idle stream keeps no memory */
	if (s->in.n == 0)
		buf_clear(&s->in);
}

/* Puts what was kept in front of the shared memory; gives the place behind
 * it. */
static uint8_t *
recall(struct stream *s)
{
	uint8_t *place = s->loop->scratch;

	if (s->in.n == 0)
		return place;
	memcpy(place, s->in.p, s->in.n);
	return place + s->in.n;
}

static ssize_t
receive(struct stream *s, uint8_t *place)
{
	ssize_t n;

	do {
		n = recv(s->fd, place, s->in_max - s->in.n, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* Nothing came: the end, an error, or a false alarm. */
static void
look_at_end(struct stream *s, ssize_t n)
{
	/* an error of writing is told only now: see stream_push() */
	if (n == 0)
		tell_end(s, s->error != 0 ? STREAM_ERROR : STREAM_EOF,
		    s->error);
	else if (errno != EAGAIN)
		tell_end(s, STREAM_ERROR, errno);
}

/* Whatever happened before the end is told before it. */
static void
read_filtered(struct stream *s)
{
	const bool was_open = s->filter->ops->is_open(s->filter);
	ssize_t got = receive(s, s->loop->raw);
	enum stream_end end = STREAM_EOF;
	int error = 0;
	size_t n = 0;
	bool goes_on;

	if (got <= 0) {
		look_at_end(s, got);
		return;
	}
	s->bytes_in += (uint64_t)got;
	goes_on = stream_filter_read(s, span_of(s->loop->raw, (size_t)got),
	    recall(s), &n, &end, &error);
	if (!was_open && s->filter->ops->is_open(s->filter) &&
	    s->ops->on_open != NULL)
		s->ops->on_open(s->ctx);
	if (n > 0 && has_owner(s))
		offer(s, s->in.n + n);
	if (!goes_on)
		tell_end(s, end, error);
}

/* One recv(2) a readiness: a peer that sends fast shares the turn with others.
 * The loop is level-triggered, so nothing is missed. */
static void
read_some(struct stream *s)
{
	ssize_t n;

	if (s->filter != NULL) {
		read_filtered(s);
		return;
	}
	n = receive(s, recall(s));
	if (n > 0) {
		s->bytes_in += (uint64_t)n;
		offer(s, s->in.n + (size_t)n);
	} else {
		look_at_end(s, n);
	}
}

/* The bytes may have gone since they were asked for. */
static void
offer_again(struct stream *s)
{
	s->is_offer_due = false;
	if (s->in.n == 0)
		return;
	(void)recall(s);
	offer(s, s->in.n);
}

/*
 * A failed write is not the end: the peer's last words ("421 closing") may
 * still be there to be read, and reading finds the end too; when the failure
 * was not the peer's, only if we make one.
 */
void
stream_push(struct stream *s)
{
	size_t before;
	enum err e;

	stream_filter_turn(s);
	before = outq_backlog(&s->out);
	if (buf_failed(&s->out.buf) || buf_failed(&s->text)) {
		s->has_overflown = true;
		deferred_add(&s->offer);
	}
	if (s->has_overflown || s->error != 0) {
		outq_clear(&s->out);
		return;
	}
	e = outq_write(&s->out, s->fd);
	if (e == ERR_IO) {
		s->error = errno;
		outq_clear(&s->out);
		if (s->error != EPIPE && s->error != ECONNRESET)
			(void)shutdown(s->fd, SHUT_RDWR);
	} else {
		s->bytes_out += before - outq_backlog(&s->out);
		if (e == OK)
			s->out.is_secret = false;
	}
	stream_rewatch(s);
}

/* Pushes from the loop, which is when the owner wants to hear of it. */
static void
push_and_tell(struct stream *s)
{
	const bool was_waiting = stream_backlog(s) > 0;

	stream_push(s);
	if (was_waiting && s->error == 0 && !s->has_overflown &&
	    stream_backlog(s) == 0 && has_owner(s) &&
	    s->ops->on_sent != NULL)
		s->ops->on_sent(s->ctx);
}

/* A stream without an owner has no ops: it only sends its rest. */
static void
on_ready(void *ctx, unsigned events)
{
	struct stream *s = ctx;

	enter(s);
	if (s->ops == NULL) {
		stream_finish_ready(s, events);
	} else {
		if ((events & WATCH_WRITE) != 0)
			push_and_tell(s);
		if ((events & WATCH_READ) != 0 && may_read(s))
			read_some(s);
		if (has_owner(s))
			stream_rewatch(s);
	}
	leave(s);
}

/* Also tells of an overflow, which was found where the owner can't be called:
 * in the middle of his own append. */
static void
on_offer(void *ctx)
{
	struct stream *s = ctx;

	enter(s);
	if (s->has_overflown)
		tell_end(s, STREAM_OVERFLOW, 0);
	if (s->is_offer_due && has_owner(s) && !s->is_paused)
		offer_again(s);
	if (has_owner(s))
		stream_rewatch(s);
	leave(s);
}

static void
on_write(void *ctx)
{
	struct stream *s = ctx;

	enter(s);
	push_and_tell(s);
	leave(s);
}

/* FD stays the caller's on failure, and the filter, which comes last. */
static enum err
equip(struct stream *s, const struct stream_limits *limits)
{
	enum err e = watch_new(s->loop, s->fd, on_ready, s, &s->watch);

	if (e == OK && !limits->is_nonblocking)
		e = fd_set_nonblock(s->fd, true);
	if (e == OK && limits->filter != NULL)
		e = stream_set_filter(s, limits->filter);
	return e;
}

enum err
stream_new(struct loop *l, int fd, const struct stream_limits *limits,
    const struct stream_ops *ops, void *ctx, struct stream **out)
{
	struct stream *s = calloc(1, sizeof(*s));
	enum err e;

	MUST(limits->in_max > 0 && limits->in_max <= STREAM_READ_BYTES);
	if (s == NULL)
		return ERR_NOMEM;
	s->loop = l;
	s->ops = ops;
	s->ctx = ctx;
	s->fd = fd;
	s->in_max = limits->in_max;
	buf_init(&s->in, limits->in_max);
	outq_init(&s->out,
	    limits->out_max != 0 ? limits->out_max : STREAM_OUT_MAX,
	    limits->out_keep);
	deferred_init(&s->offer, l, DEFERRED_WORK, on_offer, s);
	deferred_init(&s->write, l, DEFERRED_WRITE, on_write, s);
	e = equip(s, limits);
	if (e != OK) {
		watch_free(&s->watch);
		free(s);
		return e;
	}
	stream_rewatch(s);
	*out = s;
	return OK;
}

void
stream_close(struct stream **s)
{
	if (*s != NULL)
		stream_destroy(*s);
	*s = NULL;
}

/* Asks for the write before anything is appended; with nothing to send it does
 * nothing. */
struct buf *
stream_out(struct stream *s)
{
	deferred_add(&s->write);
	return s->filter != NULL ? &s->text : outq_buf(&s->out);
}

void
stream_wipe_out(struct stream *s)
{
	if (s->filter != NULL)
		s->is_text_secret = true;
	else
		s->out.is_secret = true;
}

void
stream_write(struct stream *s, struct span bytes)
{
	buf_add_span(stream_out(s), bytes);
}

void
stream_flush(struct stream *s)
{
	deferred_cancel(&s->write);
	stream_push(s);
}

size_t
stream_backlog(const struct stream *s)
{
	return outq_backlog(&s->out) + s->text.n;
}

void
stream_wipe(struct stream *s)
{
	s->is_wiping = true;
}

void
stream_pause(struct stream *s)
{
	s->is_paused = true;
	stream_rewatch(s);
}

void
stream_resume(struct stream *s)
{
	s->is_paused = false;
	if (s->in.n > 0) {
		s->is_offer_due = true;
		deferred_add(&s->offer);
	}
	stream_rewatch(s);
}

bool
stream_is_paused(const struct stream *s)
{
	return s->is_paused;
}

size_t
stream_unread(const struct stream *s)
{
	return s->in.n;
}

int
stream_fd(const struct stream *s)
{
	return s->fd;
}

uint64_t
stream_bytes_in(const struct stream *s)
{
	return s->bytes_in;
}

uint64_t
stream_bytes_out(const struct stream *s)
{
	return s->bytes_out;
}
