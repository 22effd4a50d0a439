/* Who is suspended, slowed down or warming up, and what outlives the process. */
#include "common/base/mtime.h"
#include "queued/shape/shape.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const struct siphash_key seed = { 5, 6 };
static struct shape *shape;

static void
setup(void)
{
	cr_assert_eq(shape_new(&seed, &shape), OK);
}

static void
teardown(void)
{
	shape_free(&shape);
	cr_assert_null(shape);
}

TestSuite(shape, .init = setup, .fini = teardown);

static void
stop(const char *name, uint32_t route, int64_t until, const char *why)
{
	const struct shape_stop s = { .name = span_str(name), .route = route,
	    .by = SHAPE_BY_OPERATOR, .uid = 7, .since = 1, .until = until,
	    .why = span_str(why) };

	cr_assert_eq(shape_stop(shape, &s), OK);
}

static void
slow(const char *name, uint32_t count, int64_t until)
{
	const struct shape_slow s = { .name = span_str(name),
	    .rate = { count, 1000 }, .since = 1, .until = until };

	cr_assert_eq(shape_slow(shape, &s), OK);
}

/* Why KEY is stopped at NOW; "-": it is not. */
static const char *
why(const char *key, int64_t now)
{
	static char text[SHAPE_WHY_MAX + 1];
	struct shape_stop s;

	if (!shape_stop_of(shape, span_str(key), now, &s))
		return "-";
	cr_assert(span_copy(s.why, text, sizeof(text)));
	return text;
}

Test(shape, names_and_patterns_stop)
{
	stop("example.org", 0, 0, "a");
	stop("*.example.net", 0, 500, "b");
	cr_expect_str_eq(why("example.org", 10), "a");
	cr_expect_str_eq(why("sub.example.org", 10), "-");
	cr_expect_str_eq(why("x.example.net", 499), "b");
	cr_expect_str_eq(why("X.EXAMPLE.net", 499), "b");
	cr_expect_str_eq(why("x.example.net", 500), "-");
	/* of several the one that ends last speaks */
	stop("x.example.net", 0, 900, "c");
	cr_expect_str_eq(why("x.example.net", 10), "c");
	stop("*", 0, 0, "all");
	cr_expect_str_eq(why("x.example.net", 10), "all");
	cr_expect(shape_resume(shape, SPAN_LIT("*")));
	cr_expect(!shape_resume(shape, SPAN_LIT("*")));
	cr_expect_str_eq(why("x.example.net", 10), "c");
	cr_expect_eq(shape_stops(shape), 3u);
}

Test(shape, a_second_stop_replaces_the_first)
{
	stop("example.org", 0, 0, "a");
	stop("example.org", 0, 100, "b");
	cr_expect_eq(shape_stops(shape), 1u);
	cr_expect_str_eq(why("example.org", 10), "b");
	cr_expect_str_eq(why("example.org", 100), "-");
}

Test(shape, a_route_is_stopped_by_its_number)
{
	struct shape_stop s;

	stop("route:3", 99, 0, "r");
	cr_expect(shape_stop_of_route(shape, 99, 5, &s));
	cr_expect(!shape_stop_of_route(shape, 98, 5, &s));
	cr_expect(!shape_stop_of_route(shape, 0, 5, &s));
	/* a destination that is called so is another matter */
	cr_expect_str_eq(why("route:3", 5), "-");
	cr_expect(shape_resume(shape, SPAN_LIT("route:3")));
	cr_expect(!shape_stop_of_route(shape, 99, 5, &s));
}

Test(shape, what_is_over_goes)
{
	struct shape_slow s;

	stop("a", 0, 100, "");
	stop("*b", 0, 200, "");
	stop("c", 0, 0, "");
	slow("a", 5, 150);
	cr_expect(!shape_sweep(shape, 99));
	cr_expect(shape_sweep(shape, 150));
	cr_expect_eq(shape_stops(shape), 2u);
	cr_expect(!shape_slow_of(shape, SPAN_LIT("a"), 10, &s));
	cr_expect(shape_sweep(shape, 1000));
	cr_expect_eq(shape_stops(shape), 1u);
	cr_expect_str_eq(why("xb", 10), "-");
}

Test(shape, slowing_down_lasts_as_long_as_it_was_told_at_most)
{
	struct shape_slow s;

	slow("a", 5, 1000);
	slow("a", 1, 500);
	cr_assert(shape_slow_of(shape, SPAN_LIT("a"), 10, &s));
	cr_expect_eq(s.rate.count, 1u);
	cr_expect_eq(s.until, 1000);
	cr_expect(shape_hurry(shape, SPAN_LIT("a")));
	cr_expect(!shape_slow_of(shape, SPAN_LIT("a"), 10, &s));
	cr_expect(!shape_hurry(shape, SPAN_LIT("a")));
}

