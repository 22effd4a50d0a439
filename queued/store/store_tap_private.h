/*
 * The store's side of store_tap.h: when there is something to tell.
 */
#ifndef MTAD_QUEUED_STORE_STORE_TAP_PRIVATE_H
#define MTAD_QUEUED_STORE_STORE_TAP_PRIVATE_H

#include "queued/store/store_tap.h"

/* The index's position is known, the replay begins. */
void store_tap_replay(struct store *s);

/* A group was replayed. */
void store_tap_group(struct store *s, uint64_t group, uint64_t written_at,
    struct span records);

/* Everything handed over is synced, and still hangs where it did. */
void store_tap_synced(struct store *s);

/* A check-point comes that nobody will send again. */
void store_tap_flush(struct store *s);

#endif
