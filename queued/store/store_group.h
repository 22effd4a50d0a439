/*
 * Groups of the log [pure]: head, records, tail, padding to a block.
 *
 * A group is the transaction: it counts whole or not at all.  Its tail holds a
 * CRC-32C over head and all records' heads (which hold those of the contents);
 * that sum stands in the next group's head, the chain.  The first group of a
 * segment names the segment before it and how many of its bytes are valid: it
 * is that segment's seal.  docs/SPOOL.md has every byte.
 */
#ifndef MTAD_QUEUED_STORE_STORE_GROUP_H
#define MTAD_QUEUED_STORE_STORE_GROUP_H

#include "common/base/buf.h"
#include "queued/store/store_record.h"

enum { STORE_BLOCK = 4096, STORE_GROUP_HEAD = 96, STORE_GROUP_TAIL = 16 };

/* Most bytes of a whole group, padding and all. */
#define STORE_GROUP_MAX ((size_t)64 << 20)

struct store_group_head {
	uint64_t sequence;	/* grows by one, by more after a failed write */
	uint64_t segment;	/* where it lies; stale bytes say otherwise */
	uint64_t offset;
	uint64_t synced;	/* sequence known to be synced at that time */
	uint64_t written_at;	/* wall ms */
	uint64_t start;		/* of the spool, by number */
	uint64_t previous_segment;	/* seal, when offset is 0; 0: none */
	uint64_t previous_length;
	uint32_t chain;		/* sum of the group before */
	uint32_t length;	/* bytes of records; store_group_end() says */
	uint32_t records;	/* likewise */
	uint32_t flags;
};

/* In flags: the previous segment has bytes behind its valid ones (a crash, a
 * failed write), so it must never be read without this seal. */
enum { STORE_GROUP_CUTS = 1 };

/* Begins an empty group in OUT, whose bytes it drops. */
void store_group_begin(struct buf *out);

/* Fills in head (length and records too) and tail; pads.  *SUM is the chain
 * for the next one.  ERR_NOMEM when OUT failed. */
enum err store_group_end(struct buf *out, struct store_group_head *head,
    uint32_t *sum);

/* Of the first STORE_GROUP_HEAD bytes; ERR_CORRUPT, ERR_VERSION. */
enum err store_group_get_head(struct span bytes, struct store_group_head *out);

/* Padding and all. */
size_t store_group_size(const struct store_group_head *head);

/* Checks every CRC of a whole group whose head was got; ERR_CORRUPT,
 * ERR_VERSION (of a record). */
enum err store_group_check(struct span group,
    const struct store_group_head *head, uint32_t *sum);

/* The records of a whole group, for store_record_next(). */
struct span store_group_records(struct span group,
    const struct store_group_head *head);

#endif
