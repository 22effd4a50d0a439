/*
 * A list of the loop; see the header. loop_free() walks it with nobody else
 * alive.
 */
#include "common/loop/orphan.h"

#include "common/loop/loop_impl.h"

void
orphan_add(struct orphan *o, struct loop *l, void (*end)(void *ctx), void *ctx)
{
	o->end = end;
	o->ctx = ctx;
	list_init(&o->node);
	list_add_last(&l->orphans, &o->node);
}

void
orphan_remove(struct orphan *o)
{
	list_remove(&o->node);
}
