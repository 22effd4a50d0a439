/* The index's file becomes short again when the queue has. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/spool_fill.h"
#include "common/base/check.h"
#include "common/os/clock.h"
#include "queued/store/store_index_file.h"
#include "queued/store/store_private.h"
#include "queued/store/store_stats.h"
#include "tests/unit/store/store_rig.h"

enum { TURNS_MAX = 2000, BACKLOG = 25000 };

/* ---- an I/O layer with an eye on the copy ---- */

enum call { CALL_NONE, CALL_OPEN, CALL_SYNC, CALL_RENAME, CALL_SYNC_DIR };

static struct {
	enum call fails;		/* the copy's next call of this kind */
	const struct rig *rig;		/* its state is copied, before … */
	struct rig *before, *after;	/* … and after the rename */
} eye;

static bool
is_index_dir(int fd)
{
	struct stat dir, st;
	char path[RIG_PATH];

	rig_path(eye.rig, path, "index", "");
	return fstat(fd, &st) == 0 && stat(path, &dir) == 0 &&
	    st.st_ino == dir.st_ino;
}

static bool
is_copy(int fd)
{
	struct stat copy, st;
	char path[RIG_PATH];

	rig_path(eye.rig, path, "index", STORE_SHRINK_NAME);
	return fstat(fd, &st) == 0 && stat(path, &copy) == 0 &&
	    st.st_ino == copy.st_ino;
}

static bool
fails(enum call call)
{
	if (eye.fails != call)
		return false;
	eye.fails = CALL_NONE;
	errno = call == CALL_OPEN ? ENOSPC : EIO;
	return true;
}

static int
eye_open(void *ctx, int dir, const char *name, int flags, mode_t mode)
{
	if (strcmp(name, STORE_SHRINK_NAME) == 0 && fails(CALL_OPEN))
		return -1;
	return store_io_system.open(ctx, dir, name, flags, mode);
}

static int
eye_fdatasync(void *ctx, int fd)
{
	(void)ctx;
	return is_copy(fd) && fails(CALL_SYNC) ? -1 : 0;
}

static int
eye_sync_dir(void *ctx, int fd)
{
	(void)ctx;
	return is_index_dir(fd) && fails(CALL_SYNC_DIR) ? -1 : 0;
}

static int
eye_rename(void *ctx, int dir, const char *from, const char *to)
{
	bool is_ours = strcmp(from, STORE_SHRINK_NAME) == 0;
	int rc;

	(void)ctx;
	if (is_ours && fails(CALL_RENAME))
		return -1;
	if (is_ours && eye.before != NULL)
		rig_copy(eye.rig, eye.before, NULL);
	rc = renameat(dir, from, dir, to);
	if (is_ours && eye.after != NULL)
		rig_copy(eye.rig, eye.after, NULL);
	return rc;
}

static void
open_with_eye(struct rig *r)
{
	rig_init(r);
	r->io = rig_io_new();
	r->io->io.open = eye_open;
	r->io->io.fdatasync = eye_fdatasync;
	r->io->io.sync_dir = eye_sync_dir;
	r->io->io.rename = eye_rename;
	memset(&eye, 0, sizeof(eye));
	eye.rig = r;
	rig_open(r);
}

/* ---- what the tests do ---- */

static ino_t
inode(const struct rig *r)
{
	char path[RIG_PATH];
	struct stat st;

	rig_path(r, path, "index", "data.mdb");
	cr_assert_eq(stat(path, &st), 0);
	return st.st_ino;
}

static uint64_t
file_bytes(const struct rig *r)
{
	return store_index_file_bytes(r->s->index);
}

static void
turn(struct rig *r, int64_t ahead_ms)
{
	rig_turn(r, 5);
	store_flush(r->s, clock_mono_ms() + ahead_ms);
}

/* Begins one, and waits for its end. */
static void
shrink(struct rig *r)
{
	r->s->shrink.is_forced = true;
	store_flush(r->s, clock_mono_ms());
	cr_assert(r->s->shrink.is_busy);
	for (int i = 0; i < TURNS_MAX && r->s->shrink.is_busy; i++)
		rig_turn(r, 5);
	cr_assert_not(r->s->shrink.is_busy);
}

static void
check_dump(struct rig *r, const char *wanted)
{
	char *dump = rig_dump(r);

	cr_assert_str_eq(dump, wanted);
	free(dump);
}

/* Another start finds what WANTED says, which is freed, and is the last. */
static void
check_next_life(struct rig *r, char *wanted)
{
	rig_open(r);
	cr_assert_eq(r->notice_count, 0, "%s", r->notices);
	check_dump(r, wanted);
	free(wanted);
	rig_clear(r);
}

/* The directory that A was copied to, opened. */
static void
check_copy(struct rig *copy, const char *wanted)
{
	rig_open(copy);
	cr_assert_eq(copy->notice_count, 0, "%s", copy->notices);
	check_dump(copy, wanted);
	cr_assert_eq(rig_count_files(copy, "index", STORE_SHRINK_NAME), 0);
	rig_clear(copy);
}

