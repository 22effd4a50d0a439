/*
 * Segments of which no message lives, though their verdicts are still needed.
 *
 * The first group of each segment lists them.  When the index is made again
 * from the log, their message records are passed over; so no verdict about
 * them need be kept, and a message that waits for days does not keep every
 * segment after its own.
 */
#ifndef MTAD_QUEUED_STORE_STORE_DEAD_H
#define MTAD_QUEUED_STORE_STORE_DEAD_H

#include "queued/store/store_cache.h"

struct store;

/* Appends the list to the open group, which begins a segment; ERR_NOMEM. */
enum err store_dead_state(struct store *s);

/* That group is synced: no segment is kept for those listed. */
void store_dead_synced(struct store *s);

/* Adds what the records of a group list; ERR_NOMEM, ERR_CORRUPT. */
enum err store_dead_read(struct span records, struct store_numbers *out);

#endif
