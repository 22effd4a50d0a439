/*
 * That queued hands the planner what the configuration, the envelopes and
 * deliverd's verdicts say: curves and limits of routes, rates, windows,
 * priorities, fairness; and ends what is too old.
 */
#include "bench.h"
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/outcome.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_tell.h"

#include <stdio.h>

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

static struct plan_dest_view
look(const char *key)
{
	struct plan_dest_view view;

	cr_assert(plan_dest_look(b.q->plan, span_str(key), &view), "%s", key);
	return view;
}

static void
mails(unsigned n, const char *sender, const char *to)
{
	for (unsigned i = 0; i < n; i++)
		(void)bench_mail(&b, sender, to);
}

static void
tell_all(enum outcome outcome)
{
	while (bench_untold(&b) != NULL)
		bench_tell(&b, bench_untold(&b), outcome, SCOPE_RECIPIENTS,
		    "w");
	bench_turn(&b, 5);
}

/* ---- routes ---- */

#define ROUTES "queue: {first_retry: 10s, max_retry: 10s, warn: 0, " \
	"expire: 1h}\n" \
	"routes: [{to: slow.example, via: mx, retry: {first: 300s, " \
	"max: 300s, expire: 400s}}, {to: once.example, via: mx, " \
	"retry: {expire: 0}}, {to: warns.example, via: mx, " \
	"retry: {warn: 5s}}]\n"

Test(schedule, curves_of_routes, .fini = end)
{
	begin(ROUTES);
	mails(1, "s@a.example", "r@slow.example");
	mails(1, "s@a.example", "r@other.example");
	WAIT(b.n_leases == 2);
	tell_all(OUTCOME_DEFERRED);
	bench_skip(&b, 11000);
	WAIT(b.n_leases == 3);		/* other.example, by the default */
	tell_all(OUTCOME_DELIVERED);
	bench_skip(&b, 220000);
	bench_turn(&b, 10);
	cr_expect_eq(b.n_leases, 3);
	bench_skip(&b, 80000);
	WAIT(b.n_leases == 4);
	tell_all(OUTCOME_DEFERRED);
	cr_expect_eq(bench_messages(&b), 1);
	bench_skip(&b, 301000);
	WAIT(b.n_leases == 5);
	tell_all(OUTCOME_DEFERRED);	/* and it is 400 s old */
	WAIT(b.n_leases == 6);
	cr_expect_eq(b.leases[5].sender.n, 0, "a report");
}

Test(schedule, warn_and_expire_of_routes, .fini = end)
{
	begin(ROUTES);
	mails(1, "s@a.example", "r@once.example");
	WAIT(b.n_leases == 1);
	tell_all(OUTCOME_DEFERRED);
	WAIT(b.n_leases == 2);
	cr_expect_eq(bench_log_count(&b, " reported "), 1);
	tell_all(OUTCOME_DELIVERED);
	mails(1, "s@a.example", "r@warns.example");
	WAIT(b.n_leases == 3);
	tell_all(OUTCOME_DEFERRED);
	bench_skip(&b, 11000);
	WAIT(b.n_leases == 4);
	tell_all(OUTCOME_DEFERRED);
	WAIT(b.n_leases == 5);
	cr_expect_eq(bench_log_count(&b, "kind=delayed"), 1);
}

/* ---- limits ---- */

Test(schedule, rate, .fini = end)
{
	begin("deliver: {rate: 1/10s}\nroutes: [{to: free.example, via: mx, "
	    "limits: {rate: none}}]\n");
	mails(5, "s@a.example", "r@b.example");
	mails(5, "s@a.example", "r@free.example");
	bench_turn(&b, 20);
	cr_expect_eq(look("b.example").leased, 1);
	cr_expect_eq(look("free.example").leased, 5);
	bench_skip(&b, 9000);
	cr_expect_eq(look("b.example").leased, 1);
	bench_skip(&b, 1000);
	WAIT(look("b.example").leased == 2);
	/* a reload lifts it, for what waits already */
	bench_reload(&b, "deliver: {rate: none}\n");
	WAIT(look("b.example").leased == 5);
}

Test(schedule, window, .fini = end)
{
	begin("deliver: {window: 3}\nroutes: [{to: own.example, via: mx, "
	    "limits: {window: 1}}]\n");
	mails(5, "s@a.example", "r@b.example");
	mails(5, "s@a.example", "r@own.example");
	bench_turn(&b, 20);
	cr_expect_eq(look("b.example").leased, 3);
	cr_expect_eq(look("own.example").leased, 1);
}

