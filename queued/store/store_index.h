/*
 * The index: LMDB behind one door.
 *
 * Changes are gathered as bytes (store_index_put(), store_index_delete()) and
 * applied in one transaction by whichever thread holds those bytes; reading
 * is for the owner's thread only.  It is derived from the log and may be set
 * aside and made again at any time.
 */
#ifndef MTAD_QUEUED_STORE_STORE_INDEX_H
#define MTAD_QUEUED_STORE_STORE_INDEX_H

#include "common/base/buf.h"

struct store_index;
struct store_row_key;

enum store_table {
	STORE_TABLE_META, STORE_TABLE_MESSAGE, STORE_TABLE_UNIT,
	STORE_TABLE_DUE, STORE_TABLE_SEGMENT,
	STORE_TABLE_TERM,		/* of pairs: many values of one size a key */
	STORE_TABLE_COUNT
};

/* ROOM_BYTES beyond its end are kept allocated.  ERR_CORRUPT, ERR_VERSION:
 * set it aside; ERR_FULL, ERR_IO, ERR_NOMEM. */
enum err store_index_open(const char *path, uint64_t room_bytes,
    struct store_index **out, struct why *why);
void store_index_close(struct store_index **x);

/* After a failed apply, in the owner's thread, outside of any reading: when
 * LMDB will not go on after it, it is opened anew.  On failure nothing can be
 * read or applied (ERR_IO) until a later call succeeds. */
enum err store_index_revive(struct store_index *x);

/* For reading alone; nothing is written.  IS_LIVE: another process has it open
 * for writing.  Errors as above. */
enum err store_index_open_to_read(const char *path, bool is_live,
    struct store_index **out, struct why *why);

/* Its file, by LMDB's own account. */
struct store_index_size {
	uint64_t file_bytes;
	uint64_t used_bytes;
	uint64_t free_bytes;		/* inside, to be used again */
};
enum err store_index_size(struct store_index *x, struct store_index_size *out);

/* Writes a whole, compact copy to FD, by any one thread; what is committed
 * meanwhile is not in it. */
enum err store_index_copy(struct store_index *x, int fd);

/* Slots of readers whose process died are free again. */
void store_index_forget_dead(struct store_index *x);

/* gathering: begin, append the value to OPS, end */
size_t store_index_put(struct buf *ops, enum store_table table,
    const struct store_row_key *key);
void store_index_put_end(struct buf *ops, size_t at);
void store_index_delete(struct buf *ops, enum store_table table,
    const struct store_row_key *key);

/* the same in a table of pairs */
void store_index_put_pair(struct buf *ops, enum store_table table,
    struct span key, struct span value);
void store_index_delete_pair(struct buf *ops, enum store_table table,
    struct span key, struct span value);

/* All or nothing, durable on return.  Any thread, one at a time. */
enum err store_index_apply(struct store_index *x, struct span ops);

/* reading: between begin and end, which may be nested; what is given is
 * borrowed until the outermost end */
enum err store_index_begin(struct store_index *x);
void store_index_end(struct store_index *x);
enum err store_index_get(struct store_index *x, enum store_table table,
    struct span key, struct span *value);

/* For a thread that is not the owner's: appends a copy of the row to OUT, which
 * is as of the last check-point. */
enum err store_index_peek(struct store_index *x, enum store_table table,
    struct span key, struct buf *out);

/* Rows of TABLE from the first whose key is not below FROM on, until VISIT
 * returns false. */
enum err store_index_scan(struct store_index *x, enum store_table table,
    struct span from,
    bool (*visit)(void *ctx, struct span key, struct span value), void *ctx);

/* A place in a table, until the outermost end.  ERR_NOT_FOUND: its end. */
struct store_cursor;
enum err store_cursor_open(struct store_index *x, enum store_table table,
    struct store_cursor **out);
void store_cursor_close(struct store_cursor **c);
/* The first row whose key is not below KEY; the next one. */
enum err store_cursor_seek(struct store_cursor *c, struct span key,
    struct span *found, struct span *value);
enum err store_cursor_next(struct store_cursor *c, struct span *key,
    struct span *value);
/* Pairs: the first not below FROM, the next, the last one, how many; a key's. */
enum err store_cursor_seek_pair(struct store_cursor *c, struct span key,
    struct span from, struct span *value);
enum err store_cursor_next_pair(struct store_cursor *c, struct span *value);
enum err store_cursor_last_pair(struct store_cursor *c, struct span *value);
enum err store_cursor_next_key(struct store_cursor *c, struct span *key,
    struct span *value);
uint64_t store_cursor_pairs(struct store_cursor *c);

/* Pages that were read leave our memory (I-04).  Not between begin and end. */
void store_index_trim(struct store_index *x);

/* The longest time between an outermost begin and its end so far. */
int64_t store_index_longest_us(const struct store_index *x);

/* Options in force that could lose a commit or end the process; 0: none. */
unsigned store_index_risks(const struct store_index *x);

/* Key and value of what the index says of itself. */
struct span store_index_meta_key(void);

#endif
