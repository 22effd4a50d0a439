/*
 * The index of a closed journal file: which ids are in it, and where.
 *
 * Made from the file alone, so it can be made again; one that is damaged is.
 */
#ifndef MTAD_QUEUED_JOURNAL_JOURNAL_INDEX_H
#define MTAD_QUEUED_JOURNAL_JOURNAL_INDEX_H

#include "queued/journal/journal_files.h"
#include "queued/journal/journal_head.h"

/* Takes what its head says into ROW, if there is a good one. */
void journal_index_open(struct journal_files *f, struct journal_file *row);

/* Reads the file, sorts, writes.  ERR_FULL, ERR_IO, ERR_NOMEM. */
enum err journal_index_make(struct journal_files *f,
    struct journal_file *row);

/* The first entry whose id is not below ID, by binary search on the disk, of
 * an index whose sums are right; row->count when there is none.  ERR_CORRUPT:
 * it counts no more.  *FD is -1 before the first call on a file and the
 * caller's to close. */
enum err journal_index_find(struct journal_files *f, struct journal_file *row,
    int *fd, uint64_t id, uint32_t *out);
enum err journal_index_entry(int fd, uint32_t at, struct journal_entry *out);

#endif
