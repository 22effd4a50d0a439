/*
 * The inside of a loop, for this room alone.
 */
#ifndef MTAD_LOOP_LOOP_IMPL_H
#define MTAD_LOOP_LOOP_IMPL_H

#include "common/base/heap.h"
#include "common/base/list.h"
#include "common/loop/deferred.h"
#include "common/loop/loop.h"
#include "common/loop/stream.h"

#include <ev.h>

/* What a read can give, also through a filter, behind what was kept. */
#define LOOP_SCRATCH_BYTES	(STREAM_READ_BYTES + STREAM_FILTER_EXTRA)

struct loop {
	struct ev_loop *ev;
	ev_timer wake;			/* the next due timer */
	ev_check clock;			/* runs before all else in a turn */
	int64_t now_ms;
	int64_t wall_ms;
	bool is_stopping;
	struct heap timers;
	size_t timer_count;		/* initialised, for heap_reserve() */
	struct list deferred[DEFERRED_STAGE_COUNT];
	struct list orphans;		/* struct orphan */
	uint8_t *scratch;		/* LOOP_SCRATCH_BYTES, for every read */
	uint8_t *raw;			/* STREAM_READ_BYTES, before a filter;
					 * NULL: there was none yet */
};

/* timer.c */
int64_t timer_next_ms(const struct loop *l);
void timer_run_due(struct loop *l);

/* deferred.c */
bool deferred_is_waiting(const struct loop *l);
void deferred_run(struct loop *l);

#endif
