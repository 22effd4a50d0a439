/*
 * Records of the log [pure]: what a group says about messages.
 *
 * A record is a head of STORE_RECORD_HEAD bytes, fields, and content (of a
 * message only).  The head's CRC-32C covers head and fields, among them the
 * CRC-32C of the content; docs/SPOOL.md has every byte.  Spans that a reader
 * gives are borrowed from the bytes it reads.
 */
#ifndef MTAD_QUEUED_STORE_STORE_RECORD_H
#define MTAD_QUEUED_STORE_STORE_RECORD_H

#include "common/base/wire.h"
#include "queued/store/store_write.h"

enum {
	STORE_RECORD_HEAD = 32, STORE_HISTORY_MAX = 64 * 1024,
	/* longer words are cut */
	STORE_STATUS_MAX = 64, STORE_TEXT_MAX = 4096, STORE_HOST_MAX = 1024,
};

enum store_record_type {	/* part of the format: never renumber */
	STORE_RECORD_MESSAGE = 1,
	STORE_RECORD_VERDICT = 2,
	STORE_RECORD_LEASE = 3,
	STORE_RECORD_HOLD = 4,
	STORE_RECORD_RESCHEDULE = 5,
	STORE_RECORD_MOVED = 6,		/* by compaction; store_move.h */
	STORE_RECORD_DESTINATION = 7,	/* not written yet */
	STORE_RECORD_DEAD = 8, STORE_RECORD_NOTE = 9,	/* store_note.h */
	STORE_RECORD_BEGUN = 10,	/* store_list.h */
};

enum { STORE_RECORD_SKIPPABLE = 1 };	/* in flags: by who knows no such */
struct store_record {
	uint8_t type;
	uint16_t flags;
	uint32_t generation;	/* of a moved message: the highest counts */
	uint64_t id;
	struct span fields;
	struct span content;
	uint32_t content_crc;
	uint32_t head_crc;
	size_t size;		/* all of it */
};

/* Makes room for a head in OUT and returns its offset; fields and then
 * CONTENT_BYTES of content are appended; end() fills the head in. */
size_t store_record_begin(struct buf *out);
void store_record_end(struct buf *out, size_t at, enum store_record_type type,
    uint64_t id, size_t content_bytes);
/* A message's; GENERATION 0: not moved. */
void store_record_end_message(struct buf *out, size_t at, uint32_t generation,
    bool has_list, uint64_t id, size_t content_bytes);

/* Takes the first record off *REST; its head's CRC is checked, not the
 * content's.  ERR_CORRUPT, ERR_VERSION. */
enum err store_record_next(struct span *rest, struct store_record *out);
bool store_record_content_ok(const struct store_record *r);
/* By its head alone, not checked. */
size_t store_record_size(struct span head);

/* Fields of a message.  Each recipient of the envelope, in order, belongs to
 * the unit that unit_of says (u32 little-endian each; empty when there is one
 * unit only); KEYS are the units' keys, encoded. */
struct store_record_message {
	uint64_t token;
	uint64_t arrived_at;
	uint8_t content_flags;
	bool is_report;
	bool is_file;
	uint32_t trace_bytes;
	uint64_t body_bytes;
	uint32_t file_crc;		/* of its file's table */
	struct span envelope;
	uint32_t unit_count;
	struct span keys;
	struct span unit_of;
	struct store_list list;
};

void store_record_put_message(struct buf *out,
    const struct store_record_message *m);
enum err store_record_get_message(struct span fields,
    struct store_record_message *out);

/* Fields of a moved message: those above (no token, no keys, an envelope that
 * is the head alone), what became of it since, and the rows of its units that
 * are not settled, each as in the index behind its number. */
struct store_record_moved {
	struct store_record_message message;
	uint32_t recipients;		/* it came with */
	bool is_held, is_warned, is_quarantined, is_released;
	uint32_t row_count;
	struct span rows;
};

/* But for ROWS: the caller appends them, each as number and span. */
void store_record_put_moved(struct buf *out,
    const struct store_record_moved *m);
enum err store_record_get_moved(struct span fields,
    struct store_record_moved *out);
/* The first of a checked record's rows, which is taken off *REST. */
struct span store_record_next_row(struct span *rest, uint32_t *unit);

/* Of one unit's fields: *UNIT, and V, whose results are decoded into RESULTS,
 * which has STORE_UNIT_RECIPIENTS rows. */
void store_record_put_verdict(struct buf *out, uint32_t unit,
    const struct store_verdict *v);
enum err store_record_get_verdict(struct span fields, uint32_t *unit,
    struct store_result *results, struct store_verdict *out);

/* A lease note (value: the lease) or a reschedule (value: due_at). */
void store_record_put_unit(struct buf *out, uint32_t unit, uint64_t value);
enum err store_record_get_unit(struct span fields, uint32_t *unit,
    uint64_t *value);

void store_record_put_hold(struct buf *out, bool is_held);
enum err store_record_get_hold(struct span fields, bool *is_held);

#endif
