/* Writes and syncs that fail, disks that fill: refused, rescued, recovered
 * (I-06). */
#include <criterion/criterion.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/os/clock.h"
#include "queued/store/store_private.h"
#include "tests/unit/store/store_rig.h"

static void
next_sync_fails(struct rig *r, long count)
{
	(void)pthread_mutex_lock(&r->io->lock);
	r->io->fail_sync = r->io->syncs + 1;
	r->io->fail_count = count;
	(void)pthread_mutex_unlock(&r->io->lock);
}

static void
next_write_fails(struct rig *r, int number)
{
	(void)pthread_mutex_lock(&r->io->lock);
	r->io->fail_write = r->io->pwrites + 1;
	r->io->fail_count = 1;
	r->io->fail_errno = number;
	(void)pthread_mutex_unlock(&r->io->lock);
}

/* A message, a verdict on an older one and a report stand in the group that
 * fails: the message is refused, the others are written again (I-02, I-06). */
static void
check_rescue(struct rig *r, const char *event)
{
	struct store_unit *old, *report = NULL;
	struct store_figures before, after;
	char *dump, *again;
	struct buf b;
	uint64_t id;

	buf_init(&b, 1 << 20);
	store_figures(r->s, &before);
	old = store_find_unit(r->s, (uint64_t)1 << 40 | 1, 0);
	cr_assert_not_null(old);
	(void)rig_submit(r, "new@one.example", "new\r\n");
	r->next_token = 0;
	report = rig_submit(r, "report@one.example", "report\r\n");
	id = report->message->id;
	r->next_token = 2000;
	rig_verdict(r, old, 0, 0, false, 4321, "kept");
	/* a check-point of just this group is frozen, and must be thawed */
	store_answered(r->s, UINT64_MAX);
	r->s->overlay.begun_at_ms = INT64_MIN / 2;
	store_flush(r->s, clock_mono_ms());
	/* this one stands in the open group meanwhile, and is kept */
	(void)rig_submit(r, "open@one.example", "open\r\n");
	rig_sync(r);
	cr_assert_not(r->is_dead);
	cr_assert_eq(r->refused_count, 1);
	cr_assert_eq(r->refused[0], 1001);
	cr_assert_not_null(strstr(r->notices, event), "%s", r->notices);
	cr_assert_eq(r->synced, store_synced(r->s));
	store_figures(r->s, &after);
	cr_assert_eq(after.messages, before.messages + 2);
	cr_assert_eq(after.recipients, before.recipients + 2);
	cr_assert_eq(old->due_at, 4321);
	report = store_find_unit(r->s, id, 0);
	cr_assert_eq(store_content(r->s, report->message, 0, 1, &b), OK);
	cr_assert(span_equal(span_from(buf_span(&b), b.n - 8),
	    SPAN_LIT("report\r\n")));
	buf_clear(&b);
	dump = rig_dump(r);
	rig_kill(r, NULL);
	rig_open(r);
	cr_assert_eq(r->notice_count, 0, "%s", r->notices);
	again = rig_dump(r);
	cr_assert_str_eq(dump, again);
	free(again);
	/* nor does the index know what was refused */
	rig_checkpoint(r);
	rig_close(r);
	rig_open(r);
	again = rig_dump(r);
	cr_assert_str_eq(dump, again);
	free(dump);
	free(again);
}

/* */
Test(fault, a_failed_sync_refuses_mail_and_keeps_the_rest)
{
	struct rig r;

	rig_open_with_io(&r);
	(void)rig_submit(&r, "old@one.example", "old\r\n");
	rig_sync(&r);
	next_sync_fails(&r, 1);
	check_rescue(&r, "write-failed");
	rig_clear(&r);
}

Test(fault, a_failed_write_refuses_mail_and_keeps_the_rest)
{
	static const int numbers[] = { EIO, ENOSPC, EDQUOT };

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		struct rig r;

		rig_open_with_io(&r);
		(void)rig_submit(&r, "old@one.example", "old\r\n");
		rig_sync(&r);
		next_write_fails(&r, numbers[i]);
		check_rescue(&r, "write-failed");
		rig_clear(&r);
	}
}

