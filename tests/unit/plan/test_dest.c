/* Destinations of the planner: windows that grow and shrink, rates, and who
 * gets what when leases are scarce. */
#include "common/base/mtime.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_pace.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { UNITS_MAX = 3000 };

static struct plan *plan;
static struct plan_unit *units[UNITS_MAX];
static int numbers[UNITS_MAX];
static struct plan_limits limits;

static void
begin(struct plan_params params)
{
	limits = (struct plan_limits){ .first_retry_ms = 60000,
	    .max_retry_ms = 3600000 };
	for (int i = 0; i < UNITS_MAX; i++)
		numbers[i] = i;
	cr_assert_eq(plan_new(&params, &plan), OK);
}

static void
teardown(void)
{
	plan_free(&plan);
}

TestSuite(plan_dest, .fini = teardown);

static void
add_bytes(int i, const char *key, uint32_t bytes)
{
	struct plan_entry entry = { .owner = &numbers[i],
	    .key = span_str(key), .due = i - UNITS_MAX,
	    .overdue = PLAN_NEVER, .bytes = bytes, .limits = limits };

	cr_assert_eq(plan_add(plan, &entry, &units[i]), OK);
}

static void
add(int first, int last, const char *key)
{
	for (int i = first; i <= last; i++)
		add_bytes(i, key, 0);
}

static int
next(int64_t now)
{
	struct plan_unit *pu;

	return plan_next(plan, now, &pu) ? *(int *)plan_unit_owner(pu) : -1;
}

static int
lease_all(int64_t now)
{
	int n = 0;

	while (next(now) >= 0)
		n++;
	return n;
}

static struct plan_dest_view
look(const char *key)
{
	struct plan_dest_view view;

	cr_assert(plan_dest_look(plan, span_str(key), &view));
	return view;
}

/* ---- windows ---- */

/* Fast at first, by one in a windowful once it was too much. */
Test(plan_dest, the_window_grows_and_is_halved)
{
	begin((struct plan_params){ .window_first = 4 });
	add(0, 2, "a");
	cr_assert_eq(lease_all(1000), 3);
	for (int i = 0; i < 60; i++)
		plan_dest_ok(plan, units[0], 1001);
	cr_expect_eq(look("a").window, 64);
	plan_dest_less(plan, units[0], 1002);
	cr_expect_eq(look("a").window, 32);
	/* those that were out by then say nothing new */
	plan_dest_less(plan, units[1], 1003);
	plan_dest_less(plan, units[2], 9000);
	cr_expect_eq(look("a").window, 32);
	for (int i = 0; i < 32; i++) {
		cr_expect_eq(look("a").window, 32);
		plan_dest_ok(plan, units[0], 1004);
	}
	cr_expect_eq(look("a").window, 33);
}

Test(plan_dest, the_window_never_closes)
{
	begin((struct plan_params){ .window_first = 4 });
	add(0, 0, "a");
	for (int i = 0; i < 20; i++) {
		plan_key_less(plan, SPAN_LIT("a"), i * 2000);
		plan_key_less(plan, SPAN_LIT("a"), i * 2000 + 900);
		cr_expect_eq(look("a").window, i == 0 ? 2 : 1);
	}
	plan_key_less(plan, SPAN_LIT("nobody"), 0);
	cr_expect_eq(lease_all(90000), 1);
}

/* Half of what it took when it went, soon. */
Test(plan_dest, after_a_failure_the_window_is_soon_found_again)
{
	int64_t until;

	begin((struct plan_params){ .window_first = 8 });
	add(0, 0, "a");
	cr_assert_eq(next(0), 0);
	for (int i = 0; i < 92; i++)
		plan_dest_ok(plan, units[0], 1);
	cr_assert_eq(look("a").window, 100);
	until = plan_dest_failed(plan, units[0], 2);
	cr_expect_eq(look("a").window, 1);
	until = plan_dest_failed(plan, units[0], until);
	until = plan_dest_failed(plan, units[0], until);
	for (int i = 0; i < 48; i++)
		plan_dest_ok(plan, units[0], 3);
	cr_expect_eq(look("a").window, 50);
	for (int i = 0; i < 50; i++)
		plan_dest_ok(plan, units[0], 3);
	cr_expect_eq(look("a").window, 51);
}

/* A slow destination has no use for more leases than it has connections:
 * they would only wait elsewhere. */
Test(plan_dest, long_leases_make_no_window)
{
	begin((struct plan_params){ .window_first = 4 });
	add(0, 0, "a");
	cr_assert_eq(next(0), 0);
	for (int i = 0; i < 16; i++)
		plan_dest_ok(plan, units[0], 1000);
	cr_expect_eq(look("a").window, 20);
	for (int i = 0; i < 5; i++)
		plan_dest_ok(plan, units[0], 1001);
	cr_expect_eq(look("a").window, 20);
	for (int i = 0; i < 50; i++)
		plan_dest_ok(plan, units[0], 5000);
	cr_expect_eq(look("a").window, 4);
	/* one that is slow by nature has as many as a new one at least */
	plan_dest_less(plan, units[0], 6000);
	plan_key_less(plan, SPAN_LIT("a"), 9000);
	cr_expect_eq(look("a").window, 1);
	for (int i = 0; i < 50; i++)
		plan_dest_ok(plan, units[0], 90000);
	cr_expect_eq(look("a").window, 4);
}

