/*
 * Rows one after the other: scans, and cursors that stand at a place.
 */
#include "queued/store/store_index_private.h"

#include <stdlib.h>

/* ---- scans ---- */

enum err
store_index_scan(struct store_index *x, enum store_table table,
    struct span from,
    bool (*visit)(void *ctx, struct span key, struct span value), void *ctx)
{
	MDB_val k = store_index_val(from), v;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(x->reader, x->tables[table], &cursor);

	if (rc != 0)
		return store_index_outcome(x, rc);
	rc = mdb_cursor_get(cursor, &k, &v,
	    from.n > 0 ? MDB_SET_RANGE : MDB_FIRST);
	while (rc == 0 && visit(ctx, store_index_span(&k), store_index_seen(x, &v)))
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? OK : store_index_outcome(x, rc);
}

/* ---- cursors ---- */

struct store_cursor {
	struct store_index *x;
	MDB_cursor *mdb;
};

enum err
store_cursor_open(struct store_index *x, enum store_table table,
    struct store_cursor **out)
{
	struct store_cursor *c = malloc(sizeof(*c));
	int rc;

	if (c == NULL)
		return ERR_NOMEM;
	c->x = x;
	rc = mdb_cursor_open(x->reader, x->tables[table], &c->mdb);
	if (rc != 0) {
		free(c);
		return store_index_outcome(x, rc);
	}
	*out = c;
	return OK;
}

void
store_cursor_close(struct store_cursor **c)
{
	if (*c == NULL)
		return;
	mdb_cursor_close((*c)->mdb);
	free(*c);
	*c = NULL;
}

static enum err
get(struct store_cursor *c, MDB_val *k, MDB_val *v, MDB_cursor_op op,
    struct span *key, struct span *value)
{
	int rc = mdb_cursor_get(c->mdb, k, v, op);

	if (rc != 0)
		return store_index_outcome(c->x, rc);
	if (key != NULL)
		*key = store_index_span(k);
	*value = store_index_seen(c->x, v);
	return OK;
}

enum err
store_cursor_seek(struct store_cursor *c, struct span key,
    struct span *found, struct span *value)
{
	MDB_val k = store_index_val(key), v;

	return get(c, &k, &v, MDB_SET_RANGE, found, value);
}

enum err
store_cursor_next(struct store_cursor *c, struct span *key,
    struct span *value)
{
	MDB_val k, v;

	return get(c, &k, &v, MDB_NEXT, key, value);
}

enum err
store_cursor_seek_pair(struct store_cursor *c, struct span key,
    struct span from, struct span *value)
{
	MDB_val k = store_index_val(key), v = store_index_val(from);

	return get(c, &k, &v, MDB_GET_BOTH_RANGE, NULL, value);
}

enum err
store_cursor_next_pair(struct store_cursor *c, struct span *value)
{
	MDB_val k, v;

	return get(c, &k, &v, MDB_NEXT_DUP, NULL, value);
}

enum err
store_cursor_last_pair(struct store_cursor *c, struct span *value)
{
	MDB_val k, v;

	return get(c, &k, &v, MDB_LAST_DUP, NULL, value);
}

enum err
store_cursor_next_key(struct store_cursor *c, struct span *key,
    struct span *value)
{
	MDB_val k, v;

	return get(c, &k, &v, MDB_NEXT_NODUP, key, value);
}

/* Where it stands. */
uint64_t
store_cursor_pairs(struct store_cursor *c)
{
	size_t n = 0;

	return mdb_cursor_count(c->mdb, &n) == 0 ? n : 0;
}
