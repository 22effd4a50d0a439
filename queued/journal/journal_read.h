/*
 * What the journal knows: of one message, of one recipient, of all.
 *
 * For queued's journal thread, and for whoever has the spool off line
 * (journal_read_open()).  Nothing is written.  Records are given as they are
 * (journal_event.h), in the order in which things happened; damaged ones are
 * passed over.
 */
#ifndef MTAD_QUEUED_JOURNAL_JOURNAL_READ_H
#define MTAD_QUEUED_JOURNAL_JOURNAL_READ_H

#include "queued/journal/journal_event.h"
#include "queued/journal/journal_files.h"

/* ---- in pieces: the records of ids LOW to HIGH ---- */

struct journal_query {
	uint64_t low, high;
	/* where it goes on; zero at first */
	uint64_t file;
	uint64_t next;
	bool is_over;
};

/* Appends records to OUT, which is no more than MAX bytes and a record then;
 * sets is_over behind the last.  ERR_NOMEM, ERR_IO. */
enum err journal_query_step(struct journal_files *f, struct journal_query *q,
    size_t max, struct buf *out);

/* ---- off line ---- */

struct journal_reader;

/* Of the spool at PATH; a spool without a history has no records.  ERR_IO,
 * ERR_NOMEM, ERR_NOT_FOUND (no such directory). */
enum err journal_read_open(const char *path, struct journal_reader **out);
void journal_read_close(struct journal_reader **r);

/* VISIT returns false to stop; records are borrowed for the call. */
typedef bool journal_visit(void *ctx, const struct journal_record *r);

/* All records about a message: a binary search in each file. */
enum err journal_read_message(struct journal_reader *r, uint64_t id,
    journal_visit *visit, void *ctx);

/* All records there are, in order. */
enum err journal_read_all(struct journal_reader *r, journal_visit *visit,
    void *ctx);

/* What became of one recipient (row ROW of unit UNIT, as in the log): the last
 * result that settled it.  ERR_NOT_FOUND: the journal knows of none, so it is
 * not known to be delivered. */
struct journal_end {
	uint8_t outcome;	/* enum outcome: OUTCOME_DELIVERED, … */
	uint64_t at;		/* wall ms: the attempt began */
	uint64_t code;
};
enum err journal_read_end(struct journal_reader *r, uint64_t id,
    uint64_t unit, uint64_t row, struct journal_end *out);

/* The spool whose groups its last file is about, and the last group that it
 * has all of; zeros without a file. */
const uint8_t *journal_read_uuid(const struct journal_reader *r);
uint64_t journal_read_position(const struct journal_reader *r);

/* The groups of spool UUID that the files tell of: those behind *AFTER, up to
 * *UNTIL.  ERR_NOT_FOUND: there is no file about it. */
enum err journal_read_groups(struct journal_reader *r,
    const uint8_t uuid[16], uint64_t *after, uint64_t *until);

/* Bytes and indexes so far that could not be read. */
uint64_t journal_read_damaged(const struct journal_reader *r);

#endif
