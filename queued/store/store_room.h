/*
 * Room: what the disk can take, and what is kept back.
 *
 * Two segments are kept for verdicts and reports, and a little for the index;
 * mail is accepted only beyond that (SPOOL.md rule 10).
 */
#ifndef MTAD_QUEUED_STORE_STORE_ROOM_H
#define MTAD_QUEUED_STORE_STORE_ROOM_H

#include "queued/store/store.h"

#define STORE_SEGMENT_MAX	((uint64_t)64 << 20)
#define STORE_SEGMENT_MIN	((uint64_t)1 << 20)

struct store_space {
	uint64_t free;			/* on the disk, at the last look */
	uint64_t index_room;		/* of that, kept for the index */
	int64_t looked_at_ms;
	struct store_room told;
};

/* The size of segments on this file system, and its room; ERR_IO. */
enum err store_room_init(struct store *s, uint64_t wanted_segment_bytes,
    uint64_t *segment_bytes);

/* Bytes that the disk has at all, and those of them that new files may take. */
uint64_t store_room_left(const struct store *s);
uint64_t store_room_available(const struct store *s);

/* Free blocks may go to others before we need them: only files count. */
bool store_room_is_scarce(const struct store *s);

/* What a log that waits may take of the disk: all but what a check-point under
 * way needs and half of what is kept for the next ones, for they alone free
 * segments. */
uint64_t store_room_for_log(const struct store *s);

/* Looks again, five times a second or soon; tells by on_room. */
void store_room_turn(struct store *s, int64_t now_ms);
void store_room_look_soon(struct store *s);

#endif