static void
some_mail(struct rig *r)
{
	for (int i = 0; i < 5; i++)
		(void)rig_submit(r, "a@one.example b@two.example", "body\r\n");
	rig_checkpoint(r);
}

/* ---- a queue that was long ---- */

static bool
settle_all(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	(void)m;
	for (; *units != NULL; units++)
		(void)rig_verdict(ctx, *units, 0, (*units)->count - 1, true,
		    0, "done");
	return true;
}

static void
settle_backlog(struct rig *r, uint64_t but)
{
	struct store_figures f;
	uint64_t after = but;

	while (after != UINT64_MAX) {
		after = store_walk(r->s, after, 500, settle_all, r);
		rig_sync(r);
	}
	rig_checkpoint(r);
	store_figures(r->s, &f);
	cr_assert_eq(f.messages, 1);
}

/* */
Test(shrink, the_file_returns_what_a_backlog_took, .timeout = 120)
{
	struct spool_fill f = { .count = BACKLOG, .senders = 30,
	    .domains = 20, .recipients = 1, .bytes_min = 10, .bytes_max = 20 };
	struct store_index_size size;
	uint64_t before;
	struct why why;
	struct rig r;
	char *dump;

	rig_init(&r);
	f.path = r.dir;
	cr_assert_eq(spool_fill(&f, &why), OK, "%s", why.text);
	rig_open(&r);
	before = file_bytes(&r);
	cr_assert_gt(before, (uint64_t)16 << 20);
	settle_backlog(&r, (uint64_t)1 << 40 | 1);
	dump = rig_dump(&r);
	/* not at once, for the next mail would need it again */
	for (int i = 0; i < 5; i++)
		turn(&r, 4000);
	cr_assert_geq(file_bytes(&r), before);
	for (int i = 0; i < TURNS_MAX && file_bytes(&r) >= before; i++)
		turn(&r, 6000);
	cr_assert_lt(file_bytes(&r), (uint64_t)1 << 20);
	cr_assert_eq(store_index_size(r.s->index, &size), OK);
	cr_assert_eq(size.used_bytes, size.file_bytes);
	cr_assert_eq(store_index_risks(r.s->index), 0);
	cr_assert_lt(store_index_longest_us(r.s->index), 100000);
	check_dump(&r, dump);
	/* nothing is left to be done, and nobody is woken for it */
	for (int i = 0; i < TURNS_MAX && r.s->shrink.is_busy; i++)
		turn(&r, 6000);
	cr_assert_not(r.s->shrink.is_busy);
	cr_assert_not(store_shrink_waits(&r.s->shrink));
	rig_close(&r);
	check_next_life(&r, dump);
}

/* ---- beside mail ---- */

/* What changes meanwhile goes into the new file, not into the old one. */
Test(shrink, mail_goes_on_and_its_check_point_waits)
{
	struct store_unit *u;
	uint64_t id;
	struct rig r;
	char *dump;

	open_with_eye(&r);
	some_mail(&r);
	r.s->shrink.is_forced = true;
	store_flush(r.s, clock_mono_ms());
	cr_assert(r.s->shrink.is_copying);
	/* no turn yet, so for us the copy is under way */
	u = rig_submit(&r, "new@one.example", "new\r\n");
	id = u->message->id;
	store_flush(r.s, clock_mono_ms() + 2000);
	store_worker_drain(r.s->commit);
	store_answered(r.s, UINT64_MAX);
	store_flush(r.s, clock_mono_ms() + 4000);
	cr_assert(r.s->overlay.is_frozen);
	cr_assert_not(r.s->overlay.is_sent);
	dump = rig_dump(&r);
	rig_checkpoint(&r);
	cr_assert_not(r.s->shrink.is_copying);
	check_dump(&r, dump);
	/* the index has it: memory may let it go */
	u = store_find_unit(r.s, id, 0);
	cr_assert_not_null(u);
	cr_assert_eq(store_unload_unit(r.s, &u), OK);
	check_dump(&r, dump);
	rig_kill(&r, NULL);
	check_next_life(&r, dump);
}

Test(shrink, nothing_is_done_while_somebody_looks)
{
	struct rig r;

	open_with_eye(&r);
	some_mail(&r);
	store_pin(r.s);
	r.s->shrink.is_forced = true;
	for (int i = 0; i < 5; i++)
		turn(&r, 0);
	cr_assert_not(r.s->shrink.is_busy);
	store_unpin(r.s);
	shrink(&r);
	rig_clear(&r);
}

