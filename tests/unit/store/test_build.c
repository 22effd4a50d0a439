/* The index made anew from the log: whole, or not believed. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/spool_fill.h"
#include "queued/store/store_build.h"
#include "queued/store/store_index_build.h"
#include "queued/store/store_index_file.h"
#include "queued/store/store_row.h"
#include "tests/unit/store/store_rig.h"

enum { MESSAGES = 2000, PART_BYTES = 100000 };

/* ---- a queue with all that a row by time or a term may come from ---- */

static bool
some_of_them(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct rig *r = ctx;

	if (m->id % 7 == 0)
		(void)store_hold(r->s, units[0]->message, true);
	if (m->id % 3 == 0)
		(void)rig_verdict(r, units[0], 0, 0, true, 0, "done");
	else if (m->id % 3 == 1)
		(void)rig_verdict(r, units[0], 0, 0, false, 77000 + m->id % 50,
		    "later");
	return true;
}

static void
change_some(struct rig *r)
{
	uint64_t after = 0;

	while (after != UINT64_MAX) {
		after = store_walk(r->s, after, 500, some_of_them, r);
		rig_sync(r);
	}
	rig_checkpoint(r);
}

static void
fill(struct rig *r, uint64_t count)
{
	struct spool_fill f = { .count = count, .senders = 300,
	    .domains = 20, .recipients = 3, .bytes_min = 10, .bytes_max = 20 };
	struct why why;

	rig_init(r);
	f.path = r->dir;
	cr_assert_eq(spool_fill(&f, &why), OK, "%s", why.text);
	rig_open(r);
	(void)rig_submit(r, "a@one.example b@two.example c@one.example",
	    "two domains, one of them twice\r\n");
	rig_checkpoint(r);
}

static void
lose_index(struct rig *r)
{
	char path[RIG_PATH];

	rig_path(r, path, "index", "data.mdb");
	cr_assert_eq(unlink(path), 0);
}

/* ---- rows ---- */

static void
open_index(const struct rig *r, struct store_index **x)
{
	char path[RIG_PATH];
	struct why why;

	rig_path(r, path, "index", "");
	cr_assert_eq(store_index_open_to_read(path, false, x, &why), OK, "%s",
	    why.text);
	cr_assert_eq(store_index_begin(*x), OK);
}

/* Whoever makes it anew can't know whether a unit without a verdict was leased:
 * its message's record says that it may have been (SPOOL.md, Leases). */
static bool
is_same_unit(struct span key, struct span va, struct span vb)
{
	static struct store_recipient rows[STORE_UNIT_RECIPIENTS];
	struct unit a, b;
	struct buf again;
	bool is_same;

	cr_assert_eq(store_row_view_unit(key, va, &a, rows), OK);
	cr_assert_eq(store_row_view_unit(key, vb, &b, rows), OK);
	if (b.pub.noted_lease == STORE_LEASED_AT_COMMIT && b.pub.tries == 0)
		b.pub.noted_lease = a.pub.noted_lease;
	buf_init(&again, 1 << 20);
	store_row_put_unit(&again, key, &b);
	is_same = !buf_failed(&again) && span_equal(buf_span(&again), va);
	buf_clear(&again);
	return is_same;
}

static bool
is_same_row(enum store_table table, struct span key, struct span va,
    struct span vb)
{
	return span_equal(va, vb) ||
	    (table == STORE_TABLE_UNIT && is_same_unit(key, va, vb));
}

static uint64_t
same_rows(struct store_index *a, struct store_index *b, enum store_table table)
{
	struct store_cursor *ca, *cb;
	struct span ka, kb, va, vb;
	uint64_t n = 0;
	enum err e, f;

	cr_assert_eq(store_cursor_open(a, table, &ca), OK);
	cr_assert_eq(store_cursor_open(b, table, &cb), OK);
	e = store_cursor_seek(ca, span_of("", 1), &ka, &va);
	f = store_cursor_seek(cb, span_of("", 1), &kb, &vb);
	for (; e == OK && f == OK; n++) {
		cr_assert(span_equal(ka, kb) &&
		    is_same_row(table, ka, va, vb),
		    "table %d, row %ju", table, (uintmax_t)n);
		e = store_cursor_next(ca, &ka, &va);
		f = store_cursor_next(cb, &kb, &vb);
	}
	cr_assert_eq(e, ERR_NOT_FOUND);
	cr_assert_eq(f, ERR_NOT_FOUND);
	store_cursor_close(&ca);
	store_cursor_close(&cb);
	return n;
}

