/*
 * What holds destinations back besides their own answers, with the whole of
 * queued and in virtual time: breakers, suspensions over kills and reloads, what
 * replies teach, warm-up over days.
 */
#include "bench.h"
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/plan/plan_look.h"
#include "queued/shaping.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static struct bench b;

static void
begin(const char *conf)
{
	bench_open(&b, conf);
	bench_usual(&b);
}

static void
end(void)
{
	bench_close(&b);
}

static void
mails(unsigned n, const char *to)
{
	for (unsigned i = 0; i < n; i++)
		(void)bench_mail(&b, "s@a.example", to);
}

/* What came of lease I: a reply. */
static void
tell(unsigned i, enum outcome outcome, uint16_t code, const char *text)
{
	struct bench_lease *l = bench_lease(&b, i);
	struct msg_result row = { .last = l->rcpts - 1, .code = code,
	    .outcome = (uint8_t)outcome, .text = span_str(text),
	    .status = outcome == OUTCOME_FAILED ? SPAN_LIT("5.7.1") :
	    outcome == OUTCOME_DEFERRED ? SPAN_LIT("4.7.0") :
	    SPAN_LIT("2.0.0") };

	l->attempt_code = code;
	bench_tell_rows(&b, l, SCOPE_RECIPIENTS, &row, 1);
	WAIT(l->is_confirmed);
}

static bool
is_stopped(const char *key)
{
	struct shape_stop stop;

	return shaping_stop_of(b.q, span_str(key), ROUTE_BY_MX, &stop);
}

static enum err
suspend(const char *name, int64_t ms)
{
	int64_t wall = (int64_t)queued_wall(b.q);
	const struct shape_stop stop = { .name = span_str(name),
	    .route = shaping_route_named(b.q, span_str(name)),
	    .since = wall, .until = ms > 0 ? wall + ms : 0 };

	return shaping_suspend(b.q, &stop);
}

static void
resume(const char *name)
{
	enum err e;

	cr_assert_eq(shaping_resume(b.q, span_str(name), false, &e), 1u);
	cr_assert_eq(e, OK);
}

static void
restart(void)
{
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_return(&b.deliverds[0]);
}

/* ---- breakers ---- */

/* Four reports instead of ten; the rest waits until somebody has looked. */
Test(shaping, a_breaker_keeps_reports_back, .fini = end)
{
	unsigned leases;

	begin("deliver: {breaker: 5/10m}\nqueue: {first_retry: 10s, "
	    "max_retry: 10s}\nroutes: []\n");
	mails(10, "r@b.example");
	WAIT(b.n_leases == 10);
	for (unsigned i = 0; i < 10; i++)
		tell(i, OUTCOME_FAILED, 550, "go away");
	cr_expect_eq(bench_log_count(&b, "kind=failed"), 4);
	cr_expect_eq(bench_log_count(&b, " dest_suspended "), 1);
	cr_expect_eq(bench_log_count(&b, "by=breaker"), 1);
	cr_expect(is_stopped("b.example"));
	/* the reports, and what the postmaster is told */
	WAIT(b.n_leases == 15);
	cr_expect_eq(bench_log_count(&b, "kind=held destination=b.example"),
	    1);
	bench_skip(&b, 60000);
	bench_turn(&b, 5);
	cr_expect_eq(b.n_leases, 15);
	restart();
	bench_skip(&b, 60000);
	bench_turn(&b, 5);
	leases = b.n_leases;
	cr_expect_eq(leases, 15);
	resume("b.example");
	bench_skip(&b, 60000);
	WAIT(b.n_leases == leases + 6);
	/* counted anew, from nothing */
	tell(leases, OUTCOME_FAILED, 550, "go away");
	cr_expect_not(is_stopped("b.example"));
}

/* A share of failures that is usual, and one that none sees as refusals: these
 * hosts are down. */
Test(shaping, a_breaker_knows_its_share, .fini = end)
{
	begin("deliver: {breaker: 5/10m, breaker_share: 60}\nroutes: []\n");
	mails(40, "r@b.example");
	WAIT(b.n_leases >= 32);
	for (unsigned i = 0; i < 32; i++) {
		if (i % 2 == 0)
			tell(i, OUTCOME_DELIVERED, 250, "ok");
		else
			tell(i, OUTCOME_FAILED, 550, "no such user");
	}
	cr_expect_not(is_stopped("b.example"));
}

/* It opens in the same turn in which others are on their way: theirs are no
 * ends either; what was delivered is. */
Test(shaping, what_is_under_way_is_shielded, .fini = end)
{
	begin("deliver: {breaker: 2/10m}\nroutes: []\n");
	mails(5, "r@b.example");
	WAIT(b.n_leases == 5);
	tell(0, OUTCOME_FAILED, 550, "go away");
	tell(1, OUTCOME_FAILED, 550, "go away");
	tell(2, OUTCOME_FAILED, 554, "go away");
	tell(3, OUTCOME_DELIVERED, 250, "ok");
	/* no code: it is ours, such as a name that does not exist */
	tell(4, OUTCOME_FAILED, 0, "no such domain");
	cr_expect_eq(bench_log_count(&b, "kind=failed"), 2);
	/* two, two reports, and what the postmaster is told */
	cr_expect_eq(bench_messages(&b), 5);
}

