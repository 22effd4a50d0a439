/*
 * What goes out: frames gather in one buffer, which leaves at the end of the
 * turn, mostly by one send(2).
 *
 * Descriptors make it less simple.  sendmsg(2) ties a descriptor to the first
 * byte of its data, and a receiver's read stops behind data with descriptors.
 * So each is noted with the place of its frame in the stream of bytes (a
 * mark), and the buffer is sent in pieces: up to a mark, then from the mark on
 * with the descriptor.  Marks are in order, and counted from the first byte
 * ever sent, so that nothing need be changed when the buffer moves.
 */
#include "common/ipc/channel_impl.h"
#include "common/ipc/frame.h"
#include "common/os/fd.h"

#include <errno.h>
#include <stdlib.h>

/* Late frames are small; so many bytes of them need not wait for others. */
#define LATE_BYTES	((size_t)4096)

#define SECRET_BYTES	((size_t)16 * 1024)

/* Each holds a descriptor open; so many that wait mean a peer that is dead. */
#define MARKS_MAX	4096

void
channel_drop_marks(struct channel *c)
{
	for (size_t i = 0; i < c->mark_count; i++)
		fd_close(&c->marks[c->mark_first + i].fd);
	c->mark_first = 0;
	c->mark_count = 0;
}

/* Room for one more mark behind the others. */
static enum err
reserve_mark(struct channel *c)
{
	const size_t used = c->mark_first + c->mark_count;
	struct channel_mark *marks;
	size_t size;

	if (c->mark_count == 0)
		c->mark_first = 0;
	else if (used == c->mark_size && c->mark_first > 0) {
		memmove(c->marks, c->marks + c->mark_first,
		    c->mark_count * sizeof(*c->marks));
		c->mark_first = 0;
	}
	if (c->mark_first + c->mark_count < c->mark_size)
		return OK;
	size = c->mark_size > 0 ? c->mark_size * 2 : 8;
	if (size > MARKS_MAX)
		return ERR_NOMEM;
	marks = realloc(c->marks, size * sizeof(*marks));
	if (marks == NULL)
		return ERR_NOMEM;
	c->marks = marks;
	c->mark_size = size;
	return OK;
}

/* Our own mistakes are refused here, not found out by the peer. */
static enum err
check_sendable(const struct channel *c, const struct msg *m)
{
	if (c->fd < 0 || c->is_ended)
		return ERR_PEER;
	return msg_is_allowed(m->type, c->self.role, c->peer.role) ?
	    OK : ERR_DENIED;
}

/* A full buffer is the peer's fault when most of it is old; else it is one
 * message that is too long for now. */
static enum err
gather(struct channel *c, const struct msg *m, unsigned fds)
{
	enum err e = check_sendable(c, m);

	if (e != OK)
		return e;
	if (c->is_write_failed)
		return ERR_PEER;
	e = frame_put(outq_buf(&c->out), m, fds);
	if (e == ERR_NOMEM && outq_backlog(&c->out) >
	    CHANNEL_BACKLOG_MAX / 2)
		channel_fail(c, CHANNEL_STUCK, "it reads nothing");
	return e;
}

static enum err
put(struct channel *c, const struct msg *m, unsigned fds)
{
	enum err e = gather(c, m, fds);

	if (e == OK)
		deferred_add(&c->write);
	return e;
}

enum err
channel_send(struct channel *c, const struct msg *m)
{
	return put(c, m, 0);
}

/* Room at once: memory that grows would leave copies behind. */
void
channel_keep_secret(struct channel *c)
{
	c->is_secret = c->out.is_secret = true;
	(void)buf_reserve(outq_buf(&c->out), SECRET_BYTES);
}

void
channel_send_late(struct channel *c, const struct msg *m)
{
	enum err e = gather(c, m, 0);

	if (e == ERR_NOMEM)
		channel_fail(c, CHANNEL_ERROR, "no memory for a message");
	else if (e == OK && outq_backlog(&c->out) >= LATE_BYTES)
		deferred_add(&c->write);
	else if (e == OK && !timer_is_running(&c->late))
		timer_start(&c->late, CHANNEL_LATE_MS);
}

void
channel_send_or_end(struct channel *c, const struct msg *m)
{
	if (put(c, m, 0) == ERR_NOMEM)
		channel_fail(c, CHANNEL_ERROR, "no memory for a message");
}

enum err
channel_send_fd(struct channel *c, const struct msg *m, int fd)
{
	/* the frame will begin behind all that waits */
	const uint64_t at = c->sent_bytes + outq_backlog(&c->out);
	enum err e = reserve_mark(c);

	if (e == OK)
		e = put(c, m, 1);
	if (e != OK) {
		fd_close(&fd);
		return e;
	}
	c->marks[c->mark_first + c->mark_count++] = (struct channel_mark){
		.at = at, .fd = fd,
	};
	return OK;
}

/* Sends up to the next descriptor, or the bytes that begin with one. */
static enum err
push_marked(struct channel *c)
{
	struct channel_mark *mark = &c->marks[c->mark_first];
	const uint8_t *p = c->out.buf.p + c->out.sent;
	const bool is_due = mark->at == c->sent_bytes;
	uint64_t until = mark->at;
	size_t sent;
	enum err e;

	if (is_due)
		until = c->mark_count > 1 ? mark[1].at :
		    c->sent_bytes + outq_backlog(&c->out);
	e = fdpass_send(c->fd, p, (size_t)(until - c->sent_bytes), &mark->fd,
	    is_due ? 1 : 0, &sent);
	if (e != OK)
		return e;
	if (is_due) {
		fd_close(&mark->fd);
		c->mark_first++;
		c->mark_count--;
	}
	c->sent_bytes += sent;
	outq_advance(&c->out, sent);
	return OK;
}

/* sent_bytes counts here as well, or marks that come later would be off. */
static enum err
push_plain(struct channel *c)
{
	const size_t before = outq_backlog(&c->out);
	enum err e = outq_write(&c->out, c->fd);

	c->sent_bytes += before - outq_backlog(&c->out);
	return e == ERR_IO && (errno == EPIPE || errno == ECONNRESET) ?
	    ERR_PEER : e;
}

/*
 * A write that fails because the peer is gone is not yet the end: what it sent
 * before it died is still to be read, and reading finds the end.  When the
 * peer lives nothing would: then frames are lost, and the channel with them.
 */
void
channel_push(struct channel *c)
{
	enum err e = OK;

	deferred_cancel(&c->write);
	timer_stop(&c->late);
	if (c->fd < 0 || c->is_ended)
		return;
	while (e == OK && outq_backlog(&c->out) > 0)
		e = c->mark_count > 0 ? push_marked(c) : push_plain(c);
	if (e == ERR_PEER) {
		c->is_write_failed = true;
		outq_clear(&c->out);
		channel_drop_marks(c);
	} else if (e != OK && e != ERR_AGAIN) {
		channel_fail(c, CHANNEL_ERROR, "writing failed");
	}
	channel_rewatch(c);
}

void
channel_flush(struct channel *c)
{
	channel_push(c);
}

size_t
channel_backlog(const struct channel *c)
{
	return outq_backlog(&c->out);
}
