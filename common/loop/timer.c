/*
 * Timers on the loop's own clock, in a heap of pointers to the callers'
 * objects.
 */
#include "common/loop/timer.h"

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/mtime.h"
#include "common/loop/loop_impl.h"

/*
 * The heap is ordered by when to look at a timer, which is never later than
 * when it is due.  A timer that was put off is found too early, once, and then
 * moved to where it belongs: sessions put their timeouts off with each
 * command, but are looked at once in a timeout.
 *
 * Room in the heap is reserved when a timer is made, so that starting one
 * cannot fail.
 */

enum err
timer_init(struct timer *t, struct loop *l, timer_fn *fn, void *ctx)
{
	if (heap_reserve(&l->timers, l->timer_count + 1) != OK)
		return ERR_NOMEM;
	l->timer_count++;
	*t = (struct timer){
		.loop = l, .due_at_ms = MTIME_NEVER, .fn = fn, .ctx = ctx,
	};
	return OK;
}

void
timer_clear(struct timer *t)
{
	if (t->loop == NULL)
		return;
	timer_stop(t);
	t->loop->timer_count--;
	t->loop = NULL;
}

/* Sooner moves it at once; later only writes the new time down. */
void
timer_start_at(struct timer *t, int64_t at_ms)
{
	struct loop *l = t->loop;

	if (l == NULL)
		return;
	t->due_at_ms = mtime_min(at_ms, MTIME_NEVER - 1);
	if (!heap_has(&t->node))
		MUST(heap_add(&l->timers, &t->node, t->due_at_ms) == OK);
	else if (t->due_at_ms < t->node.key)
		heap_move(&l->timers, &t->node, t->due_at_ms);
}

void
timer_start(struct timer *t, int64_t after_ms)
{
	if (t->loop != NULL)
		timer_start_at(t, mtime_add(t->loop->now_ms,
		    mtime_max(after_ms, 0)));
}

/* Takes it out of the heap; on one that isn't running it does nothing. */
void
timer_stop(struct timer *t)
{
	if (t->loop == NULL)
		return;
	t->due_at_ms = MTIME_NEVER;
	heap_remove(&t->loop->timers, &t->node);
}

bool
timer_is_running(const struct timer *t)
{
	return t->loop != NULL && t->due_at_ms != MTIME_NEVER;
}

/* May be too early, by a timer that was put off: one turn for nothing. */
int64_t
timer_next_ms(const struct loop *l)
{
	const struct heap_node *node = heap_min(&l->timers);

	return node != NULL ? node->key : MTIME_NEVER;
}

/* One pass: what a timer starts anew, even for now, waits for the next turn,
 * so that descriptors are served. */
void
timer_run_due(struct loop *l)
{
	const int64_t now_ms = l->now_ms;
	size_t left = l->timers.n;
	struct heap_node *node;

	while (left-- > 0 && (node = heap_min(&l->timers)) != NULL &&
	    node->key <= now_ms) {
		struct timer *t = CONTAINER_OF(node, struct timer, node);

		if (t->due_at_ms > now_ms) {
			heap_move(&l->timers, node, t->due_at_ms);
			continue;
		}
		/* before the call: T may be started again or freed in it */
		timer_stop(t);
		t->fn(t->ctx);
	}
}
