/*
 * What becomes of recipients: retry, expiry, reports, and that each of them
 * ends once, whenever queued dies.
 */
#include "bench.h"
#include "queued/plan/plan.h"

#include <stdio.h>

static struct bench b;

#define QUEUE "queue: {first_retry: 10s, max_retry: 160s, warn: 30m, " \
	"expire: 2h, report_expire: 1h}\n"

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

static struct msg_result
row(uint32_t first, uint32_t last, enum outcome outcome, const char *text)
{
	bool is_bad = outcome == OUTCOME_FAILED;

	return (struct msg_result){ .first = first, .last = last,
	    .outcome = (uint8_t)outcome,
	    .code = outcome == OUTCOME_DELIVERED ? 250 : is_bad ? 550 : 451,
	    .status = is_bad ? SPAN_LIT("5.1.1") : SPAN_LIT("4.3.0"),
	    .text = span_str(text) };
}

static const char *
content(unsigned i)
{
	return (const char *)bench_lease(&b, i)->content.p;
}

static const char *
to(unsigned i)
{
	return (const char *)bench_lease(&b, i)->to.p;
}

/* I-02: each recipient by its own result; one report for those that failed,
 * to the sender, from nobody, with the remote's words and the header. */
Test(outcome, mixed, .init = begin, .fini = end)
{
	struct msg_result rows[4] = {
		row(0, 0, OUTCOME_DELIVERED, "taken"),
		row(1, 1, OUTCOME_FAILED, "no such user here"),
		row(2, 2, OUTCOME_DEFERRED, "mailbox full"),
		row(3, 3, OUTCOME_FAILED, "mailbox gone"),
	};
	uint64_t id = bench_mail(&b, "s@a.example",
	    "1@b.example 2@b.example 3@b.example 4@b.example");

	WAIT(b.n_leases == 1);
	bench_tell_rows(&b, bench_lease(&b, 0), SCOPE_RECIPIENTS, rows, 4);
	WAIT(b.n_leases == 2);
	cr_expect_eq(bench_recipients(&b), 2, "one waits, one report");
	cr_expect_eq(bench_lease(&b, 1)->sender.n, 0);
	cr_expect_str_eq(to(1), "s@a.example");
	cr_expect_not_null(strstr(content(1), "2@b.example"));
	cr_expect_not_null(strstr(content(1), "4@b.example"));
	cr_expect_null(strstr(content(1), "1@b.example"));
	cr_expect_null(strstr(content(1), "3@b.example"));
	cr_expect_not_null(strstr(content(1), "no such user here"));
	cr_expect_not_null(strstr(content(1), "Subject: x"));
	cr_expect_not_null(strstr(content(1), "multipart/report"));
	bench_tell(&b, bench_lease(&b, 1), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	bench_skip(&b, 15000);
	WAIT(b.n_leases == 3);
	cr_expect_eq(bench_lease(&b, 2)->m.id, id);
	cr_expect_str_eq(to(2), "3@b.example");
	bench_tell(&b, bench_lease(&b, 2), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	cr_expect_eq(bench_log_count(&b, " delivered "), 3);
	cr_expect_eq(bench_log_count(&b, " bounced "), 2);
	cr_expect_eq(bench_log_count(&b, " reported "), 1);
}

/* The time between attempts grows, up to max_retry; at the end one report
 * says that it is too old. */
Test(outcome, retries_grow_and_end, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");
	int64_t last = 0, begun = loop_now_ms(b.loop);
	unsigned delays = 0, tries = 0;

	for (;;) {
		struct store_unit *unit;
		int64_t wait;

		WAIT(bench_untold(&b) != NULL);
		if (bench_untold(&b)->m.id != id)
			break;		/* a notice, or the report */
		bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
		WAIT(b.deliverds[0].confirms == b.n_leases);
		unit = store_find_unit(b.q->store, id, 0);
		if (unit == NULL)
			continue;
		wait = (int64_t)unit->due_at - loop_wall_ms(b.loop);
		tries++;
		cr_assert_eq(unit->tries, tries);
		if (tries <= 5)		/* with its jitter */
			cr_assert_gt(wait, last * 5 / 4, "%u: %d %d", tries,
			    (int)last, (int)wait);
		cr_assert_leq(wait, 160000);
		last = wait;
		if (tries == 8)
			break;
		bench_skip(&b, wait + 1);
	}
	cr_expect_eq(tries, 8);
	bench_skip(&b, 1800 * 1000);		/* warn */
	WAIT(bench_untold(&b) != NULL);
	for (int i = 0; i < 200; i++) {
		WAIT(bench_untold(&b) != NULL);
		if (bench_untold(&b)->m.id == id) {
			bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS,
			    "later");
		} else {
			delays += strstr((char *)bench_untold(&b)->content.p,
			    "Action: delayed") != NULL;
			if (strstr((char *)bench_untold(&b)->content.p,
			    "Action: failed") != NULL)
				break;
			bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS,
			    "taken");
		}
		bench_turn(&b, 3);
		if (bench_untold(&b) == NULL)
			bench_skip(&b, 160000);
	}
	cr_expect_eq(delays, 1, "%u delay notices", delays);
	cr_expect_geq(loop_now_ms(b.loop) - begun, 7200 * 1000);
	cr_expect_eq(bench_log_count(&b, "too old"), 1);
	bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
}

