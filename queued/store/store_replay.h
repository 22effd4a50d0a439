/*
 * Replays records into memory, one group at a time.
 */
#ifndef MTAD_QUEUED_STORE_STORE_REPLAY_H
#define MTAD_QUEUED_STORE_STORE_REPLAY_H

#include "queued/store/store_group.h"
#include "queued/store/store_pieces.h"
#include "queued/store/store_private.h"

/* GROUP is whole and checked, and lies in SEG; IS_DEAD: none of its messages
 * counts, but their tokens are told.  ERR_NOMEM, ERR_IO (the
 * index), ERR_VERSION (a record that must not be passed over). */
enum err store_replay_group(struct store *s, struct store_segment *seg,
    bool is_dead, struct span group, const struct store_group_head *head);

/* What can be read of a damaged group, which begins at OFFSET of SEG.  What
 * can't is told.  ERR_NOMEM, ERR_IO. */
enum err store_replay_pieces(struct store *s, struct store_segment *seg,
    bool is_dead, struct store_pieces *pieces, uint64_t offset);

#endif
