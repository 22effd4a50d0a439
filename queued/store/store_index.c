/*
 * LMDB behind one door.
 *
 * One write transaction for each check-point, in the check-point thread; one
 * reader, of the owner's thread, renewed at the outermost begin and reset at
 * its end.  It is never left open: pages that a check-point replaced can't be
 * used again while a reader may see them.  Operations are gathered as bytes
 * (op, table, key, value) by the owner and applied later, so that the thread
 * looks at nothing that the owner changes.
 */
#include "queued/store/store_index_private.h"

#include "common/base/check.h"
#include "queued/store/store_index_build.h"
#include "queued/store/store_index_file.h"
#include "queued/store/store_row.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MODE = 0600 };

const char *const store_index_names[STORE_TABLE_COUNT] = {
	[STORE_TABLE_META] = "meta",
	[STORE_TABLE_MESSAGE] = "message",
	[STORE_TABLE_UNIT] = "unit",
	[STORE_TABLE_DUE] = "due",
	[STORE_TABLE_SEGMENT] = "segment",
	[STORE_TABLE_TERM] = "term",
};

static const unsigned table_flags[STORE_TABLE_COUNT] = {
	[STORE_TABLE_TERM] = MDB_DUPSORT | MDB_DUPFIXED,
};

/* Its number is that of the rows' format. */
static const char meta_key[] = "format-5";

struct span
store_index_meta_key(void)
{
	return span_str(meta_key);
}

/* What makes a start set the index aside, and what is only tried again.  LMDB
 * calls what follows a page that can't be right by many names. */
enum err
store_index_error(int rc)
{
	switch (rc) {
	case 0:
		return OK;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case ENOMEM:
		return ERR_NOMEM;
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_INVALID:
		return ERR_VERSION;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_BAD_TXN:
	case MDB_BAD_DBI:
	case MDB_PANIC:
		return ERR_CORRUPT;
	case ENOSPC:
	case EDQUOT:
	case MDB_MAP_FULL:
		return ERR_FULL;
	default:
		return ERR_IO;
	}
}

/* A panic is the end of a write that failed, not of a page: it is revived. */
enum err
store_index_outcome(struct store_index *x, int rc)
{
	enum err e = store_index_error(rc);

	if ((e == ERR_CORRUPT && rc != MDB_PANIC) || e == ERR_VERSION)
		atomic_store(&x->is_damaged, true);
	return e;
}

bool
store_index_is_damaged(const struct store_index *x)
{
	return atomic_load(&x->is_damaged);
}

/* ---- life ---- */

static int
open_tables(struct store_index *x)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(x->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < STORE_TABLE_COUNT && rc == 0; i++)
		rc = mdb_dbi_open(txn, store_index_names[i],
		    MDB_CREATE | table_flags[i], &x->tables[i]);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/* Blocks beyond the end, so that a full disk stops mail before the index. */
static void
keep_room(struct store_index *x)
{
	struct stat st;
	int fd;

	if (x->room_bytes > 0 && mdb_env_get_fd(x->env, &fd) == 0 &&
	    fstat(fd, &st) == 0)
		(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size,
		    (off_t)x->room_bytes);
}

/* Readers that a killed process left would hold pages for ever: checked. */
int
store_index_open_env(struct store_index *x)
{
	int dead, rc = mdb_env_create(&x->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(x->env, MAP_BYTES);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(x->env, STORE_TABLE_COUNT);
	if (rc == 0)
		rc = x->new_path != NULL ? mdb_env_open(x->env, x->new_path,
		    MDB_NOSUBDIR | MDB_NOSYNC, FILE_MODE) :
		    mdb_env_open(x->env, x->path, 0, FILE_MODE);
	if (rc == 0)
		rc = mdb_reader_check(x->env, &dead);
	if (rc == 0)
		rc = open_tables(x);
	if (rc == 0)
		rc = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &x->reader);
	if (rc != 0)
		return rc;
	mdb_txn_reset(x->reader);
	if (x->new_path == NULL)
		keep_room(x);
	return 0;
}

static void
free_index(struct store_index *x)
{
	free(x->path);
	free(x->new_path);
	free(x);
}

static struct store_index *
make(const char *path, const char *new_name)
{
	struct store_index *x = calloc(1, sizeof(*x));
	size_t n = strlen(path) + (new_name == NULL ? 0 : strlen(new_name)) + 2;

	if (x == NULL)
		return NULL;
	x->path = strdup(path);
	if (new_name != NULL && (x->new_path = malloc(n)) != NULL)
		(void)snprintf(x->new_path, n, "%s/%s", path, new_name);
	if (x->path != NULL && (new_name == NULL || x->new_path != NULL) &&
	    pthread_mutex_init(&x->gate, NULL) == 0)
		return x;
	free_index(x);
	return NULL;
}

