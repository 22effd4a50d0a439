/* Small groups are written where they are made while the disk is quick. */
#include <criterion/criterion.h>

#include <pthread.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "queued/store/store_private.h"
#include "tests/unit/store/store_rig.h"

enum { SLOW_US = STORE_QUICK_US + 1, LARGE = STORE_QUICK_BYTES + 1 };

static void
fill_row(struct store_quick *q)
{
	for (int i = 0; i < STORE_QUICK_ROW; i++)
		store_quick_note(q, STORE_QUICK_BYTES, STORE_QUICK_US);
}

Test(quick, is_believed_after_a_row_of_quick_groups)
{
	struct store_quick q = { .row = 0 };

	for (int i = 0; i < STORE_QUICK_ROW; i++) {
		cr_assert_not(store_quick_may(&q, 1));
		store_quick_note(&q, STORE_QUICK_BYTES, STORE_QUICK_US);
	}
	cr_assert(store_quick_may(&q, STORE_QUICK_BYTES));
	cr_assert_not(store_quick_may(&q, LARGE));
}

Test(quick, a_slow_group_costs_belief_by_its_time)
{
	struct store_quick q = { .row = 0 };

	fill_row(&q);
	store_quick_note(&q, 1, SLOW_US);
	cr_assert_not(store_quick_may(&q, 1));
	for (int i = 0; i < STORE_QUICK_MAX; i++)
		fill_row(&q);
	/* now and then is forgiven, again and again is not */
	store_quick_note(&q, 1, SLOW_US);
	cr_assert(store_quick_may(&q, 1));
	for (int i = 0; i < STORE_QUICK_MAX; i++)
		store_quick_note(&q, 1, SLOW_US);
	cr_assert_not(store_quick_may(&q, 1));
	for (int i = 0; i < STORE_QUICK_MAX; i++)
		fill_row(&q);
	store_quick_note(&q, 1, UINT64_MAX);
	cr_assert_eq(q.row, 0);
}

Test(quick, large_groups_say_nothing_of_small_ones)
{
	struct store_quick q = { .row = 0 };

	store_quick_note(&q, LARGE, 1);
	cr_assert_eq(q.row, 0);
	fill_row(&q);
	store_quick_note(&q, LARGE, 10 * SLOW_US);
	cr_assert(store_quick_may(&q, 1));
}

/* ---- a store whose syncs take as long as we say, and tell who made them ---- */

static struct {
	pthread_t by;
	unsigned sleep_us;
} sync_;

static int
told_sync(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	sync_.by = pthread_self();
	(void)usleep(sync_.sleep_us);
	return 0;
}

static bool
is_synced_here(struct rig *r)
{
	(void)rig_submit(r, "a@one.example", "body\r\n");
	rig_sync(r);
	return pthread_equal(sync_.by, pthread_self()) != 0;
}

Test(quick, a_quick_disk_is_written_without_the_thread, .timeout = 120)
{
	struct rig r;
	int tries = 0;

	rig_init(&r);
	r.io = rig_io_new();
	r.io->io.fdatasync = told_sync;
	rig_open(&r);
	/* a machine that is busy with other things may break many rows */
	while (!is_synced_here(&r))
		cr_assert_lt(++tries, 3000, "never");
	/* the seal of the start was the first one */
	cr_assert_geq(tries + 1, STORE_QUICK_ROW);
	/* a disk that hangs is found out once, and left to the thread */
	sync_.sleep_us = 20 * STORE_QUICK_US;
	(void)is_synced_here(&r);
	for (int i = 0; i < STORE_QUICK_ROW; i++)
		cr_assert_not(is_synced_here(&r));
	sync_.sleep_us = 0;
	rig_clear(&r);
	rig_io_free(&r.io);
}

static unsigned due_count;

static void
on_due(void *ctx)
{
	(void)ctx;
	due_count++;
}

/* With on_due nobody need wait for the descriptor: the turn is due, and tells
 * of the group. */
Test(quick, a_group_written_here_makes_a_turn_due, .timeout = 120)
{
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	r.s->ops.on_due = on_due;
	for (int tries = 0; due_count == 0; tries++) {
		uint64_t group;

		cr_assert_lt(tries, 3000, "never");
		rig_sync(&r);
		due_count = 0;
		(void)rig_submit(&r, "a@one.example", "body\r\n");
		group = store_group(r.s);
		store_flush(r.s, clock_mono_ms());
		if (due_count == 0)
			continue;
		/* told by the turn, not before */
		cr_assert_eq(due_count, 1);
		cr_assert_lt(r.synced, group);
		store_turn(r.s);
		cr_assert_eq(r.synced, group);
		store_flush(r.s, clock_mono_ms());
	}
	rig_sync(&r);
	rig_clear(&r);
}
