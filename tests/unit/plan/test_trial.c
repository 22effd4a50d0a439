/* Trials: what ten thousand destinations that may be dead take from one that
 * answers, and what they get all the same. */
#include "common/base/mtime.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_trial.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum {
	GOOD = 10000,			/* units of it, numbers from 0 */
	OTHERS = 10000,			/* destinations with one each */
	RATE = 100,
	PART = 128,
	IDLE = 10,			/* times as many */
	PROVEN_MS = 60000,
};

static struct plan *plan;
static struct plan_unit *units[GOOD + OTHERS];
static int numbers[GOOD + OTHERS];

static void
begin(void)
{
	const struct plan_params params = { .window_first = 32,
	    .leases_max = 4000, .trying_max = 375, .probes_max = 63,
	    .trials_rate = RATE, .trials_part = PART, .seed = 1,
	    .proven_ms = PROVEN_MS };

	for (int i = 0; i < GOOD + OTHERS; i++)
		numbers[i] = i;
	cr_assert_eq(plan_new(&params, &plan), OK);
}

static void
teardown(void)
{
	plan_free(&plan);
}

TestSuite(plan_trial, .fini = teardown);

static void
add(int i, const char *key)
{
	struct plan_entry entry = { .owner = &numbers[i],
	    .key = span_str(key), .overdue = PLAN_NEVER,
	    .limits = { .first_retry_ms = 60000, .max_retry_ms = 3600000 } };

	cr_assert_eq(plan_add(plan, &entry, &units[i]), OK);
}

static void
add_good(int first, int last)
{
	for (int i = first; i < last; i++)
		add(i, "good");
}

/* Failed once, and may be probed at once. */
static void
add_dead(int first, int last)
{
	char key[16];

	for (int i = first; i < last; i++) {
		(void)snprintf(key, sizeof(key), "dead%d", i);
		add(GOOD + i, key);
		(void)plan_dest_failed(plan, units[GOOD + i], 0);
		plan_hurry(plan, units[GOOD + i], 0, 0);
	}
}

static void
add_new(int first, int last)
{
	char key[16];

	for (int i = first; i < last; i++) {
		(void)snprintf(key, sizeof(key), "new%d", i);
		add(GOOD + i, key);
	}
}

struct score {
	int good, others;		/* leases */
	int looks;			/* at the planner, by its own wish */
};

/* Next hops with so much to do that the good one ends PER_MS leases a
 * millisecond; the others fail at once. */
static struct score
run(int64_t from, int64_t to, int per_ms)
{
	struct score score = { .good = 0 };
	struct plan_unit *out[64], *pu;
	int n = 0;

	for (int64_t now = from; now < to; now++) {
		if (plan_wake_at(plan) <= now)
			score.looks++;
		while (n < 64 && plan_next(plan, now, &pu)) {
			int i = *(int *)plan_unit_owner(pu);

			if (i < GOOD) {
				score.good++;
				out[n++] = pu;
				continue;
			}
			score.others++;
			(void)plan_dest_failed(plan, pu, now);
			plan_remove(plan, &units[i]);
		}
		for (int k = 0; k < per_ms && n > 0; k++) {
			int i = *(int *)plan_unit_owner(out[--n]);

			plan_dest_ok(plan, out[n], now);
			plan_remove(plan, &units[i]);
		}
	}
	return score;
}

/* Lets the good one be known for what it is. */
static void
prove(void)
{
	add_good(0, 1);
	plan_take(plan, units[0]);
	plan_dest_ok(plan, units[0], 0);
	plan_remove(plan, &units[0]);
}

Test(plan_trial, the_dead_get_a_small_part_beside_those_that_answer)
{
	struct score score;

	begin();
	prove();
	add_good(1, GOOD);
	add_dead(0, OTHERS);
	score = run(1000, 2000, 5);
	cr_expect_geq(score.good, 5000);
	/* so many a second, one for so many others, and what was saved */
	cr_expect_leq(score.others, RATE + 5100 / PART +
	    RATE * PLAN_TRIAL_SAVED_MS / 1000 + 2);
	cr_expect_geq(score.others, RATE + 4900 / PART - 5);
}

/* Nobody is in the way for long: each of the dead has had its probe some time,
 * though the good one always has more. */
Test(plan_trial, each_has_its_turn)
{
	int64_t now = 0;
	int others = 0;

	begin();
	prove();
	add_dead(0, 1000);
	for (int round = 0; round < 10; round++, now += 1000) {
		add_good(1 + round * 900, 1 + (round + 1) * 900);
		others += run(now, now + 1000, 1).others;
	}
	cr_expect_eq(others, 1000);
}

/* A good one that is slow does not hold them back; when none answers at all
 * they go as fast as they may. */
