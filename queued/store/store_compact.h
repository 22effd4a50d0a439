/*
 * Compaction: moves what still lives in a mostly dead segment to the end of
 * the log, so that the segment can go (SPOOL.md, "Compaction").
 *
 * A thread reads the segment (store_sift.h); the owner appends what it found,
 * a little at a time between the groups of others, and never waits.  Nothing
 * is moved while the index lags, nor into the last spare: that is kept for
 * verdicts.
 */
#ifndef MTAD_QUEUED_STORE_STORE_COMPACT_H
#define MTAD_QUEUED_STORE_STORE_COMPACT_H

#include "queued/store/store_sift.h"

struct store;

/* What a group may take of moved records. */
enum { STORE_MOVE_SLICE = 256 << 10 };

struct store_compact {
	uint64_t segment;		/* being moved; 0: none */
	struct store_sift sift;
	size_t next;			/* of what was found */
	uint64_t kept;			/* messages that can't be moved */
	bool is_busy;			/* the thread has the sift */
	bool is_asked;			/* whether one should be moved */
	bool is_forced;			/* the next one, needed or not */
	/* pace */
	uint64_t credit;		/* bytes */
	uint64_t appended;		/* to the log, at that time: */
	int64_t credited_at_ms;
	uint64_t plain_groups;		/* at the last slice */
	/* figures of this life */
	uint64_t moved_messages;
	uint64_t moved_bytes;
};

void store_compact_init(struct store_compact *c);
void store_compact_clear(struct store_compact *c);

/* Something changed that may call for compaction: a check-point, the room. */
static inline void
store_compact_ask(struct store_compact *c)
{
	c->is_asked = true;
}

/* Before the open group is handed over: takes the next step. */
void store_compact_flush(struct store *s, int64_t now_ms);

#endif
