/* Room for verdicts, for reports and for the index, on disks that fill
 * (I-06). */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/base/mtime.h"
#include "common/os/clock.h"
#include "queued/store/store_private.h"
#include "tests/unit/store/store_rig.h"

/* R-10 */
Test(room, a_full_disk_refuses_mail_takes_verdicts_and_recovers)
{
	struct store_unit *u = NULL, *first;
	struct rig r;
	char *body = malloc(100001);
	int accepted = 0;
	enum err e = OK;

	memset(body, 'x', 100000);
	body[100000] = '\0';
	rig_open_with_io(&r);
	first = rig_submit(&r, "first@one.example", "x\r\n");
	rig_sync(&r);
	rig_set_available(&r, 0);
	for (; accepted < 1000 && e == OK; accepted++) {
		e = rig_try_submit(&r, "a@one.example", body, &u);
		rig_sync(&r);
		store_room_look_soon(r.s);
		rig_turn(&r, 1);
	}
	cr_assert_eq(e, ERR_FULL);
	cr_assert_not(store_room(r.s).is_accepting);
	cr_assert_gt(r.room_count, 0);
	/* the reserve: two whole segments of verdicts */
	for (int i = 0; i < 200; i++) {
		rig_verdict(&r, first, 0, 0, false, (uint64_t)i, "later");
		rig_sync(&r);
	}
	cr_assert_not(r.is_dead);
	cr_assert_eq(r.s->log.is_waiting, false);
	rig_set_available(&r, UINT64_MAX);
	TURN_UNTIL(&r, 1000, store_room(r.s).is_accepting);
	cr_assert_eq(rig_try_submit(&r, "a@one.example", body, &u), OK);
	rig_sync(&r);
	free(body);
	rig_clear(&r);
}

/* As its owner does: only what is answered reaches the index, and only a
 * check-point frees a segment for a group that waits for one. */
static void
sync_and_answer(struct rig *r)
{
	store_flush(r->s, clock_mono_ms());
	TURN_UNTIL(r, 10, (store_answered(r->s, store_synced(r->s)),
	    store_log_sync_late(r->s, clock_mono_ms(), true),
	    store_synced(r->s) + 1 == store_group(r->s) &&
	    store_log_is_open_empty(r->s)));
	cr_assert_eq(store_synced(r->s) + 1, store_group(r->s));
}

/* The last try to make a file failed, when more spares were wanted than are
 * now: there are enough, but no room counts before another try. (R-10) */
Test(room, after_a_file_that_could_not_be_made_another_is_tried)
{
	struct rig r;

	rig_open_with_io(&r);
	(void)rig_submit(&r, "a@b.example", "x\r\n");
	TURN_UNTIL(&r, 10, r.s->spares.making == 0);
	r.s->spares.is_barren = true;
	r.s->spares.failure = ERR_FULL;
	cr_assert_geq(r.s->spares.count, STORE_SPARES);
	TURN_UNTIL(&r, 10, !r.s->spares.is_barren);
	cr_expect_not(r.s->spares.is_barren);
	TURN_UNTIL(&r, 10, store_room(r.s).is_accepting);
	cr_expect(store_room(r.s).is_accepting);
	rig_clear(&r);
}

/* A file system of its own below the rig's directory, in a name space of its
 * own; false: not allowed. */
static bool
mount_small(const struct rig *r, const char *options)
{
	return unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", r->dir, "tmpfs", 0, options) == 0;
}

static void
clear_mounted(struct rig *r)
{
	char dir[RIG_PATH];

	rig_close(r);
	(void)snprintf(dir, sizeof(dir), "%s", r->dir);
	rig_clear(r);
	(void)umount(dir);
	(void)rmdir(dir);
}

/* A small disk that is really full, under log, index and bodies at once.
 * (R-10) */
Test(room, a_small_disk_fills_and_empties_again, .timeout = 240)
{
	char *body = malloc(4001);
	struct store_unit *u = NULL;
	struct store_figures f;
	struct rig r;

	memset(body, 'x', 4000);
	body[4000] = '\0';
	rig_init(&r);
	if (!mount_small(&r, "size=24m")) {
		rig_clear(&r);
		free(body);
		cr_skip_test("needs the right to mount");
	}
	r.segment_bytes = 0;
	rig_open(&r);
	for (int round = 0; round < 3; round++) {
		enum err e = OK;
		int n = 0;

		for (; n < 20000 && e == OK; n++) {
			e = rig_try_submit(&r, "a@b.example", body, &u);
			if (n % 10 == 0)
				sync_and_answer(&r);
		}
		cr_assert_eq(e, ERR_FULL);
		/* five segments of theirs, of five to eight that there is room
		 * for: how many stand ready as spares is a matter of time */
		cr_assert_gt(n, 1200, "round %d: %d", round, n);
		sync_and_answer(&r);
		/* everything is delivered, though the disk is full */
		store_figures(r.s, &f);
		for (uint64_t id = 1; f.messages > 0; id++) {
			u = store_find_unit(r.s, r.s->start << 40 | id, 0);
			if (u == NULL)
				continue;
			cr_assert(rig_verdict(&r, u, 0, 0, true, 1, "ok"));
			if (id % 50 == 0)
				sync_and_answer(&r);
			store_figures(r.s, &f);
		}
		sync_and_answer(&r);
		TURN_UNTIL(&r, 100, (store_answered(r.s, store_synced(r.s)),
		    store_room(r.s).is_accepting));
		store_figures(r.s, &f);
		cr_assert(store_room(r.s).is_accepting, "round %d: %ju free, %zu "
		    "spares, %ju bytes behind, check-point failed %d, %s",
		    round, (uintmax_t)r.s->space.free, r.s->spares.count,
		    (uintmax_t)f.checkpoint_lag_bytes, r.s->overlay.has_failed,
		    r.notices);
		cr_assert_not(r.is_dead);
		/* and at a start as well */
		rig_checkpoint(&r);
		rig_close(&r);
		rig_open(&r);
	}
	clear_mounted(&r);
	free(body);
}

