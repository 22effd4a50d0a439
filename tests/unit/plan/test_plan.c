/* The planner, scene by scene, in virtual time: order, turns, windows,
 * back-off, operators, and what memory could spare. */
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_retry.h"
#include "queued/plan/plan_tell.h"

#include <criterion/criterion.h>

#define FIRST_RETRY	(60 * MTIME_SECOND)
#define MAX_RETRY	MTIME_HOUR
#define WINDOW_FIRST	4u
#define WINDOW_MAX	8u
#define UNITS_MAX	200

static const struct plan_params params = {
	.window_first = WINDOW_FIRST,
	.seed = 7,
};

static struct plan_limits limits;

static struct plan *plan;
static int numbers[UNITS_MAX];		/* what units point at */
static struct plan_unit *units[UNITS_MAX];

static void
setup(void)
{
	for (int i = 0; i < UNITS_MAX; i++)
		numbers[i] = i;
	limits = (struct plan_limits){ .first_retry_ms = FIRST_RETRY,
	    .max_retry_ms = MAX_RETRY, .window_max = WINDOW_MAX };
	cr_assert_eq(plan_new(&params, &plan), OK);
}

/* LeakSanitizer looks for what plan_free() may have forgotten. */
static void
teardown(void)
{
	plan_free(&plan);
	cr_assert_null(plan);
	plan_free(&plan);
}

TestSuite(plan, .init = setup, .fini = teardown);

static void
add_entry(int i, struct plan_entry entry)
{
	entry.owner = &numbers[i];
	entry.limits = limits;
	cr_assert_eq(plan_add(plan, &entry, &units[i]), OK);
}

static void
add_expiring(int i, const char *key, int64_t due, int64_t expires)
{
	add_entry(i, (struct plan_entry){ .key = span_str(key), .due = due,
	    .overdue = expires });
}

static void
add(int i, const char *key, int64_t due)
{
	add_expiring(i, key, due, PLAN_NEVER);
}

/* The number of the unit leased at NOW, -1 for none. */
static int
next(int64_t now)
{
	struct plan_unit *pu;

	if (!plan_next(plan, now, &pu))
		return -1;
	cr_assert_eq(plan_unit_state(pu), PLAN_LEASED);
	return *(int *)plan_unit_owner(pu);
}

static void
done(int i)
{
	plan_remove(plan, &units[i]);
	cr_assert_null(units[i]);
}

static int
lease_all(int64_t now)
{
	int n = 0;

	while (next(now) >= 0)
		n++;
	return n;
}

/* ---- order and turns ---- */

Test(plan, empty)
{
	struct plan_unit *none = NULL;
	uint32_t looks = 9;

	cr_expect_eq(next(PLAN_NEVER), -1);
	cr_expect_eq(plan_wake_at(plan), PLAN_NEVER);
	cr_expect_eq(plan_destinations(plan), 0);
	cr_expect_not(plan_spare_waiting(plan, 0, &looks, &none));
	cr_expect_not(plan_spare_blocked(plan, 0, &looks, &none));
	cr_expect_not(plan_spare_deep(plan, 0, &looks, &none));
	cr_expect_eq(looks, 9);
	cr_expect_eq(plan_blocked_until(plan, SPAN_LIT("a")), 0);
	plan_remove(plan, &none);
}

Test(plan, leases_in_the_order_of_due_times)
{
	add(0, "a", 30);
	add(1, "a", 10);
	add(2, "a", 20);
	cr_expect_eq(plan_wake_at(plan), 10);
	cr_expect_eq(next(9), -1);
	cr_expect_eq(next(10), 1);
	cr_expect_eq(next(10), -1);
	cr_expect_eq(plan_wake_at(plan), 20);
	cr_expect_eq(next(40), 2);
	cr_expect_eq(plan_wake_at(plan), INT64_MIN);
	cr_expect_eq(next(40), 0);
	cr_expect_eq(plan_wake_at(plan), PLAN_NEVER);
	cr_expect_eq(plan_count(plan, PLAN_LEASED), 3);
}

Test(plan, inspection)
{
	add(0, "example.org", 30);
	cr_expect_eq(plan_unit_due(units[0]), 30);
	cr_expect(span_equal(plan_unit_key(units[0]),
	    SPAN_LIT("example.org")));
	cr_expect_eq(plan_unit_state(units[0]), PLAN_WAITING);
	cr_expect_eq(plan_unit_ready(units[0]), 0);
	cr_expect_eq(plan_destinations(plan), 1);
	done(0);
	cr_expect_eq(plan_destinations(plan), 0);
	add(0, "", 30);				/* an empty key is a key */
	cr_expect_eq(plan_unit_key(units[0]).n, 0);
}

