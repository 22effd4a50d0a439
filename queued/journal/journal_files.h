/*
 * The journal's directory: numbered files of records, an index for each that
 * is closed, the oldest removed by age and by bytes.
 *
 * One thread at a time has it: the journal's own, or whoever only reads.  A
 * file is written by one life of queued only; its successor's head says how
 * many of its bytes are valid, so nothing is ever cut off.
 */
#ifndef MTAD_QUEUED_JOURNAL_JOURNAL_FILES_H
#define MTAD_QUEUED_JOURNAL_JOURNAL_FILES_H

#include "common/base/buf.h"
#include "queued/store/store_io.h"

#include <stdbool.h>

/* A row of the table, oldest first. */
struct journal_file {
	uint64_t number;
	uint64_t begun_at;	/* wall ms */
	uint64_t valid;		/* bytes that count, head included */
	uint64_t low, high;	/* ids in it, once it has an index */
	uint32_t count;		/* entries of its index */
	bool has_head;		/* that can be read */
	bool has_index;		/* closed, and its index was found good */
	bool is_checked;	/* all sums of the index, too */
};

struct journal_files {
	const struct store_io *io;
	int dir_fd;		/* -1: there is none */
	int fd;			/* of the last file, while it is written */
	bool is_writer;
	struct journal_file *rows;
	size_t n, size;
	uint8_t uuid[16];	/* of the spool; of the last file's head */
	bool has_uuid;		/* it was told, or a head could be read */
	uint64_t position;	/* all up to this group is in it */
	uint64_t damaged;	/* bytes and indexes that could not be read */
	/* bounds; may be changed at any time */
	uint64_t bytes_max;	/* of all files together */
	uint64_t keep_ms;
};

/* Opens SPOOL's directory `history'; a writer makes it.  A reader may have no
 * directory: it then has no file.  POSITION is that of the last file, 0 when
 * it belongs to a spool with another UUID. */
enum err journal_files_open(int spool_fd, const struct store_io *io,
    bool is_writer, struct journal_files *f);
void journal_files_close(struct journal_files *f);
void journal_files_set_uuid(struct journal_files *f, const uint8_t uuid[16]);

/* Appends BYTES, records with a mark at their end, and syncs; POSITION is
 * GROUP then.  On failure nothing of it counts; the next append begins another
 * file. */
enum err journal_files_append(struct journal_files *f, struct span bytes,
    uint64_t group, uint64_t now);

/* Makes one missing index and removes what is too old or too much.  True when
 * there is more to do. */
bool journal_files_tidy(struct journal_files *f, uint64_t now);

/* Removes the oldest file, for room; false when there is none but the last. */
bool journal_files_shed(struct journal_files *f);

/* Bytes of all files and indexes. */
uint64_t journal_files_bytes(const struct journal_files *f);

/* Opens a file, or its index, for reading; -1. */
int journal_files_read(const struct journal_files *f, uint64_t number,
    const char *ending);

#endif
