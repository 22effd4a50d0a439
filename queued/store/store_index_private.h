/*
 * The index's environment: for the files that speak with LMDB.
 */
#ifndef MTAD_QUEUED_STORE_STORE_INDEX_PRIVATE_H
#define MTAD_QUEUED_STORE_STORE_INDEX_PRIVATE_H

#include "common/base/wire.h"
#include "queued/store/store_index.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

/* Address space costs nothing, and growing would need a moment without any
 * transaction. */
#define MAP_BYTES ((size_t)256 << 30)

struct store_index {
	MDB_env *env;			/* NULL: closed, store_index_revive() */
	MDB_txn *reader;
	char *path;			/* of its directory */
	char *new_path;			/* of the file while it is built; NULL */
	pthread_mutex_t gate;		/* held where another thread reads */
	MDB_dbi tables[STORE_TABLE_COUNT];
	unsigned depth;			/* of begin */
	int64_t begun_at_us;		/* the outermost */
	int64_t longest_us;
	uintptr_t low, high;		/* of what was read; high 0: nothing */
	uint64_t room_bytes;
	atomic_bool is_damaged;		/* sticky: store_index_is_damaged() */
};

extern const char *const store_index_names[STORE_TABLE_COUNT];

/* What changes are: op and table, a byte each, key and value as spans. */
enum {
	STORE_INDEX_OP_PUT = 1, STORE_INDEX_OP_DELETE = 2,
	STORE_INDEX_OP_PUT_PAIR = 3, STORE_INDEX_OP_DELETE_PAIR = 4,
};

/* One change, of bytes that were gathered. */
int store_index_apply_op(struct store_index *x, MDB_txn *txn, struct wire *w);

/* Opens the environment, or closes it; 0, or what LMDB says. */
int store_index_open_env(struct store_index *x);
void store_index_close_env(struct store_index *x);

/* Of what LMDB says. */
enum err store_index_error(int rc);
/* The same, of a transaction; damage is noted. */
enum err store_index_outcome(struct store_index *x, int rc);

/* A row as it lies in the map, noted for store_index_trim(). */
struct span store_index_seen(struct store_index *x, const MDB_val *v);

/* LMDB does not write through what it is given. */
static inline MDB_val
store_index_val(struct span s)
{
	return (MDB_val){ .mv_size = s.n,
	    .mv_data = (void *)(uintptr_t)s.p };
}

static inline struct span
store_index_span(const MDB_val *v)
{
	return span_of(v->mv_data, v->mv_size);
}

#endif
