/*
 * A living store, for the operator's tools: its figures, and a moment in which
 * no file goes.
 */
#ifndef MTAD_QUEUED_STORE_STORE_STATS_H
#define MTAD_QUEUED_STORE_STORE_STATS_H

#include "queued/store/store.h"
#include "queued/store/store_cache.h"
#include "queued/store/store_index.h"
#include "queued/store/store_overlay.h"

struct store_stats {
	uint8_t uuid[16];
	uint64_t start;			/* number of this life */
	uint64_t next_id;
	uint64_t segment_bytes;		/* of a full one */
	size_t segments;
	uint64_t spares, spare_bytes;
	uint64_t bodies, body_bytes;
	uint64_t messages, recipients;
	uint64_t live_bytes;		/* records of live messages */
	struct store_index_size index;
	uint64_t index_lag_bytes;
	uint64_t room_bytes;		/* of mail that may still come */
	bool is_accepting;
	bool is_pinned;
};
/* ERR_IO when the index's file can't be looked at. */
enum err store_stats(struct store *s, struct store_stats *out);

struct store_stats_segment {
	uint64_t number;
	uint64_t bytes;			/* of its file */
	uint64_t used_bytes;		/* up to its last group; 0: unknown */
	uint64_t live_bytes;
	uint64_t messages;		/* live ones */
	bool is_written;		/* the one at the log's end */
	bool is_needed;			/* for other segments */
	bool is_going;
};
/* ROW < segments, in order of numbers. */
void store_stats_segment(const struct store *s, size_t row,
    struct store_stats_segment *out);

/* Until as many store_unpin(): no segment and no body is removed or used
 * again.  The disk fills: let go when store_room() says so. */
void store_pin(struct store *s);
void store_unpin(struct store *s);

/* Adds the segments whose removal is under way already; ERR_NOMEM. */
enum err store_going(const struct store *s, struct store_numbers *out);

/* The log's last synced place. */
struct store_position store_synced_at(const struct store *s);

/* A process that read the index has ended. */
void store_reader_gone(struct store *s);

#endif
