/*
 * Work for the end of this turn, done once however often it is asked for:
 * replies and frames of a turn leave in one write a peer.
 *
 * It lies in the caller's object.  Work that is deferred while deferred work
 * runs is done in the same turn, up to a bound that keeps descriptors served.
 */
#ifndef MTAD_LOOP_DEFERRED_H
#define MTAD_LOOP_DEFERRED_H

#include "common/base/list.h"
#include "common/loop/loop.h"

typedef void deferred_fn(void *ctx);

enum deferred_stage {
	DEFERRED_WORK,		/* decide, then … */
	DEFERRED_WRITE,		/* … write to peers, then … */
	DEFERRED_LAST,		/* … what must see all else done: the log */
	DEFERRED_STAGE_COUNT
};

struct deferred {
	struct list node;
	struct loop *loop;
	enum deferred_stage stage;
	deferred_fn *fn;
	void *ctx;
};

/* life: clear cancels, for good: what is asked for later (parts of a daemon
 * that end after others) is not done */
void deferred_init(struct deferred *d, struct loop *l,
    enum deferred_stage stage, deferred_fn *fn, void *ctx);
void deferred_clear(struct deferred *d);

/* Asks for one call at the end of this turn; nothing when already asked. */
void deferred_add(struct deferred *d);
void deferred_cancel(struct deferred *d);

#endif
