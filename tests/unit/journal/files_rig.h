/*
 * A directory for a journal under test, an I/O layer that fails when told, and
 * records that are easy to make and to recognise.
 */
#ifndef MTAD_TESTS_UNIT_JOURNAL_FILES_RIG_H
#define MTAD_TESTS_UNIT_JOURNAL_FILES_RIG_H

#include "queued/journal/journal.h"
#include "queued/journal/journal_index.h"

struct rig {
	char dir[64];
	int dir_fd;
	struct store_io io;
	/* the next so many calls fail, with this errno */
	int fail_writes, fail_syncs, fail_opens;
	int fail_errno;
	int syncs;
};

void rig_init(struct rig *r);
void rig_clear(struct rig *r);

/* Names in history/, of the files with this ending. */
size_t rig_count(const struct rig *r, const char *ending);
/* Flips a bit of a file of the journal. */
void rig_flip(const struct rig *r, uint64_t number, const char *ending,
    uint64_t bit);
uint64_t rig_size(const struct rig *r, uint64_t number, const char *ending);

/* A record about ID that says WHAT. */
void rig_put(struct buf *b, uint64_t id, uint64_t what);

/* What the records of ID say, parted by blanks: of a reader off line. */
void rig_say(const struct rig *r, uint64_t id, char *out, size_t size);
void rig_say_records(struct span records, char *out, size_t size);

#endif
