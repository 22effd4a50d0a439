/*
 * A listening socket: accepts in bounded batches, and knows what to do when
 * descriptors run out.
 */
#ifndef MTAD_LOOP_LISTENER_H
#define MTAD_LOOP_LISTENER_H

#include "common/base/endpoint.h"
#include "common/loop/loop.h"

#define LISTENER_BATCH_MAX	64	/* connections accepted in one turn */
#define LISTENER_PAUSE_MS	200	/* without descriptors or memory */

struct listener;

struct listener_ops {
	/* Gives FD (non-blocking, close-on-exec); PEER's family is
	 * IPADDR_NONE for a Unix socket. */
	void (*on_accept)(void *ctx, int fd, const struct endpoint *peer);
	/* Descriptors ran out: gives FD, opened on the reserved one, to be
	 * refused and closed before returning; -1 when not even that worked.
	 * Nothing is accepted for LISTENER_PAUSE_MS.  May be NULL. */
	void (*on_exhausted)(void *ctx, int fd, int error);
};

/* life: takes FD (bound, listening; made non-blocking) on success */
enum err listener_new(struct loop *l, int fd, const struct listener_ops *ops,
    void *ctx, struct listener **out);
void listener_close(struct listener **l);

/* While paused connections wait in the kernel's backlog. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);

int listener_fd(const struct listener *l);

#endif
