/*
 * The index opened for reading alone, and its file as a whole.
 */
#include "queued/store/store_index_file.h"

#include "queued/store/store_index_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Tables that are missing are so in a file that was just made. */
static int
open_to_read(struct store_index *x, const char *path, bool is_live)
{
	unsigned flags = MDB_RDONLY | (is_live ? 0 : MDB_NOLOCK);
	MDB_txn *txn;
	int rc = mdb_env_create(&x->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(x->env, MAP_BYTES);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(x->env, STORE_TABLE_COUNT);
	if (rc == 0)
		rc = mdb_env_open(x->env, path, flags, 0);
	if (rc == 0)
		rc = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &txn);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < STORE_TABLE_COUNT && rc == 0; i++)
		rc = mdb_dbi_open(txn, store_index_names[i], 0, &x->tables[i]);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	/* a commit, or the handles are forgotten */
	if ((rc = mdb_txn_commit(txn)) == 0 && (rc = mdb_txn_begin(x->env,
	    NULL, MDB_RDONLY, &x->reader)) == 0)
		mdb_txn_reset(x->reader);
	return rc;
}

enum err
store_index_open_to_read(const char *path, bool is_live,
    struct store_index **out, struct why *why)
{
	struct store_index *x = calloc(1, sizeof(*x));
	int rc;

	if (x == NULL || pthread_mutex_init(&x->gate, NULL) != 0) {
		free(x);
		return why_set(why, ERR_NOMEM, "no memory for the index");
	}
	if ((rc = open_to_read(x, path, is_live)) != 0) {
		store_index_close(&x);
		return why_set(why, store_index_error(rc), "%s: %s", path,
		    mdb_strerror(rc));
	}
	*out = x;
	return OK;
}

/* ---- the file ---- */

/* The first table of all is LMDB's own list of free pages. */
static uint64_t
count_free(MDB_txn *txn)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	uint64_t pages = 0, n;

	if (mdb_cursor_open(txn, 0, &cursor) != 0)
		return 0;
	while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
		memcpy(&n, v.mv_data, sizeof(n));
		pages += n;
	}
	mdb_cursor_close(cursor);
	return pages;
}

static enum err
measure(struct store_index *x, uint64_t free_pages,
    struct store_index_size *out)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int fd;

	if (mdb_env_info(x->env, &info) != 0 ||
	    mdb_env_stat(x->env, &stat) != 0 ||
	    mdb_env_get_fd(x->env, &fd) != 0 || fstat(fd, &st) != 0)
		return ERR_IO;
	*out = (struct store_index_size){
		.file_bytes = (uint64_t)st.st_size,
		.used_bytes = (info.me_last_pgno + 1 - free_pages) *
		    stat.ms_psize,
		.free_bytes = free_pages * stat.ms_psize,
	};
	return OK;
}

enum err
store_index_size(struct store_index *x, struct store_index_size *out)
{
	uint64_t free_pages;
	enum err e = store_index_begin(x);

	if (e != OK)
		return e;
	free_pages = count_free(x->reader);
	store_index_end(x);
	return measure(x, free_pages, out);
}

uint64_t
store_index_file_bytes(const struct store_index *x)
{
	struct stat st;
	int fd;

	return x->env != NULL && mdb_env_get_fd(x->env, &fd) == 0 &&
	    fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

enum err
store_index_fill(struct store_index *x, struct store_index_size *out)
{
	uint64_t free_pages;
	MDB_txn *txn;
	int rc;

	if (x->env == NULL)
		return ERR_IO;
	if ((rc = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &txn)) != 0)
		return store_index_error(rc);
	free_pages = count_free(txn);
	mdb_txn_abort(txn);
	return measure(x, free_pages, out);
}

/* It must not be closed meanwhile. */
enum err
store_index_copy(struct store_index *x, int fd)
{
	enum err e = ERR_IO;

	(void)pthread_mutex_lock(&x->gate);
	if (x->env != NULL)
		e = store_index_error(mdb_env_copyfd2(x->env, fd,
		    MDB_CP_COMPACT));
	(void)pthread_mutex_unlock(&x->gate);
	return e;
}

void
store_index_forget_dead(struct store_index *x)
{
	int dead;

	if (x->env != NULL)
		(void)mdb_reader_check(x->env, &dead);
}