/* A destination that fails as a whole: one probe, not a hundred; when what
 * waits behind it gets too old, it is told so without an attempt of its own. */
Test(outcome, dead_destination, .init = begin, .fini = end)
{
	unsigned out;

	for (int i = 0; i < 100; i++)
		(void)bench_submit(&b, "s@a.example", "r@b.example",
		    "Subject: y\r\n\r\n");
	WAIT(b.n_answers == 100);
	bench_turn(&b, 20);
	out = b.n_leases;
	while (bench_untold(&b) != NULL)
		bench_next(&b, OUTCOME_DEFERRED, SCOPE_DESTINATION,
		    "connection refused");
	WAIT(b.deliverds[0].confirms == out);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, out, "nothing goes while it backs off");
	bench_skip(&b, 16000);
	WAIT(b.n_leases == out + 1);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, out + 1, "one probe");
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_DESTINATION,
	    "connection refused");
	bench_turn(&b, 20);
	cr_expect_eq(bench_recipients(&b), 100);
	/* all are too old now; the next failed probe ends all of them */
	bench_skip(&b, 7300 * 1000);
	WAIT(b.n_leases == out + 2);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_DESTINATION,
	    "connection refused");
	WAIT(bench_log_count(&b, " bounced ") == 100);
	cr_expect_eq(bench_log_count(&b, " reported "), 100);
	cr_expect_eq(bench_messages(&b), 100, "their reports");
}

/* I-08: no report for a null sender; the loss is logged. */
Test(outcome, null_sender, .init = begin, .fini = end)
{
	(void)bench_mail(&b, "", "r@b.example");
	bench_next(&b, OUTCOME_FAILED, SCOPE_RECIPIENTS, "no");
	WAIT(bench_messages(&b) == 0);
	cr_expect_eq(b.n_leases, 1);
	cr_expect_eq(bench_log_count(&b, " discarded "), 1);
	cr_expect_eq(bench_log_count(&b, " reported "), 0);
}

/* I-08: a report that fails goes to the postmaster once; that one's own
 * failure is a line in the log. */
Test(outcome, report_fails, .init = begin, .fini = end)
{
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	bench_next(&b, OUTCOME_FAILED, SCOPE_RECIPIENTS, "no");
	WAIT(b.n_leases == 2);
	cr_expect_str_eq(to(1), "s@a.example");
	bench_next(&b, OUTCOME_FAILED, SCOPE_RECIPIENTS, "neither");
	WAIT(b.n_leases == 3);
	cr_expect_str_eq(to(2), "postmaster@self.example");
	cr_expect_eq(bench_lease(&b, 2)->sender.n, 0);
	bench_next(&b, OUTCOME_FAILED, SCOPE_RECIPIENTS, "nor here");
	WAIT(bench_messages(&b) == 0);
	cr_expect_eq(b.n_leases, 3);
	cr_expect_eq(bench_log_count(&b, " discarded "), 1);
	cr_expect_eq(bench_log_count(&b, " reported "), 2);
}

/* A report that waits makes no delay notice, and ends by report_expire. */
Test(outcome, report_gets_old, .init = begin, .fini = end)
{
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	bench_next(&b, OUTCOME_FAILED, SCOPE_RECIPIENTS, "no");
	WAIT(b.n_leases == 2);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(b.deliverds[0].confirms == 2);
	bench_skip(&b, 1900 * 1000);
	WAIT(b.n_leases == 3);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(b.deliverds[0].confirms == 3);
	cr_expect_eq(bench_messages(&b), 1, "no notice about a report");
	bench_skip(&b, 1900 * 1000);
	WAIT(b.n_leases == 4);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(b.n_leases == 5);
	cr_expect_str_eq(to(4), "postmaster@self.example");
}

/* NOTIFY=NEVER is obeyed, and the recipient ends all the same. */
Test(outcome, notify_never, .init = begin, .fini = end)
{
	const struct envelope head = { .sender = SPAN_LIT("s@a.example") };
	const struct envelope_rcpt rcpt = { .address = SPAN_LIT("r@b.example"),
		.notify = ENVELOPE_NOTIFY_NEVER };
	struct buf envelope;

	buf_init(&envelope, 4096);
	envelope_put_head(&head, &envelope);
	envelope_put_rcpt(&rcpt, &envelope);
	(void)bench_submit_envelope(&b.smtpds[0], buf_span(&envelope),
	    SPAN_LIT("x\r\n"), 3);
	buf_clear(&envelope);
	bench_next(&b, OUTCOME_FAILED, SCOPE_RECIPIENTS, "no");
	WAIT(bench_messages(&b) == 0 && b.n_answers == 1);
	cr_expect_eq(bench_log_count(&b, " reported "), 0);
}

