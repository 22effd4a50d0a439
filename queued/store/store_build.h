/*
 * The index made anew from the log (docs/SPOOL.md, "Made anew").
 *
 * It is built under another name, without a sync, and takes the index's name
 * when it is whole and durable: so whatever ends a start, the next one finds
 * the whole index or none.  While it is built it has no rows by time and no
 * terms: these follow from the others, and are made last, in order.
 */
#ifndef MTAD_QUEUED_STORE_STORE_BUILD_H
#define MTAD_QUEUED_STORE_STORE_BUILD_H

#include "queued/store/store_private.h"

/* Bytes of log (store_scan.c) that are replayed at a time meanwhile. */
#define STORE_BUILD_REPLAY ((uint64_t)16 << 20)

/* Its name below index/, as of a copy (store_shrink.h): never believed. */
#define STORE_BUILD_LOCK "data.mdb.new-lock"

/* Whether there is nothing to go on from: INDEX_FD is the index's directory. */
bool store_build_is_needed(int index_fd);

/* Opens the index in the directory PATH; NEEDED: an empty one, to be built. */
enum err store_build_open(struct store *s, const char *path, bool needed,
    struct why *why);

/* When the log is replayed and synced: what follows from the rows is made, and
 * the index gets its name and is opened.  One that is not being built is left
 * alone. */
enum err store_build_end(struct store *s, struct why *why);

#endif