Test(shape, there_are_bounds)
{
	char name[32], *text = malloc(SHAPE_NAME_MAX + 2);
	struct shape_stop s = { .name = SPAN_LIT("one more") };

	cr_assert_not_null(text);
	memset(text, 'x', SHAPE_NAME_MAX + 2);
	for (unsigned i = 0; i < SHAPE_STOPS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "d%u", i);
		stop(name, 0, 0, "");
	}
	cr_expect_eq(shape_stop(shape, &s), ERR_FULL);
	stop("d7", 0, 5, "again");	/* no one more */
	s.name = span_of(text, SHAPE_NAME_MAX + 1);
	cr_expect_eq(shape_stop(shape, &s), ERR_RANGE);
	s.name = SPAN_NONE;
	cr_expect_eq(shape_stop(shape, &s), ERR_RANGE);
	cr_expect(shape_resume(shape, SPAN_LIT("d1")));
	s.name = span_of(text, SHAPE_NAME_MAX);
	s.why = span_of(text, SHAPE_NAME_MAX);
	cr_expect_eq(shape_stop(shape, &s), OK);
	cr_assert(shape_stop_of(shape, s.name, 0, &s));
	cr_expect_eq(s.why.n, SHAPE_WHY_MAX);
	free(text);
}

Test(shape, a_route_warms_up_day_by_day)
{
	struct conf_rate rates[] = { { 100, 86400000 }, { 200, 86400000 } };
	const struct conf_rates curve = { rates, 2 };
	struct conf_rate rate;
	int64_t since = shape_warm_since(shape, 7, 5000);

	cr_expect_eq(since, 5000);
	cr_expect_eq(shape_warm_since(shape, 7, 99000), 5000);
	cr_expect(shape_warm_rate(&curve, since, 4000, &rate));
	cr_expect_eq(rate.count, 100u);
	cr_expect(shape_warm_rate(&curve, since, 5000 + MTIME_DAY - 1, &rate));
	cr_expect_eq(rate.count, 100u);
	cr_expect(shape_warm_rate(&curve, since, 5000 + MTIME_DAY, &rate));
	cr_expect_eq(rate.count, 200u);
	cr_expect(!shape_warm_rate(&curve, since, 5000 + 2 * MTIME_DAY,
	    &rate));
	cr_expect(shape_cool(shape, 7));
	cr_expect(!shape_cool(shape, 7));
	cr_expect_eq(shape_warm_since(shape, 7, 99000), 99000);
}

/* ---- the file ---- */

static void
fill(void)
{
	stop("example.org", 0, 0, "a");
	stop("*.example.net", 0, 5000, "");
	stop("route:2", 44, 0, "many refusals");
	slow("big.example", 6, 9000);
	(void)shape_warm_since(shape, 44, 300);
}

Test(shape, it_outlives_the_process)
{
	struct shape_stop s;
	struct shape_slow l;
	struct buf file;

	fill();
	cr_expect(shape_has_changed(shape));
	buf_init(&file, SHAPE_FILE_MAX);
	shape_put(shape, &file);
	cr_expect(!shape_has_changed(shape));
	shape_free(&shape);
	setup();
	cr_assert_eq(shape_read(shape, buf_span(&file)), OK);
	cr_expect(!shape_has_changed(shape));
	buf_clear(&file);
	cr_expect_eq(shape_stops(shape), 3u);
	cr_expect_str_eq(why("example.org", 10), "a");
	cr_expect_str_eq(why("x.example.net", 5000), "-");
	cr_assert(shape_stop_of_route(shape, 44, 10, &s));
	cr_expect(span_equal(s.name, SPAN_LIT("route:2")));
	cr_expect_eq(s.uid, 7u);
	cr_assert(shape_slow_of(shape, SPAN_LIT("big.example"), 10, &l));
	cr_expect_eq(l.rate.count, 6u);
	cr_expect_eq(shape_warm_since(shape, 44, 99000), 300);
}

/* Cut anywhere, or with any bit turned: nothing of it is believed. */
Test(shape, a_damaged_file_is_refused_as_a_whole)
{
	struct buf file;

	fill();
	buf_init(&file, SHAPE_FILE_MAX);
	shape_put(shape, &file);
	shape_free(&shape);
	setup();
	for (size_t n = 0; n < file.n; n++) {
		cr_expect_neq(shape_read(shape, span_of(file.p, n)), OK);
		cr_expect_eq(shape_stops(shape), 0u);
	}
	for (size_t bit = 0; bit < file.n * 8; bit++) {
		file.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_expect_neq(shape_read(shape, buf_span(&file)), OK);
		cr_expect_eq(shape_stops(shape), 0u);
		file.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	cr_expect_eq(shape_read(shape, buf_span(&file)), OK);
	buf_clear(&file);
}