Test(plan, destinations_take_turns)
{
	/* a has its whole backlog before the others come */
	for (int i = 0; i < 3; i++)
		add(i, "a", 0);
	add(3, "b", 1);
	add(4, "c", 1);
	add(5, "b", 2);
	cr_expect_eq(next(5) / 3, 0);		/* one of a */
	cr_expect_eq(next(5), 3);
	cr_expect_eq(next(5), 4);
	cr_expect_eq(next(5) / 3, 0);
	cr_expect_eq(next(5), 5);
	cr_expect_eq(next(5) / 3, 0);
	cr_expect_eq(next(5), -1);
}

Test(plan, a_large_backlog_delays_nobody)
{
	for (int i = 0; i < 150; i++)
		add(i, "big", 0);
	cr_expect_eq(lease_all(0), WINDOW_FIRST);
	add(150, "small", 0);
	cr_expect_eq(next(0), 150);
	cr_expect_eq(next(0), -1);
	cr_expect_eq(plan_unit_ready(units[149]), 150 - WINDOW_FIRST);
}

/* ---- windows ---- */

Test(plan, window_opens_by_success_to_its_limit)
{
	unsigned allowed = WINDOW_FIRST;
	int first = -1;

	for (int i = 0; i < 100; i++)
		add(i, "a", 0);
	for (int round = 0; round < 20; round++) {
		int i = next(0);

		cr_assert_geq(i, 0);
		first = first < 0 ? i : first;
		(void)lease_all(0);
		cr_assert_eq(plan_count(plan, PLAN_LEASED), allowed);
		plan_dest_ok(plan, units[i], 0);
		if (allowed < WINDOW_MAX)
			allowed++;
		(void)lease_all(0);
		cr_assert_eq(plan_count(plan, PLAN_LEASED), allowed);
		done(i);
	}
	cr_expect_eq(allowed, WINDOW_MAX);
	cr_expect_neq(first, -1);
}

static void
narrow(void *ctx, void *owner, struct plan_limits *out)
{
	(void)owner;
	(*(int *)ctx)++;
	out->window_max = 2;
}

Test(plan, window_follows_new_parameters)
{
	int asked = 0;

	for (int i = 0; i < 50; i++)
		add(i, "a", 0);
	(void)next(0);
	for (unsigned i = 0; i < WINDOW_MAX; i++)
		plan_dest_ok(plan, units[0], 0);
	(void)lease_all(0);
	cr_assert_eq(plan_count(plan, PLAN_LEASED), WINDOW_MAX);
	plan_set_params(plan, &params, narrow, &asked);
	cr_expect_eq(asked, 1);		/* once a destination */
	for (int i = 0; i < 50 && plan_count(plan, PLAN_LEASED) > 1; i++)
		if (plan_unit_state(units[i]) == PLAN_LEASED)
			done(i);
	cr_expect_eq(lease_all(0), 1);
	cr_expect_eq(plan_count(plan, PLAN_LEASED), 2);
}

Test(plan, a_lease_that_nobody_tried_stays_in_front)
{
	add(0, "a", 0);
	add(1, "a", 5);
	cr_expect_eq(next(9), 0);
	cr_expect_eq(next(9), 1);
	plan_back(plan, units[1]);
	plan_back(plan, units[0]);
	cr_expect_eq(next(9), 0);
	cr_expect_eq(next(9), 1);
}

Test(plan, a_taken_unit_fills_the_window)
{
	for (int i = 0; i < 10; i++)
		add(i, "a", 100);
	plan_take(plan, units[3]);
	plan_take(plan, units[4]);
	cr_expect_eq(plan_count(plan, PLAN_LEASED), 2);
	cr_expect_eq(lease_all(100), WINDOW_FIRST - 2);
	plan_later(plan, units[3], 500);
	cr_expect_eq(lease_all(100), 1);
	cr_expect_eq(plan_unit_due(units[3]), 500);
}

/* ---- a destination that fails as a whole ---- */

