/*
 * Recovery: replays what the index does not have, and seals it.
 *
 * docs/SPOOL.md has the argument why what it finds is what was promised.
 */
#ifndef MTAD_QUEUED_STORE_STORE_RECOVER_H
#define MTAD_QUEUED_STORE_STORE_RECOVER_H

#include "queued/store/store_private.h"

/* Reads the index's position and rows of segments; ERR_CORRUPT when index and
 * log contradict each other: the index must be made again. */
enum err store_recover_prepare(struct store *s, struct why *why);

/* Replays, syncs, begins a new segment with the seal, and only then removes
 * files that do not count.  Tells units and tokens.  ERR_CORRUPT as above. */
enum err store_recover(struct store *s, struct why *why);

#endif
