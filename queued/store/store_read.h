/*
 * Reading the store: units by time, messages by id, contents by offset.
 *
 * Index and memory are joined at one position; memory wins.  Nothing here
 * keeps a read transaction open after it returned.
 */
#ifndef MTAD_QUEUED_STORE_STORE_READ_H
#define MTAD_QUEUED_STORE_STORE_READ_H

#include "common/base/buf.h"
#include "queued/store/store.h"

/* In memory, else NULL. */
struct store_unit *store_find_unit(const struct store *s, uint64_t id,
    uint32_t number);

/* Of a message in memory, settled ones too; 0: it is not there. */
uint32_t store_count_units(const struct store *s, uint64_t id);

/* Recipients of units in memory, beyond the first of each. */
uint64_t store_more_here(const struct store *s);

/* Into memory (or as it is there).  ERR_NOT_FOUND when settled or unknown,
 * ERR_CORRUPT when its index row is damaged (noticed, skipped). */
enum err store_load_unit(struct store *s, uint64_t id, uint32_t number,
    struct store_unit **out);

/* Out of memory again; ERR_AGAIN while the index lags behind it. */
enum err store_unload_unit(struct store *s, struct store_unit **unit);

/* The same, but a unit that the index lags behind goes as soon as it may: it
 * is the store's until then, and can be loaded again. */
void store_yield_unit(struct store *s, struct store_unit **unit);

/* A row of the time index, of a unit that is NOT in memory. */
struct store_due {
	uint64_t due_at;
	uint64_t id;
	uint32_t unit;
	uint64_t key_hash;		/* store_key_hash() */
	uint64_t arrived_at;
	bool is_held;
};

uint64_t store_key_hash(struct span key);

/* Rows after *CURSOR (all zero: from the first) with due_at <= UNTIL, in
 * order, at most *LOOKS looked at, those of units in memory among them; what is
 * left of it stands there afterwards.  VISIT returns false to stop.  *CURSOR is
 * left at the last row seen; false when there is no further row. */
bool store_due_scan(struct store *s, struct store_due *cursor, uint64_t until,
    size_t *looks, bool (*visit)(void *ctx, const struct store_due *row),
    void *ctx);

/* A message and its units, for people: borrowed for the call.  UNITS are
 * those not settled, NULL-terminated; at most 1,000 of them are shown. */
typedef bool store_visit(void *ctx, const struct store_message *m,
    struct store_unit *const *units);

/* Messages with id > AFTER in order of id, at most MAX; returns the last id
 * seen, UINT64_MAX at the end.  VISIT returns false to stop. */
uint64_t store_walk(struct store *s, uint64_t after, size_t max,
    store_visit *visit, void *ctx);

/* One message by id, the same way. */
enum err store_show(struct store *s, uint64_t id, store_visit *visit,
    void *ctx);

/* Appends at most N bytes of the content from OFFSET (trace header, then body)
 * to OUT; their checksums are verified, ERR_CORRUPT otherwise.  The inline
 * content is read whole whatever N is. */
enum err store_content(struct store *s, const struct store_message *m,
    uint64_t offset, size_t n, struct buf *out);

struct message;

/* M's stored bytes are damaged: tells so, once, and remembers it. */
void store_read_quarantine(struct store *s, struct message *m);

/* The whole inline content without a copy when it is still in memory, valid
 * until the next store_flush(); an empty span when it is not. */
struct span store_content_cached(const struct store *s,
    const struct store_message *m);

#endif
