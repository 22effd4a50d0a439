/*
 * After a failed write or sync (SPOOL.md rule 5): what the kernel has of those
 * pages is not known, so nothing is tried again on that file.
 *
 * The segment is sealed at its last synced length by a group in a new one,
 * which holds all records of the failed groups and of the open one, but for
 * the messages of the former.  Those are refused once that group is synced.
 * It waits for a spare if there is none, while no mail is accepted.  If its
 * write fails too, the store is dead.
 */
#ifndef MTAD_QUEUED_STORE_STORE_RESCUE_H
#define MTAD_QUEUED_STORE_STORE_RESCUE_H

#include "queued/store/store_private.h"

/* Builds the new open group and hands it over. */
void store_rescue_begin(struct store *s, enum err why);

/* Its group is synced: refuses what was left out. */
void store_rescue_end(struct store *s);

/* Nothing can be written any more. */
void store_rescue_die(struct store *s, enum err why);

#endif