Test(plan, a_failure_stops_the_destination_alone)
{
	struct span bad = SPAN_LIT("bad");
	int64_t probe;

	for (int i = 0; i < 10; i++)
		add(i, "bad", 0);
	cr_assert_eq(lease_all(0), WINDOW_FIRST);
	for (int i = 10; i < 14; i++)
		add(i, "good", 0);
	for (int i = 0; i < 10; i++) {
		if (plan_unit_state(units[i]) != PLAN_LEASED)
			continue;
		(void)plan_dest_failed(plan, units[i], 1000);
		plan_later(plan, units[i], 1000);
	}
	probe = plan_blocked_until(plan, bad);
	cr_expect_geq(probe, 1000 + FIRST_RETRY * 4 / 5);
	cr_expect_leq(probe, 1000 + FIRST_RETRY);
	cr_expect_eq(plan_unit_blocked_until(plan, units[9]), probe);
	cr_expect_eq(plan_blocked_until(plan, SPAN_LIT("good")), 0);
	cr_expect_eq(lease_all(probe - 1), WINDOW_FIRST);
	for (int i = 10; i < 14; i++) {
		cr_expect_eq(plan_unit_state(units[i]), PLAN_LEASED);
		done(i);
	}
	cr_expect_eq(plan_wake_at(plan), probe);
	cr_expect_eq(lease_all(probe - 1), 0);
	cr_expect_eq(lease_all(probe), 1);
	cr_expect_eq(lease_all(probe + MTIME_DAY), 0);
}

/* Fails the probe I again and again; the waits grow along the curve. */
static void
fail_along_the_curve(int i, int rounds)
{
	int64_t now = 0;

	for (int round = 1; round <= rounds; round++) {
		int64_t curve = FIRST_RETRY;
		int64_t until;

		for (int k = 1; k < round && curve < MAX_RETRY; k++)
			curve = mtime_min(curve * 2, MAX_RETRY);
		until = plan_dest_failed(plan, units[i], now);
		cr_assert(until <= now + curve, "round %d", round);
		cr_assert(until >= now + curve * 4 / 5, "round %d", round);
		plan_later(plan, units[i], now);
		cr_assert_eq(next(until - 1), -1);
		now = until;
		cr_assert_eq(next(now), i);
	}
}

Test(plan, back_off_grows_and_ends_with_an_answer)
{
	add(0, "a", 0);
	for (int i = 1; i < 20; i++)
		add(i, "a", MTIME_DAY);
	cr_assert_eq(next(0), 0);
	fail_along_the_curve(0, 12);
	plan_dest_ok(plan, units[0], 0);
	cr_expect_eq(plan_unit_blocked_until(plan, units[0]), 0);
	done(0);
	/* no probe any more, and it begins small: 1 and a success */
	cr_expect_eq(lease_all(MTIME_DAY), 2);
}

Test(plan, the_rest_of_a_failed_window_counts_once)
{
	int64_t until;

	for (int i = 0; i < 4; i++)
		add(i, "a", i);
	cr_assert_eq(lease_all(10), 4);
	until = plan_dest_failed(plan, units[0], 10);
	for (int i = 1; i < 4; i++)
		cr_expect_eq(plan_dest_failed(plan, units[i], 20), until);
}

Test(plan, the_probe_waits_for_leases_given_out_before)
{
	int64_t until;

	for (int i = 0; i < 6; i++)
		add(i, "a", i);
	cr_assert_eq(lease_all(10), 4);
	until = plan_dest_failed(plan, units[0], 10);
	plan_later(plan, units[0], until);
	cr_expect_eq(lease_all(until), 0);
	for (int i = 1; i < 4; i++)
		plan_later(plan, units[i], MTIME_DAY);
	cr_expect_eq(lease_all(until), 1);
}

Test(plan, a_back_off_outlives_its_units)
{
	int64_t until;

	add(0, "a", 0);
	cr_assert_eq(next(0), 0);
	until = plan_dest_failed(plan, units[0], 0);
	done(0);				/* moved to the index */
	cr_expect_eq(plan_destinations(plan), 1);
	for (int i = 1; i < 9; i++)
		add(i, "a", 0);
	cr_expect_eq(lease_all(until - 1), 0);
	cr_expect_eq(lease_all(until), 1);
}

Test(plan, a_forgotten_destination_leaves)
{
	int64_t until;

	add(0, "a", 0);
	cr_assert_eq(next(0), 0);
	until = plan_dest_failed(plan, units[0], 0);
	done(0);
	cr_expect_eq(next(until), -1);
	cr_expect_eq(plan_destinations(plan), 1);
	cr_expect_eq(plan_wake_at(plan), until + MAX_RETRY);
	cr_expect_eq(next(until + MAX_RETRY), -1);
	cr_expect_eq(plan_destinations(plan), 0);
	cr_expect_eq(plan_wake_at(plan), PLAN_NEVER);
}

