/* Circuit breakers, in virtual time. */
#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "queued/shape/shape_breaker.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct siphash_key seed = { 1, 2 };
static const struct shape_breaker_limit limit = {
	.refused = { 50, 10 * 60 * 1000 }, .share = 30,
};
static struct shape_breaker *b;

static void
setup(void)
{
	cr_assert_eq(shape_breaker_new(&seed, &b), OK);
}

static void
teardown(void)
{
	shape_breaker_free(&b);
	cr_assert_null(b);
}

TestSuite(breaker, .init = setup, .fini = teardown);

static bool
note(const char *key, uint32_t refused, uint32_t taken, int64_t now)
{
	return shape_breaker_note(b, span_str(key), &limit, refused, taken,
	    now);
}

/* After how many refusals in a row, STEP apart, it trips; 0: never. */
static int
trips_after(int n, int64_t step)
{
	for (int i = 1; i <= n; i++)
		if (note("d", 1, 0, i * step))
			return i;
	return 0;
}

Test(breaker, the_fiftieth_refusal_trips_it)
{
	cr_expect_eq(trips_after(100, 100), 50);
	cr_expect(note("d", 1, 0, 20000));
	/* a success does not, and does not close it either */
	cr_expect(!note("d", 0, 1, 20001));
	shape_breaker_reset(b, SPAN_LIT("d"));
	cr_expect(!note("d", 49, 0, 20002));
	cr_expect(note("d", 1, 0, 20003));
}

Test(breaker, refusals_that_come_slowly_trip_nothing)
{
	/* 49 in any ten minutes */
	cr_expect_eq(trips_after(5000, 12500), 0);
}

Test(breaker, many_recipients_at_once_count_each)
{
	cr_expect(note("d", 50, 0, 5));
	cr_expect(!note("e", 49, 0, 5));
}

/* Three bad addresses in a hundred, however many there are. */
Test(breaker, a_bulk_sender_with_some_dead_addresses_goes_on)
{
	struct rng dice;
	int64_t now = 0;

	rng_init(&dice, 4);
	for (int i = 0; i < 200000; i++) {
		bool is_dead = rng_below(&dice, 100) < 3;

		cr_assert(!note("d", is_dead, !is_dead, now));
		now += 10;
	}
	/* until nearly all of them are refused */
	for (int i = 0; i < 60000; i++, now += 10)
		if (note("d", 1, 0, now)) {
			cr_expect_gt(i, 10000);
			return;
		}
	cr_assert_fail("it never tripped");
}

Test(breaker, each_counts_for_itself)
{
	char key[32];

	for (int i = 0; i < 3000; i++) {
		(void)snprintf(key, sizeof(key), "d%d", i % 100);
		cr_expect(!note(key, 1, 0, i));
	}
}

Test(breaker, without_a_limit_nothing_trips)
{
	const struct shape_breaker_limit none = { .refused = { 0, 1 },
	    .share = 1 };

	cr_expect(!shape_breaker_note(b, SPAN_LIT("d"), &none, 100000, 0, 1));
	cr_expect(!shape_breaker_note_route(b, 1, SPAN_LIT("d"), &none, 100000,
	    0, 1));
}

static bool
note_both(uint32_t route, const char *key, uint32_t refused, uint32_t taken,
    int64_t now)
{
	(void)note(key, refused, taken, now);
	return shape_breaker_note_route(b, route, span_str(key), &limit,
	    refused, taken, now);
}

/* One broken domain is not a broken route. */
Test(breaker, a_route_takes_several_destinations)
{
	char key[32];

	for (int i = 0; i < 2000; i++)
		cr_expect(!note_both(3, "a", 1, 0, i));
	for (int i = 0; i < 2000; i++)
		cr_expect(!note_both(3, "b", 1, 0, i));
	/* twelve each: 24 by now */
	for (int i = 0; i < 25; i++) {
		(void)snprintf(key, sizeof(key), "d%d", i);
		cr_expect(!note_both(3, key, 1, 0, 2000));
	}
	cr_expect(note_both(3, "last", 1, 0, 2001));
	cr_expect(!note_both(4, "last", 1, 0, 2001));
	shape_breaker_reset_route(b, 3);
	cr_expect(!note_both(3, "other", 1, 0, 2002));
}

Test(breaker, what_was_taken_counts_for_the_route_as_well)
{
	char key[32];

	for (int i = 0; i < 400; i++)
		cr_expect(!note_both(3, "good", 0, 1, i));
	for (int i = 0; i < 171; i++) {
		(void)snprintf(key, sizeof(key), "d%d", i);
		cr_expect(!note_both(3, key, 1, 0, 500));
	}
	cr_expect(note_both(3, "last", 1, 0, 501));
}

/* More keys than there are places: those noted often stay. */
Test(breaker, a_flood_of_others_hides_nobody_who_is_busy)
{
	char key[32];
	bool has_tripped = false;

	for (int i = 0; i < 49 && !has_tripped; i++) {
		for (int j = 0; j < 1000; j++) {
			(void)snprintf(key, sizeof(key), "x%d-%d", i, j);
			(void)note(key, 1, 0, i);
		}
		has_tripped = note("busy", 1, 0, i);
	}
	cr_expect(!has_tripped);
	cr_expect(note("busy", 1, 0, 60));
	cr_expect_eq(shape_breaker_count(b, SPAN_LIT("busy"),
	    limit.refused.period_ms, 61).refused, 50u);
	cr_expect_eq(shape_breaker_count(b, SPAN_LIT("busy"),
	    limit.refused.period_ms, 61 + 2 * 600000).refused, 0u);
}
