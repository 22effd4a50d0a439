/*
 * The schedule when clocks are set and machines stand still: no mass retry, no
 * mass bounce, nothing given up without an attempt, nothing stranded; in
 * memory and in the index alike.
 */
#include "bench.h"
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/plan/plan.h"
#include "queued/store/store_clock.h"

#include <stdio.h>

#define YEARS (3652 * MTIME_DAY)

static struct bench b;

#define QUEUE "queue: {first_retry: 600s, max_retry: 600s, warn: 0, " \
	"expire: 2h, report_expire: 1h}\n"

static const int64_t jumps[] = { MTIME_HOUR, -MTIME_HOUR, YEARS, -YEARS };

static void
begin(void)
{
	bench_open(&b, QUEUE);
	bench_usual(&b);
}

static void
end(void)
{
	bench_close(&b);
}

/* Ten messages to ten destinations, each deferred once. */
static void
ten_deferred(void)
{
	char to[32];

	for (int i = 0; i < 10; i++) {
		(void)snprintf(to, sizeof(to), "r@d%d.example", i);
		(void)bench_mail(&b, "s@a.example", to);
		bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	}
	WAIT(b.leases[9].is_confirmed);
	cr_assert_eq(b.n_leases, 10);
}

/* None of them is tried before its time, each is soon after. */
static void
wait_for_ten(void)
{
	unsigned before = b.n_leases;

	for (int i = 0; i < 7; i++)
		bench_skip(&b, MTIME_MINUTE);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, before, "a mass retry");
	cr_expect_eq(bench_messages(&b), 10, "a mass bounce");
	bench_skip(&b, 4 * MTIME_MINUTE);
	WAIT(b.n_leases == before + 10);
	while (bench_untold(&b) != NULL)
		bench_tell(&b, bench_untold(&b), OUTCOME_DEFERRED,
		    SCOPE_RECIPIENTS, "later");
	bench_turn(&b, 20);
	cr_expect_eq(bench_messages(&b), 10);
}

static void
jump_in_memory(int64_t by)
{
	begin();
	ten_deferred();
	bench_jump(&b, by);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 10);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "age>1h"), 0);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:deferred"), 10);
	wait_for_ten();
	cr_expect_eq(bench_log_count(&b, " clock_jumped "), 1);
	/* people see today's clock */
	(void)bench_ask(&b, CTL_LIST, "all");
	cr_expect_lt((int64_t)b.clients[0].row.arrived_at, INT64_MAX);
	bench_jump(&b, -by);
	wait_for_ten();
	end();
}

Test(time, clock_jumps)
{
	for (size_t i = 0; i < COUNT_OF(jumps); i++)
		jump_in_memory(jumps[i]);
}

/* What lies in the index is not due either, also for the next process: it
 * was killed, or ended in order. */
static void
jump_in_index(int64_t by, bool is_kill)
{
	begin();
	ten_deferred();
	bench_jump(&b, by);
	bench_skip(&b, 1500);		/* within a second it is noticed */
	bench_turn(&b, 20);
	if (is_kill)
		bench_kill(&b);
	else
		bench_stop(&b);
	bench_start(&b);
	bench_usual(&b);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 10);
	wait_for_ten();
	bench_jump(&b, -by);
	end();
}

Test(time, clock_jumps_and_a_start)
{
	for (size_t i = 0; i < COUNT_OF(jumps); i++)
		jump_in_index(jumps[i], i % 2 == 0);
}

/* The clock was set back while nobody ran: time goes on where it was. */
Test(time, set_back_during_a_stop)
{
	begin();
	ten_deferred();
	bench_stop(&b);
	bench_jump(&b, -YEARS);
	bench_start(&b);
	bench_usual(&b);
	wait_for_ten();
	bench_jump(&b, YEARS);
	wait_for_ten();
	end();
}

/* After a stop of ten days, or a clock that was set forward meanwhile, all are
 * older than they may get: each has its attempt, and ends by it. */
static void
stop(int64_t stopped, int64_t jumped)
{
	begin();
	ten_deferred();
	bench_stop(&b);
	bench_skip(&b, stopped);
	bench_jump(&b, jumped);
	bench_start(&b);
	bench_usual(&b);
	WAIT(b.n_leases == 20);
	cr_expect_eq(bench_log_count(&b, " reported "), 0);
	cr_expect_eq(bench_messages(&b), 10);
	for (int i = 0; i < 9; i++)
		bench_tell(&b, bench_untold(&b), OUTCOME_DELIVERED,
		    SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 1);
	cr_expect_eq(bench_log_count(&b, " reported "), 0);
	bench_tell(&b, bench_untold(&b), OUTCOME_DEFERRED, SCOPE_RECIPIENTS,
	    "later");
	WAIT(b.n_leases == 21);			/* the report of its end */
	cr_expect_eq(bench_log_count(&b, " reported "), 1);
	bench_jump(&b, -jumped);
	end();
}

Test(time, long_stop)
{
	stop(10 * MTIME_DAY, 0);
	stop(0, YEARS);
}

/* A file that is damaged costs its knowledge, not the start. */
Test(time, clock_file)
{
	struct store_clock clock = { -5, 7 }, read = { 0, 0 };
	char path[BENCH_PATH + 16];
	FILE *f;

	begin();
	ten_deferred();
	bench_stop(&b);
	cr_assert_eq(store_clock_read(NULL, ".", &read), OK);
	cr_expect_eq(read.offset_ms, 0);
	cr_expect_gt(read.seen_at, 0);
	cr_assert_eq(store_clock_write(NULL, ".", &clock), OK);
	cr_assert_eq(store_clock_read(NULL, ".", &read), OK);
	cr_expect_eq(read.offset_ms, -5);
	cr_expect_eq(read.seen_at, 7);
	cr_expect_eq(store_clock_read(NULL, "nowhere", &read), ERR_NOT_FOUND);
	for (int bit = 0; bit < 28 * 8; bit++) {
		uint8_t bytes[28];

		(void)snprintf(path, sizeof(path), "clock");
		cr_assert_eq(store_clock_write(NULL, ".", &clock), OK);
		f = fopen(path, "r+");
		cr_assert_not_null(f);
		cr_assert_eq(fread(bytes, 1, sizeof(bytes), f), sizeof(bytes));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rewind(f);
		cr_assert_eq(fwrite(bytes, 1, sizeof(bytes), f),
		    sizeof(bytes));
		fclose(f);
		cr_assert_eq(store_clock_read(NULL, ".", &read), ERR_CORRUPT,
		    "bit %d", bit);
	}
	bench_start(&b);
	bench_usual(&b);
	wait_for_ten();
	end();
}