Test(plan, what_expired_goes_with_the_failed_attempt)
{
	struct plan_telling first = { .next = NULL };
	struct plan_telling later = { .next = NULL };
	struct plan_unit *pu;

	add_expiring(0, "a", 0, 100);
	add_expiring(1, "a", 1, 1000);
	add_expiring(2, "a", 2, 50);
	add_expiring(3, "b", 0, 50);
	cr_assert_eq(next(0), 0);
	cr_assert_eq(next(0), 3);
	cr_assert_eq(next(2), 1);
	plan_back(plan, units[1]);
	plan_back(plan, units[3]);
	(void)plan_dest_failed(plan, units[0], 100);
	cr_expect_not(plan_next_untold(plan, &first, &pu), "nobody is noted");
	plan_tell(plan, units[0]);
	plan_tell(plan, units[0]);
	cr_assert(plan_next_untold(plan, &first, &pu));
	cr_expect_eq(pu, units[2]);
	cr_expect_eq(plan_unit_state(pu), PLAN_LEASED);
	cr_expect(plan_has_untold(plan));
	cr_expect_not(plan_next_untold(plan, &first, &pu));
	cr_expect_not(plan_has_untold(plan));
	/* once more, when it has failed later */
	plan_hurry(plan, units[0], 900, 900);
	(void)plan_dest_failed(plan, units[0], 1000);
	plan_tell(plan, units[0]);
	cr_assert(plan_next_untold(plan, &later, &pu));
	cr_expect_eq(pu, units[1]);
}

/* Some at a time: a walk that ends in between goes on with a new one. */
Test(plan, untold_in_pieces_until_it_answers)
{
	struct plan_unit *pu;

	for (int i = 0; i < 6; i++)
		add_expiring(i, i < 4 ? "a" : "b", i % 4 > 0, 10);
	cr_assert_eq(next(0), 0);
	cr_assert_eq(next(0), 4);
	plan_back(plan, units[next(1)]);	/* all are ready now */
	(void)plan_dest_failed(plan, units[0], 100);
	(void)plan_dest_failed(plan, units[4], 100);
	plan_tell(plan, units[0]);
	plan_tell(plan, units[4]);
	for (int i = 0; i < 2; i++) {
		struct plan_telling t = { .next = NULL };
		int number;

		cr_assert(plan_next_untold(plan, &t, &pu));
		number = *(int *)plan_unit_owner(pu);
		cr_assert(number > 0 && number < 4);
		plan_remove(plan, &units[number]);
	}
	plan_dest_ok(plan, units[0], 200);
	for (struct plan_telling t = { .next = NULL };
	    plan_next_untold(plan, &t, &pu);)
		cr_expect_eq(pu, units[5], "a has answered");
	cr_expect_eq(plan_unit_state(units[5]), PLAN_LEASED);
	cr_expect_eq(plan_count(plan, PLAN_READY), 1);
}

/* ---- operators ---- */

Test(plan, hurry_makes_due_and_lifts)
{
	int64_t until;

	add(0, "a", 0);
	add(1, "a", MTIME_DAY);
	add(2, "b", MTIME_DAY);
	cr_assert_eq(next(0), 0);
	until = plan_dest_failed(plan, units[0], 0);
	plan_later(plan, units[0], until);
	cr_assert_eq(next(1), -1);
	plan_hurry(plan, units[1], 1, 1);
	cr_expect_eq(plan_unit_blocked_until(plan, units[1]), 0);
	cr_expect_eq(plan_unit_due(units[1]), 1);
	cr_expect_eq(next(1), 1);
	cr_expect_eq(next(1), -1);
	plan_hurry(plan, units[2], 1, 1);
	cr_expect_eq(next(1), 2);
}

