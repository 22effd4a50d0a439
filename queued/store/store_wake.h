/*
 * What makes the owner of a store call store_turn(): a thread that has done a
 * job, the clock, or a group that the owner wrote itself.  The first two make
 * store_fd() readable; the third needs no descriptor, for the owner is awake.
 */
#ifndef MTAD_QUEUED_STORE_STORE_WAKE_H
#define MTAD_QUEUED_STORE_STORE_WAKE_H

#include <stdbool.h>

#include "common/base/err.h"
#include "queued/store/store.h"

struct store_wake {
	int done_fd;			/* eventfd: by the threads */
	int timer_fd;
	int poll_fd;			/* both, for the owner's loop */
	bool is_timer_set;
	bool is_due;			/* said by on_due */
};

/* Without descriptors, which _open() makes: ERR_IO. */
void store_wake_init(struct store *s);
enum err store_wake_open(struct store *s);
void store_wake_close(struct store *s);

/* Makes store_fd() readable within STORE_TICK_MS.  What was only written is
 * synced at the first tick that finds it nearly as old, so within a second. */
enum { STORE_TICK_MS = STORE_UNSYNCED_MS / 2 };
void store_set_timer(struct store *s);

/* A job was done by the owner itself: on_due, or store_fd(). */
void store_wake_due(struct store *s);

/* At the begin of a turn. */
void store_wake_take(struct store *s);

#endif