/*
 * I-02: result, report and removal are one transaction.  queued is killed at
 * every step after a verdict came: either the recipient is still open and no
 * report exists, or it is settled and there is its report.
 */
static void
kill_after_a_verdict(int step)
{
	struct msg_result rows[2] = {
		row(0, 0, OUTCOME_FAILED, "no such user"),
		row(1, 1, OUTCOME_DEFERRED, "later"),
	};
	struct bench_lease *l;
	uint64_t id, messages;
	struct store_unit *unit;
	bool is_settled;

	bench_open(&b, QUEUE);
	bench_usual(&b);
	id = bench_mail(&b, "s@a.example", "r@b.example q@b.example");
	WAIT(b.n_leases == 1);
	l = bench_lease(&b, 0);
	if (step % 3 == 1)
		bench_hold_syncs(true);
	bench_tell_rows(&b, l, SCOPE_RECIPIENTS, rows, 2);
	for (int i = 0; i < step; i++)
		loop_turn(b.loop, 0);
	bench_kill(&b);
	bench_start(&b);
	messages = bench_messages(&b);
	unit = store_find_unit(b.q->store, id, 0);
	cr_assert_not_null(unit);
	is_settled = unit->recipients[0].is_settled;
	cr_expect_eq(messages, is_settled ? 2U : 1U, "step %d: settled %d, "
	    "%u messages", step, is_settled, (unsigned)messages);
	cr_expect(!unit->recipients[1].is_settled);
	/* confirmed means written (I-03) */
	if (b.deliverds[0].confirms > 0)
		cr_expect(is_settled);
	/* deliverd tells again what was not confirmed: still one report */
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_return(&b.deliverds[0]);
	WAIT(b.deliverds[0].confirms == 1);
	WAIT(b.n_leases == 2);
	cr_expect_str_eq(to(1), "s@a.example");
	bench_turn(&b, 10);
	cr_expect_eq(bench_messages(&b), 2);
	cr_expect_eq(b.n_leases, 2);
	bench_close(&b);
}

Test(outcome, killed_at_every_step)
{
	for (int step = 0; step < 24; step++)
		kill_after_a_verdict(step);
}

/*
 * I-02, I-03 as a whole: many messages, verdicts of all kinds, queued killed
 * again and again.  In the end each recipient was told of once: as delivered
 * by deliverd's record, or in a report to its sender.
 */
struct fate {
	uint64_t id;
	unsigned delivered;
	unsigned reports;
};

static struct fate fates[400];
static unsigned n_fates;

static struct fate *
fate_of(uint64_t id)
{
	for (unsigned i = 0; i < n_fates; i++)
		if (fates[i].id == id)
			return &fates[i];
	return NULL;
}

/* The message that a report is about, by the number in its sender. */
static void
note_report(const struct bench_lease *l)
{
	unsigned n;

	if (sscanf((const char *)l->to.p, "s%u@a.example", &n) == 1 &&
	    n < n_fates)
		fates[n].reports++;
}

static void
answer_all(struct rng *dice)
{
	for (unsigned i = 0; i < b.n_leases; i++) {
		struct bench_lease *l = &b.leases[i];
		struct fate *f = fate_of(l->m.id);
		enum outcome outcome = OUTCOME_DELIVERED;

		if (l->is_told)
			continue;
		if (f == NULL)
			note_report(l);
		else if (rng_below(dice, 3) == 0)
			outcome = rng_below(dice, 2) == 0 ? OUTCOME_FAILED :
			    OUTCOME_DEFERRED;
		if (f != NULL && outcome == OUTCOME_DELIVERED)
			f->delivered++;
		bench_tell(&b, l, outcome, SCOPE_RECIPIENTS, "words");
	}
}

Test(outcome, killed_again_and_again, .init = begin, .fini = end)
{
	struct rng dice;
	char sender[32];

	rng_init(&dice, 3);
	for (int round = 0; round < 12; round++) {
		for (int i = 0; i < 10; i++) {
			(void)snprintf(sender, sizeof(sender),
			    "s%u@a.example", n_fates);
			fates[n_fates++].id =
			    bench_mail(&b, sender, "r@b.example");
		}
		answer_all(&dice);
		for (uint64_t i = rng_below(&dice, 12); i > 0; i--)
			loop_turn(b.loop, 0);
		bench_kill(&b);
		bench_start(&b);
		bench_live(&b.smtpds[0]);
		bench_live(&b.deliverds[0]);
		bench_return(&b.deliverds[0]);
		bench_turn(&b, 5);
		bench_skip(&b, 30000);
	}
	for (int i = 0; i < 60 && bench_messages(&b) > 0; i++) {
		answer_all(&dice);
		bench_turn(&b, 5);
		bench_skip(&b, 160000);
	}
	cr_expect_eq(bench_messages(&b), 0);
	for (unsigned i = 0; i < n_fates; i++)
		cr_expect_eq(fates[i].delivered + fates[i].reports, 1,
		    "%u: %u delivered, %u reports", i, fates[i].delivered,
		    fates[i].reports);
}