/* Many units of one destination: what the first found holds for the rest. */
Test(plan, hurry_believes_what_was_found_since)
{
	int64_t until;

	for (int i = 0; i < 3; i++)
		add(i, "a", i == 0 ? 0 : MTIME_DAY);
	cr_assert_eq(next(0), 0);
	(void)plan_dest_failed(plan, units[0], 0);
	plan_later(plan, units[0], MTIME_DAY);
	/* asked at 10: this one is tried */
	plan_hurry(plan, units[1], 10, 12);
	cr_assert_eq(next(12), 1);
	until = plan_dest_failed(plan, units[1], 14);
	plan_later(plan, units[1], MTIME_DAY);
	plan_hurry(plan, units[2], 10, 15);
	cr_expect_eq(plan_unit_due(units[2]), 15);
	cr_expect_eq(plan_unit_blocked_until(plan, units[2]), until);
	cr_expect_eq(next(15), -1);
	/* asked again */
	plan_hurry(plan, units[2], 16, 16);
	cr_expect_eq(plan_unit_blocked_until(plan, units[2]), 0);
	cr_expect_eq(next(16), 2);
}

Test(plan, lift_all)
{
	for (int i = 0; i < 20; i++) {
		char key[2] = { (char)('a' + i), '\0' };

		add(i, key, 0);
	}
	cr_assert_eq(lease_all(0), 20);
	for (int i = 0; i < 20; i++) {
		(void)plan_dest_failed(plan, units[i], 0);
		if (i % 2 == 0)
			done(i);	/* only its memory is left */
		else
			plan_later(plan, units[i], 0);
	}
	cr_assert_eq(lease_all(0), 0);
	plan_lift_all(plan);
	cr_expect_eq(plan_destinations(plan), 10);
	cr_expect_eq(lease_all(0), 10);
}

Test(plan, held_units_wait_for_their_release)
{
	add_entry(0, (struct plan_entry){ .key = SPAN_LIT("a"),
	    .overdue = PLAN_NEVER, .is_held = true });
	add(1, "a", 0);
	add(2, "a", MTIME_DAY);
	plan_hold(plan, units[1], true);
	plan_hold(plan, units[2], true);
	plan_hold(plan, units[2], true);
	cr_expect_eq(plan_count(plan, PLAN_HELD), 3);
	cr_expect_eq(next(PLAN_NEVER), -1);
	cr_expect_eq(plan_wake_at(plan), PLAN_NEVER);
	plan_hurry(plan, units[2], 5, 5);
	plan_later(plan, units[0], 7);
	cr_expect_eq(plan_count(plan, PLAN_HELD), 3);
	for (int i = 0; i < 3; i++)
		plan_hold(plan, units[i], false);
	plan_hold(plan, units[0], false);
	cr_expect_eq(next(4), 1);
	cr_expect_eq(next(5), 2);
	cr_expect_eq(next(6), -1);
	cr_expect_eq(next(7), 0);
}

Test(plan, a_hold_of_a_leased_unit_comes_at_its_end)
{
	for (int i = 0; i < 3; i++)
		add(i, "a", i);
	cr_assert_eq(lease_all(5), 3);
	for (int i = 0; i < 3; i++)
		plan_hold(plan, units[i], true);
	plan_hold(plan, units[2], false);
	cr_expect_eq(plan_count(plan, PLAN_LEASED), 3);
	plan_back(plan, units[0]);
	plan_later(plan, units[1], 7);
	plan_later(plan, units[2], 7);
	cr_expect_eq(plan_unit_state(units[0]), PLAN_HELD);
	cr_expect_eq(plan_unit_state(units[1]), PLAN_HELD);
	cr_expect_eq(plan_unit_state(units[2]), PLAN_WAITING);
	plan_take(plan, units[0]);		/* and its hold is kept */
	plan_back(plan, units[0]);
	cr_expect_eq(plan_unit_state(units[0]), PLAN_HELD);
}

/* ---- what memory could spare ---- */

static int
spare(int64_t horizon, uint32_t depth)
{
	uint32_t looks = UNITS_MAX, more = UNITS_MAX, most = UNITS_MAX;
	struct plan_unit *pu;

	if (!plan_spare_waiting(plan, horizon, &looks, &pu) &&
	    !plan_spare_blocked(plan, horizon, &more, &pu) &&
	    !plan_spare_deep(plan, depth, &most, &pu))
		return -1;
	return *(int *)plan_unit_owner(pu);
}

Test(plan, spares_are_far_or_held)
{
	add(0, "a", 100);
	add(1, "a", 101);
	add(2, "a", 50);
	plan_hold(plan, units[2], true);
	add(3, "a", 10);
	for (int i = 0; i < 6; i++) {
		int v = spare(100, 10);

		cr_expect(v == 1 || v == 2, "%d", v);
	}
	done(1);
	done(2);
	cr_expect_eq(spare(100, 10), -1);
	cr_expect_eq(spare(99, 10), 0);
}