Test(plan_trial, they_go_faster_when_nobody_is_disturbed)
{
	struct score score;

	begin();
	add_dead(0, OTHERS);
	score = run(0, 1000, 0);
	cr_expect_geq(score.others, IDLE * RATE - 50);
	cr_expect_leq(score.others, IDLE * RATE +
	    IDLE * RATE * PLAN_TRIAL_SAVED_MS / 1000 + 2);
	prove();
	add_good(1, 2);
	score = run(1000, 2000, 0);	/* it takes its time */
	cr_expect_eq(score.good, 1);
	cr_expect_leq(score.others, RATE + RATE);
	plan_remove(plan, &units[1]);
	score = run(3000, 4000, 0);
	cr_expect_geq(score.others, IDLE * RATE - 50);
}

/* Who answered is no trial after a pause, but after a long one. */
Test(plan_trial, who_answered_is_known_for_a_while)
{
	struct plan_dest_view view;
	struct plan_unit *pu;

	begin();
	prove();
	add_dead(0, OTHERS);
	(void)run(0, 10000, 0);
	add_good(0, 2);
	cr_assert(plan_dest_look(plan, SPAN_LIT("good"), &view));
	cr_expect_eq(view.class, PLAN_PROVEN);
	for (int i = 0; i < 2; i++) {
		cr_assert(plan_next(plan, 10000, &pu));
		if (*(int *)plan_unit_owner(pu) < GOOD)
			break;
	}
	cr_expect_lt(*(int *)plan_unit_owner(pu), GOOD);
	/* it is in use when its time is over, and then it is not */
	(void)plan_next(plan, PROVEN_MS, &pu);
	cr_assert(plan_dest_look(plan, SPAN_LIT("good"), &view));
	cr_expect_eq(view.class, PLAN_PROVEN);
	plan_remove(plan, &units[0]);
	plan_remove(plan, &units[1]);
	(void)plan_next(plan, 2 * PROVEN_MS - 1, &pu);
	cr_expect(plan_dest_look(plan, SPAN_LIT("good"), &view));
	(void)plan_next(plan, 2 * PROVEN_MS, &pu);
	cr_expect_not(plan_dest_look(plan, SPAN_LIT("good"), &view));
}

/* Who is new is more likely to answer than who failed before. */
Test(plan_trial, new_ones_go_before_dead_ones)
{
	struct score score;
	int news = 0;

	begin();
	prove();
	add_good(1, GOOD);
	add_dead(0, 3000);
	add_new(5000, 8000);
	score = run(0, 2000, 4);
	for (int i = 5000; i < 8000; i++)
		news += units[GOOD + i] == NULL ? 1 : 0;
	cr_expect_geq(news, score.others * 3 / 4);
	cr_expect_leq(news, score.others * 9 / 10);
}

/* One of ten thousand was only down for a while, and much mail waits for it. */
Test(plan_trial, who_has_much_mail_is_tried_first)
{
	struct plan_unit *pu;

	begin();
	add_dead(0, OTHERS);
	add_good(0, 100);
	(void)plan_dest_failed(plan, units[0], 0);
	plan_hurry(plan, units[0], 0, 0);
	cr_assert(plan_next(plan, 0, &pu));
	cr_expect_lt(*(int *)plan_unit_owner(pu), GOOD);
}

/* Trials wait together: the planner is not woken for each. */
Test(plan_trial, few_wake_ups)
{
	struct score score;

	begin();
	prove();
	add_good(1, 2);
	add_dead(0, OTHERS);
	score = run(0, 1000, 0);
	cr_expect_gt(score.others, RATE);
	cr_expect_leq(score.looks, 1000 / PLAN_TRIAL_SLICE_MS + 1);
}

/* ---- the credit ---- */

Test(plan_trial, credit_is_exact)
{
	struct plan_trial t = { .at = 0 };
	int n = 0;

	for (int64_t now = 0; now < 1000000; now += 7) {
		plan_trial_tick(&t, 3, now);
		while (plan_trial_may(&t)) {
			plan_trial_take(&t);
			n++;
		}
	}
	cr_expect_eq(n, 2999);
	/* the time at which it may is neither too early nor too late */
	plan_trial_tick(&t, 3, plan_trial_next(&t, 3) - 1);
	cr_expect_not(plan_trial_may(&t));
	plan_trial_tick(&t, 3, plan_trial_next(&t, 3));
	cr_expect(plan_trial_may(&t));
}

Test(plan_trial, credit_is_bounded)
{
	struct plan_trial t = { .at = INT64_MIN };
	int n = 0;

	plan_trial_tick(&t, UINT32_MAX, INT64_MAX);
	plan_trial_tick(&t, 100, 0);
	for (int i = 0; i < 100000; i++)
		plan_trial_earn(&t, 100, 1);
	t = (struct plan_trial){ .at = 0 };
	plan_trial_tick(&t, 100, MTIME_DAY);
	for (int i = 0; i < 1000; i++)
		plan_trial_earn(&t, 100, 1);
	for (; plan_trial_may(&t); n++)
		plan_trial_take(&t);
	cr_expect_eq(n, 1 + 100 * PLAN_TRIAL_SAVED_MS / 1000);
}