/* ---- suspensions ---- */

Test(shaping, a_suspension_outlives_kills, .fini = end)
{
	begin("routes: [{to: c.example, via: mx}]\n");
	cr_assert_eq(suspend("b.*", 0), OK);
	cr_assert_eq(suspend("route:1", 0), OK);
	mails(3, "r@b.example");
	mails(1, "r@c.example");
	mails(1, "r@d.example");
	WAIT(b.n_leases == 1);
	restart();
	bench_skip(&b, MTIME_HOUR);
	bench_turn(&b, 5);
	cr_expect_eq(b.n_leases, 1);
	cr_expect(is_stopped("b.example"));
	/* the rule stands elsewhere now */
	bench_reload(&b, "routes: [{to: x.example, via: mx}, "
	    "{to: c.example, via: mx, limits: {window: 3}}]\n");
	cr_expect_eq(bench_ask(&b, CTL_RETRY, "all"), 5u);
	bench_turn(&b, 5);
	cr_expect_eq(b.n_leases, 1);
	resume("route:2");
	WAIT(b.n_leases == 2);
	resume("b.*");
	WAIT(b.n_leases == 5);
}

Test(shaping, a_suspension_ends_at_its_time, .fini = end)
{
	begin("routes: []\n");
	cr_assert_eq(suspend("b.example", MTIME_HOUR), OK);
	mails(2, "r@b.example");
	bench_turn(&b, 5);
	restart();
	bench_skip(&b, MTIME_HOUR - 5000);
	bench_turn(&b, 5);
	cr_expect_eq(b.n_leases, 0);
	bench_skip(&b, 6000);
	WAIT(b.n_leases == 2);
	WAIT(shape_stops(shaping_known(b.q)) == 0);
}

/* Its sender hears of the delay, and has it back. */
Test(shaping, suspended_mail_gets_old, .fini = end)
{
	begin("queue: {first_retry: 10s, warn: 1h, expire: 10h}\n"
	    "routes: []\n");
	cr_assert_eq(suspend("b.example", 0), OK);
	mails(2, "r@b.example");
	bench_skip(&b, MTIME_HOUR + 70000);
	WAIT(bench_log_count(&b, "kind=delayed") == 2);
	bench_skip(&b, 9 * MTIME_HOUR);
	bench_turn(&b, 5);
	bench_skip(&b, 70000);		/* looked for once a minute */
	WAIT(bench_log_count(&b, "kind=failed") == 2);
	cr_expect_eq(bench_log_count(&b, "suspended here for now"), 4);
	for (unsigned i = 0; i < b.n_leases; i++)
		cr_expect_eq(b.leases[i].sender.n, 0u, "reports alone");
}

/* ---- lessons ---- */

Test(shaping, greylisting_is_about_one, .fini = end)
{
	begin("queue: {first_retry: 1h, max_retry: 1h}\nroutes: []\n");
	mails(3, "r@b.example");
	WAIT(b.n_leases == 3);
	tell(0, OUTCOME_DEFERRED, 450, "4.2.0 Greylisted, see you later");
	tell(1, OUTCOME_DELIVERED, 250, "ok");
	bench_skip(&b, 4 * MTIME_MINUTE);
	bench_turn(&b, 5);
	cr_expect_eq(b.n_leases, 3);
	bench_skip(&b, MTIME_MINUTE + 1000);
	WAIT(b.n_leases == 4);
	/* who never means it is tried as others are */
	for (unsigned i = 3; i < 9; i++) {
		tell(i, OUTCOME_DEFERRED, 450, "greylisted");
		bench_skip(&b, 5 * MTIME_MINUTE + 1000);
		if (i < 8)
			WAIT(b.n_leases == i + 2);
	}
	bench_turn(&b, 5);
	cr_expect_eq(b.n_leases, 9);
	bench_skip(&b, MTIME_HOUR);
	WAIT(b.n_leases == 10);
}

