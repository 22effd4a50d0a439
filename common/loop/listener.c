/*
 * accept(2) in batches.  The socket is shared with other workers, so a
 * readiness may find nothing: that is an ordinary case.
 */
#include "common/loop/listener.h"

#include "common/loop/timer.h"
#include "common/loop/watch.h"
#include "common/os/fd.h"
#include "common/os/sock.h"

#include <errno.h>
#include <stdlib.h>

struct listener {
	struct loop *loop;
	const struct listener_ops *ops;
	void *ctx;
	int fd;				/* -1: closed, waits to be freed */
	int reserve;			/* given up when descriptors run out */
	struct watch *watch;
	struct timer pause;
	unsigned batch;			/* connections to try in this turn */
	unsigned depth;
	bool is_paused;			/* by the owner */
};

static void
rewatch(struct listener *l)
{
	bool is_on = !l->is_paused && !timer_is_running(&l->pause);

	watch_set(l->watch, is_on ? WATCH_READ : 0);
}

/* From inside a callback the memory stays until on_ready() is left. */
static void
destroy(struct listener *l)
{
	watch_free(&l->watch);
	timer_clear(&l->pause);
	fd_close(&l->fd);
	fd_close(&l->reserve);
	if (l->depth == 0)
		free(l);
}

/* Any descriptor will do: it only keeps a number of ours taken.  It may be
 * missing after a time of need; then on_exhausted gets -1. */
static void
take_reserve(struct listener *l)
{
	if (l->reserve < 0)
		(void)fd_dup(l->fd, &l->reserve);
}

/*
 * Without descriptors the kernel would tell of the same connection again and
 * again.  One client is told with the reserved descriptor, then all wait.
 */
static void
exhausted(struct listener *l, int error)
{
	struct endpoint peer;
	int fd = -1;

	timer_start(&l->pause, LISTENER_PAUSE_MS);
	fd_close(&l->reserve);
	if (sock_accept(l->fd, &peer, &fd) != OK)
		fd = -1;
	if (l->ops->on_exhausted != NULL)
		l->ops->on_exhausted(l->ctx, fd, error);
	else
		fd_close(&fd);
	if (l->fd >= 0)
		take_reserve(l);
}

/* Accepts up to N; returns how many there were. */
static unsigned
accept_some(struct listener *l, unsigned n)
{
	struct endpoint peer;
	unsigned count = 0;
	enum err e;
	int fd;

	/* the owner may have closed or paused it from inside on_accept */
	while (count < n && l->fd >= 0 && !l->is_paused) {
		e = sock_accept(l->fd, &peer, &fd);
		if (e == ERR_AGAIN)
			break;
		if (e != OK) {
			exhausted(l, errno);
			break;
		}
		count++;
		l->ops->on_accept(l->ctx, fd, &peer);
	}
	return count;
}

/* The batch grows while it is used up, so that a quiet listener does not
 * spend a second call on each connection to learn that there is no other. */
static void
on_ready(void *ctx, unsigned events)
{
	struct listener *l = ctx;
	unsigned count;

	(void)events;
	l->depth++;
	count = accept_some(l, l->batch);
	if (count == l->batch && l->batch < LISTENER_BATCH_MAX)
		l->batch *= 2;
	else if (count < l->batch)
		/* a single one was read without a second call: try no more
		 * next time */
		l->batch = 1;
	l->depth--;
	if (l->fd >= 0)
		rewatch(l);
	else if (l->depth == 0)
		free(l);
}

static void
on_pause_end(void *ctx)
{
	struct listener *l = ctx;

	take_reserve(l);
	rewatch(l);
}

/* On failure listener_new() undoes what was made. */
static enum err
equip(struct listener *l)
{
	enum err e = timer_init(&l->pause, l->loop, on_pause_end, l);

	if (e == OK)
		e = watch_new(l->loop, l->fd, on_ready, l, &l->watch);
	if (e == OK)
		e = fd_set_nonblock(l->fd, true);
	return e;
}

enum err
listener_new(struct loop *loop, int fd, const struct listener_ops *ops,
    void *ctx, struct listener **out)
{
	struct listener *l = calloc(1, sizeof(*l));
	enum err e;

	if (l == NULL)
		return ERR_NOMEM;
	l->loop = loop;
	l->ops = ops;
	l->ctx = ctx;
	l->fd = fd;
	l->reserve = -1;
	l->batch = 1;
	e = equip(l);
	if (e != OK) {
		l->fd = -1;	/* stays the caller's */
		destroy(l);
		return e;
	}
	take_reserve(l);
	rewatch(l);
	*out = l;
	return OK;
}

void
listener_close(struct listener **l)
{
	if (*l != NULL)
		destroy(*l);
	*l = NULL;
}

void
listener_pause(struct listener *l)
{
	l->is_paused = true;
	rewatch(l);
}

void
listener_resume(struct listener *l)
{
	l->is_paused = false;
	rewatch(l);
}

int
listener_fd(const struct listener *l)
{
	return l->fd;
}