Test(shrink, a_store_that_ends_meanwhile_ends_in_order)
{
	struct rig r;
	char *dump;

	open_with_eye(&r);
	some_mail(&r);
	r.s->shrink.is_forced = true;
	store_flush(r.s, clock_mono_ms());
	(void)rig_submit(&r, "last@one.example", "last\r\n");
	store_answered(r.s, UINT64_MAX);
	dump = rig_dump(&r);
	rig_close(&r);
	check_next_life(&r, dump);
}

/* ---- crashes ---- */

/* Before the rename, and right after it: both files say the same. */
Test(shrink, whichever_file_a_crash_leaves_is_whole)
{
	struct rig r, before, after;
	char *dump;

	open_with_eye(&r);
	some_mail(&r);
	/* with something that only the log has */
	(void)rig_submit(&r, "late@one.example", "late\r\n");
	rig_sync(&r);
	dump = rig_dump(&r);
	eye.before = &before;
	eye.after = &after;
	shrink(&r);
	check_dump(&r, dump);
	check_copy(&before, dump);
	check_copy(&after, dump);
	free(dump);
	rig_clear(&r);
}

/* ---- failures ---- */

/* I-06: the old file goes on, nothing is left behind, a later try does it. */
Test(shrink, a_failure_leaves_the_index_as_it_was)
{
	for (enum call call = CALL_OPEN; call < CALL_SYNC_DIR; call++) {
		struct rig r;
		ino_t ino;
		char *dump;

		open_with_eye(&r);
		some_mail(&r);
		dump = rig_dump(&r);
		ino = inode(&r);
		eye.fails = call;
		shrink(&r);
		cr_assert_eq(eye.fails, CALL_NONE);
		cr_assert_eq(inode(&r), ino);
		cr_assert_eq(rig_count_files(&r, "index", STORE_SHRINK_NAME),
		    0);
		check_dump(&r, dump);
		some_mail(&r);
		free(dump);
		dump = rig_dump(&r);
		shrink(&r);
		cr_assert_neq(inode(&r), ino);
		rig_kill(&r, NULL);
		check_next_life(&r, dump);
	}
}

/* The old file may come back with a crash: until the name is durable no segment
 * goes that it knows of. */
Test(shrink, a_name_that_is_not_durable_keeps_the_segments)
{
	struct rig r;
	ino_t ino;

	open_with_eye(&r);
	some_mail(&r);
	ino = inode(&r);
	eye.fails = CALL_SYNC_DIR;
	shrink(&r);
	cr_assert_neq(inode(&r), ino);
	cr_assert_eq(r.s->pins, 1);
	cr_assert(r.s->shrink.is_unsure);
	cr_assert(store_shrink_waits(&r.s->shrink));
	some_mail(&r);
	/* tried again, though there is nothing to gain */
	ino = inode(&r);
	for (int i = 0; i < TURNS_MAX && r.s->shrink.is_unsure; i++)
		turn(&r, 61000);
	cr_assert_neq(inode(&r), ino);
	cr_assert_eq(r.s->pins, 0);
	rig_clear(&r);
}

/* One copied by a process that was killed is in nobody's way. */
Test(shrink, what_was_left_behind_goes_with_the_next_start)
{
	char path[RIG_PATH];
	struct rig r;
	int fd;

	rig_init(&r);
	for (int i = 0; i < 2; i++) {
		rig_open(&r);
		some_mail(&r);
		rig_close(&r);
		rig_path(&r, path, "index", STORE_SHRINK_NAME);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		cr_assert_eq(write(fd, "half", 4), 4);
		(void)close(fd);
		rig_open(&r);
		cr_assert_eq(r.notice_count, 0, "%s", r.notices);
		cr_assert_eq(rig_count_files(&r, "index", STORE_SHRINK_NAME),
		    0);
		rig_close(&r);
	}
	rig_clear(&r);
}

/* LMDB would believe what the lock file says, which is about the old file. */
Test(shrink, a_foreign_reader_does_no_harm)
{
	struct store_index *x;
	struct why why;
	char path[RIG_PATH], byte;
	int ready[2], go[2];
	struct rig r;
	char *dump;
	pid_t pid;

	open_with_eye(&r);
	some_mail(&r);
	rig_path(&r, path, "index", "");
	cr_assert(pipe(ready) == 0 && pipe(go) == 0);
	if ((pid = fork()) == 0) {
		(void)close(go[1]);
		if (store_index_open_to_read(path, true, &x, &why) != OK)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	(void)close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	/* an even number of commits, or an odd one */
	for (int i = 0; i < 3; i++) {
		some_mail(&r);
		dump = rig_dump(&r);
		shrink(&r);
		check_dump(&r, dump);
		free(dump);
	}
	some_mail(&r);
	dump = rig_dump(&r);
	(void)close(go[1]);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	rig_close(&r);
	rig_open(&r);
	cr_assert_eq(r.notice_count, 0, "%s", r.notices);
	check_dump(&r, dump);
	free(dump);
	(void)close(ready[0]);
	(void)close(go[0]);
	rig_clear(&r);
}
