/*
 * One attempt to connect, without blocking.  Success, refusal and the deadline
 * all come as one call of the owner, and never from inside dial_start(), so
 * that the owner has one place for the result and no re-entry.
 */
#include "common/loop/dial.h"

#include "common/loop/timer.h"
#include "common/loop/watch.h"
#include "common/os/fd.h"
#include "common/os/sock.h"

#include <errno.h>
#include <stdlib.h>

struct dial {
	dial_fn *fn;
	void *ctx;
	int fd;				/* -1: there is none */
	int error;			/* of an attempt that failed at once */
	struct watch *watch;
	struct timer deadline;
};

void
dial_cancel(struct dial **d)
{
	if (*d == NULL)
		return;
	watch_free(&(*d)->watch);
	timer_clear(&(*d)->deadline);
	fd_close(&(*d)->fd);
	free(*d);
	*d = NULL;
}

/* Tells the owner, who may start another dial meanwhile. */
static void
finish(struct dial *d, int error)
{
	dial_fn *fn = d->fn;
	void *ctx = d->ctx;
	int fd = -1;

	if (error == 0) {
		fd = d->fd;
		d->fd = -1;
	}
	watch_free(&d->watch);
	dial_cancel(&d);
	fn(ctx, fd, error);
}

/* Writable means decided; SO_ERROR says how. */
static void
on_ready(void *ctx, unsigned events)
{
	struct dial *d = ctx;

	(void)events;
	finish(d, sock_result(d->fd) == OK ? 0 : errno);
}

/* The deadline, or at once for what never began. */
static void
on_deadline(void *ctx)
{
	struct dial *d = ctx;

	finish(d, d->error != 0 ? d->error : ETIMEDOUT);
}

/* Begins; what fails here is told by the timer. */
static enum err
begin(struct dial *d, struct loop *l, const struct endpoint *to,
    const struct ipaddr *from, int64_t timeout_ms)
{
	enum err e = sock_connect(to, from, &d->fd);

	if (e != OK && e != ERR_AGAIN) {
		d->fd = -1;
		d->error = errno != 0 ? errno : EINVAL;
		/* an attempt that fails at once is told of in the next turn */
		timer_start(&d->deadline, 0);
		return OK;
	}
	/* a small matter: a socket that refuses it works as well */
	(void)sock_set_nodelay(d->fd);
	timer_start(&d->deadline, timeout_ms);
	e = watch_new(l, d->fd, on_ready, d, &d->watch);
	if (e == OK)
		watch_set(d->watch, WATCH_WRITE);
	return e;
}

enum err
dial_start(struct loop *l, const struct endpoint *to,
    const struct ipaddr *from, int64_t timeout_ms, dial_fn *fn, void *ctx,
    struct dial **out)
{
	struct dial *d = calloc(1, sizeof(*d));
	enum err e;

	if (d == NULL)
		return ERR_NOMEM;
	d->fn = fn;
	d->ctx = ctx;
	d->fd = -1;
	e = timer_init(&d->deadline, l, on_deadline, d);
	if (e == OK)
		e = begin(d, l, to, from, timeout_ms);
	if (e != OK) {
		dial_cancel(&d);
		return e;
	}
	*out = d;
	return OK;
}