/* ---- rates ---- */

Test(plan_dest, one_in_ten_seconds)
{
	begin((struct plan_params){ .window_first = 100 });
	limits.rate_count = 1;
	limits.rate_ms = 10000;
	add(0, 99, "a");
	cr_expect_eq(lease_all(0), 1);
	cr_expect_eq(plan_wake_at(plan), 10000);
	cr_expect_eq(lease_all(9999), 0);
	cr_expect_eq(lease_all(10000), 1);
	/* a pause earns nothing */
	cr_expect_eq(lease_all(500000), 1);
	cr_expect_eq(lease_all(509999), 0);
	cr_expect_eq(lease_all(510000), 1);
}

Test(plan_dest, fifty_a_second_are_one_each_20_ms)
{
	int n = 0;

	begin((struct plan_params){ .window_first = 1000 });
	limits.rate_count = 50;
	limits.rate_ms = 1000;
	add(0, 999, "a");
	for (int64_t now = 0; now < 2000; now++) {
		int leased = lease_all(now);

		cr_assert_eq(leased, now % 20 == 0 ? 1 : 0, "at %d", (int)now);
		n += leased;
	}
	cr_expect_eq(n, 100);
}

/* A clock that is looked at late now and then loses nothing. */
Test(plan_dest, a_rate_is_kept_by_a_late_clock)
{
	struct plan_pace pace = { .at = 0 };
	int64_t now = 0;
	int n = 0;

	for (; now < 60000; now += 7 + now % 30)
		while (pace.at <= now) {
			plan_pace_take(&pace, 3000, 7000, now);
			n++;
		}
	cr_expect(n >= 60 * 3000 / 7 - 20 && n <= 60 * 3000 / 7 + 20, "%d", n);
	/* thirds and sevenths add up exactly */
	pace = (struct plan_pace){ .at = 0 };
	for (int i = 0; i < 3000; i++)
		plan_pace_take(&pace, 3000, 7000, pace.at);
	cr_expect_eq(pace.at, 7000);
	cr_expect_eq(pace.part, 0);
}

Test(plan_dest, a_rate_outlives_its_units)
{
	begin((struct plan_params){ .window_first = 10 });
	limits.rate_count = 1;
	limits.rate_ms = 3600000;
	add(0, 0, "a");
	cr_assert_eq(next(0), 0);
	plan_remove(plan, &units[0]);
	add(1, 3, "a");
	cr_expect_eq(lease_all(3599999), 0);
	cr_expect_eq(next(3600000), 1);
	/* what nobody tried costs nothing */
	plan_back(plan, units[1]);
	cr_expect_eq(next(3600001), 1);
	cr_expect_eq(lease_all(3600002), 0);
	/* another rate, another time */
	limits.rate_count = 0;
	add(4, 4, "a");
	cr_expect_eq(lease_all(3600003), 3);
	for (int i = 1; i <= 4; i++)
		plan_remove(plan, &units[i]);
	cr_expect_eq(plan_destinations(plan), 0);
}

/* ---- when leases are scarce ---- */

/* A destination that takes and never answers leaves the others half of all,
 * the next one half of the rest. */
Test(plan_dest, shares_shrink_as_leases_get_scarce)
{
	begin((struct plan_params){ .window_first = 1000, .leases_max = 100 });
	add(0, 999, "hangs");
	cr_expect_eq(lease_all(0), 50);
	add(1000, 1999, "hangs too");
	cr_expect_eq(lease_all(0), 25);
	for (int i = 2000; i < 2010; i++) {
		char key[2] = { (char)('a' + i - 2000), '\0' };

		add(i, i, key);
	}
	/* a quarter is for those that are known to answer */
	cr_expect_eq(lease_all(0), 0);
	for (int i = 0; i < 6; i++)
		plan_remove(plan, &units[i]);
	cr_expect_eq(lease_all(0), 6);
	cr_expect_leq(look("hangs").leased, 44);
	cr_expect_leq(look("hangs too").leased, 26);
}

Test(plan_dest, contents_are_shared_likewise)
{
	begin((struct plan_params){ .window_first = 1000,
	    .bytes_max = 1000000 });
	for (int i = 0; i < 900; i++)
		add_bytes(i, "hangs", 10000);
	cr_expect_eq(lease_all(0), 51);
	for (int i = 1000; i < 1009; i++)
		add_bytes(i, "good", 10000);
	cr_expect_eq(lease_all(0), 9);
	add_bytes(1100, "large", 400000);
	add_bytes(1101, "larger", 400000);
	cr_expect_eq(lease_all(0), 1);
	cr_expect_eq(lease_all(0), 0);
}