Test(shaping, a_rate_is_learned_and_forgotten, .fini = end)
{
	struct plan_dest_view view;

	begin("shaping: [{reply: \"4?? *faster*\", action: slow, "
	    "rate: 1/10s, for: 1h}]\nroutes: []\n"
	    "queue: {first_retry: 10s, max_retry: 10s}\n");
	mails(1, "r@b.example");
	WAIT(b.n_leases == 1);
	tell(0, OUTCOME_DEFERRED, 450, "no faster than this");
	cr_expect_eq(bench_log_count(&b, " dest_slowed "), 1);
	/* what was learned is written soon */
	bench_skip(&b, 5000);
	bench_turn(&b, 5);
	restart();
	bench_skip(&b, 15000);
	WAIT(b.n_leases == 2);
	mails(3, "r@b.example");
	bench_turn(&b, 5);
	cr_expect_eq(b.n_leases, 2);
	for (unsigned i = 3; i <= 5; i++) {
		bench_skip(&b, 10000);
		WAIT(b.n_leases == i);
	}
	bench_skip(&b, MTIME_HOUR);
	mails(3, "r@b.example");
	WAIT(b.n_leases == 8);
	cr_assert(plan_dest_look(b.q->plan, SPAN_LIT("b.example"), &view));
	cr_expect_eq(view.rate_count, 0u);
}

Test(shaping, a_rule_suspends, .fini = end)
{
	begin("shaping: [{reply: \"*blocked*\", to: \"b.*\", "
	    "action: suspend, for: 2h}]\nroutes: []\n"
	    "queue: {first_retry: 10s, max_retry: 10s}\n");
	mails(1, "r@b.example");
	mails(1, "r@c.example");
	WAIT(b.n_leases == 2);
	for (unsigned i = 0; i < 2; i++)
		tell(i, OUTCOME_DEFERRED, 451, "you are blocked");
	cr_expect(is_stopped("b.example"));
	cr_expect_not(is_stopped("c.example"));
	WAIT(b.n_leases == 3);		/* what the postmaster is told */
	bench_skip(&b, 11000);
	WAIT(b.n_leases == 4);		/* c.example */
	bench_skip(&b, 2 * MTIME_HOUR);
	WAIT(b.n_leases == 5);
}

/* One message for each suspension, but no flood of them. */
Test(shaping, the_postmaster_has_rest, .fini = end)
{
	struct shape_stop stop = { .by = SHAPE_BY_RULE };
	char name[32];

	begin("routes: []\n");
	for (int i = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), "d%d.example", i);
		stop.name = span_str(name);
		cr_assert_eq(shaping_suspend(b.q, &stop), OK);
	}
	cr_assert_eq(suspend("x.example", 0), OK);
	cr_expect_eq(bench_log_count(&b, "kind=held"), 10);
	bench_skip(&b, MTIME_HOUR);
	stop.name = SPAN_LIT("later.example");
	cr_assert_eq(shaping_suspend(b.q, &stop), OK);
	cr_expect_eq(bench_log_count(&b, "kind=held"), 11);
}

/* ---- warm-up ---- */

static void
expect_rate(const char *key, uint32_t count, uint32_t ms)
{
	struct plan_dest_view view;

	cr_assert(plan_dest_look(b.q->plan, span_str(key), &view));
	cr_expect_eq(view.rate_count, count, "%u", view.rate_count);
	if (count > 0)
		cr_expect_eq(view.rate_ms, ms, "%u", view.rate_ms);
}

Test(shaping, a_route_warms_up_day_by_day, .fini = end)
{
	begin("routes: [{to: b.example, via: mx, limits: {warm_up: "
	    "[100/1d, 200/1d, 2/1s]}}]\n");
	mails(3, "r@b.example");
	WAIT(b.n_leases == 1);
	expect_rate("b.example", 100, (uint32_t)MTIME_DAY);
	bench_skip(&b, MTIME_DAY + MTIME_HOUR);
	bench_turn(&b, 5);
	expect_rate("b.example", 200, (uint32_t)MTIME_DAY);
	restart();
	mails(1, "r@b.example");
	WAIT(b.n_leases >= 2);
	expect_rate("b.example", 200, (uint32_t)MTIME_DAY);
	bench_skip(&b, MTIME_DAY);
	bench_turn(&b, 5);
	expect_rate("b.example", 2, 1000);
	bench_skip(&b, MTIME_DAY);
	bench_turn(&b, 5);
	expect_rate("b.example", 0, 0);
	/* from the start again */
	cr_expect_eq(shaping_reset(b.q, SPAN_LIT("route:1"), false), 1u);
	expect_rate("b.example", 100, (uint32_t)MTIME_DAY);
}

/* ---- the file ---- */

Test(shaping, a_damaged_file_suspends_nobody, .fini = end)
{
	char path[BENCH_PATH + 32];
	int fd;

	begin("routes: []\n");
	cr_assert_eq(suspend("b.example", 0), OK);
	bench_kill(&b);
	(void)snprintf(path, sizeof(path), "%s/shaping", b.dir);
	fd = open(path, O_WRONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, "\xff\xff", 2, 20), 2);
	close(fd);
	bench_start(&b);
	cr_expect_not(is_stopped("b.example"));
	cr_expect_eq(bench_log_count(&b, "set aside as shaping.damaged"), 1);
	(void)snprintf(path, sizeof(path), "%s/shaping.damaged", b.dir);
	cr_expect_eq(access(path, F_OK), 0);
}