static void
tell_code(struct bench_lease *l, enum outcome outcome, uint16_t code)
{
	l->attempt_code = code;
	bench_tell(&b, l, outcome, SCOPE_RECIPIENTS, "w");
	WAIT(l->is_confirmed);
}

Test(schedule, window_shrinks, .fini = end)
{
	struct msg m = { .type = MSG_pushback };

	begin("routes: []\n");
	mails(4, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 4);
	cr_expect_eq(look("b.example").window, 32);
	tell_code(&b.leases[0], OUTCOME_DELIVERED, 250);
	cr_expect_eq(look("b.example").window, 33);
	/* a refusal is an answer */
	tell_code(&b.leases[1], OUTCOME_FAILED, 550);
	cr_expect_eq(look("b.example").window, 34);
	tell_code(&b.leases[2], OUTCOME_DEFERRED, 421);
	cr_expect_eq(look("b.example").window, 17);
	bench_skip(&b, 2000);
	m.pushback.destination = SPAN_LIT("b.example");
	cr_assert_eq(channel_send(b.deliverds[0].theirs, &m), OK);
	WAIT(look("b.example").window == 8);
	/* given out before that: it says nothing new */
	tell_code(&b.leases[3], OUTCOME_DEFERRED, 0);
	cr_expect_eq(look("b.example").window, 8);
}

/* A probe that is broken off does not say that it is over. */
Test(schedule, a_probe_that_gets_421, .fini = end)
{
	begin("routes: []\nqueue: {first_retry: 100s, max_retry: 1000s}\n");
	mails(3, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 3);
	for (int i = 0; i < 3; i++)
		bench_tell(&b, &b.leases[i], OUTCOME_DEFERRED,
		    SCOPE_DESTINATION, "refused");
	WAIT(b.leases[2].is_confirmed);
	cr_expect_eq(look("b.example").failures, 1);
	bench_skip(&b, 101000);
	WAIT(b.n_leases == 4);
	tell_code(&b.leases[3], OUTCOME_DEFERRED, 421);
	cr_expect_eq(look("b.example").failures, 2);
	cr_expect(span_equal(look("b.example").why, SPAN_LIT("refused")));
}

/* ---- turns ---- */

Test(schedule, bulk_delays_nobody_else, .fini = end)
{
	begin("deliver: {window: 1}\n");
	mails(200, "bulk@a.example", "r@b.example");
	WAIT(b.n_leases == 1);
	mails(1, "anna@a.example", "r@b.example");
	for (int i = 0; i < 3; i++)
		bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "ok");
	WAIT(b.n_leases == 4);
	cr_expect(strcmp((char *)b.leases[1].sender.p, "anna@a.example") == 0
	    || strcmp((char *)b.leases[2].sender.p, "anna@a.example") == 0);
}

static uint64_t
submit_priority(const char *sender, int priority)
{
	struct envelope head = { .sender = span_str(sender),
	    .priority = (int8_t)priority };
	struct envelope_rcpt rcpt = { .address = SPAN_LIT("r@b.example") };
	struct buf envelope;
	uint64_t token;

	buf_init(&envelope, 4096);
	envelope_put_head(&head, &envelope);
	envelope_put_rcpt(&rcpt, &envelope);
	token = bench_submit_envelope(&b.smtpds[0], buf_span(&envelope),
	    SPAN_LIT("x\r\n"), 3);
	buf_clear(&envelope);
	WAIT(bench_answer(&b, token) != NULL);
	return token;
}

/* A report is as urgent as its message, a notice half as much. */
Test(schedule, priorities, .fini = end)
{
	begin("deliver: {window: 1}\nqueue: {first_retry: 10s, warn: 1s}\n");
	mails(20, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 1);
	(void)submit_priority("s@a.example", 9);
	bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "ok");
	WAIT(b.n_leases == 2);
	cr_expect_eq(b.leases[1].priority, 9);
	bench_next(&b, OUTCOME_FAILED, SCOPE_RECIPIENTS, "no");
	for (unsigned i = 2; b.leases[i].sender.n > 0; i++) {
		bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "ok");
		WAIT(b.n_leases > i + 1);
		if (b.leases[i + 1].sender.n == 0)
			cr_expect_eq(b.leases[i + 1].priority, 9);
	}
}

