/* One descriptor in libev, without showing libev's types to others. */
#include "common/loop/watch.h"

#include "common/loop/loop_impl.h"

#include <stdlib.h>

struct watch {
	ev_io io;
	struct loop *loop;
	watch_fn *fn;
	void *ctx;
	int fd;
	unsigned events;
};

static void
on_ready(struct ev_loop *ev, ev_io *io, int revents)
{
	struct watch *w = io->data;
	unsigned events = 0;

	(void)ev;
	/* an error shows itself to whoever reads or writes */
	if ((revents & (EV_READ | EV_ERROR)) != 0)
		events |= WATCH_READ;
	if ((revents & (EV_WRITE | EV_ERROR)) != 0)
		events |= WATCH_WRITE;
	w->fn(w->ctx, events);
}

enum err
watch_new(struct loop *l, int fd, watch_fn *fn, void *ctx, struct watch **out)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ERR_NOMEM;
	w->loop = l;
	w->fn = fn;
	w->ctx = ctx;
	w->fd = fd;
	ev_io_init(&w->io, on_ready, fd, 0);
	w->io.data = w;
	*out = w;
	return OK;
}

void
watch_free(struct watch **w)
{
	if (*w == NULL)
		return;
	ev_io_stop((*w)->loop->ev, &(*w)->io);
	free(*w);
	*w = NULL;
}

/* libev tells epoll of changes when it waits, not here. */
void
watch_set(struct watch *w, unsigned events)
{
	int wanted = 0;

	if (events == w->events)
		return;
	if ((events & WATCH_READ) != 0)
		wanted |= EV_READ;
	if ((events & WATCH_WRITE) != 0)
		wanted |= EV_WRITE;
	ev_io_stop(w->loop->ev, &w->io);
	w->events = events;
	if (wanted == 0)
		return;
#ifdef ev_io_modify
	/* there and back within a turn costs no system call */
	ev_io_modify(&w->io, wanted);
#else
	ev_io_set(&w->io, w->fd, wanted);
#endif
	ev_io_start(w->loop->ev, &w->io);
}

unsigned
watch_events(const struct watch *w)
{
	return w->events;
}
