/* Destinations that are stopped, slowed down, or share limits with others, in
 * virtual time. */
#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "queued/plan/plan_advice.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_tell.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { UNITS_MAX = 4000, KEYS = 40, KEY_SIZE = 16 };

static struct plan *plan;
static struct plan_unit *units[UNITS_MAX];
static int numbers[UNITS_MAX];
static struct plan_limits limits;

/* What is known of each: by the number in its name, "d7". */
static struct plan_advice advice[KEYS];
static int asked;

static void
advise(void *ctx, struct span key, struct plan_advice *out)
{
	int n = 0;

	(void)ctx;
	asked++;
	for (size_t i = 1; i < key.n; i++)
		n = n * 10 + (key.p[i] - '0');
	*out = advice[n];
}

static void
setup(void)
{
	const struct plan_params params = { .window_first = 4, .seed = 3 };

	limits = (struct plan_limits){ .first_retry_ms = 60000,
	    .max_retry_ms = 3600000 };
	for (int i = 0; i < UNITS_MAX; i++)
		numbers[i] = i;
	for (int i = 0; i < KEYS; i++)
		advice[i] = (struct plan_advice){ .window_max = 0 };
	asked = 0;
	cr_assert_eq(plan_new(&params, &plan), OK);
	plan_set_advisor(plan, advise, NULL);
}

static void
teardown(void)
{
	plan_free(&plan);
}

TestSuite(plan_advice, .init = setup, .fini = teardown);

static struct span
key_of(int d, char text[KEY_SIZE])
{
	return span_of(text, (size_t)snprintf(text, KEY_SIZE, "d%d", d));
}