Test(fault, written_verdicts_are_written_again_when_their_sync_fails)
{
	struct store_unit *u;
	char *dump, *again;
	struct rig r;
	uint64_t group;

	rig_open_with_io(&r);
	u = rig_submit(&r, "old@one.example other@one.example", "old\r\n");
	rig_sync(&r);
	group = store_group(r.s);
	rig_verdict(&r, u, 0, 0, true, 1, "delivered");
	while (r.written < group)
		rig_turn(&r, 10);
	next_sync_fails(&r, 1);
	while (r.synced < group)
		rig_turn(&r, 2000);
	cr_assert_not_null(strstr(r.notices, "write-rescued"));
	cr_assert_eq(r.refused_count, 0);
	dump = rig_dump(&r);
	rig_kill(&r, NULL);
	rig_open(&r);
	again = rig_dump(&r);
	cr_assert_str_eq(dump, again);
	free(dump);
	free(again);
	rig_clear(&r);
}

/* */
Test(fault, when_the_rescue_fails_too_the_store_is_dead)
{
	struct store_unit *u = NULL;
	struct rig r;

	rig_open_with_io(&r);
	(void)rig_submit(&r, "old@one.example", "old\r\n");
	rig_sync(&r);
	next_sync_fails(&r, 1000);
	(void)rig_submit(&r, "new@one.example", "new\r\n");
	rig_sync(&r);
	cr_assert(r.is_dead);
	cr_assert_eq(r.refused_count, 0);
	cr_assert_eq(rig_try_submit(&r, "a@b.example", "x", &u), ERR_IO);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_not_null(store_find_unit(r.s, (uint64_t)1 << 40 | 1, 0));
	rig_clear(&r);
}

/* R-05, I-06: no segment is ready for the rescue, and none can be made for a
 * while.  Nobody is answered, no mail is taken, and then all goes on. */
Test(fault, a_rescue_waits_for_a_spare)
{
	struct store_unit *u = NULL, *old;
	struct store_figures f;
	struct rig r;
	char *dump, *again;

	rig_open_with_io(&r);
	old = rig_submit(&r, "old@one.example", "old\r\n");
	rig_sync(&r);
	while (store_spares_give_up(&r.s->spares))
		continue;
	/* the group, and each try to fill a spare */
	next_sync_fails(&r, 1000000);
	(void)rig_submit(&r, "new@one.example", "new\r\n");
	store_flush(r.s, clock_mono_ms());
	TURN_UNTIL(&r, 10, store_log_is_stuck(&r.s->log) &&
	    !store_room(r.s).is_accepting);
	cr_assert(store_log_is_stuck(&r.s->log));
	cr_assert_not(store_room(r.s).is_accepting);
	cr_assert_eq(rig_try_submit(&r, "a@b.example", "x", &u), ERR_FULL);
	/* verdicts of what was leased before are taken, and wait */
	rig_verdict(&r, old, 0, 0, false, 4321, "kept");
	for (int i = 0; i < 5; i++)
		rig_turn(&r, 300);
	cr_assert_not(r.is_dead);
	cr_assert_eq(r.refused_count, 0);
	cr_assert_lt(r.synced, store_last_group(r.s));
	(void)pthread_mutex_lock(&r.io->lock);
	r.io->fail_sync = 0;
	(void)pthread_mutex_unlock(&r.io->lock);
	rig_sync(&r);
	TURN_UNTIL(&r, 100, store_room(r.s).is_accepting);
	cr_assert_not(r.is_dead);
	cr_assert_eq(r.refused_count, 1);
	cr_assert_eq(old->due_at, 4321);
	cr_assert_eq(rig_try_submit(&r, "a@b.example", "x", &u), OK);
	rig_sync(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 2);
	dump = rig_dump(&r);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_eq(r.notice_count, 0, "%s", r.notices);
	again = rig_dump(&r);
	cr_assert_str_eq(again, dump);
	free(again);
	free(dump);
	rig_clear(&r);
}

/* One that is closed meanwhile: what was never answered may be lost. */
Test(fault, a_store_whose_rescue_waits_is_closed)
{
	struct rig r;

	rig_open_with_io(&r);
	(void)rig_submit(&r, "old@one.example", "old\r\n");
	rig_sync(&r);
	while (store_spares_give_up(&r.s->spares))
		continue;
	next_sync_fails(&r, 1000000);
	(void)rig_submit(&r, "new@one.example", "new\r\n");
	store_flush(r.s, clock_mono_ms());
	TURN_UNTIL(&r, 10, store_log_is_stuck(&r.s->log));
	rig_close(&r);
	r.io->fail_sync = 0;
	rig_open(&r);
	cr_assert_not_null(store_find_unit(r.s, (uint64_t)1 << 40 | 1, 0));
	rig_clear(&r);
}

