/*
 * Whether the index may be used, and its way out when it may not.
 *
 * Two small files lie beside it: `unclean' has a byte for each life that did
 * not end in order, and `damaged' tells that a row was found damaged.  Both go
 * with the index when that is set aside.
 */
#ifndef MTAD_QUEUED_STORE_STORE_ASIDE_H
#define MTAD_QUEUED_STORE_STORE_ASIDE_H

#include "queued/store/store_private.h"

/* Before LMDB opens it: INDEX_FD is its directory.  ERR_CORRUPT, with what is
 * wrong in WHY: it must be set aside. */
enum err store_aside_look(struct store *s, int index_fd, struct why *why);

/* Out of the way, in the place of one that was set aside before. */
enum err store_aside_move(struct store *s);

/* A row is damaged: the next start makes the index anew. */
void store_aside_damaged(struct store *s);

/* This life ends in order. */
void store_aside_end(struct store *s);

#endif
