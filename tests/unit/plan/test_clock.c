/* The spool's time, however the wall clock is set; days of looks at it in
 * virtual time. */
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "queued/plan/plan_clock.h"

#include <criterion/criterion.h>

#define START INT64_C(1795313862123)
#define YEARS (3652 * MTIME_DAY)

static const int64_t jumps[] = {
	MTIME_HOUR, -MTIME_HOUR, YEARS, -YEARS, MTIME_MINUTE + 1,
	-MTIME_MINUTE - 1, -START, INT64_MAX / 2, INT64_MIN / 2,
};

Test(plan_clock, goes_on_when_the_wall_clock_jumps)
{
	struct plan_clock c;

	for (size_t i = 0; i < COUNT_OF(jumps); i++) {
		int64_t wall = START, mono = 5000;

		plan_clock_begin(&c, 0, 0, wall, mono);
		for (int step = 0; step < 100; step++) {
			if (step == 50)
				wall = mtime_add(wall, jumps[i]);
			cr_assert_eq(plan_clock_now(&c, wall, mono),
			    START + step * 1000, "jump %zu, %d", i, step);
			cr_assert_eq(plan_clock_shown(&c,
			    START + step * 1000), wall);
			wall += 1000;
			mono += 1000;
		}
		cr_expect_eq(c.jumps, 1);
		cr_expect_eq(c.jumped_ms, jumps[i]);
		cr_expect_eq(c.offset_ms, jumps[i]);
	}
}

/* What NTP does is followed, and does not add up to a jump. */
Test(plan_clock, follows_what_is_no_jump)
{
	struct plan_clock c;
	int64_t wall = START, mono = 0;

	plan_clock_begin(&c, 0, 0, wall, mono);
	for (int step = 0; step < 100000; step++) {
		wall += 1001;			/* 0.1 % fast: 100 s in all */
		mono += 1000;
		cr_assert_eq(plan_clock_now(&c, wall, mono), wall);
	}
	wall -= MTIME_MINUTE;
	cr_expect_eq(plan_clock_now(&c, wall, mono), wall);
	wall += MTIME_MINUTE;
	cr_expect_eq(plan_clock_now(&c, wall, mono), wall);
	cr_expect_eq(c.jumps, 0);
}

/* There and back again: as if nothing had been. */
Test(plan_clock, jumps_cancel)
{
	struct plan_clock c;
	struct rng dice;
	int64_t wall = START, mono = 0, gone = 0;

	rng_init(&dice, 11);
	plan_clock_begin(&c, 0, 0, wall, mono);
	for (int step = 0; step < 20000; step++) {
		int64_t pause = rng_between(&dice, 0, 5000);
		int64_t jump = rng_below(&dice, 50) != 0 ? 0 :
		    rng_between(&dice, -YEARS, YEARS);

		if (jump > -2 * MTIME_MINUTE && jump < 2 * MTIME_MINUTE)
			jump = 0;
		mono += pause;
		gone += pause;
		wall += pause + jump;
		cr_assert_eq(plan_clock_now(&c, wall, mono), START + gone);
	}
	wall = START + gone;
	cr_expect_eq(plan_clock_now(&c, wall, mono), wall);
	cr_expect_eq(c.offset_ms, 0);
}

/* While nobody looked time may only have gone on. */
Test(plan_clock, begins_where_it_was)
{
	struct plan_clock c;

	/* a stop of a day */
	plan_clock_begin(&c, 500, START, START + MTIME_DAY, 77);
	cr_expect_eq(plan_clock_now(&c, START + MTIME_DAY, 77),
	    START + MTIME_DAY - 500);
	/* the clock was set back meanwhile: a stop of no time */
	plan_clock_begin(&c, 500, START, START - YEARS, 77);
	cr_expect_eq(plan_clock_now(&c, START - YEARS, 77), START - 500);
	cr_expect_eq(c.jumps, 1);
	/* ... and is set right when we run */
	cr_expect_eq(plan_clock_now(&c, START + 1000, 1077), START + 500);
	cr_expect_eq(c.offset_ms, 500);
	/* a little is none */
	plan_clock_begin(&c, 0, START, START - MTIME_MINUTE, 0);
	cr_expect_eq(c.jumps, 0);
	/* nothing known */
	plan_clock_begin(&c, 0, 0, START - YEARS, 0);
	cr_expect_eq(plan_clock_now(&c, START - YEARS, 0), START - YEARS);
}
