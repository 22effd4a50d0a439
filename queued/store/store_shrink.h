/*
 * Gives the index's space back: LMDB's file never becomes shorter by itself, so
 * when most of it is free it is made anew (docs/SPOOL.md, R-16).
 *
 * It is done by the check-point thread, which alone changes the index; so the
 * copy has all that was ever committed.  The owner goes on meanwhile, and only
 * opens the new file when it has its name.
 */
#ifndef MTAD_QUEUED_STORE_STORE_SHRINK_H
#define MTAD_QUEUED_STORE_STORE_SHRINK_H

#include "queued/store/store_worker.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_index;
struct store_io;

/* The copy's name below index/, until it takes its place. */
#define STORE_SHRINK_NAME "data.mdb.new"

struct store_shrink {
	uint64_t bytes;		/* of a copy; 0: the file is well filled */
	int64_t since_ms;	/* it is so */
	int64_t retry_at_ms;	/* after a failure */
	bool is_forced;		/* a test: once, however full */
	bool is_busy;		/* the thread has the job */
	bool is_copying;	/* ... and nothing may be applied */
	bool is_unsure;		/* which file a crash leaves: all is pinned */
	/* what the job needs and says */
	struct store_job job;
	const struct store_io *io;
	struct store_index *index;
	int dir_fd;		/* of the spool */
	int old_fd;		/* of the former file: let go in the thread */
	bool has_moved;		/* the copy has the index's name */
	enum err result;
};

/* In the check-point thread: the bytes of a copy, if one is worth its while,
 * else 0. */
uint64_t store_shrink_look(struct store_index *x);

/* What the last look said. */
void store_shrink_note(struct store *s, uint64_t bytes, int64_t now_ms);

/* Begins when it is time, and nobody looks at the spool. */
void store_shrink_flush(struct store *s, int64_t now_ms);

/* Whether a flush will have to look again. */
bool store_shrink_waits(const struct store_shrink *k);

#endif
