/*
 * LMDB writes whole pages and holds in memory all that a transaction changes.
 * Rows by time come in any order, and each message has terms in three or four
 * of a thousand places: put one by one as messages come, each of them costs
 * pages of its own, again and again.  Sorted, neighbours go to one page.
 *
 * A transaction is a piece of some thousand changes, which bounds its memory;
 * none of them is synced, for nobody believes the file before all are.
 */
#include "queued/store/store_index_build.h"

#include "common/base/check.h"
#include "queued/store/store_index_file.h"
#include "queued/store/store_index_private.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 4096, STRETCH = 16 * PIECE, PREFIX_BYTES = 7 };

/* A change among those that are sorted. */
struct item {
	uint64_t prefix;		/* its table, and how its key begins */
	struct span key, value;
};

bool
store_index_is_new(const struct store_index *x)
{
	return x->new_path != NULL;
}

void
store_index_finish(struct store_index *x)
{
	MUST(x->depth == 0);
	store_index_close_env(x);
	free(x->new_path);
	x->new_path = NULL;
	/* nobody waited for these */
	x->longest_us = 0;
}

/* Opened anew, so that the pages of the map leave memory (I-04). */
static enum err
end_run(struct store_index *x, int rc)
{
	enum err e = store_index_outcome(x, rc);

	return e == OK ? store_index_reopen(x) : e;
}

/* ---- rows ---- */

static int
begin_piece(struct store_index *x, MDB_txn **txn)
{
	return x->env == NULL ? MDB_PANIC :
	    mdb_txn_begin(x->env, NULL, 0, txn);
}

static bool
is_derived(struct span op)
{
	return op.n > 1 && (op.p[1] == STORE_TABLE_DUE ||
	    op.p[1] == STORE_TABLE_TERM);
}

static void
skip(struct wire *w)
{
	uint8_t op = wire_u8(w);

	(void)wire_u8(w);
	(void)wire_span(w, w->n);
	if (op != STORE_INDEX_OP_DELETE)
		(void)wire_span(w, w->n);
}

static int
apply_piece(struct store_index *x, struct wire *w)
{
	MDB_txn *txn;
	int rc = begin_piece(x, &txn);

	if (rc != 0)
		return rc;
	for (int n = 0; n < PIECE && rc == 0 && wire_more(w);) {
		if (is_derived(span_of(w->p, w->n))) {
			skip(w);
			continue;
		}
		rc = store_index_apply_op(x, txn, w);
		n++;
	}
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

enum err
store_index_build_rows(struct store_index *x, struct span ops)
{
	struct wire w;
	int rc = 0;

	wire_init(&w, ops);
	while (rc == 0 && wire_more(&w))
		rc = apply_piece(x, &w);
	return end_run(x, rc);
}

/* ---- in order ---- */

static uint64_t
prefix_of(uint8_t table, struct span key)
{
	uint64_t prefix = table;

	for (size_t i = 0; i < PREFIX_BYTES; i++)
		prefix = prefix << 8 | (i < key.n ? key.p[i] : 0);
	return prefix;
}

static int
compare_spans(struct span a, struct span b)
{
	int rc = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return rc != 0 || a.n == b.n ? rc : a.n < b.n ? -1 : 1;
}

static int
compare(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	int rc;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	rc = compare_spans(a->key, b->key);
	if (rc != 0)
		return rc;
	/* pairs were gathered in the order of ids, nearly that of values */
	return a->value.p < b->value.p ? -1 : a->value.p > b->value.p;
}

static size_t
count(struct span ops)
{
	struct wire w;
	size_t n = 0;

	wire_init(&w, ops);
	for (; wire_more(&w); n++)
		skip(&w);
	return n;
}

static void
read_items(struct span ops, struct item *items)
{
	struct wire w;

	wire_init(&w, ops);
	for (; wire_more(&w); items++) {
		uint8_t op = wire_u8(&w), table = wire_u8(&w);

		items->key = wire_span(&w, w.n);
		items->value = wire_span(&w, w.n);
		items->prefix = prefix_of(table, items->key);
		/* what is gathered here only comes, none of it goes */
		MUST(!w.is_failed && (op == STORE_INDEX_OP_PUT ||
		    op == STORE_INDEX_OP_PUT_PAIR) &&
		    table < STORE_TABLE_COUNT);
	}
}

/* At the end of its key's pairs, where ids that grow belong: so pages are full.
 * LMDB says so if it belongs elsewhere, or is there. */
static int
put(struct store_index *x, MDB_txn *txn, const struct item *item)
{
	size_t table = item->prefix >> 8 * PREFIX_BYTES;
	MDB_val k = store_index_val(item->key);
	MDB_val v = store_index_val(item->value);
	int rc;

	if (table != STORE_TABLE_TERM)
		return mdb_put(txn, x->tables[table], &k, &v, 0);
	rc = mdb_put(txn, x->tables[table], &k, &v, MDB_APPENDDUP);
	if (rc != MDB_KEYEXIST)
		return rc;
	v = store_index_val(item->value);
	rc = mdb_put(txn, x->tables[table], &k, &v, MDB_NODUPDATA);
	return rc == MDB_KEYEXIST ? 0 : rc;
}

static int
put_piece(struct store_index *x, const struct item *items, size_t n)
{
	MDB_txn *txn;
	int rc = begin_piece(x, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put(x, txn, &items[i]);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static enum err
put_stretch(struct store_index *x, const struct item *items, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i += PIECE)
		rc = put_piece(x, items + i, n - i < PIECE ? n - i : PIECE);
	return end_run(x, rc);
}

enum err
store_index_build_sorted(struct store_index *x, struct span ops)
{
	size_t n = count(ops);
	struct item *items = n == 0 ? NULL : calloc(n, sizeof(*items));
	enum err e = OK;

	if (n == 0)
		return OK;
	if (items == NULL)
		return ERR_NOMEM;
	read_items(ops, items);
	qsort(items, n, sizeof(*items), compare);
	for (size_t i = 0; i < n && e == OK; i += STRETCH)
		e = put_stretch(x, items + i,
		    n - i < STRETCH ? n - i : STRETCH);
	free(items);
	return e;
}
