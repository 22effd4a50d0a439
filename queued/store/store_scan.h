/*
 * The way through the log, from where the index ends to where the log ends.
 *
 * It decides which segments and groups count, replays them one by one, tells
 * damage and passes over it.  docs/SPOOL.md, "Recovery", has the argument.
 */
#ifndef MTAD_QUEUED_STORE_STORE_SCAN_H
#define MTAD_QUEUED_STORE_STORE_SCAN_H

#include "queued/store/store_private.h"

struct store_seal;

/* A group that no later one says was synced. */
struct store_doubt {
	uint64_t segment;
	uint64_t offset;
	uint64_t bytes;
	uint64_t sequence;
};

struct store_scan {
	struct store *s;
	struct store_position at;	/* behind the last group replayed */
	bool is_loose;			/* no chain to check: begin of a log */
	size_t row;			/* of at.segment in the table */
	bool has_tail;			/* whole groups that do not count */
	struct buf group;		/* the one read last */
	struct store_seal *seals;	/* by row of the table of segments */
	struct store_numbers dead;	/* segments without a live message */
	uint64_t replayed;		/* bytes since the last apply */
	uint64_t synced_from;		/* the segment; those before are */
	struct store_doubt *doubts;	/* in order */
	size_t doubt_count, doubt_size;
};

void store_scan_init(struct store_scan *r, struct store *s);
void store_scan_clear(struct store_scan *r);

/* Reads the seals and finds the begin; *HAS_LOG is false when there is none.
 * ERR_CORRUPT: the index is ahead of what counts. */
enum err store_scan_begin(struct store_scan *r, bool *has_log);

/* One group, or one step over the end of a segment; *GOES_ON is false at the
 * end of the log.  ERR_CORRUPT: a row of the index is damaged. */
enum err store_scan_step(struct store_scan *r, bool *goes_on);

/* Syncs what was replayed: after a kill it may lie in memory only, and index
 * and seal may only follow it. */
enum err store_scan_sync(struct store_scan *r);

#endif