/* Ten thousand that may hang don't keep one that answers waiting, nor do those
 * that failed before keep new ones waiting. */
Test(plan_dest, the_unknown_leave_room_for_the_known)
{
	int good, n = 0;

	begin((struct plan_params){ .window_first = 5, .trying_max = 40,
	    .probes_max = 10 });
	add(0, 9, "good");
	good = next(0);
	cr_assert_geq(good, 0);
	plan_dest_ok(plan, units[good], 0);
	for (int i = 10; i < 1000; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "new%d", i / 2);
		add(i, i, key);
	}
	n = lease_all(0);
	cr_expect(n >= 5 + 40 && n <= 5 + 2 * 40, "%d", n);
	cr_expect_eq(look("good").leased, 6);	/* its whole window */
	cr_expect_eq(look("good").class, PLAN_PROVEN);
}

Test(plan_dest, probes_are_few)
{
	int64_t last = 0;

	begin((struct plan_params){ .window_first = 5, .trying_max = 40,
	    .probes_max = 10 });
	for (int i = 0; i < 1000; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "dead%d", i);
		add(i, i, key);
		last = mtime_max(last, plan_dest_failed(plan, units[i], 0));
	}
	cr_expect_eq(lease_all(last), 10);
	add(1000, 1000, "new");
	cr_expect_eq(next(last), 1000);
	cr_expect_eq(next(last), -1);
	cr_expect_gt(plan_wake_at(plan), last);
	for (int i = 0; i < 1000; i++)
		if (plan_unit_state(units[i]) == PLAN_LEASED)
			plan_remove(plan, &units[i]);
	cr_expect_eq(lease_all(last), 10);
}

/* Strangers choose the names of destinations: what is remembered of those
 * without mail is bounded. */
Test(plan_dest, memories_are_bounded)
{
	begin((struct plan_params){ .window_first = 5 });
	for (int i = 0; i < 50000; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "dead%d", i);
		add(0, 0, key);
		(void)plan_dest_failed(plan, units[0], 0);
		plan_remove(plan, &units[0]);
	}
	cr_expect_eq(plan_destinations(plan), 20000);
	cr_expect_eq(plan_blocked_until(plan, SPAN_LIT("dead29999")), 0);
	cr_expect_gt(plan_blocked_until(plan, SPAN_LIT("dead30000")), 0);
	cr_expect_eq(next(MTIME_DAY), -1);
	cr_expect_eq(next(2 * MTIME_DAY), -1);
	cr_expect_eq(plan_destinations(plan), 0);
}

/* ---- what an operator is told ---- */

Test(plan_dest, what_blocks_a_unit)
{
	int64_t until = 0, probe;

	begin((struct plan_params){ .window_first = 2 });
	cr_expect_eq(plan_key_block(plan, SPAN_LIT("a"), 0, &until),
	    PLAN_BLOCK_NONE);
	add(0, 4, "a");
	cr_expect_eq(lease_all(0), 2);
	cr_expect_eq(plan_unit_block(plan, units[0], 0, &until),
	    PLAN_BLOCK_LEASED);
	cr_expect_eq(plan_unit_block(plan, units[4], 0, &until),
	    PLAN_BLOCK_WINDOW);
	cr_expect_eq(until, PLAN_NEVER);
	plan_hold(plan, units[3], true);
	cr_expect_eq(plan_unit_block(plan, units[3], 0, &until),
	    PLAN_BLOCK_HELD);
	probe = plan_dest_failed(plan, units[0], 5);
	plan_dest_explain(plan, units[0], SPAN_LIT("4.4.1"),
	    SPAN_LIT("refused"));
	plan_later(plan, units[0], probe + 7);
	cr_expect_eq(plan_unit_block(plan, units[0], 5, &until),
	    PLAN_BLOCK_BACK_OFF);
	cr_expect_eq(until, probe);
	cr_expect_eq(plan_unit_block(plan, units[0], probe, &until),
	    PLAN_BLOCK_TIME);
	cr_expect_eq(until, probe + 7);
	cr_expect_eq(plan_unit_block(plan, units[4], 5, &until),
	    PLAN_BLOCK_BACK_OFF);
	cr_expect_eq(until, probe);
	cr_expect_eq(plan_key_block(plan, SPAN_LIT("a"), 5, &until),
	    PLAN_BLOCK_BACK_OFF);
	cr_expect(span_equal(look("a").why, SPAN_LIT("refused")));
	cr_expect(span_equal(look("a").status, SPAN_LIT("4.4.1")));
	cr_expect_eq(look("a").failed_at, 5);
	cr_expect_eq(plan_unit_failed_at(units[4]), 5);
	plan_later(plan, units[1], probe + 7);
	cr_expect_eq(lease_all(probe), 1);
	cr_expect_eq(plan_unit_block(plan, units[4], probe, &until),
	    PLAN_BLOCK_PROBE);
	cr_expect_eq(plan_dest_park(plan, units[4]), 1);
	cr_expect_eq(plan_dest_park(plan, units[4]), 2);
}