static enum err
open_index(const char *path, const char *new_name, uint64_t room_bytes,
    struct store_index **out, struct why *why)
{
	struct store_index *x = make(path, new_name);
	int rc;

	if (x == NULL)
		return why_set(why, ERR_NOMEM, "no memory for the index");
	x->room_bytes = room_bytes;
	if ((rc = store_index_open_env(x)) != 0) {
		store_index_close(&x);
		return why_set(why, store_index_error(rc), "index %s: %s", path,
		    mdb_strerror(rc));
	}
	*out = x;
	return OK;
}

enum err
store_index_open(const char *path, uint64_t room_bytes,
    struct store_index **out, struct why *why)
{
	return open_index(path, NULL, room_bytes, out, why);
}

enum err
store_index_open_new(const char *path, const char *name, uint64_t room_bytes,
    struct store_index **out, struct why *why)
{
	return open_index(path, name, room_bytes, out, why);
}

void
store_index_close_env(struct store_index *x)
{
	if (x->reader != NULL)
		mdb_txn_abort(x->reader);
	if (x->env != NULL)
		mdb_env_close(x->env);
	x->reader = NULL;
	x->env = NULL;
	x->low = x->high = 0;
}

void
store_index_close(struct store_index **x)
{
	if (*x == NULL)
		return;
	store_index_close_env(*x);
	(void)pthread_mutex_destroy(&(*x)->gate);
	free_index(*x);
	*x = NULL;
}

enum err
store_index_reopen(struct store_index *x)
{
	int rc;

	MUST(x->depth == 0);
	(void)pthread_mutex_lock(&x->gate);
	store_index_close_env(x);
	if ((rc = store_index_open_env(x)) != 0)
		store_index_close_env(x);
	(void)pthread_mutex_unlock(&x->gate);
	return store_index_error(rc);
}

/* LMDB has panicked when a write of its meta page failed: it does nothing more
 * until it is opened anew (I-06).  A transaction that then turns out to be
 * there is applied once more, which changes nothing. */
enum err
store_index_revive(struct store_index *x)
{
	MDB_txn *txn;

	if (x->depth > 0)
		return ERR_AGAIN;
	if (x->env != NULL && mdb_txn_begin(x->env, NULL, 0, &txn) == 0) {
		mdb_txn_abort(txn);
		return OK;
	}
	return store_index_reopen(x);
}

unsigned
store_index_risks(const struct store_index *x)
{
	unsigned flags = 0;

	(void)mdb_env_get_flags(x->env, &flags);
	return flags & (MDB_NOSYNC | MDB_NOMETASYNC | MDB_MAPASYNC |
	    MDB_WRITEMAP | MDB_NORDAHEAD);
}

/* ---- gathering ---- */

static void
put_op(struct buf *ops, uint8_t op, enum store_table table,
    const struct store_row_key *key)
{
	wire_put_u8(ops, op);
	wire_put_u8(ops, (uint8_t)table);
	wire_put_span(ops, span_of(key->p, key->n));
}

/* The length of the value is patched in when the caller has appended it. */
size_t
store_index_put(struct buf *ops, enum store_table table,
    const struct store_row_key *key)
{
	put_op(ops, STORE_INDEX_OP_PUT, table, key);
	wire_put_u32(ops, 0);
	return ops->n;
}

void
store_index_put_end(struct buf *ops, size_t at)
{
	if (!buf_failed(ops))
		wire_patch_u32(ops, at - sizeof(uint32_t),
		    (uint32_t)(ops->n - at));
}

void
store_index_delete(struct buf *ops, enum store_table table,
    const struct store_row_key *key)
{
	put_op(ops, STORE_INDEX_OP_DELETE, table, key);
}

static void
put_pair(struct buf *ops, uint8_t op, enum store_table table, struct span key,
    struct span value)
{
	wire_put_u8(ops, op);
	wire_put_u8(ops, (uint8_t)table);
	wire_put_span(ops, key);
	wire_put_span(ops, value);
}

void
store_index_put_pair(struct buf *ops, enum store_table table,
    struct span key, struct span value)
{
	put_pair(ops, STORE_INDEX_OP_PUT_PAIR, table, key, value);
}

void
store_index_delete_pair(struct buf *ops, enum store_table table,
    struct span key, struct span value)
{
	put_pair(ops, STORE_INDEX_OP_DELETE_PAIR, table, key, value);
}

/* ---- applying ---- */

