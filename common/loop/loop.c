/*
 * libev does the epoll, and nothing else: the timers are ours (timer.c), for
 * libev's would cost a heap operation for each time a session puts its timeout
 * off.  One ev_timer ends the wait when the next of ours is due.
 *
 * A turn: wait for descriptors, run their callbacks, run the timers that are
 * due, run what was deferred.  The clock is read once, when the wait ends; all
 * of a turn happens at one time.
 */
#include "common/loop/loop.h"

#include "common/base/mtime.h"
#include "common/loop/loop_impl.h"
#include "common/loop/orphan.h"
#include "common/loop/stream.h"
#include "common/os/clock.h"

#include <stdlib.h>

/* Longest sleep without any timer; only bounds the arithmetic. */
#define WAIT_MAX_MS	MTIME_HOUR

/* epoll alone: libev would else try linuxaio, which locked memory limits.
 * The environment must not choose for us (LIBEV_FLAGS). */
#define EV_FLAGS	(EVBACKEND_EPOLL | EVFLAG_NOENV)

static void
on_wake(struct ev_loop *ev, ev_timer *w, int events)
{
	/* it only ends the wait: timer_run_due() looks at the clock */
	(void)ev;
	(void)w;
	(void)events;
}

/* An ev_check of the highest priority: after the wait, before any callback. */
static void
on_clock(struct ev_loop *ev, ev_check *w, int events)
{
	(void)w;
	(void)events;
	loop_update_now(ev_userdata(ev));
}

static enum err
open_ev(struct loop *l)
{
	l->ev = ev_loop_new(EV_FLAGS);
	if (l->ev == NULL)
		return ERR_IO;
	ev_set_userdata(l->ev, l);
	ev_timer_init(&l->wake, on_wake, 0., 0.);
	ev_check_init(&l->clock, on_clock);
	ev_set_priority(&l->clock, EV_MAXPRI);
	ev_check_start(l->ev, &l->clock);
	return OK;
}

enum err
loop_new(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));
	enum err e;

	if (l == NULL)
		return ERR_NOMEM;
	heap_init(&l->timers);
	list_init(&l->orphans);
	for (size_t i = 0; i < DEFERRED_STAGE_COUNT; i++)
		list_init(&l->deferred[i]);
	l->scratch = malloc(LOOP_SCRATCH_BYTES);
	e = l->scratch != NULL ? open_ev(l) : ERR_NOMEM;
	if (e != OK) {
		loop_free(&l);
		return e;
	}
	loop_update_now(l);
	*out = l;
	return OK;
}

void
loop_free(struct loop **l)
{
	struct list *node;
	struct orphan *o;

	if (*l == NULL)
		return;
	while ((node = list_first(&(*l)->orphans)) != NULL) {
		o = CONTAINER_OF(node, struct orphan, node);
		o->end(o->ctx);
	}
	if ((*l)->ev != NULL)
		ev_loop_destroy((*l)->ev);
	heap_clear(&(*l)->timers);
	free((*l)->scratch);
	free((*l)->raw);
	free(*l);
	*l = NULL;
}

/* How long this turn may sleep. */
static int64_t
wait_ms(const struct loop *l, int64_t max_wait_ms)
{
	int64_t wait;

	if (deferred_is_waiting(l) || max_wait_ms <= 0)
		return 0;
	wait = mtime_sub(timer_next_ms(l), l->now_ms);
	wait = mtime_min(wait, mtime_min(max_wait_ms, WAIT_MAX_MS));
	return mtime_max(wait, 0);
}

void
loop_turn(struct loop *l, int64_t max_wait_ms)
{
	int64_t wait;

	/* work deferred outside of a turn belongs to the one before */
	deferred_run(l);
	wait = wait_ms(l, max_wait_ms);
	if (wait > 0) {
		/* in seconds, as a floating-point number: libev's way */
		ev_timer_set(&l->wake, (ev_tstamp)wait / 1e3, 0.);
		ev_timer_start(l->ev, &l->wake);
	}
	ev_run(l->ev, wait > 0 ? EVRUN_ONCE : EVRUN_NOWAIT);
	ev_timer_stop(l->ev, &l->wake);
	timer_run_due(l);
	deferred_run(l);
}

/* A loop_stop() from before the call counts, too. */
void
loop_run(struct loop *l)
{
	while (!l->is_stopping)
		loop_turn(l, WAIT_MAX_MS);
	l->is_stopping = false;
}

void
loop_stop(struct loop *l)
{
	l->is_stopping = true;
}

int64_t
loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

int64_t
loop_wall_ms(const struct loop *l)
{
	return l->wall_ms;
}

void
loop_update_now(struct loop *l)
{
	l->now_ms = clock_mono_ms();
	l->wall_ms = clock_wall_ms();
}