Test(plan, spares_behind_a_crowd_are_found)
{
	struct plan_unit *pu;
	uint32_t looks = 10;

	for (int i = 0; i < 100; i++)
		add(i, "a", i < 95 ? 50 : 500);
	for (int call = 0; call < 9; call++) {
		looks = 10;
		cr_assert_not(plan_spare_waiting(plan, 100, &looks, &pu));
		cr_assert_eq(looks, 0);
	}
	looks = 10;
	for (int i = 95; i < 100; i++) {
		cr_assert(plan_spare_waiting(plan, 100, &looks, &pu));
		cr_expect_eq(pu, units[i]);
	}
	cr_expect_eq(looks, 0);
}

Test(plan, spares_of_many_destinations_cost_one_look_each)
{
	struct plan_unit *pu;
	uint32_t looks = 21 - WINDOW_FIRST + 26;
	int64_t until;
	int found = 0;

	for (int i = 0; i < 26; i++) {
		char key[2] = { (char)('a' + i), '\0' };

		add(i, key, 0);
	}
	for (int i = 26; i < 46; i++)
		add(i, "m", 0);
	while (next(0) >= 0)
		;
	until = plan_dest_failed(plan, units['m' - 'a'], 0);
	while (plan_spare_blocked(plan, until - 1, &looks, &pu)) {
		struct plan_unit *gone = pu;

		found++;
		units[*(int *)plan_unit_owner(pu)] = NULL;
		plan_remove(plan, &gone);
	}
	cr_expect_eq(found, 21 - (int)WINDOW_FIRST);
	cr_expect_eq(looks, 0);
}

Test(plan, spares_of_a_long_line_are_its_last)
{
	int last = PLAN_LINE_DEPTH + 30;

	for (int i = 0; i <= last; i++)
		add(i, "deep", i);
	add(last + 1, "other", 0);
	for (int i = last + 2; i < last + 40; i++)
		add_entry(i, (struct plan_entry){ .key = SPAN_LIT("deep"),
		    .sender = SPAN_LIT("another") });
	cr_expect_eq(plan_deep_lines(plan), 0);
	(void)lease_all(2 * UNITS_MAX);
	cr_assert_leq(plan_unit_depth(plan, units[last]), last);
	cr_expect_eq(plan_deep_lines(plan), 1);
	cr_expect_eq(spare(100000, UNITS_MAX), -1);
	for (int i = last; plan_unit_depth(plan, units[i]) >
	    PLAN_LINE_DEPTH; i--) {
		cr_expect_eq(spare(100000, 1), i);
		done(i);
	}
	cr_expect_eq(spare(100000, 1), -1);
	cr_expect_eq(plan_deep_lines(plan), 0);
	cr_expect_gt(plan_unit_depth(plan, units[last + 39]), 30);
}

Test(plan, spares_behind_a_long_back_off)
{
	int64_t until;

	add(0, "a", 0);
	add(1, "a", 0);
	(void)lease_all(0);
	until = plan_dest_failed(plan, units[0], 0);
	plan_back(plan, units[0]);
	cr_expect_eq(spare(until, 10), -1);
	cr_expect_eq(spare(until - 1, 10), 0);
}

/* ---- the retry curve ---- */

/* C5321-03: with queue.first_retry and max_retry as they are by default half an
 * hour is waited from the seventh try on */
Test(plan_retry, curve)
{
	static const struct {
		int64_t first, max;
		uint32_t tries;
		int64_t delay;
	} rows[] = {
		{ 60, 3600, 0, 60 }, { 60, 3600, 1, 60 }, { 60, 3600, 2, 120 },
		{ 60, 3600, 6, 1920 }, { 60, 3600, 7, 3600 },
		{ 60, 3600, 100, 3600 }, { 60, 3600, UINT32_MAX, 3600 },
		{ 60, 10, 5, 60 }, { 0, 0, 3, 1 }, { -5, -9, 3, 1 },
		{ 1, INT64_MAX / 2048, UINT32_MAX, INT64_MAX / 2048 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t least = plan_retry_delay(rows[i].first, rows[i].max,
		    rows[i].tries, 1023);

		cr_expect_eq(plan_retry_delay(rows[i].first, rows[i].max,
		    rows[i].tries, 0), rows[i].delay, "row %zu", i);
		cr_expect(least >= rows[i].delay - rows[i].delay / 5);
		cr_expect(least <= rows[i].delay);
	}
}