/* The messages of the open group outlive its buffer: a sanitizer looks on. */
Test(fault, a_dead_store_with_a_message_that_waits_is_closed)
{
	const size_t n = 5 << 20;	/* a buffer that is not kept for later */
	char *body = malloc(n + 1);
	struct store_unit *u;
	struct rig r;

	memset(body, 'x', n);
	body[n] = '\0';
	rig_open_with_io(&r);
	next_sync_fails(&r, 2);
	(void)rig_submit(&r, "a@one.example", "first\r\n");
	store_flush(r.s, clock_mono_ms());
	while (strstr(r.notices, "write-failed") == NULL)
		rig_turn(&r, 10);
	/* the rescue is under way */
	cr_assert_eq(rig_try_submit(&r, "b@one.example", body, &u), OK);
	while (!r.is_dead)
		rig_turn(&r, 10);
	rig_clear(&r);
	free(body);
}

Test(fault, many_failures_in_a_row_of_groups_are_each_rescued)
{
	struct rig r;
	struct store_figures f;

	rig_open_with_io(&r);
	for (int i = 0; i < 20; i++) {
		while (r.s->spares.count < STORE_SPARES)
			rig_turn(&r, 10);
		next_sync_fails(&r, 1);
		(void)rig_submit(&r, "new@one.example", "new\r\n");
		rig_sync(&r);
		cr_assert_eq(r.refused_count, i + 1);
		(void)rig_submit(&r, "kept@one.example", "kept\r\n");
		rig_sync(&r);
	}
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 20);
	cr_assert_not(r.is_dead);
	rig_kill(&r, NULL);
	rig_open(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 20);
	rig_clear(&r);
}

Test(fault, short_writes_are_continued)
{
	struct rig r;
	char *dump, *again;

	rig_init(&r);
	r.io = rig_io_new();
	r.io->short_bytes = 1000;
	rig_open(&r);
	for (int i = 0; i < 10; i++)
		(void)rig_submit(&r, "a@one.example b@two.example", "x\r\n");
	rig_sync(&r);
	dump = rig_dump(&r);
	rig_kill(&r, NULL);
	rig_open(&r);
	again = rig_dump(&r);
	cr_assert_str_eq(dump, again);
	free(dump);
	free(again);
	rig_clear(&r);
}

/* Mail comes, is delivered and goes: the spool does not grow, though one
 * message stays and is tried again and again. */
Test(fault, dead_segments_are_used_again)
{
	char *body = malloc(50001), *dump, *again, path[RIG_PATH];
	struct store_unit *u, *old;
	struct store_figures f;
	uint64_t most = 0;
	struct rig r;

	memset(body, 'x', 50000);
	body[50000] = '\0';
	rig_init(&r);
	rig_open(&r);
	old = rig_submit(&r, "stays@one.example", "stays\r\n");
	for (int i = 0; i < 400; i++) {
		if (i % 7 == 0)
			rig_verdict(&r, old, 0, 0, false, 9, "later");
		u = rig_submit(&r, "a@one.example", body);
		rig_sync(&r);
		cr_assert(rig_verdict(&r, u, 0, 0, true, 1, "ok"));
		if (i % 20 == 0)
			rig_checkpoint(&r);
		store_figures(r.s, &f);
		most = f.disk_bytes > most ? f.disk_bytes : most;
	}
	/* 20 MB went through segments of 1 MiB */
	cr_assert_lt(most, 10 << 20, "%ju", (uintmax_t)most);
	TURN_UNTIL(&r, 10, rig_count_files(&r, "log", "log.") < 8);
	cr_assert_lt(rig_count_files(&r, "log", "log."), 8);
	cr_assert_eq(f.messages, 1);
	/* nothing comes back when the index is made again */
	dump = rig_dump(&r);
	for (int i = 0; i < 2; i++) {
		rig_close(&r);
		rig_path(&r, path, "index", "data.mdb");
		cr_assert_eq(remove(path), 0);
		rig_open(&r);
		store_figures(r.s, &f);
		cr_assert_eq(f.messages, 1);
		cr_assert_eq(r.notice_count, 0, "%s", r.notices);
	}
	/* but for when it was tried last: those verdicts are not kept */
	old = store_find_unit(r.s, (uint64_t)1 << 40 | 1, 0);
	cr_assert_not_null(old);
	rig_verdict(&r, old, 0, 0, true, 1, "ok");
	rig_checkpoint(&r);
	again = rig_dump(&r);
	cr_assert(strstr(again, "messages 0 units 0 recipients 0 bytes 0") ==
	    again);
	rig_close(&r);
	rig_open(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 0);
	free(dump);
	free(again);
	free(body);
	rig_clear(&r);
}

