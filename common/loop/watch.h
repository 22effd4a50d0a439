/*
 * Readiness of one descriptor, for what is neither stream, listener nor dial:
 * signal descriptors, sockets of a foreign library, channels.
 *
 * It lies in the caller's object and borrows the descriptor: stop or clear it
 * before closing.  Level-triggered; asking for the same again costs nothing.
 */
#ifndef MTAD_LOOP_WATCH_H
#define MTAD_LOOP_WATCH_H

#include "common/loop/loop.h"

#include <stddef.h>

#define WATCH_READ	1u
#define WATCH_WRITE	2u

/* EVENTS says what is ready; an error or hang-up shows as both. */
typedef void watch_fn(void *ctx, unsigned events);

/* What lies here is libev's watcher; watch.c checks that it fits. */
struct watch {
	_Alignas(max_align_t) unsigned char ev[64];
	struct loop *loop;
	watch_fn *fn;
	void *ctx;
	int fd;
	unsigned events;
};

/* life: init watches for nothing yet */
void watch_init(struct watch *w, struct loop *l, int fd, watch_fn *fn,
    void *ctx);
void watch_clear(struct watch *w);

/* Sets what is watched: WATCH_READ | WATCH_WRITE, or 0 for nothing. */
void watch_set(struct watch *w, unsigned events);

#endif
