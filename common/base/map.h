/*
 * Hash maps to borrowed objects: by a 64-bit number, or by bytes.
 *
 * Seeded (SipHash), open addressing, growing and shrinking by themselves.  A
 * map owns neither its objects nor their keys.  A map by bytes asks its
 * objects for their key, which must not change while they are in the map.
 * Objects are never NULL.  Adding may fail with ERR_NOMEM and then changes
 * nothing; everything else cannot fail.
 */
#ifndef MTAD_BASE_MAP_H
#define MTAD_BASE_MAP_H

#include "common/base/err.h"
#include "common/base/siphash.h"
#include "common/base/span.h"

struct map_slot;

/* The common part; look at it through the functions only. */
struct map_table {
	struct siphash_key seed;
	struct map_slot *slots;
	size_t size;		/* slots: 0 or a power of two */
	size_t live;		/* objects */
	size_t used;		/* objects and graves */
};

struct map_u64 {
	struct map_table table;
};

struct map_span {
	struct map_table table;
	struct span (*key_of)(const void *object);
};

/* life: init allocates nothing; clear frees the table, not the objects */
void map_u64_init(struct map_u64 *m, const struct siphash_key *seed);
void map_u64_clear(struct map_u64 *m);
void map_span_init(struct map_span *m, const struct siphash_key *seed,
    struct span (*key_of)(const void *object));
void map_span_clear(struct map_span *m);

/* OK, ERR_EXISTS (the map keeps what it had), ERR_NOMEM. */
enum err map_u64_add(struct map_u64 *m, uint64_t key, void *object);
enum err map_span_add(struct map_span *m, void *object);

/* The object, or NULL. */
void *map_u64_get(const struct map_u64 *m, uint64_t key);
void *map_span_get(const struct map_span *m, struct span key);

/* Takes the object out and gives it; NULL when there is none. */
void *map_u64_remove(struct map_u64 *m, uint64_t key);
void *map_span_remove(struct map_span *m, struct span key);

/*
 * Walks in no order: start with *CURSOR = 0; NULL at the end.  Any object may
 * be removed during a walk; adding during a walk is not allowed.
 */
void *map_u64_next(const struct map_u64 *m, size_t *cursor);
void *map_u64_next_key(const struct map_u64 *m, size_t *cursor, uint64_t *key);
void *map_span_next(const struct map_span *m, size_t *cursor);

static inline size_t
map_u64_count(const struct map_u64 *m)
{
	return m->table.live;
}

static inline size_t
map_span_count(const struct map_span *m)
{
	return m->table.live;
}

#endif
