/*
 * The index's environment: for the files that speak with LMDB.
 */
#ifndef MTAD_QUEUED_STORE_STORE_INDEX_PRIVATE_H
#define MTAD_QUEUED_STORE_STORE_INDEX_PRIVATE_H

#include "queued/store/store_index.h"

#include <lmdb.h>
#include <pthread.h>

/* Address space costs nothing, and growing would need a moment without any
 * transaction. */
#define MAP_BYTES ((size_t)256 << 30)

struct store_index {
	MDB_env *env;			/* NULL: closed, store_index_revive() */
	MDB_txn *reader;
	char *path;
	pthread_mutex_t gate;		/* held where another thread reads */
	MDB_dbi tables[STORE_TABLE_COUNT];
	unsigned depth;			/* of begin */
	int64_t begun_at_us;		/* the outermost */
	int64_t longest_us;
	uintptr_t low, high;		/* of what was read; high 0: nothing */
	uint64_t room_bytes;
};

extern const char *const store_index_names[STORE_TABLE_COUNT];

/* Of what LMDB says. */
enum err store_index_error(int rc);

#endif
