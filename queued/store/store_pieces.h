/*
 * What can still be read of a group that is not whole [pure].
 *
 * Records bear their own sums, so one that is damaged takes no other with it.
 * Behind one whose head or fields are damaged the next is looked for, and
 * believed only if all from there on end where the group's head says, are as
 * many as it says, and fit the sum in the group's tail: bytes of a message may
 * look like records, but nobody knows that sum beforehand.
 */
#ifndef MTAD_QUEUED_STORE_STORE_PIECES_H
#define MTAD_QUEUED_STORE_STORE_PIECES_H

#include "queued/store/store_group.h"

struct store_pieces {
	struct span group;
	struct store_group_head head;
	bool has_head;			/* it could be read */
	struct span rest;		/* records not given yet */
	uint32_t left;			/* of them, as the head says */
	uint32_t sum;			/* of the tail, so far */
	bool has_gap;			/* a record can't be read ... */
	uint64_t gap_at;		/* ... here, in the group */
	uint64_t gap_id;		/* of this message, if its bytes are right */
};

/* BYTES begin with the group; they may end before or behind it. */
void store_pieces_init(struct store_pieces *p, struct span bytes);

/* The next record whose head and fields are sound; *IS_SOUND: its content too.
 * False at the end.  has_gap tells that records before it, or before the end,
 * are lost; the caller sets it back. */
bool store_pieces_next(struct store_pieces *p, struct store_record *out,
    bool *is_sound);

#endif
