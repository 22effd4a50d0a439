/*
 * Three lists a loop, one a stage.  Deciding goes on until nothing is left to
 * decide, and only then is written: what several decisions say to one peer
 * leaves together.  Writing may bring new work (a callback on room in the
 * output), which is decided first again.
 */
#include "common/loop/deferred.h"

#include "common/loop/loop_impl.h"

/* Deferred work that defers more is followed this far in one turn; what is left
 * is done in the next one, which then doesn't sleep. */
#define ROUNDS_MAX 16

void
deferred_init(struct deferred *d, struct loop *l, enum deferred_stage stage,
    deferred_fn *fn, void *ctx)
{
	*d = (struct deferred){
		.loop = l, .stage = stage, .fn = fn, .ctx = ctx,
	};
	list_init(&d->node);
}

void
deferred_clear(struct deferred *d)
{
	if (d->loop != NULL)
		deferred_cancel(d);
	d->loop = NULL;
}

/* At the end, so that nobody who adds himself again starves the others. */
void
deferred_add(struct deferred *d)
{
	if (d->loop != NULL && !list_is_linked(&d->node))
		list_add_last(&d->loop->deferred[d->stage], &d->node);
}

void
deferred_cancel(struct deferred *d)
{
	list_remove(&d->node);
}

bool
deferred_is_waiting(const struct loop *l)
{
	for (size_t i = 0; i < DEFERRED_STAGE_COUNT; i++) {
		if (!list_is_empty(&l->deferred[i]))
			return true;
	}
	return false;
}

/* What is added meanwhile waits for the next round. */
static void
run_stage(struct list *stage)
{
	struct list batch;
	struct list *node;

	list_init(&batch);
	list_move_all(&batch, stage);
	while ((node = list_take_first(&batch)) != NULL) {
		struct deferred *d = CONTAINER_OF(node, struct deferred, node);

		/* D may be freed inside; it is in no list any more */
		d->fn(d->ctx);
	}
}

void
deferred_run(struct loop *l)
{
	struct list *work = &l->deferred[DEFERRED_WORK];
	struct list *writes = &l->deferred[DEFERRED_WRITE];

	for (int round = 0; round < ROUNDS_MAX; round++) {
		if (!list_is_empty(work))
			run_stage(work);
		else if (!list_is_empty(writes))
			run_stage(writes);
		else
			break;
	}
	run_stage(&l->deferred[DEFERRED_LAST]);
}
