/*
 * The file that the index lies in: how full it is, another in its place, and
 * whether its pages can be believed.
 */
#ifndef MTAD_QUEUED_STORE_STORE_INDEX_FILE_H
#define MTAD_QUEUED_STORE_STORE_INDEX_FILE_H

#include "queued/store/store_index.h"

/* For the thread that applies; 0 when it can't be told. */
uint64_t store_index_file_bytes(const struct store_index *x);
/* The same as store_index_size(). */
enum err store_index_fill(struct store_index *x, struct store_index_size *out);

/* Closes the file and opens the one that has its name now.  In the owner's
 * thread, outside of any reading, while nothing is applied.  On failure nothing
 * can be read or applied until store_index_revive() succeeds. */
enum err store_index_reopen(struct store_index *x);

/* LMDB came upon a page that can't be right, in whichever thread: what it says
 * may lack rows from then on.  For good. */
bool store_index_is_damaged(const struct store_index *x);

#endif
