/*
 * A store that is opened for a while, by a tool: driven without a loop, and
 * without anybody who listens.
 *
 * What is appended is synced and indexed as it goes, so that memory stays
 * small however long the queue is.
 */
#ifndef MTAD_QUEUED_KEEP_KEEP_STORE_H
#define MTAD_QUEUED_KEEP_KEEP_STORE_H

#include "common/base/buf.h"
#include "queued/store/store.h"
#include "queued/store/store_tap.h"

/* Who hears what the log says while it is replayed (store_tap.h). */
struct keep_listener {
	void (*on_group)(void *ctx, const struct store *s, uint64_t group,
	    struct span records);
	void *ctx;
};

struct keep_store {
	struct store *store;
	const struct keep_listener *listener;	/* NULL: nobody */
	struct store_tap tap;
	struct buf woken;		/* of unit pointers: the replay's */
	bool is_dead;
};

/* The spool in the working directory; ids begin with START at least.  LISTENER
 * may be NULL.  ERR_*, with words. */
enum err keep_store_open(struct keep_store *k, uint64_t start,
    const struct keep_listener *listener, struct why *why);

/* Ends it in order: all is synced and in the index. */
void keep_store_close(struct keep_store *k);

/* A turn, for after some records; waits while the index lags.  ERR_IO: the
 * store is dead. */
enum err keep_store_turn(struct keep_store *k);

/* Until all that was appended is synced. */
enum err keep_store_sync(struct keep_store *k);

/* Each message there is, once, by its id; ERR_* of VISIT ends it. */
enum err keep_store_each(struct keep_store *k,
    enum err (*visit)(void *ctx, struct keep_store *k, uint64_t id),
    void *ctx);

/* All units of a message leave memory as soon as they may. */
void keep_store_yield(struct keep_store *k, uint64_t id);

#endif
