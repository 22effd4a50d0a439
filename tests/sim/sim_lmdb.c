/*
 * LMDB as far as the store uses it: tables as sorted arrays, a transaction
 * that counts all at once.  What was committed is there after any crash, as
 * LMDB promises; what was not is not.  store_index.c above it is the real one.
 */
#include "common/base/check.h"
#include "common/base/span.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_disk.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

enum { TABLES = 16 };

struct row {
	size_t key_bytes, bytes;
	uint8_t p[];			/* key, value */
};

struct table {
	struct row **rows;		/* by key, or by key and value */
	size_t n, size;
	bool has_pairs;			/* several values of a key */
};

struct sim_tables {
	const char *names[TABLES];	/* literals of the caller */
	struct table tables[TABLES];
};

struct MDB_env {
	struct sim_tables *tables;
};

/* A change of an open transaction. */
struct op {
	struct op *next;
	MDB_dbi table;
	bool is_put;			/* else its key, or the pair, goes */
	struct row *row;
};

struct MDB_txn {
	struct sim_tables *tables;
	struct op *first, **last;
};

struct MDB_cursor {
	const struct table *table;
	size_t at;
};

/* ---- tables ---- */

struct sim_tables *
sim_tables_new(void)
{
	struct sim_tables *t = calloc(1, sizeof(*t));

	MUST(t != NULL);
	return t;
}

void
sim_tables_free(struct sim_tables **t)
{
	if (*t == NULL)
		return;
	for (size_t i = 0; i < TABLES; i++) {
		for (size_t k = 0; k < (*t)->tables[i].n; k++)
			free((*t)->tables[i].rows[k]);
		free((*t)->tables[i].rows);
	}
	free(*t);
	*t = NULL;
}

bool
sim_tables_are_empty(const struct sim_tables *t)
{
	for (size_t i = 0; t != NULL && i < TABLES; i++)
		if (t->tables[i].n > 0)
			return false;
	return true;
}

static struct span
key_of(const struct row *row)
{
	return span_of(row->p, row->key_bytes);
}

static struct span
value_of(const struct row *row)
{
	return span_of(row->p + row->key_bytes, row->bytes);
}

static int
compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int
compare_pair(const struct row *row, struct span key, struct span value)
{
	int c = compare(key_of(row), key);

	return c != 0 ? c : compare(value_of(row), value);
}

/* The first row that is not below this pair. */
static size_t
find_pair(const struct table *t, struct span key, struct span value)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_pair(t->rows[middle], key, value) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_of(const struct table *t, size_t at, struct span key)
{
	return at < t->n && compare(key_of(t->rows[at]), key) == 0;
}

/* The first row whose key is not below KEY. */
static size_t
find(const struct table *t, struct span key, bool *is_there)
{
	size_t at = find_pair(t, key, SPAN_NONE);

	*is_there = is_of(t, at, key);
	return at;
}

/* Where ROW is, or belongs. */
static size_t
place_of(const struct table *t, const struct row *row, bool *is_there)
{
	size_t at;

	if (!t->has_pairs)
		return find(t, key_of(row), is_there);
	at = find_pair(t, key_of(row), value_of(row));
	*is_there = at < t->n && compare_pair(t->rows[at], key_of(row),
	    value_of(row)) == 0;
	return at;
}

static struct row *
row_new(struct span key, struct span value)
{
	struct row *row = malloc(sizeof(*row) + key.n + value.n);

	MUST(row != NULL);
	row->key_bytes = key.n;
	row->bytes = value.n;
	memcpy(row->p, key.p, key.n);
	if (value.n > 0)
		memcpy(row->p + key.n, value.p, value.n);
	return row;
}