static void
add(int i, int d, int64_t due, int64_t overdue)
{
	char text[KEY_SIZE];
	struct plan_entry entry = { .owner = &numbers[i],
	    .key = key_of(d, text), .due = due, .overdue = overdue,
	    .limits = limits };

	cr_assert_eq(plan_add(plan, &entry, &units[i]), OK);
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
look(int d)
{
	char text[KEY_SIZE];
	struct plan_dest_view view;

	cr_assert(plan_dest_look(plan, key_of(d, text), &view));
	return view;
}

static void
advise_one(int d)
{
	char text[KEY_SIZE];

	plan_advise(plan, key_of(d, text));
}

/* ---- stopped ---- */

Test(plan_advice, one_that_is_stopped_gives_out_nothing)
{
	int64_t until;

	add(0, 0, 0, PLAN_NEVER);
	add(1, 1, 0, PLAN_NEVER);
	advice[0].stopped_until = PLAN_NEVER;
	advise_one(0);
	cr_expect_eq(next(1000), 1);
	cr_expect_eq(next(1000), -1);
	cr_expect_eq(plan_wake_at(plan), PLAN_NEVER);
	cr_expect_eq(plan_unit_block(plan, units[0], 1000, &until),
	    PLAN_BLOCK_STOPPED);
	cr_expect_eq(until, PLAN_NEVER);
	/* whoever puts it off asks again after the longest retry */
	cr_expect_eq(plan_unit_blocked_until(plan, units[0]), 1000 + 3600000);
	advice[0].stopped_until = 0;
	advise_one(0);
	cr_expect_eq(next(1000), 0);
}

Test(plan_advice, a_stop_has_its_end)
{
	advice[0].stopped_until = 60000;
	add(0, 0, 0, PLAN_NEVER);
	cr_expect_eq(next(1000), -1);
	cr_expect_eq(plan_wake_at(plan), 60000);
	cr_expect_eq(next(59999), -1);
	cr_expect_eq(next(60000), 0);
	cr_expect_eq(look(0).stopped_until, 0);
}

/* Also for units that come later, and after the last one went. */
Test(plan_advice, who_is_made_is_asked_for)
{
	advice[3].stopped_until = PLAN_NEVER;
	add(0, 3, 0, PLAN_NEVER);
	add(1, 3, 0, PLAN_NEVER);
	cr_expect_eq(asked, 1);
	cr_expect_eq(lease_all(5), 0);
	plan_remove(plan, &units[0]);
	plan_remove(plan, &units[1]);
	cr_expect_eq(plan_destinations(plan), 0u);
	add(0, 3, 0, PLAN_NEVER);
	cr_expect_eq(asked, 2);
	cr_expect_eq(lease_all(5), 0);
	for (int i = 0; i < KEYS; i++)
		advice[i].stopped_until = 0;
	plan_advise_all(plan);
	cr_expect_eq(lease_all(5), 1);
}

/* Both have to be over. */
Test(plan_advice, a_route_stops_its_destinations_too)
{
	limits.stopped_until = 50000;
	advice[0].stopped_until = 20000;
	add(0, 0, 0, PLAN_NEVER);
	cr_expect_eq(next(20000), -1);
	cr_expect_eq(plan_wake_at(plan), 50000);
	limits.stopped_until = 0;
	add(1, 0, 0, PLAN_NEVER);
	cr_expect_eq(lease_all(20001), 2);
}

/* A back-off stays a back-off: the first after the stop is a probe. */
Test(plan_advice, a_back_off_outlives_a_stop)
{
	int64_t probe;
	int last;

	for (int i = 0; i < 3; i++)
		add(i, 0, 0, PLAN_NEVER);
	cr_expect_eq(next(1000), 0);
	probe = plan_dest_failed(plan, units[0], 1000);
	plan_later(plan, units[0], 1000);
	advice[0].stopped_until = probe + 5000;
	advise_one(0);
	cr_expect_eq(lease_all(probe), 0);
	cr_assert_geq(last = next(probe + 5000), 0);
	cr_expect_eq(next(probe + 5000), -1);
	/* an operator's retry lifts no stop */
	advice[0].stopped_until = PLAN_NEVER;
	advise_one(0);
	plan_lift_all(plan);
	plan_hurry(plan, units[(last + 1) % 3], probe + 6000, probe + 6000);
	plan_back(plan, units[last]);
	cr_expect_eq(lease_all(probe + 6000), 0);
}

/* Mail gets old meanwhile, and somebody hears of it. */
Test(plan_advice, who_is_overdue_behind_a_stop_is_told_of)
{
	struct plan_telling telling = { .next = NULL };
	struct plan_unit *pu;

	advice[0].stopped_until = PLAN_NEVER;
	add(0, 0, 0, 5000);
	add(1, 0, 0, 9000);
	add(2, 1, 0, 5000);
	cr_expect_eq(lease_all(1000), 1);
	plan_tell_stopped(plan, 4999);
	cr_expect(!plan_next_untold(plan, &telling, &pu));
	plan_tell_stopped(plan, 5000);
	cr_expect_eq(plan_unit_told_at(units[0]), 5000);
	cr_expect(plan_has_untold(plan));
	cr_assert(plan_next_untold(plan, &telling, &pu));
	cr_expect_eq(*(int *)plan_unit_owner(pu), 0);
	plan_later(plan, pu, 99000);
	cr_expect(!plan_next_untold(plan, &telling, &pu));
	advice[0].stopped_until = 0;
	advise_one(0);
	cr_expect_eq(plan_unit_told_at(units[0]), INT64_MIN);
}

/* ---- slowed down ---- */

Test(plan_advice, the_slower_rate_and_the_smaller_window_count)
{
	for (int i = 0; i < 10; i++)
		add(i, 0, 0, PLAN_NEVER);
	advice[0] = (struct plan_advice){ .window_max = 1 };
	advise_one(0);
	cr_expect_eq(lease_all(10), 1);
	plan_remove(plan, &units[0]);
	cr_expect_eq(lease_all(10), 1);
	plan_remove(plan, &units[1]);
	/* 1 in 2 s is slower than 2 in 3 s */
	limits.rate_count = 2;
	limits.rate_ms = 3000;
	add(0, 0, 5, PLAN_NEVER);
	advice[0] = (struct plan_advice){ .rate_count = 1, .rate_ms = 2000 };
	advise_one(0);
	cr_expect_eq(look(0).rate_count, 1u);
	cr_expect_eq(look(0).rate_ms, 2000u);
	cr_expect_eq(lease_all(10), 1);
	cr_expect_eq(plan_wake_at(plan), 2010);
	advice[0] = (struct plan_advice){ .rate_count = 1, .rate_ms = 1 };
	advise_one(0);
	cr_expect_eq(look(0).rate_count, 2u);
}

Test(plan_advice, a_reset_forgets_how_it_did)
{
	add(0, 0, 0, PLAN_NEVER);
	add(1, 0, 0, PLAN_NEVER);
	cr_expect_eq(next(0), 0);
	(void)plan_dest_failed(plan, units[0], 0);
	plan_dest_explain(plan, units[0], SPAN_LIT("4.4.1"), SPAN_LIT("no"));
	plan_later(plan, units[0], 0);
	cr_expect_eq(lease_all(1), 0);
	cr_expect(plan_reset(plan, SPAN_LIT("d0")));
	cr_expect(!plan_reset(plan, SPAN_LIT("d1")));
	cr_expect_eq(look(0).failures, 0u);
	cr_expect_eq(look(0).window, 4u);
	cr_expect_eq(look(0).why.n, 0u);
	cr_expect_eq(lease_all(1), 2);
}

Test(plan_advice, a_back_off_by_rule_has_the_time_it_was_told)
{
	add(0, 0, 0, PLAN_NEVER);
	add(1, 0, 0, PLAN_NEVER);
	cr_expect_eq(next(0), 0);
	cr_expect_eq(plan_back_off(plan, units[0], 7200000, 0), 7200000);
	plan_later(plan, units[0], 0);
	cr_expect_eq(lease_all(7199999), 0);
	cr_expect_eq(lease_all(7200000), 1);
	/* not shorter than by its curve */
	cr_expect_geq(plan_back_off(plan, units[1], 7200001, 7200000),
	    7200000 + 48000);
}

/* ---- groups ---- */

static void
group(int d, const char *name, uint32_t window, uint32_t count, uint32_t ms)
{
	advice[d] = (struct plan_advice){ .group = span_str(name),
	    .group_window = window, .group_count = count, .group_ms = ms };
}

Test(plan_advice, a_group_shares_its_window)
{
	int64_t until;

	for (int d = 0; d < 5; d++)
		group(d, "mx", 3, 0, 0);
	for (int i = 0; i < 20; i++)
		add(i, i % 5, i, PLAN_NEVER);
	add(20, 9, 0, PLAN_NEVER);
	cr_expect_eq(lease_all(100), 4);
	cr_expect_eq(look(0).group_leased, 3u);
	cr_expect_eq(look(0).group_members, 5u);
	cr_expect_eq(plan_wake_at(plan), PLAN_NEVER);
	cr_expect_eq(plan_unit_block(plan, units[4], 100, &until),
	    PLAN_BLOCK_WINDOW);
	/* those that had none come first: 3 and 4, then 0 again */
	for (int i = 0; i < 3; i++)
		plan_remove(plan, &units[i]);
	cr_expect_eq(next(100), 3);
	cr_expect_eq(next(100), 4);
	cr_expect_eq(next(100), 5);
	cr_expect_eq(next(100), -1);
	/* and without it all may go */
	for (int d = 0; d < 5; d++)
		group(d, "", 0, 0, 0);
	plan_advise_all(plan);
	cr_expect_gt(lease_all(100), 5);
}

Test(plan_advice, a_group_shares_its_rate)
{
	int64_t until;

	for (int d = 0; d < 3; d++)
		group(d, "mx", 0, 1, 1000);
	for (int i = 0; i < 9; i++)
		add(i, i % 3, i, PLAN_NEVER);
	for (int t = 0; t < 9; t++) {
		cr_expect_eq(next(100 + t * 1000), t);
		cr_expect_eq(next(100 + t * 1000 + 999), -1);
		cr_expect_eq(plan_wake_at(plan), 1100 + t * 1000);
		if (t < 7)
			cr_expect_eq(plan_unit_block(plan, units[t + 1],
			    100 + t * 1000, &until), PLAN_BLOCK_RATE);
	}
}

/* Without limits of its own it has those of its members. */
Test(plan_advice, a_group_has_its_members_limits)
{
	limits.window_max = 2;
	for (int d = 0; d < 3; d++)
		group(d, "mx", 0, 0, 0);
	for (int i = 0; i < 9; i++)
		add(i, i % 3, i, PLAN_NEVER);
	cr_expect_eq(lease_all(100), 2);
	cr_expect_eq(look(2).group_window, 2u);
}

/* One that joins late brings what it has out. */
Test(plan_advice, a_late_member_counts_with_its_leases)
{
	group(0, "mx", 4, 0, 0);
	for (int i = 0; i < 8; i++)
		add(i, i % 2, i, PLAN_NEVER);
	cr_expect_eq(lease_all(100), 8);
	group(1, "mx", 4, 0, 0);
	advise_one(1);
	cr_expect_eq(look(0).group_leased, 8u);
	for (int i = 0; i < 4; i++)
		plan_back(plan, units[i]);
	cr_expect_eq(lease_all(100), 0);
	plan_remove(plan, &units[4]);
	cr_expect_eq(lease_all(100), 1);
	cr_expect_eq(look(0).group_leased, 4u);
}

/* Destinations join and leave, are stopped, fail, and end: a group never has
 * more out than it may, nor less than it could. */
static void
random_step(struct rng *dice, int64_t now, int *at)
{
	int d = (int)rng_below(dice, KEYS), i;

	switch (rng_below(dice, 7)) {
	case 0:
		if (d % 4 != 0)
			group(d, d % 2 == 0 ? "even" : "odd", 5, 0, 0);
		advise_one(d);
		break;
	case 1:
		advice[d].stopped_until = rng_below(dice, 2) == 0 ? 0 :
		    now + (int64_t)rng_below(dice, 3000);
		advise_one(d);
		break;
	case 2:
		for (i = 0; i < 6 && *at < UNITS_MAX; i++)
			add((*at)++, (int)rng_below(dice, KEYS), now,
			    PLAN_NEVER);
		break;
	default:
		i = (int)rng_below(dice, (uint64_t)*at + 1);
		if (i >= *at || units[i] == NULL ||
		    plan_unit_state(units[i]) != PLAN_LEASED)
			break;
		if (rng_below(dice, 4) == 0)
			plan_later(plan, units[i], plan_dest_failed(plan,
			    units[i], now));
		else if (rng_below(dice, 4) == 0)
			plan_back(plan, units[i]);
		else
			plan_remove(plan, &units[i]);
	}
}

static void
check_groups(int64_t now, int at)
{
	struct plan_dest_view v;
	size_t cursor = 0;
	uint32_t out[2] = { 0, 0 }, told[2] = { 0, 0 };

	while (plan_dest_next(plan, &cursor, &v)) {
		int g = v.group.n == 4 ? 0 : 1;

		if (v.group.n == 0)
			continue;
		out[g] += v.leased;
		told[g] = v.group_leased;
	}
	cr_assert_eq(out[0], told[0]);
	cr_assert_eq(out[1], told[1]);
	for (int i = 0; i < at; i++) {
		int64_t until;

		if (units[i] == NULL)
			continue;
		cr_assert_neq(plan_unit_block(plan, units[i], now, &until),
		    PLAN_BLOCK_NONE, "unit %d could go", i);
	}
}

Test(plan_advice, groups_hold_whatever_happens)
{
	struct rng dice;
	int64_t now = 0;
	int at = 0;

	rng_init(&dice, 11);
	for (int step = 0; step < 6000; step++) {
		random_step(&dice, now, &at);
		(void)lease_all(now);
		if (step % 50 == 0)
			check_groups(now, at);
		now += (int64_t)rng_below(&dice, 400);
	}
}