/* A verdict outlives its message's segment, or the message would return when
 * the index is made again. */
Test(fault, a_verdict_stays_while_its_message_could_return)
{
	char *body = malloc(300001), path[RIG_PATH];
	struct store_unit *stays, *goes, *u;
	struct store_figures f;
	struct rig r;

	memset(body, 'x', 300000);
	body[300000] = '\0';
	rig_init(&r);
	rig_open(&r);
	stays = rig_submit(&r, "stays@one.example", "stays\r\n");
	goes = rig_submit(&r, "goes@one.example", "goes\r\n");
	rig_sync(&r);
	/* the verdict falls into a later segment, then many more follow */
	for (int i = 0; i < 30; i++) {
		if (i == 5)
			cr_assert(rig_verdict(&r, goes, 0, 0, true, 1, "ok"));
		u = rig_submit(&r, "a@one.example", body);
		rig_sync(&r);
		cr_assert(rig_verdict(&r, u, 0, 0, true, 1, "ok"));
		rig_checkpoint(&r);
	}
	cr_assert_eq(stays->left, 1);
	rig_close(&r);
	rig_path(&r, path, "index", "data.mdb");
	cr_assert_eq(remove(path), 0);
	rig_open(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 1, "%ju", (uintmax_t)f.messages);
	free(body);
	rig_clear(&r);
}

/* ---- calls that do not go through the layer ---- */

static atomic_int read_error;		/* of files of the log */
static atomic_int list_left = INT_MAX;	/* names that a listing still gives */
ssize_t pread(int fd, void *p, size_t n, off_t at);
struct dirent *readdir(DIR *dir);

static bool
is_log(int fd)
{
	char link[64], path[RIG_PATH];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return strstr(path, "/log/log.") != NULL;
}

ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
	int error = atomic_load(&read_error);

	if (error != 0 && is_log(fd)) {
		errno = error;
		return -1;
	}
	return syscall(SYS_pread64, fd, p, n, at);
}

struct dirent *
readdir(DIR *dir)
{
	static struct dirent *(*real)(DIR *dir);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	if (atomic_fetch_sub(&list_left, 1) <= 0) {
		errno = EIO;
		return NULL;
	}
	return real(dir);
}

/* What can't be read may be there all the same: a start that took it for the
 * end of the log would cut it off for ever (I-01). */
Test(fault, a_log_that_cannot_be_read_ends_the_start)
{
	char *dump, *again, path[RIG_PATH];
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	for (int i = 0; i < 20; i++)
		(void)rig_submit(&r, "a@one.example", "kept\r\n");
	rig_checkpoint(&r);
	(void)rig_submit(&r, "b@one.example", "not in the index\r\n");
	rig_sync(&r);
	dump = rig_dump(&r);
	/* with its index, and without: then all of the log is read */
	for (int i = 0; i < 2; i++) {
		rig_close(&r);
		rig_path(&r, path, "index", "data.mdb");
		if (i == 1)
			cr_assert_eq(remove(path), 0);
		atomic_store(&read_error, EIO);
		for (int n = 0; n < 3; n++)
			cr_assert_eq(rig_try_open(&r), ERR_IO);
		atomic_store(&read_error, 0);
		/* nor is a part of the directory all of it */
		for (int n = 0; n < 12; n++) {
			atomic_store(&list_left, n);
			if (rig_try_open(&r) == OK)
				break;
		}
		atomic_store(&list_left, INT_MAX);
		if (r.s == NULL)
			rig_open(&r);
		again = rig_dump(&r);
		cr_assert_str_eq(dump, again);
		free(again);
	}
	free(dump);
	rig_clear(&r);
}

