/*
 * A one-shot timer, made for thousands of session timeouts: putting a running
 * timer off costs two assignments, no heap operation and no system call.
 *
 * It lies in the caller's object.  It fires at or after its time, in the
 * first turn that sees it due.
 */
#ifndef MTAD_LOOP_TIMER_H
#define MTAD_LOOP_TIMER_H

#include "common/base/heap.h"
#include "common/loop/loop.h"

typedef void timer_fn(void *ctx);

struct timer {
	struct heap_node node;		/* key <= due_at_ms while queued */
	struct loop *loop;
	int64_t due_at_ms;		/* MTIME_NEVER: not running */
	timer_fn *fn;
	void *ctx;
};

/*
 * life: init makes room in the loop's heap (ERR_NOMEM), so that starting
 * cannot fail; clear stops it for good: starting it then does nothing.  A timer
 * that was zeroed and never initialised counts as cleared.
 */
enum err timer_init(struct timer *t, struct loop *l, timer_fn *fn, void *ctx);
void timer_clear(struct timer *t);

/* Fires once, AFTER_MS from now (0: in this or the next turn); replaces an
 * earlier start. */
void timer_start(struct timer *t, int64_t after_ms);

/* The same with a moment of the loop's monotonic clock. */
void timer_start_at(struct timer *t, int64_t at_ms);

void timer_stop(struct timer *t);
bool timer_is_running(const struct timer *t);

#endif
