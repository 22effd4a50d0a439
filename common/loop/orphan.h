/*
 * Things that finish by themselves after their owner let go of them (a socket
 * that still sends its last reply): the loop ends those that outlive it.
 */
#ifndef MTAD_LOOP_ORPHAN_H
#define MTAD_LOOP_ORPHAN_H

#include "common/base/list.h"
#include "common/loop/loop.h"

struct orphan {
	struct list node;
	void (*end)(void *ctx);		/* calls orphan_remove() */
	void *ctx;
};

void orphan_add(struct orphan *o, struct loop *l, void (*end)(void *ctx),
    void *ctx);
void orphan_remove(struct orphan *o);

#endif
