/*
 * Group buffers: the open one's memory, and those written lately, from which
 * messages are leased without a read.
 *
 * A buffer that nobody wants any more is used again; when all together pass
 * the ceiling, the oldest goes.  Both happen in store_cache_trim() only, so
 * that spans of contents stay valid until the next store_flush().
 */
#ifndef MTAD_QUEUED_STORE_STORE_CACHE_H
#define MTAD_QUEUED_STORE_STORE_CACHE_H

#include "common/base/buf.h"
#include "common/base/list.h"

enum { STORE_CACHE_RING = 4096, STORE_CACHE_SPARE = 4 };

/* Segments whose messages some verdicts are about: numbers, no order. */
struct store_numbers {
	uint64_t *p;
	size_t n;
	size_t size;
};

struct store_group_buf {
	struct list link;
	struct buf bytes;
	uint64_t number;		/* sequence, once handed over */
	uint64_t segment;
	uint64_t offset;
	size_t records_bytes;		/* once handed over */
	uint32_t sum;
	size_t wanted;			/* messages that may be leased from it */
	struct list born;		/* struct message, while open */
	struct list moves;		/* struct store_move, until synced */
	struct store_numbers settles;	/* segments of messages judged here */
	bool needs_sync;		/* more than verdicts */
	bool is_kept;			/* by the cache: synced */
	int64_t handed_at_ms;
};

struct store_cache {
	struct list kept;		/* synced, oldest first */
	struct list spare;
	size_t spare_count;
	size_t bytes;			/* of kept ones */
	size_t max;
	struct store_group_buf *ring[STORE_CACHE_RING];
};

void store_cache_init(struct store_cache *c, size_t max_bytes);
void store_cache_clear(struct store_cache *c);

/* An empty group; the caller's until it is kept or given back.  NULL: no
 * memory. */
struct store_group_buf *store_cache_take(struct store_cache *c);
void store_cache_give_back(struct store_cache *c, struct store_group_buf *g);

/* From the hand-over on its messages are found by number ... */
void store_cache_show(struct store_cache *c, struct store_group_buf *g);

/* ... and once it is synced it belongs to the cache. */
void store_cache_keep(struct store_cache *c, struct store_group_buf *g);

/* NULL when it is not here any more. */
struct store_group_buf *store_cache_find(const struct store_cache *c,
    uint64_t number);

/* One message less that may be leased from group NUMBER. */
void store_cache_let_go(struct store_cache *c, uint64_t number);

void store_cache_trim(struct store_cache *c);

/* Adds NUMBER unless it is there; ERR_NOMEM. */
enum err store_numbers_add(struct store_numbers *set, uint64_t number);
/* Room for a few more: adding them cannot fail.  ERR_NOMEM. */
enum err store_numbers_reserve(struct store_numbers *set);
void store_numbers_remove(struct store_numbers *set, uint64_t number);
void store_numbers_clear(struct store_numbers *set);

#endif
