/*
 * What comes: bytes to frames to messages.
 *
 * One large recvmsg(2) a readiness, then all whole frames of it, in place: the
 * spans of a message point into the input buffer, which is why they are good
 * for the call only.  The rest, mostly a part of one frame, moves to the front.
 *
 * All of it was written by another process of ours that may have been taken
 * over (I-05).  The header is judged as soon as it is there, by direction,
 * length and descriptors; the fields by the decoder.  The first thing that is
 * wrong ends the channel, and nothing else.
 */
#include "common/ipc/channel_impl.h"
#include "common/ipc/frame.h"
#include "common/os/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The descriptor that came with this frame, or -1. */
static int
take_fd(struct channel *c, const struct frame *f)
{
	int fd;

	if (f->fds == 0 || c->fd_count == 0)
		return -1;
	fd = c->fds[0];
	c->fd_count--;
	memmove(c->fds, c->fds + 1, c->fd_count * sizeof(c->fds[0]));
	return fd;
}

/* A successor that got its predecessor's socket, or a process of another
 * build, must not be spoken with.  Instance 0 is one that learns its own from
 * us. */
static void
check_hello(struct channel *c, const struct msg *m)
{
	struct why why;

	if (frame_check_hello(m, c->peer.role, &why) != OK)
		channel_fail(c, CHANNEL_VIOLATION, why.text);
	else if (c->peer.instance != 0 &&
	    (m->hello.instance != c->peer.instance ||
	    m->hello.index != c->peer.index))
		channel_fail(c, CHANNEL_VIOLATION, "it is not who it should be");
	c->has_hello = true;
}

static void
dispatch(struct channel *c, const struct frame *f)
{
	struct msg m;
	struct why why;
	int fd;

	/* the kernel gives a descriptor not later than the first byte it was
	 * sent with */
	if (f->fds > c->fd_count) {
		channel_fail(c, CHANNEL_VIOLATION,
		    "a frame came without its descriptor");
		return;
	}
	if (msg_decode(f->type, f->fields, &m) != OK) {
		(void)why_set(&why, ERR_PEER, "malformed %s",
		    msg_info(f->type)->name);
		channel_fail(c, CHANNEL_VIOLATION, why.text);
		return;
	}
	if (!c->has_hello) {
		check_hello(c, &m);
		return;
	}
	if (m.type == MSG_hello) {
		channel_fail(c, CHANNEL_VIOLATION, "a second hello");
		return;
	}
	fd = take_fd(c, f);
	c->ops->on_msg(c->ctx, c, &m, fd);
}

/* Makes room for a frame that is longer than the buffer; its header was
 * checked, so that this is no longer than such a message may be. */
static void
make_room(struct channel *c, size_t wanted)
{
	uint8_t *in;

	if (wanted <= c->in_size)
		return;
	/* not realloc(), which may leave a copy behind */
	in = malloc(wanted);
	if (in == NULL) {
		channel_fail(c, CHANNEL_ERROR, "no memory for a long message");
		return;
	}
	memcpy(in, c->in, c->in_n);
	if (c->is_secret)
		explicit_bzero(c->in, c->in_n);
	free(c->in);
	c->in = in;
	c->in_size = wanted;
}

/* After a long frame the buffer goes back to its usual size. */
static void
trim(struct channel *c)
{
	uint8_t *in;

	if (c->in_n > 0 || c->in_size == CHANNEL_READ_BYTES)
		return;
	in = realloc(c->in, CHANNEL_READ_BYTES);
	if (in == NULL)
		return;
	c->in = in;
	c->in_size = CHANNEL_READ_BYTES;
}

/* Asked anew after each message, since the owner may close, pause or finish
 * inside. */
static bool
may_go_on(const struct channel *c)
{
	return c->fd >= 0 && c->ops != NULL && !c->is_ended && !c->is_paused;
}

void
channel_parse(struct channel *c)
{
	struct frame f = { .length = 0 };
	struct why why;
	enum err e = OK;
	size_t at = 0;

	while (may_go_on(c)) {
		e = frame_get(span_of(c->in + at, c->in_n - at), c->peer.role,
		    c->self.role, &f, &why);
		if (e != OK)
			break;
		dispatch(c, &f);
		at += f.length;
	}
	if (c->fd < 0)
		return;
	/* mostly nothing, and whole frames only after a pause */
	memmove(c->in, c->in + at, c->in_n - at);
	if (c->is_secret)
		explicit_bzero(c->in + (c->in_n - at), at);
	c->in_n -= at;
	/* the last frame is not whole */
	if (e == ERR_AGAIN)
		make_room(c, f.length);
	else if (e != OK)
		channel_fail(c, CHANNEL_VIOLATION, why.text);
	trim(c);
}

/* Descriptors that nobody announced stay in fds until the room for them is
 * used up; then receiving fails and the channel with it. */
static enum err
fill(struct channel *c)
{
	size_t got, fd_count;
	enum err e = fdpass_recv(c->fd, c->in + c->in_n,
	    c->in_size - c->in_n, c->fds + c->fd_count,
	    FDPASS_MAX - c->fd_count, &got, &fd_count);

	if (e != OK)
		return e;
	c->in_n += got;
	c->fd_count += fd_count;
	return OK;
}

bool
channel_read(struct channel *c)
{
	/* paused with a full buffer: parse first */
	enum err e = c->in_n < c->in_size ? fill(c) : OK;

	if (e == OK) {
		channel_parse(c);
		return true;
	}
	if (e == ERR_PEER)
		channel_fail(c, CHANNEL_EOF, "it closed the channel");
	else if (e == ERR_FULL)
		channel_fail(c, CHANNEL_ERROR, "no descriptor was free");
	else if (e != ERR_AGAIN)
		channel_fail(c, CHANNEL_ERROR, "reading failed");
	return false;
}

/* No frames any more, so the buffer starts from its beginning each time. */
void
channel_discard(struct channel *c)
{
	enum err e;

	c->in_n = 0;
	for (size_t i = 0; i < c->fd_count; i++)
		fd_close(&c->fds[i]);
	c->fd_count = 0;
	e = fill(c);
	if (e != OK && e != ERR_AGAIN)
		channel_fail(c, CHANNEL_EOF, "it closed the channel");
}
