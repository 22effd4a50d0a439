/*
 * Messages and units inside the store: what store_message.h shows of them, and
 * what the store needs to keep them.
 */
#ifndef MTAD_QUEUED_STORE_STORE_OBJECT_H
#define MTAD_QUEUED_STORE_STORE_OBJECT_H

#include "common/base/err.h"
#include "common/base/list.h"
#include "queued/store/store_message.h"

struct store_move;

#define STORE_DUE_HELD (UINT64_C(1) << 63)	/* in due keys: sorted last */

/* What the index has of a unit: its row, and its row by time. */
struct store_rows {
	bool has;
	uint64_t due;
};

struct unit {
	struct store_unit pub;
	struct list dirty;		/* changed since the last freeze */
	struct list frozen;		/* stands in the frozen overlay */
	struct store_rows now;		/* in the index */
	struct store_rows next;		/* … once the frozen overlay is */
	uint8_t *words;			/* owned: last words of recipients */
	bool is_gone;			/* settled; a tombstone */
	bool is_ours;			/* loaded by the store, for itself */
	bool is_separate;		/* its own allocation */
	bool has_verdict;		/* since its record was written or read */
};

struct message {
	struct store_message pub;
	struct list dirty;
	struct list frozen;
	struct list born;		/* of the open group */
	struct list fresh;		/* no row in the index; by id */
	struct list held;		/* the index may miss the hold; by id */
	uint64_t token;
	uint64_t group;			/* that holds its content; 0: unknown */
	uint32_t group_offset;		/* there */
	uint32_t content_crc;
	uint32_t file_crc;
	uint32_t record_bytes;
	uint32_t generation;		/* of its record: how often it moved */
	struct store_move *move;	/* under way; NULL */
	uint32_t units_left;
	uint32_t units_here;		/* pointers in units */
	uint32_t refs;			/* other reasons to keep it */
	struct unit **units;		/* by number; NULL: not in memory */
	bool has_row;			/* in the index */
	bool next_has_row;		/* ... once the frozen overlay is */
	bool is_held_row;		/* the index finds it by its hold */
	bool next_is_held_row;
	bool is_placed;			/* its segment is known, it counts there */
	bool is_gone;
};

/* A message by itself as PROBE says, whose envelope (and the sender, a part of
 * it) is copied; the caller's, by free().  ERR_NOMEM. */
enum err store_object_message(const struct message *probe,
    struct message **out);

#endif