int
store_index_apply_op(struct store_index *x, MDB_txn *txn, struct wire *w)
{
	uint8_t op = wire_u8(w);
	uint8_t table = wire_u8(w);
	MDB_val key = store_index_val(wire_span(w, w->n));
	MDB_val value;
	int rc;

	/* made by put_op(), never read from a disk */
	MUST(!w->is_failed && table < STORE_TABLE_COUNT);
	if (op != STORE_INDEX_OP_DELETE)
		value = store_index_val(wire_span(w, w->n));
	if (op == STORE_INDEX_OP_PUT)
		return mdb_put(txn, x->tables[table], &key, &value, 0);
	if (op == STORE_INDEX_OP_PUT_PAIR)
		rc = mdb_put(txn, x->tables[table], &key, &value,
		    MDB_NODUPDATA);
	else
		rc = mdb_del(txn, x->tables[table], &key,
		    op == STORE_INDEX_OP_DELETE_PAIR ? &value : NULL);
	/* what is there need not come, what is not there need not go */
	return rc == MDB_NOTFOUND || rc == MDB_KEYEXIST ? 0 : rc;
}

enum err
store_index_apply(struct store_index *x, struct span ops)
{
	MDB_txn *txn;
	struct wire w;
	int rc;

	if (x->env == NULL)
		return ERR_IO;
	if (x->new_path != NULL)
		return store_index_build_rows(x, ops);
	if ((rc = mdb_txn_begin(x->env, NULL, 0, &txn)) != 0)
		return store_index_outcome(x, rc);
	wire_init(&w, ops);
	while (rc == 0 && wire_more(&w))
		rc = store_index_apply_op(x, txn, &w);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return store_index_outcome(x, rc);
	}
	rc = mdb_txn_commit(txn);
	keep_room(x);
	return store_index_outcome(x, rc);
}

/* ---- reading ---- */

/* Where in the map it lies, for store_index_trim(). */
struct span
store_index_seen(struct store_index *x, const MDB_val *v)
{
	uintptr_t at = (uintptr_t)v->mv_data;

	if (x->high == 0 || at < x->low)
		x->low = at;
	if (at + v->mv_size > x->high)
		x->high = at + v->mv_size;
	return store_index_span(v);
}

void
store_index_trim(struct store_index *x)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t low = x->low / page * page;

	if (x->high > low)
		(void)madvise((void *)low, x->high - low, MADV_DONTNEED);
}

static int64_t
now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

enum err
store_index_begin(struct store_index *x)
{
	int rc;

	if (x->env == NULL)
		return ERR_IO;
	rc = x->depth == 0 ? mdb_txn_renew(x->reader) : 0;
	if (rc != 0)
		return store_index_outcome(x, rc);
	if (x->depth++ == 0)
		x->begun_at_us = now_us();
	return OK;
}

void
store_index_end(struct store_index *x)
{
	int64_t took;

	MUST(x->depth > 0);
	if (--x->depth > 0)
		return;
	mdb_txn_reset(x->reader);
	took = now_us() - x->begun_at_us;
	if (took > x->longest_us)
		x->longest_us = took;
}

int64_t
store_index_longest_us(const struct store_index *x)
{
	return x->longest_us;
}

enum err
store_index_get(struct store_index *x, enum store_table table,
    struct span key, struct span *value)
{
	MDB_val k = store_index_val(key), v;
	int rc = mdb_get(x->reader, x->tables[table], &k, &v);

	if (rc != 0)
		return store_index_outcome(x, rc);
	*value = store_index_seen(x, &v);
	return OK;
}

static enum err
peek(struct store_index *x, enum store_table table, struct span key,
    struct buf *out)
{
	MDB_val k = store_index_val(key), v;
	MDB_txn *txn;
	int rc;

	if (x->env == NULL)
		return ERR_IO;
	if ((rc = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &txn)) != 0)
		return store_index_outcome(x, rc);
	rc = mdb_get(txn, x->tables[table], &k, &v);
	if (rc == 0)
		buf_add(out, v.mv_data, v.mv_size);
	mdb_txn_abort(txn);
	if (rc != 0)
		return store_index_outcome(x, rc);
	return buf_failed(out) ? ERR_NOMEM : OK;
}

/* LMDB keeps a reader's place for each thread, so this costs little; the gate
 * is closed only while it is opened anew. */
enum err
store_index_peek(struct store_index *x, enum store_table table,
    struct span key, struct buf *out)
{
	enum err e;

	(void)pthread_mutex_lock(&x->gate);
	e = peek(x, table, key, out);
	(void)pthread_mutex_unlock(&x->gate);
	return e;
}