static void
put(struct table *t, struct row *row)
{
	bool is_there;
	size_t at = place_of(t, row, &is_there);

	if (is_there) {
		free(t->rows[at]);
		t->rows[at] = row;
		return;
	}
	if (t->n == t->size) {
		t->size = t->size > 0 ? t->size * 2 : 16;
		t->rows = realloc(t->rows, t->size * sizeof(struct row *));
		MUST(t->rows != NULL);
	}
	memmove(t->rows + at + 1, t->rows + at,
	    (t->n - at) * sizeof(struct row *));
	t->rows[at] = row;
	t->n++;
}

static void
delete(struct table *t, const struct row *row)
{
	bool is_there;
	size_t at = place_of(t, row, &is_there);

	if (!is_there)
		return;
	free(t->rows[at]);
	t->n--;
	memmove(t->rows + at, t->rows + at + 1,
	    (t->n - at) * sizeof(struct row *));
}

/* ---- environments ---- */

int
mdb_env_create(MDB_env **env)
{
	*env = calloc(1, sizeof(**env));
	return *env != NULL ? 0 : ENOMEM;
}

int
mdb_env_set_mapsize(MDB_env *env, size_t size)
{
	(void)env;
	(void)size;
	return 0;
}

int
mdb_env_set_maxdbs(MDB_env *env, MDB_dbi tables)
{
	(void)env;
	return tables <= TABLES ? 0 : EINVAL;
}

/* The rows belong to the directory of the index on the disk.  One that is made
 * anew has a file too, without bytes, so that its name can be lost. */
int
mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
	(void)path;
	(void)mode;
	if ((flags & MDB_NOSUBDIR) != 0 && !sim_disk_begin_index())
		return errno;
	env->tables = sim_disk_tables();
	return env->tables != NULL ? 0 : ENOENT;
}

void
mdb_env_close(MDB_env *env)
{
	free(env);
}

int
mdb_env_get_fd(MDB_env *env, mdb_filehandle_t *fd)
{
	(void)env;
	(void)fd;
	return EINVAL;		/* no room is kept */
}

int
mdb_reader_check(MDB_env *env, int *dead)
{
	(void)env;
	*dead = 0;
	return 0;
}

char *
mdb_strerror(int rc)
{
	static char text[] = "an error of the simulation";

	(void)rc;
	return text;
}

/* ---- transactions ---- */

int
mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **out)
{
	MDB_txn *txn = calloc(1, sizeof(*txn));

	(void)parent;
	(void)flags;
	MUST(txn != NULL);
	txn->tables = env->tables;
	txn->last = &txn->first;
	*out = txn;
	return 0;
}

void
mdb_txn_abort(MDB_txn *txn)
{
	struct op *op;

	while ((op = txn->first) != NULL) {
		txn->first = op->next;
		free(op->row);
		free(op);
	}
	free(txn);
}

/* A full map, a full disk, an error: then nothing was changed. */
int
mdb_txn_commit(MDB_txn *txn)
{
	int rc = 0;

	if (!sim_disk_is_cut() && txn->first != NULL &&
	    sim_faults.index_share > 0 && sim_chance(sim_faults.index_share)) {
		sim_note(SIM_INDEX_ERRORS);
		rc = sim_chance(500) ? MDB_MAP_FULL : EIO;
	}
	for (struct op *op = txn->first; op != NULL && rc == 0 &&
	    !sim_disk_is_cut(); op = op->next) {
		struct table *t = &txn->tables->tables[op->table];

		if (!op->is_put) {
			delete(t, op->row);
			continue;
		}
		put(t, op->row);
		op->row = NULL;
	}
	if (rc == 0 && txn->first != NULL)
		sim_note(SIM_CHECKPOINTS);
	mdb_txn_abort(txn);
	return rc;
}

void
mdb_txn_reset(MDB_txn *txn)
{
	(void)txn;
}

int
mdb_txn_renew(MDB_txn *txn)
{
	(void)txn;
	return 0;
}

int
mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *out)
{
	struct sim_tables *t = txn->tables;
	MDB_dbi i = 0;

	while (t->names[i] != NULL && strcmp(t->names[i], name) != 0)
		MUST(++i < TABLES);
	t->names[i] = name;
	t->tables[i].has_pairs = (flags & MDB_DUPSORT) != 0;
	*out = i;
	return 0;
}