/* LMDB writes by itself: the meta page goes through a descriptor of its
 * own. */
static atomic_int meta_error;
ssize_t pwrite(int fd, const void *p, size_t n, off_t at);

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	int error = atomic_load(&meta_error);

	if (error != 0 && (fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
		errno = error;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, p, n, at);
}

/* LMDB does nothing more after such a failure until it is opened again: the
 * index follows all the same, and can be read (I-06). */
Test(fault, an_index_whose_meta_page_cannot_be_written_comes_back)
{
	static const int numbers[] = { EIO, ENOSPC };
	char *dump, *again;
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		(void)rig_submit(&r, "a@one.example", "before\r\n");
		rig_checkpoint(&r);
		(void)rig_submit(&r, "b@one.example", "meanwhile\r\n");
		rig_sync(&r);
		store_answered(r.s, store_synced(r.s));
		atomic_store(&meta_error, numbers[i]);
		TURN_UNTIL(&r, 10, r.s->overlay.has_failed);
		cr_assert(r.s->overlay.has_failed);
		cr_assert_not_null(strstr(r.notices, "checkpoint-failed"));
		atomic_store(&meta_error, 0);
		dump = rig_dump(&r);
		cr_assert_not_null(strstr(dump, "b@one.example"));
		rig_checkpoint(&r);
		again = rig_dump(&r);
		cr_assert_str_eq(dump, again);
		free(again);
		rig_close(&r);
		rig_open(&r);
		again = rig_dump(&r);
		cr_assert_str_eq(dump, again);
		free(dump);
		free(again);
	}
	rig_clear(&r);
}

/* Whom to refuse is looked up for each record that is carried over. */
Test(fault, a_rescue_of_many_is_quick, .timeout = 120)
{
	enum { MANY = 30000 };
	struct timespec begin, end;
	struct rig r;
	int64_t ms;

	rig_open_with_io(&r);
	r.s->spares.segment_bytes = 32 << 20;
	for (int i = 0; i < MANY; i++)
		(void)rig_submit(&r, "a@one.example", "x\r\n");
	next_sync_fails(&r, 1);
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	rig_sync(&r);
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	cr_assert_eq(r.refused_count, MANY);
	ms = (end.tv_sec - begin.tv_sec) * 1000 +
	    (end.tv_nsec - begin.tv_nsec) / 1000000;
	cr_assert_lt(ms, 1000, "%jd", (intmax_t)ms);
	rig_clear(&r);
}

/* a segment that something else links to is not written again, but
 * removed; the copy keeps its bytes. */
Test(fault, what_a_backup_links_to_is_never_written_again)
{
	char *body = malloc(50001), from[RIG_PATH], to[RIG_PATH];
	char name[STORE_SEGMENT_NAME];
	uint8_t *before, *after;
	struct store_unit *u;
	uint64_t segment;
	struct stat st;
	struct rig r;
	int fd = -1;

	memset(body, 'x', 50000);
	body[50000] = '\0';
	rig_init(&r);
	rig_open(&r);
	segment = r.s->log.end.segment;
	store_segment_name(segment, name);
	rig_path(&r, from, "log", name);
	rig_path(&r, to, "", "copy");
	before = malloc(1 << 20);
	after = malloc(1 << 20);
	for (int i = 0; i < 120; i++) {
		u = rig_submit(&r, "a@one.example", body);
		rig_sync(&r);
		if (i == 5) {
			cr_assert_eq(link(from, to), 0);
			cr_assert_geq(fd = open(to, O_RDONLY), 0);
		}
		cr_assert(rig_verdict(&r, u, 0, 0, true, 1, "ok"));
		if (r.s->log.end.segment == segment + 1 &&
		    r.s->log.end.offset < 100000)
			cr_assert_gt(pread(fd, before, 1 << 20, 0), 0);
		if (i % 10 == 0)
			rig_checkpoint(&r);
	}
	cr_assert_neq(access(from, F_OK), 0);
	cr_assert_gt(pread(fd, after, 1 << 20, 0), 0);
	cr_assert_eq(memcmp(before, after, 1 << 20), 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_nlink, 1);
	(void)close(fd);
	free(before);
	free(after);
	free(body);
	rig_clear(&r);
}