Test(schedule, a_notice_has_less_priority, .fini = end)
{
	unsigned last;

	begin("queue: {first_retry: 10s, max_retry: 10s, warn: 1s}\n");
	(void)submit_priority("s@a.example", -8);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	bench_skip(&b, 11000);
	WAIT(b.n_leases == 2);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(b.n_leases == 3);
	last = b.n_leases - 1;
	cr_expect_eq(b.leases[last].sender.n, 0);
	cr_expect_eq(b.leases[last].priority, -9);
}

/* ---- what is too old ---- */

/* Very many that a failure makes known are told of in pieces, and all of them:
 * other mail does not wait for their reports. */
Test(schedule, many_too_old_at_once, .fini = end)
{
	struct store_unit *unit;
	struct plan_unit *pu;
	unsigned ready, told;
	uint64_t id;

	begin("routes: []\nqueue: {first_retry: 1000s, max_retry: 1000s, "
	    "warn: 0, expire: 500s}\n");
	mails(300, "s@a.example", "old@b.example");
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_DESTINATION, "refused");
	bench_skip(&b, 1100000);
	WAIT(bench_untold(&b) != NULL);
	id = bench_untold(&b)->m.id;
	unit = store_find_unit(b.q->store, id, 0);
	cr_assert_not_null(unit);
	pu = unit->plan;
	ready = plan_count(b.q->plan, PLAN_READY);
	cr_assert_gt(ready, 200);
	(void)plan_dest_failed(b.q->plan, pu, queued_now(b.q));
	plan_tell(b.q->plan, pu);
	outcome_tell(b.q);
	told = bench_log_count(&b, " reported ");
	cr_expect(told > 0 && told < ready / 2, "%u", told);
	cr_expect(outcome_is_telling(b.q));
	WAIT(!plan_has_untold(b.q->plan));
	cr_expect_eq(bench_log_count(&b, " reported "), ready);
}

/* A unit whose destination is down, and was down when it got too old, is told
 * of as it comes from the index; it does not go from probe to probe.  One that
 * is not too old, or was not when the destination failed, waits. */
Test(schedule, too_old_behind_a_dead_destination, .fini = end)
{
	struct store_unit *old, *young;
	uint64_t ids[2];

	begin("routes: []\nqueue: {first_retry: 1000s, max_retry: 1000s, "
	    "warn: 0, expire: 500s}\n");
	ids[0] = bench_mail(&b, "s@a.example", "old@b.example");
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	bench_skip(&b, 600000);
	ids[1] = bench_mail(&b, "s@a.example", "young@b.example");
	WAIT(b.n_leases == 2);
	old = store_find_unit(b.q->store, ids[0], 0);
	cr_assert_not_null(old);
	cr_expect_not(outcome_overdue(b.q, old->plan), "nothing failed yet");
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_DESTINATION, "refused");
	WAIT(b.leases[1].is_confirmed);
	young = store_find_unit(b.q->store, ids[1], 0);
	cr_assert_not_null(young);
	cr_expect_not(outcome_overdue(b.q, young->plan), "not too old");
	cr_expect(outcome_overdue(b.q, old->plan));
	cr_expect_eq(bench_log_count(&b, " reported "), 1);
	bench_skip(&b, 550000);
	cr_expect_not(outcome_overdue(b.q, young->plan), "not by then");
	cr_expect_null(store_find_unit(b.q->store, ids[0], 0));
}

/* A failure after the time for a notice of delay says nothing of the end, which
 * came later. */
Test(schedule, late_is_not_too_old, .fini = end)
{
	struct store_unit *unit;
	uint64_t id;

	begin("routes: []\nqueue: {first_retry: 1000s, max_retry: 1000s, "
	    "warn: 100s, expire: 500s}\n");
	id = bench_mail(&b, "s@a.example", "late@b.example");
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	bench_skip(&b, 200000);
	(void)bench_mail(&b, "s@a.example", "other@b.example");
	WAIT(b.n_leases == 2);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_DESTINATION, "refused");
	WAIT(b.leases[1].is_confirmed);
	bench_skip(&b, 350000);
	unit = store_find_unit(b.q->store, id, 0);
	cr_assert_not_null(unit);
	cr_expect_not(outcome_overdue(b.q, unit->plan));
	cr_expect_not_null(store_find_unit(b.q->store, id, 0));
}