/* A start begins a segment of its own; of all others each counts as it did. */
static void
same_segments(struct store_index *a, struct store_index *b)
{
	struct store_cursor *ca;
	struct span key, va, vb;
	uint64_t n = 0;
	enum err e;

	cr_assert_eq(store_cursor_open(a, STORE_TABLE_SEGMENT, &ca), OK);
	for (e = store_cursor_seek(ca, span_of("", 1), &key, &va); e == OK;
	    e = store_cursor_next(ca, &key, &va), n++) {
		cr_assert_eq(store_index_get(b, STORE_TABLE_SEGMENT, key, &vb),
		    OK);
		cr_assert(span_equal(va, vb), "segment %ju", (uintmax_t)n);
	}
	cr_assert_eq(e, ERR_NOT_FOUND);
	cr_assert_gt(n, 1);
	store_cursor_close(&ca);
}

/* Where the log ends, and in which life, may differ: nothing else. */
static void
same_meta(struct store_index *a, struct store_index *b)
{
	struct span key = store_index_meta_key(), va, vb;
	struct store_meta ma, mb;

	cr_assert_eq(store_index_get(a, STORE_TABLE_META, key, &va), OK);
	cr_assert_eq(store_row_get_meta(key, va, &ma), OK);
	cr_assert_eq(store_index_get(b, STORE_TABLE_META, key, &vb), OK);
	cr_assert_eq(store_row_get_meta(key, vb, &mb), OK);
	cr_assert_eq(memcmp(&ma.count, &mb.count, sizeof(ma.count)), 0);
	cr_assert_eq(memcmp(ma.uuid, mb.uuid, sizeof(ma.uuid)), 0);
	cr_assert_gt(mb.at.sequence, ma.at.sequence);
	cr_assert_gt(mb.start, ma.start);
	cr_assert_gt(mb.last_segment, ma.last_segment);
}

static void
check_rows(const struct rig *former, const struct rig *now, uint64_t at_least)
{
	struct store_index *a, *b;

	open_index(former, &a);
	open_index(now, &b);
	same_meta(a, b);
	same_segments(a, b);
	cr_assert_geq(same_rows(a, b, STORE_TABLE_MESSAGE), at_least);
	cr_assert_geq(same_rows(a, b, STORE_TABLE_UNIT), at_least);
	cr_assert_geq(same_rows(a, b, STORE_TABLE_DUE), at_least);
	cr_assert_geq(same_rows(a, b, STORE_TABLE_TERM), 4 * at_least);
	store_index_end(a);
	store_index_end(b);
	store_index_close(&a);
	store_index_close(&b);
}

/* row by row what check-points had made of it, in parts and in runs. */
Test(build, rows_are_those_that_were_lost, .timeout = 120)
{
	struct rig r, former;
	char *dump, *again;

	fill(&r, MESSAGES);
	change_some(&r);
	dump = rig_dump(&r);
	rig_close(&r);
	memset(&former, 0, sizeof(former));
	rig_copy(&r, &former, NULL);
	lose_index(&r);
	r.replay_bytes = PART_BYTES;
	rig_open(&r);
	cr_assert_gt(r.notice_count, 3);
	again = rig_dump(&r);
	cr_assert_str_eq(again, dump);
	cr_assert_eq(store_index_risks(r.s->index), 0);
	cr_assert_not(store_index_is_new(r.s->index));
	rig_checkpoint(&r);
	rig_close(&r);
	cr_assert_eq(rig_count_files(&r, "index", STORE_SHRINK_NAME), 0);
	check_rows(&former, &r, MESSAGES);
	free(dump);
	free(again);
	rig_clear(&former);
	rig_clear(&r);
}

