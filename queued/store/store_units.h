/*
 * Divides the recipients of a submission into units by their keys.
 */
#ifndef MTAD_QUEUED_STORE_STORE_UNITS_H
#define MTAD_QUEUED_STORE_STORE_UNITS_H

#include "common/base/siphash.h"
#include "common/mail/envelope.h"
#include "queued/store/store_write.h"

struct store_units {
	struct siphash_key seed;
	uint32_t count;
	struct buf keys;		/* u32 length and bytes of each */
	struct buf unit_of;		/* u32 of each recipient */
	/* by key, open addressing: a unit's number + 1 */
	uint32_t *table;
	size_t table_size;
	/* of each unit: where its key begins in keys, its recipients */
	struct store_units_row {
		size_t key_at;
		uint32_t recipients;
	} *rows;
	size_t rows_size;
};

/* SEED: a secret, or a sender could choose domains that collide. */
void store_units_init(struct store_units *u, const struct siphash_key *seed);
void store_units_clear(struct store_units *u);

/* Units are numbered in the order of their first recipients; a key with more
 * than STORE_UNIT_RECIPIENTS has several.  ERR_NOMEM, ERR_RANGE (a key). */
enum err store_units_divide(struct store_units *u, const struct envelope *e,
    const struct store_submission *sub);

#endif
