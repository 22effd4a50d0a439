/*
 * A blocking client of queued's control socket: poll(2) with a deadline
 * instead of a loop.  The frames and the hello are those of a channel
 * (frame.c), so that queued serves mtactl as it serves its siblings.
 */
#include "common/ipc/call.h"

#include "common/base/mtime.h"
#include "common/ipc/frame.h"
#include "common/os/clock.h"
#include "common/os/fd.h"
#include "common/os/fdpass.h"
#include "common/os/sock_unix.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define READ_BYTES	((size_t)256 * 1024)
#define BUFFER_MAX	((size_t)128 * 1024 * 1024)

struct call {
	int fd;
	enum ipc_role self;
	enum ipc_role peer;
	bool has_hello;
	struct buf in;
	size_t used;			/* bytes of in that were given out */
	struct buf out;
	int passed;			/* came with bytes not given out yet */
	int given;			/* with the last message; -1: none */
};

void
call_close(struct call **c)
{
	if (*c == NULL)
		return;
	fd_close(&(*c)->fd);
	fd_close(&(*c)->passed);
	fd_close(&(*c)->given);
	buf_clear(&(*c)->in);
	buf_clear(&(*c)->out);
	free(*c);
	*c = NULL;
}

/* The words are for the person at the command line, who can do something about
 * them. */
static enum err
connect_to(const char *path, int *fd, struct why *why)
{
	enum err e = sock_unix_connect(path, fd);

	switch (e) {
	case OK:
		return OK;
	case ERR_NOT_FOUND:
	case ERR_PEER:
		return why_set(why, e, "%s: nobody serves it; is mtad running?",
		    path);
	case ERR_DENIED:
		return why_set(why, e, "%s: only root and the group of this "
		    "socket may use it", path);
	case ERR_IO:
		return why_set(why, e, "%s: %s", path, strerror(errno));
	default:
		return why_set(why, e, "%s: %s", path, err_text(e));
	}
}

enum err
call_open(const char *path, enum ipc_role self, enum ipc_role peer,
    struct call **out, struct why *why)
{
	struct call *c = calloc(1, sizeof(*c));
	struct msg hello = frame_hello(self, 0, 0);
	enum err e;

	if (c == NULL)
		return why_set(why, ERR_NOMEM, "no memory");
	c->fd = c->passed = c->given = -1;
	c->self = self;
	c->peer = peer;
	buf_init(&c->in, BUFFER_MAX);
	buf_init(&c->out, BUFFER_MAX);
	e = connect_to(path, &c->fd, why);
	/* it leaves together with the first request */
	if (e == OK)
		e = frame_put(&c->out, &hello, 0);
	if (e == OK)
		e = fd_set_nonblock(c->fd, true);
	if (e != OK) {
		call_close(&c);
		return e;
	}
	*out = c;
	return OK;
}

/* OK does not say that it is ready: the caller tries again, and the deadline
 * is looked at each time.  At most a minute at once, for poll() counts in an
 * int. */
static enum err
wait_for(struct call *c, short events, int64_t until_ms, struct why *why)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int64_t left = mtime_sub(until_ms, clock_mono_ms());
	int n;

	if (left <= 0)
		return why_set(why, ERR_AGAIN, "%s does not answer",
		    ipc_role_name(c->peer));
	n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
	if (n < 0 && errno != EINTR)
		return why_set(why, ERR_IO, "poll: %s", strerror(errno));
	return OK;
}

/* What was sent of a request that failed can't be taken back: close the
 * call. */
enum err
call_send(struct call *c, const struct msg *m, int64_t timeout_ms,
    struct why *why)
{
	const int64_t until_ms = mtime_add(clock_mono_ms(), timeout_ms);
	enum err e = frame_put(&c->out, m, 0);
	ssize_t n;

	if (e != OK)
		return why_set(why, e, "the request is too long");
	while (c->out.n > 0) {
		n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);
		if (n > 0)
			buf_drop(&c->out, (size_t)n);
		else if (errno == EAGAIN)
			e = wait_for(c, POLLOUT, until_ms, why);
		else if (errno != EINTR)
			e = why_set(why, ERR_PEER, "%s: %s",
			    ipc_role_name(c->peer), strerror(errno));
		if (e != OK)
			return e;
	}
	return OK;
}

/* Reads behind what is there, when that has no whole frame: only now what was
 * given out is dropped, and little must be moved. */
static enum err
receive(struct call *c, struct why *why)
{
	uint8_t *place;
	size_t n, fds;
	int fd = -1;
	enum err e;

	buf_drop(&c->in, c->used);
	c->used = 0;
	place = buf_reserve(&c->in, READ_BYTES);
	if (place == NULL)
		return why_set(why, ERR_NOMEM, "no memory for the answer");
	e = fdpass_recv(c->fd, place, READ_BYTES, &fd, 1, &n, &fds);
	if (e == ERR_AGAIN)
		return e;
	if (e != OK)
		return why_set(why, ERR_PEER, "%s closed the connection",
		    ipc_role_name(c->peer));
	buf_commit(&c->in, n);
	if (fds == 0)
		return OK;
	if (c->passed >= 0) {
		fd_close(&fd);
		return why_set(why, ERR_PEER, "%s sent a descriptor too many",
		    ipc_role_name(c->peer));
	}
	c->passed = fd;
	return OK;
}

/* The next frame that is there; ERR_AGAIN: more must come. */
static enum err
next_frame(struct call *c, struct msg *out, struct why *why)
{
	struct frame f;
	enum err e = frame_get(span_from(buf_span(&c->in), c->used), c->peer,
	    c->self, &f, why);

	if (e != OK)
		return e;
	if (f.fds > (c->passed >= 0 ? 1U : 0U) ||
	    msg_decode(f.type, f.fields, out) != OK)
		return why_set(why, ERR_PEER, "malformed %s from %s",
		    msg_info(f.type)->name, ipc_role_name(c->peer));
	c->used += f.length;
	if (f.fds == 1) {
		c->given = c->passed;
		c->passed = -1;
	}
	return OK;
}

/* The first frame is the hello, which the caller does not see. */
static enum err
next_msg(struct call *c, struct msg *out, struct why *why)
{
	enum err e = next_frame(c, out, why);

	if (e != OK || c->has_hello)
		return e;
	e = frame_check_hello(out, c->peer, why);
	if (e != OK)
		return e;
	c->has_hello = true;
	return next_frame(c, out, why);
}

/* OUT is untouched on failure: a hello is decoded into M first. */
enum err
call_next(struct call *c, int64_t timeout_ms, struct msg *out,
    struct why *why)
{
	int64_t until_ms = 0;		/* mostly one is there, without a wait */
	struct msg m;
	enum err e;

	fd_close(&c->given);
	while ((e = next_msg(c, &m, why)) == ERR_AGAIN) {
		if (until_ms == 0)
			until_ms = mtime_add(clock_mono_ms(), timeout_ms);
		e = receive(c, why);
		if (e == ERR_AGAIN)
			e = wait_for(c, POLLIN, until_ms, why);
		if (e != OK)
			return e;
	}
	if (e == OK)
		*out = m;
	return e;
}

int
call_take_fd(struct call *c)
{
	int fd = c->given;

	c->given = -1;
	return fd;
}