/* ---- the end of it ---- */

enum call { CALL_NONE, CALL_SYNC, CALL_RENAME, CALL_SYNC_DIR };

static struct {
	enum call fails;		/* of the new file */
	bool is_synced, is_named;
	const struct rig *rig;
	struct rig *before, *after;	/* copied before and after the rename */
} eye;

static bool
is_file(int fd, const char *name)
{
	struct stat file, st;
	char path[RIG_PATH];

	rig_path(eye.rig, path, "index", name);
	return fstat(fd, &st) == 0 && stat(path, &file) == 0 &&
	    st.st_ino == file.st_ino;
}

static bool
fails(enum call call)
{
	if (eye.fails != call)
		return false;
	eye.fails = CALL_NONE;
	errno = EIO;
	return true;
}

static int
eye_fdatasync(void *ctx, int fd)
{
	(void)ctx;
	if (!is_file(fd, STORE_SHRINK_NAME))
		return 0;
	eye.is_synced = true;
	return fails(CALL_SYNC) ? -1 : 0;
}

static int
eye_sync_dir(void *ctx, int fd)
{
	(void)ctx;
	return eye.is_named && is_file(fd, "") && fails(CALL_SYNC_DIR) ? -1 : 0;
}

static int
eye_rename(void *ctx, int dir, const char *from, const char *to)
{
	bool is_ours = strcmp(from, STORE_SHRINK_NAME) == 0;
	int rc;

	(void)ctx;
	if (is_ours)
		cr_assert(eye.is_synced);
	if (is_ours && fails(CALL_RENAME))
		return -1;
	if (is_ours && eye.before != NULL)
		rig_copy(eye.rig, eye.before, NULL);
	rc = renameat(dir, from, dir, to);
	eye.is_named |= is_ours;
	if (is_ours && eye.after != NULL)
		rig_copy(eye.rig, eye.after, NULL);
	return rc;
}

static char *
lose_before_eye(struct rig *r)
{
	char *dump;

	fill(r, 100);
	change_some(r);
	dump = rig_dump(r);
	rig_close(r);
	lose_index(r);
	r->io = rig_io_new();
	r->io->io.fdatasync = eye_fdatasync;
	r->io->io.sync_dir = eye_sync_dir;
	r->io->io.rename = eye_rename;
	memset(&eye, 0, sizeof(eye));
	eye.rig = r;
	return dump;
}

static void
check_open(struct rig *r, const char *wanted)
{
	char *dump;

	rig_open(r);
	dump = rig_dump(r);
	cr_assert_str_eq(dump, wanted);
	cr_assert_eq(rig_count_files(r, "index", STORE_SHRINK_NAME), 0);
	cr_assert_eq(rig_count_files(r, "", "index.aside"), 0);
	free(dump);
}

/* */
Test(build, it_has_its_name_when_it_is_synced_and_a_crash_costs_nothing)
{
	struct rig r, before, after;
	char *dump = lose_before_eye(&r), path[RIG_PATH];

	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	eye.before = &before;
	eye.after = &after;
	check_open(&r, dump);
	cr_assert(eye.is_named);
	eye.before = eye.after = NULL;
	/* what is not in its place is not looked at, whatever it says */
	rig_path(&before, path, "index", "data.mdb");
	cr_assert_neq(access(path, F_OK), 0);
	check_open(&before, dump);
	check_open(&after, dump);
	rig_clear(&before);
	rig_clear(&after);
	free(dump);
	rig_clear(&r);
}

Test(build, a_failure_ends_the_start_and_the_next_one_makes_it_again)
{
	static const enum call calls[] = { CALL_SYNC, CALL_RENAME,
	    CALL_SYNC_DIR };
	struct rig r;
	char *dump = lose_before_eye(&r);

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		eye.fails = calls[i];
		cr_assert_eq(rig_try_open(&r), ERR_IO, "call %d", calls[i]);
		cr_assert_eq(eye.fails, CALL_NONE);
	}
	check_open(&r, dump);
	free(dump);
	rig_clear(&r);
}
