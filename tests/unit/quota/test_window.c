/* A count over the period that ends now. */
#include <criterion/criterion.h>

#include "common/base/rng.h"
#include "queued/quota/quota_window.h"

enum { HOUR = 3600000 };

Test(quota_window, counts_and_forgets)
{
	struct quota_window w = { 0 };

	cr_assert_eq(quota_window_used(&w, HOUR, 5), 0);
	quota_window_add(&w, HOUR, 1000, 60);
	cr_assert_eq(quota_window_used(&w, HOUR, 1000 + HOUR - 1), 60);
	/* half of a period later half of it is left */
	cr_assert_eq(quota_window_used(&w, HOUR, 1000 + HOUR + HOUR / 2), 30);
	cr_assert_eq(quota_window_used(&w, HOUR, 1000 + 2 * HOUR), 0);
	quota_window_add(&w, HOUR, 1000 + HOUR + HOUR / 2, 5);
	cr_assert_eq(quota_window_used(&w, HOUR, 1000 + HOUR + HOUR / 2), 35);
}

Test(quota_window, what_is_left_is_rounded_up)
{
	struct quota_window w = { 0 };

	quota_window_add(&w, HOUR, 0, 1);
	cr_assert_eq(quota_window_used(&w, HOUR, 2 * HOUR - 1), 1);
	cr_assert_eq(quota_window_used(&w, HOUR, 2 * HOUR), 0);
}

Test(quota_window, a_clock_that_was_set_back)
{
	struct quota_window w = { 0 };

	quota_window_add(&w, HOUR, INT64_C(1) << 50, 7);
	cr_assert_eq(quota_window_used(&w, HOUR, 1000), 7);
	quota_window_add(&w, HOUR, 1000, 1);
	cr_assert_eq(quota_window_used(&w, HOUR, 1000), 8);
	cr_assert_eq(quota_window_used(&w, HOUR, 1000 + 2 * HOUR), 0);
	/* the worst that a file can say */
	w.begun_at = INT64_MAX;
	cr_assert_eq(quota_window_used(&w, HOUR, 0), 8);
}

Test(quota_window, another_period)
{
	struct quota_window w = { 0 };

	quota_window_add(&w, HOUR, 0, 10);
	cr_assert_eq(quota_window_used(&w, 24 * HOUR, HOUR / 2), 10);
	quota_window_add(&w, 24 * HOUR, HOUR / 2, 1);
	cr_assert_eq(quota_window_used(&w, 24 * HOUR, 12 * HOUR), 11);
}

Test(quota_window, sums_end_at_the_largest)
{
	struct quota_window w = { 0 };

	quota_window_add(&w, HOUR, 0, UINT32_MAX);
	quota_window_add(&w, HOUR, 0, UINT32_MAX);
	cr_assert_eq(quota_window_used(&w, HOUR, HOUR - 1), UINT32_MAX);
	cr_assert_gt(quota_window_wait(&w, HOUR, 0, 10), HOUR);
}

/* After the wait one more fits, and not before; over any period no more than
 * twice the limit passes, and a limit's worth in each two. */
Test(quota_window, random)
{
	struct rng dice;

	rng_init(&dice, 20261128);
	for (int round = 0; round < 400; round++) {
		const uint32_t period = 1 + (uint32_t)rng_below(&dice, 5000);
		const uint32_t limit = 1 + (uint32_t)rng_below(&dice, 40);
		struct quota_window w = { 0 };
		int64_t now = 0, at[4096];
		size_t n = 0, first = 0;

		for (int i = 0; i < 2000 && n < 4000; i++) {
			int64_t wait = quota_window_wait(&w, period, now,
			    limit);

			cr_assert_eq(wait == 0,
			    quota_window_used(&w, period, now) < limit);
			cr_assert(wait >= 0 && wait <= 2 * (int64_t)period);
			if (wait > 0) {
				cr_assert_geq(quota_window_used(&w, period,
				    now + wait - 1), limit);
				cr_assert_lt(quota_window_used(&w, period,
				    now + wait), limit);
				now += rng_below(&dice, 2) ? wait :
				    (int64_t)rng_below(&dice, wait + 1);
				continue;
			}
			quota_window_add(&w, period, now, 1);
			at[n++] = now;
			while (at[first] <= now - (int64_t)period)
				first++;
			cr_assert_leq(n - first, 2 * (size_t)limit);
			now += (int64_t)rng_below(&dice, period / limit + 2);
		}
		cr_assert_gt(n, limit);
	}
}
