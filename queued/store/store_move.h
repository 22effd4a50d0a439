/*
 * Messages that move to the end of the log, so that their segment can go.
 *
 * A moved record holds all that there is of a message: what its first record
 * said, and what became of it since.  So nothing older about it is needed.
 * It counts where the record lies from the hand-over of its group on, but is
 * read at its old place until that group is synced; if the group fails, a
 * rescue carries the record into another one.
 */
#ifndef MTAD_QUEUED_STORE_STORE_MOVE_H
#define MTAD_QUEUED_STORE_STORE_MOVE_H

#include "queued/store/store_private.h"

struct store_move {
	struct list link;		/* of its group */
	struct message *message;
	uint32_t group_offset;		/* of the content, in the group */
	uint32_t record_bytes;
	bool is_placed;			/* handed over: these are set */
	uint64_t from_segment;
	uint64_t from_offset;
	uint32_t from_bytes;
};

/* What a moved record may hold beside the content. */
enum { STORE_MOVE_UNITS = 4096, STORE_MOVE_ROWS = 8 << 20 };

/* Appends M, which is placed and not moving, with its CONTENT.  ERR_CORRUPT:
 * content or rows are damaged; ERR_RANGE: too large to be moved; ERR_NOMEM,
 * ERR_IO.  On failure nothing changed. */
enum err store_move_append(struct store *s, struct message *m,
    struct span content);

/* G is about to be written in SEG: its messages count there. */
void store_move_place(struct store *s, struct store_group_buf *g,
    struct store_segment *seg);

/* G is synced: its messages are read there. */
void store_move_synced(struct store *s, struct store_group_buf *g);

/* A rescue carries the record of message ID over to TO, where its content is
 * AT: from now on it is as if it had been appended there. */
void store_move_carry(struct store *s, uint64_t id,
    struct store_group_buf *to, size_t at);

/* The store ends: forgets them. */
void store_move_drop(struct store_group_buf *g);

/* Where M's content can be read now. */
void store_move_source(const struct message *m, uint64_t *segment,
    uint64_t *offset);

#endif
