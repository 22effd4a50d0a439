/*
 * Readiness of one descriptor, for what is neither stream, listener nor dial:
 * signal descriptors, sockets of a foreign library, channels.
 *
 * It borrows the descriptor: free or stop the watch before closing it.
 * Level-triggered; asking for the same again costs nothing.
 */
#ifndef MTAD_LOOP_WATCH_H
#define MTAD_LOOP_WATCH_H

#include "common/loop/loop.h"

#define WATCH_READ	1u
#define WATCH_WRITE	2u

struct watch;

/* EVENTS says what is ready; an error or hang-up shows as both. */
typedef void watch_fn(void *ctx, unsigned events);

/* life: a new one watches for nothing yet; ERR_NOMEM.  It may be freed from
 * inside its own call. */
enum err watch_new(struct loop *l, int fd, watch_fn *fn, void *ctx,
    struct watch **out);
void watch_free(struct watch **w);

/* Sets what is watched: WATCH_READ | WATCH_WRITE, or 0 for nothing. */
void watch_set(struct watch *w, unsigned events);
unsigned watch_events(const struct watch *w);

#endif