/* Mail is stopped in time for the rows of a check-point that is under way, too.
 * (R-10) */
Test(room, rows_are_paid_for_until_the_index_has_them)
{
	uint64_t before;
	struct rig r;

	rig_open_with_io(&r);
	rig_set_available(&r, (uint64_t)32 << 20);
	for (int i = 0; i < 1000; i++)
		(void)rig_submit(&r, "a@b.example", "x\r\n");
	rig_sync(&r);
	before = store_room_available(r.s);
	/* not answered: it is not sent */
	store_overlay_hurry(r.s);
	store_flush(r.s, clock_mono_ms());
	cr_assert_geq(r.s->overlay.frozen, 1000);
	cr_expect_leq(store_room_available(r.s), before);
	/* nor does the log take it */
	cr_expect_leq(store_room_for_log(r.s), before +
	    r.s->space.index_room / 2);
	rig_checkpoint(&r);
	rig_turn(&r, 1);
	cr_expect_gt(store_room_available(r.s), before);
	rig_clear(&r);
}

/* ... and a spare when it is begun, or a disk is given away twice between two
 * looks.  (R-10) */
Test(room, a_spare_is_paid_for_when_it_is_begun)
{
	struct store_spare spare;
	uint64_t before, wanted;
	struct rig r;

	rig_open_with_io(&r);
	TURN_UNTIL(&r, 10, r.s->spares.making == 0);
	/* others use the real one too */
	rig_set_available(&r, (uint64_t)1 << 30);
	rig_turn(&r, 1);
	while (r.s->spares.count >= STORE_SPARES) {
		cr_assert_eq(store_spares_take(&r.s->spares, &spare), OK);
		(void)close(spare.fd);
	}
	r.s->overlay.frees_at_ms = INT64_MIN / 2;
	before = store_room_left(r.s);
	wanted = r.s->spares.wanted_bytes;
	store_flush(r.s, clock_mono_ms());
	cr_assert_eq(r.s->spares.making, 1);
	cr_expect_eq(store_room_left(r.s), before - wanted);
	/* what is made the disk tells itself, at once */
	rig_set_available(&r, ((uint64_t)1 << 30) - wanted);
	r.s->space.looked_at_ms = clock_mono_ms();
	TURN_UNTIL(&r, 10, r.s->spares.making == 0);
	cr_expect_eq(store_room_left(r.s), ((uint64_t)1 << 30) - wanted);
	rig_clear(&r);
}

static void
fill_disk(const struct rig *r)
{
	static const uint8_t zeros[4096];
	char path[RIG_PATH];
	int fd;

	rig_path(r, path, "log", "others");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	while (write(fd, zeros, sizeof(zeros)) == (ssize_t)sizeof(zeros))
		;
	(void)close(fd);
}

/* Others fill the disk before the check-point of much mail.  When that mail is
 * delivered, its rows need not be written, and so its segments go. (R-10) */
Test(room, rows_of_mail_that_has_gone_need_no_room, .timeout = 240)
{
	enum { MESSAGES = 8000 };
	char address[300], *start;
	struct store_figures f;
	struct rig r;

	rig_init(&r);
	if (!mount_small(&r, "size=64m")) {
		rig_clear(&r);
		cr_skip_test("needs the right to mount");
	}
	r.segment_bytes = 0;
	rig_open(&r);
	TURN_UNTIL(&r, 10, r.s->spares.count >= STORE_SPARES);
	start = address + snprintf(address, sizeof(address), "%060d@", 0);
	memset(start, 'x', 180);
	for (int i = 60; i < 180; i += 60)
		start[i] = '.';
	(void)snprintf(start + 180, 20, ".example");
	r.sender = address;
	for (int i = 0; i < MESSAGES; i++)
		(void)rig_submit(&r, address, "x\r\n");
	rig_sync(&r);
	store_overlay_hurry(r.s);
	store_flush(r.s, clock_mono_ms());
	cr_assert_geq(r.s->overlay.frozen, MESSAGES);
	fill_disk(&r);
	TURN_UNTIL(&r, 10, (store_answered(r.s, store_synced(r.s)),
	    r.s->overlay.has_failed));
	cr_assert_not_null(strstr(r.notices, "checkpoint-failed"));
	for (uint64_t id = 1; id <= MESSAGES; id++) {
		struct store_unit *u = store_find_unit(r.s,
		    r.s->start << 40 | id, 0);

		cr_assert_not_null(u);
		cr_assert(rig_verdict(&r, u, 0, 0, true, 1, "ok"));
		if (id % 50 == 0)
			sync_and_answer(&r);
	}
	sync_and_answer(&r);
	TURN_UNTIL(&r, 100, (store_answered(r.s, store_synced(r.s)),
	    store_figures(r.s, &f), f.checkpoint_lag_bytes == 0));
	cr_assert_eq(f.checkpoint_lag_bytes, 0, "%ju free, %zu spares, %ju "
	    "bytes behind, %zu frozen, %zu dirty, %s",
	    (uintmax_t)r.s->space.free, r.s->spares.count,
	    (uintmax_t)f.checkpoint_lag_bytes, r.s->overlay.frozen,
	    r.s->overlay.dirty, r.notices);
	cr_assert_not(r.is_dead);
	clear_mounted(&r);
}
