/*
 * Forecasts: the planner's own code, so what it says must be what it does.
 */
#include "queued/plan/plan_forecast.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define MINUTE	INT64_C(60000)
#define HOUR	(60 * MINUTE)
#define NOW	(1000 * HOUR)

static struct plan *like;
static struct forecast *f;
static struct forecast_rates usual;
static struct plan_limits limits;

static struct forecast_rates
rates(void *ctx, struct span key)
{
	struct forecast_rates dead = { .attempts = 9, .success = 0,
		.down = 1000, .duration_us = 30000000 };

	(void)ctx;
	return span_equal(key, SPAN_LIT("dead")) ? dead : usual;
}

static void
setup(void)
{
	static const struct plan_params params = { .window_first = 10,
		.seed = 3 };

	cr_assert_eq(plan_new(&params, &like), OK);
	usual = (struct forecast_rates){ .attempts = 9, .success = 1000,
		.duration_us = 100000 };
	limits = (struct plan_limits){ .first_retry_ms = MINUTE,
		.max_retry_ms = HOUR, .window_max = 100 };
}

static void
teardown(void)
{
	forecast_free(&f);
	cr_expect_null(f);
	plan_free(&like);
}

TestSuite(forecast, .init = setup, .fini = teardown);

static void
begin(uint64_t units)
{
	const struct forecast_params params = { .like = like, .now = NOW,
		.units = units, .rates = rates };

	cr_assert_eq(forecast_new(&params, &f), OK);
}

static void
add_over(const char *key, int64_t due, uint32_t recipients,
    uint32_t connections)
{
	struct forecast_unit u = { .entry = { .key = span_str(key),
		.limits = limits, .due = NOW + due },
		.expires = NOW + 48 * HOUR, .tries = 1,
		.recipients = recipients, .connections = connections };

	if (forecast_count(f, u.entry.key, recipients))
		cr_assert_eq(forecast_add(f, &u), OK);
}

static void
add(const char *key, int64_t due, uint32_t recipients)
{
	add_over(key, due, recipients, 0);
}

static struct forecast_result
run(void)
{
	struct forecast_result r;
	int n = 0;

	forecast_begin(f);
	while (!forecast_run(f, 1000))
		cr_assert_lt(++n, 100000);
	forecast_result(f, &r);
	cr_expect_eq(r.delivered + r.expired + r.left, r.recipients);
	return r;
}

Test(forecast, of_nothing)
{
	struct forecast_dest d;
	struct forecast_result r;

	begin(0);
	r = run();
	cr_expect_eq(r.recipients, 0);
	cr_expect_eq(r.all_ms, 0);
	cr_expect_not(forecast_dest(f, 0, &d));
}

/* Marks are where the recipients go, the held ones don't. */
Test(forecast, marks)
{
	struct forecast_result r;

	begin(4);
	add("a", 0, 5);
	add("a", HOUR, 4);
	add("b", 2 * HOUR, 1);
	forecast_count_held(f, 7);
	r = run();
	cr_expect_eq(r.recipients, 10);
	cr_expect_eq(r.held, 7);
	cr_expect_eq(r.destinations, 2);
	cr_expect_eq(r.half_ms, 100);
	cr_expect_eq(r.most_ms, HOUR + 100);
	cr_expect_eq(r.all_ms, 2 * HOUR + 100);
}

/* A dead destination is foreseen to expire, and to be the last. */
Test(forecast, dead_destination)
{
	struct forecast_dest d;
	struct forecast_result r;

	begin(12);
	for (int i = 0; i < 10; i++)
		add("good", 0, 1);
	add("dead", 0, 2);
	r = run();
	cr_expect_eq(r.expired, 2);
	cr_expect_eq(r.delivered, 10);
	cr_expect_lt(r.half_ms, 1000);
	cr_expect_geq(r.all_ms, 48 * HOUR);
	cr_expect_lt(r.all_ms, 50 * HOUR);
	cr_assert(forecast_dest(f, 0, &d));
	cr_expect(span_equal(d.key, SPAN_LIT("dead")));
	cr_expect_eq(d.expired, 2);
	cr_assert(forecast_dest(f, 1, &d));
	cr_expect(span_equal(d.key, SPAN_LIT("good")));
	cr_expect_lt(d.gone_ms, 1000);
	cr_expect_not(forecast_dest(f, 2, &d));
}

/* Half of the attempts fail: some minutes of retries, nobody expires. */
Test(forecast, greylisted)
{
	struct forecast_result r;

	begin(1000);
	usual.success = 500;
	for (int i = 0; i < 1000; i++)
		add("grey", 0, 1);
	r = run();
	cr_expect_eq(r.delivered, 1000);
	cr_expect_gt(r.half_ms, 0);
	cr_expect_gt(r.all_ms, 10 * MINUTE);
	cr_expect_lt(r.all_ms, 30 * HOUR);
}

