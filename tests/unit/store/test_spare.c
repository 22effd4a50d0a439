/* Which segments are used again. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "queued/store/store_private.h"
#include "tests/unit/store/store_rig.h"

#define MIB ((uint64_t)1 << 20)

static struct rig r;
static struct store_spares spares;
static struct store_worker *worker;
static int dir_fd, wake_fd;

static void
on_change(void *owner)
{
	(void)owner;
}

static void
on_gone(void *owner, uint64_t segment, enum err e)
{
	(void)owner;
	(void)segment;
	cr_expect_eq(e, OK);
}

/* In a directory without a store. */
static void
begin(void)
{
	rig_init(&r);
	dir_fd = open(r.dir, O_RDONLY | O_DIRECTORY);
	wake_fd = eventfd(0, EFD_NONBLOCK);
	cr_assert_eq(store_spares_init(&spares, &store_io_system, dir_fd,
	    64 * MIB), OK);
	spares.on_change = on_change;
	spares.on_gone = on_gone;
	cr_assert_eq(store_worker_start("spares", wake_fd, NULL, &worker),
	    OK);
}

static void
end(void)
{
	store_worker_stop(&worker);
	store_spares_clear(&spares);
	(void)close(wake_fd);
	(void)close(dir_fd);
	rig_clear(&r);
}

/* Whether a dead one of that size is kept; then it is taken away again. */
static bool
is_used_again(uint64_t bytes)
{
	static uint64_t number = 1;
	char name[STORE_SEGMENT_NAME];
	struct store_spare spare;
	size_t before = spares.count;
	bool is_kept;

	store_segment_name(++number, name);
	cr_assert_eq(close(openat(dir_fd, name, O_CREAT | O_WRONLY, 0600)), 0);
	cr_assert_eq(store_spares_bury(&spares, worker, number, bytes), OK);
	store_worker_drain(worker);
	is_kept = spares.count > before;
	cr_assert_eq(faccessat(dir_fd, name, F_OK, 0), -1);
	if (is_kept) {
		cr_assert_eq(store_spares_take(&spares, &spare), OK);
		cr_assert_eq(unlinkat(dir_fd, spare.name, 0), 0);
		(void)close(spare.fd);
	}
	return is_kept;
}

/* What was made for a log a little shorter, or longer, is not filled anew. */
Test(spare, a_length_that_wavers_changes_nothing, .init = begin, .fini = end)
{
	uint64_t wanted = 0;

	for (uint64_t log = 100; log < 1100; log += 20) {
		store_spares_need(&spares, log * MIB, false, false);
		if (wanted > 0)
			cr_expect(is_used_again(wanted), "%ju MiB of log",
			    (uintmax_t)log);
		wanted = spares.wanted_bytes;
	}
	cr_expect_eq(wanted, 64 * MIB);
	for (uint64_t log = 1100; log > 100; log -= 20) {
		store_spares_need(&spares, log * MIB, false, false);
		cr_expect(is_used_again(wanted), "%ju MiB of log",
		    (uintmax_t)log);
		wanted = spares.wanted_bytes;
	}
	cr_expect_eq(wanted, STORE_SPARE_LEAST);
}

/* The four that a short log goes round in are no reserve of whole segments, and
 * are not in its way. */
Test(spare, small_ones_keep_no_reserve_out, .init = begin, .fini = end)
{
	spares.segment_bytes = 24 * MIB;
	store_spares_need(&spares, 0, false, true);
	store_spares_want(&spares, worker, 1000 * MIB);
	store_worker_drain(worker);
	cr_assert_eq(spares.count, STORE_SPARES_MAX);
	store_spares_need(&spares, 0, true, false);
	cr_assert_lt(spares.bytes, spares.reserve_bytes);
	store_spares_want(&spares, worker, 1000 * MIB);
	store_worker_drain(worker);
	cr_expect_geq(spares.bytes, spares.reserve_bytes);
	cr_expect_gt(spares.count, STORE_SPARES_MAX);
}

/* A small disk has small segments. */
Test(spare, segments_of_a_small_disk_are_used_again, .init = begin,
    .fini = end)
{
	spares.segment_bytes = MIB;
	store_spares_need(&spares, 0, false, false);
	cr_expect(is_used_again(MIB));
	cr_expect_not(is_used_again(MIB / 2));
}

Test(spare, far_too_small_or_large_goes, .init = begin, .fini = end)
{
	store_spares_need(&spares, 1100 * MIB, false, false);
	cr_expect(is_used_again(32 * MIB));
	cr_expect_not(is_used_again(16 * MIB));
	store_spares_need(&spares, 0, false, false);
	cr_expect_not(is_used_again(STORE_SPARE_FIRST));
	cr_expect(is_used_again(32 * MIB));
	cr_expect_not(is_used_again(64 * MIB));
}
