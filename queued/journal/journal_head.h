/*
 * Heads of the journal's files [pure], and entries of their indexes.
 *
 * docs/HISTORY.md has every byte.  All sums are CRC-32C, all numbers
 * little-endian.
 */
#ifndef MTAD_QUEUED_JOURNAL_JOURNAL_HEAD_H
#define MTAD_QUEUED_JOURNAL_JOURNAL_HEAD_H

#include "common/base/buf.h"

enum {
	JOURNAL_FILE_HEAD = 64,		/* of either kind of file */
	JOURNAL_ENTRY = 12,
	JOURNAL_NAME_SIZE = 21,		/* "0000000000000001.log" and a NUL */
};

/* Of a file of records. */
struct journal_head {
	uint64_t number;	/* also its name; grows */
	uint64_t begun_at;	/* wall ms */
	uint8_t uuid[16];	/* of the spool */
	uint64_t group;		/* all up to it stands in earlier files */
	uint64_t previous;	/* valid bytes of the file before; 0: none */
};

void journal_head_put(struct buf *out, const struct journal_head *h);
/* ERR_CORRUPT, ERR_VERSION. */
enum err journal_head_get(struct span bytes, struct journal_head *out);

/* Of the index of a file: its entries follow, sorted by id and offset. */
struct journal_index_head {
	uint64_t number;
	uint64_t valid;		/* bytes of the file that count */
	uint64_t low, high;	/* ids; low above high: there are none */
	uint32_t count;		/* entries */
	uint32_t sum;		/* of all entries */
};

void journal_index_head_put(struct buf *out,
    const struct journal_index_head *h);
enum err journal_index_head_get(struct span bytes,
    struct journal_index_head *out);

struct journal_entry {
	uint64_t id;
	uint32_t offset;	/* of a record */
};

void journal_entry_put(struct buf *out, const struct journal_entry *e);
struct journal_entry journal_entry_get(const uint8_t bytes[JOURNAL_ENTRY]);

/* Writes the name of file NUMBER ("log") or of its index ("idx"). */
void journal_name(uint64_t number, const char *ending,
    char out[JOURNAL_NAME_SIZE]);
/* False: it is no file of records. */
bool journal_name_number(const char *name, uint64_t *out);
/* One of records, or its index. */
bool journal_name_is_one(const char *name);

#endif
