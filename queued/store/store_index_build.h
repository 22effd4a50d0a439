/*
 * An index that is made anew: in a file of another name, which nobody believes
 * until it is whole (store_build.h).  So its transactions are small, and not
 * synced.
 */
#ifndef MTAD_QUEUED_STORE_STORE_INDEX_BUILD_H
#define MTAD_QUEUED_STORE_STORE_INDEX_BUILD_H

#include "queued/store/store_index.h"

/* An empty one in the file NAME of the directory PATH.  Until it is finished,
 * changes of rows by time and of terms are passed over when they are applied.
 * Errors as of store_index_open(). */
enum err store_index_open_new(const char *path, const char *name,
    uint64_t room_bytes, struct store_index **out, struct why *why);

bool store_index_is_new(const struct store_index *x);

/* store_index_apply() of one that is new. */
enum err store_index_build_rows(struct store_index *x, struct span ops);

/* Rows by time and terms, put in order first; none of them was put before. */
enum err store_index_build_sorted(struct store_index *x, struct span ops);

/* Closed, all written, nothing synced: the caller syncs the file and gives it
 * its name; then store_index_reopen() opens it like any other. */
void store_index_finish(struct store_index *x);

#endif