/* A million are sampled: bounded, and the answer is that of the whole. */
Test(forecast, a_million)
{
	struct forecast_result r;
	char key[16];

	begin(1000000);
	for (int i = 0; i < 1000000; i++) {
		(void)snprintf(key, sizeof(key), "d%d", i % 100);
		add(key, 0, 1);
	}
	r = run();
	cr_expect_eq(r.recipients, 1000000);
	cr_expect_eq(r.delivered, 1000000);
	cr_expect_gt(r.weight, 49);
	/* 10,000 of each, a hundred at a time, a tenth of a second each; and
	 * no faster than we are ourselves */
	cr_expect_geq(r.all_ms, 10000);
	cr_expect_lt(r.all_ms, 300000);
}

/* More destinations than are kept apart: of each some stand for others. */
Test(forecast, many_destinations)
{
	struct forecast_result r;
	char key[16];

	begin(100000);
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(key, sizeof(key), "d%d", i % 50000);
		add(key, 0, 1);
	}
	r = run();
	cr_expect_eq(r.delivered, 100000);
	cr_expect_leq(r.destinations, FORECAST_UNITS + 2 * FORECAST_GROUPS);
	/* one attempt each, no faster than we are */
	cr_expect_geq(r.all_ms, 10000);
	cr_expect_lt(r.all_ms, 30000);
}

/* Three ways to be slow: a window, a rate, attempts that fail. */
static struct forecast_result
slow_ones(uint64_t units)
{
	static const char *const keys[] = { "a", "rate", "b" };

	begin(units);
	usual.success = 700;
	for (int i = 0; i < 39000; i++) {
		limits.rate_count = i % 3 == 1 ? 10 : 0;
		limits.rate_ms = 1000;
		add(keys[i % 3], i, 1);
	}
	return run();
}

static void
expect_near(int64_t a, int64_t b)
{
	cr_expect(a > b - b / 10 && a < b + b / 10, "%lld and %lld",
	    (long long)a, (long long)b);
}

/* What a part of the queue says is what the whole does.  The very last one is
 * a matter of luck: a failure more, and its pause is twice as long. */
Test(forecast, part_is_like_whole)
{
	struct forecast_result part, whole = slow_ones(0);

	forecast_free(&f);
	part = slow_ones(400000);
	cr_expect_eq(whole.weight, 1);
	cr_expect_eq(part.weight, 41);
	cr_expect_eq(part.delivered, whole.delivered);
	expect_near(part.half_ms, whole.half_ms);
	expect_near(part.most_ms, whole.most_ms);
	cr_expect_gt(part.all_ms, whole.all_ms / 2);
	cr_expect_lt(part.all_ms, whole.all_ms * 2);
}

Test(forecast, rate)
{
	begin(600);
	limits.rate_count = 10;
	limits.rate_ms = 1000;
	for (int i = 0; i < 600; i++)
		add("a", 0, 1);
	expect_near(run().all_ms, MINUTE);
}

/* Five at a time, however many are leased. */
Test(forecast, connections)
{
	begin(1000);
	for (int i = 0; i < 1000; i++)
		add_over("a", 0, 1, 5);
	expect_near(run().all_ms, 1000 / 5 * 100);
}

/* A destination that backs off is found so. */
Test(forecast, begins_as_it_stands)
{
	const struct plan_entry entry = { .key = SPAN_LIT("a"),
		.limits = limits, .due = NOW };
	struct plan_unit *pu;
	int64_t until;

	cr_assert_eq(plan_add(like, &entry, &pu), OK);
	cr_assert(plan_next(like, NOW, &pu));
	until = plan_dest_failed(like, pu, NOW);
	begin(2);
	add("a", 0, 1);
	add("b", 0, 1);
	cr_expect_eq(run().all_ms, until - NOW + 100);
	cr_expect_eq(plan_count(like, PLAN_LEASED), 1, "and is left so");
}

/* Each is refused for itself, until it is too old for one try more. */
Test(forecast, refused_until_expired)
{
	struct forecast_result r;

	begin(50);
	usual.success = 0;
	for (int i = 0; i < 50; i++)
		add("a", 0, 2);
	r = run();
	cr_expect_eq(r.expired, 100);
	cr_expect_geq(r.half_ms, 48 * HOUR);
	cr_expect_leq(r.all_ms, 49 * HOUR + 100);
}

/* An end without an end: it gives up, and says so. */
Test(forecast, gives_up)
{
	struct forecast_unit never = { .entry = { .key = SPAN_LIT("a") },
		.expires = INT64_MAX, .recipients = 3 };
	struct forecast_dest d;
	struct forecast_result r;

	begin(1);
	usual.success = 0;
	cr_assert(forecast_count(f, never.entry.key, 3));
	cr_assert_eq(forecast_add(f, &never), OK);
	r = run();
	cr_expect_eq(r.left, 3);
	cr_expect_eq(r.all_ms, -1);
	cr_assert(forecast_dest(f, 0, &d));
	cr_expect_eq(d.gone_ms, -1);
}

/* The same question, the same answer. */
Test(forecast, repeats)
{
	struct forecast_result first, second;

	for (int round = 0; round < 2; round++) {
		begin(200);
		usual.success = 700;
		for (int i = 0; i < 200; i++)
			add(i % 3 == 0 ? "a" : "b", i * 1000, 1);
		if (round == 0)
			first = run();
		else
			second = run();
		forecast_free(&f);
	}
	cr_expect_eq(first.half_ms, second.half_ms);
	cr_expect_eq(first.all_ms, second.all_ms);
}
