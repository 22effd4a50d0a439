/* How destinations did of late. */
#include "queued/rates.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define KEY SPAN_LIT("a.example")

static struct rates *r;

static void
setup(void)
{
	r = rates_new();
	cr_assert_not_null(r);
}

static void
teardown(void)
{
	rates_free(&r);
	cr_expect_null(r);
}

TestSuite(rates, .init = setup, .fini = teardown);

Test(rates, averages)
{
	cr_expect_eq(rates_of(r, KEY).attempts, 0);
	rates_note(r, KEY, 1000, false, 100);
	rates_note(r, KEY, 0, true, 300);
	cr_expect_eq(rates_of(r, KEY).attempts, 2);
	cr_expect_eq(rates_of(r, KEY).success, 500);
	cr_expect_eq(rates_of(r, KEY).down, 500);
	cr_expect_eq(rates_of(r, KEY).duration_us, 200000);
	cr_expect_eq(rates_of(r, SPAN_LIT("b.example")).attempts, 0);
}

/* What was long ago is forgotten, wholly; below a millisecond is not zero. */
Test(rates, tends_to_what_is)
{
	rates_note(r, KEY, 0, true, UINT64_MAX);
	for (int i = 0; i < 1000; i++)
		rates_note(r, KEY, 1000, false, i % 2 == 0 ? 1 : 0);
	cr_expect_eq(rates_of(r, KEY).success, 1000);
	cr_expect_eq(rates_of(r, KEY).down, 0);
	cr_expect_gt(rates_of(r, KEY).duration_us, 400);
	cr_expect_lt(rates_of(r, KEY).duration_us, 600);
}

/* A crowd of those that come once does not push a busy one out. */
Test(rates, keeps_the_busy)
{
	char key[32];

	for (int i = 0; i < 50000; i++) {
		if (i % 100 == 0)
			rates_note(r, KEY, 1000, false, 7);
		(void)snprintf(key, sizeof(key), "d%d.example", i);
		rates_note(r, span_str(key), 0, true, 1);
	}
	cr_expect_eq(rates_of(r, KEY).attempts, 500);
	cr_expect_eq(rates_of(r, SPAN_LIT("d49999.example")).attempts, 1);
	cr_expect_eq(rates_of(r, SPAN_LIT("d0.example")).attempts, 0);
}

/* Without memory nothing is known, and nothing dies of it. */
Test(rates, none)
{
	rates_note(NULL, KEY, 1000, false, 1);
	cr_expect_eq(rates_of(NULL, KEY).attempts, 0);
}