/* ---- rows ---- */

static struct span
span_of_val(const MDB_val *v)
{
	return span_of(v->mv_data, v->mv_size);
}

static MDB_val
val_of(struct span s)
{
	return (MDB_val){ .mv_size = s.n,
	    .mv_data = (void *)(uintptr_t)s.p };
}

static int
note_op(MDB_txn *txn, MDB_dbi table, bool is_put, struct row *row)
{
	struct op *op = calloc(1, sizeof(*op));

	MUST(op != NULL);
	op->table = table;
	op->is_put = is_put;
	op->row = row;
	*txn->last = op;
	txn->last = &op->next;
	return 0;
}

int
mdb_put(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value,
    unsigned flags)
{
	(void)flags;
	return note_op(txn, table, true, row_new(span_of_val(key),
	    span_of_val(value)));
}

int
mdb_del(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value)
{
	return note_op(txn, table, false, row_new(span_of_val(key),
	    value != NULL ? span_of_val(value) : SPAN_NONE));
}

int
mdb_get(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value)
{
	const struct table *t = &txn->tables->tables[table];
	bool is_there;
	size_t at = find(t, span_of_val(key), &is_there);

	if (!is_there)
		return MDB_NOTFOUND;
	*value = val_of(value_of(t->rows[at]));
	return 0;
}

int
mdb_cursor_open(MDB_txn *txn, MDB_dbi table, MDB_cursor **out)
{
	MDB_cursor *c = calloc(1, sizeof(*c));

	MUST(c != NULL);
	c->table = &txn->tables->tables[table];
	*out = c;
	return 0;
}

void
mdb_cursor_close(MDB_cursor *c)
{
	free(c);
}

/* The first row behind those of the key at AT. */
static size_t
behind_key(const struct table *t, size_t at)
{
	struct span key = key_of(t->rows[at]);

	while (is_of(t, at, key))
		at++;
	return at;
}

/* T->n: there is none. */
static size_t
seek(const struct table *t, size_t at, const MDB_val *key,
    const MDB_val *value, MDB_cursor_op op)
{
	size_t next = at < t->n ? at + 1 : t->n;
	bool is_there;

	switch (op) {
	case MDB_FIRST:
		return 0;
	case MDB_SET_RANGE:
		return find(t, span_of_val(key), &is_there);
	case MDB_GET_BOTH_RANGE:
		at = find_pair(t, span_of_val(key), span_of_val(value));
		return is_of(t, at, span_of_val(key)) ? at : t->n;
	case MDB_NEXT:
		return next;
	case MDB_NEXT_DUP:
		return at < t->n && is_of(t, next, key_of(t->rows[at])) ?
		    next : t->n;
	case MDB_NEXT_NODUP:
		return at < t->n ? behind_key(t, at) : t->n;
	case MDB_LAST_DUP:
		return at < t->n ? behind_key(t, at) - 1 : t->n;
	default:
		MUST(false);
	}
}

/* A move that fails leaves the cursor where it stands, but not at the end. */
int
mdb_cursor_get(MDB_cursor *c, MDB_val *key, MDB_val *value, MDB_cursor_op op)
{
	size_t at = seek(c->table, c->at, key, value, op);

	if (at >= c->table->n && op != MDB_NEXT_DUP)
		c->at = at;
	if (at >= c->table->n)
		return MDB_NOTFOUND;
	c->at = at;
	*key = val_of(key_of(c->table->rows[at]));
	*value = val_of(value_of(c->table->rows[at]));
	return 0;
}

int
mdb_cursor_count(MDB_cursor *c, size_t *n)
{
	const struct table *t = c->table;
	size_t first = c->at;
	bool is_there;

	if (first >= t->n)
		return EINVAL;
	first = find(t, key_of(t->rows[first]), &is_there);
	*n = behind_key(t, first) - first;
	return 0;
}
