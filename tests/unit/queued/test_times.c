/*
 * What senders say about time: mail that is put off (RFC 4865) leaves at its
 * time, whatever happens to clocks and processes meanwhile, and gets old from
 * then on.
 */
#include "bench.h"
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/store/store_read.h"
#include "queued/times.h"

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

/* Submits a message with these times to RCPT; its id. */
static uint64_t
mail(struct envelope head, const char *rcpt)
{
	const struct envelope_rcpt r = { .address = span_str(rcpt) };
	struct buf envelope;
	uint64_t token;

	head.sender = SPAN_LIT("s@a.example");
	buf_init(&envelope, 4096);
	envelope_put_head(&head, &envelope);
	envelope_put_rcpt(&r, &envelope);
	token = bench_submit_envelope(&b.smtpds[0], buf_span(&envelope),
	    SPAN_LIT("x\r\n"), 3);
	buf_clear(&envelope);
	WAIT(bench_answer(&b, token) != NULL);
	cr_assert_eq(bench_answer(&b, token)->result, SUBMIT_ACCEPTED);
	return bench_answer(&b, token)->id;
}

/* All processes die, or queued alone. */
static void
restart(bool has_new_deliverd)
{
	bench_kill(&b);
	b.deliverds[0].instance += has_new_deliverd ? 100 : 0;
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	if (has_new_deliverd)
		bench_present_new(&b.deliverds[0]);
	else
		bench_present(&b.deliverds[0]);
	bench_turn(&b, 10);
}

#define CONF "queue: {first_retry: 10s, max_retry: 10s, warn: 0, " \
	"expire: 25s, in_doubt: hold}\n"

/* FR-03: over restarts, before the index has it and after, with deliverds that
 * live and that died, and whatever the wall clock does.  It was never out, so it
 * is in no doubt. */
Test(times, put_off, .fini = end)
{
	begin(CONF);
	(void)mail((struct envelope){ .hold_ms = MTIME_HOUR }, "r@b.example");
	bench_turn(&b, 10);
	cr_expect_eq(b.n_leases, 0);
	restart(true);
	bench_jump(&b, MTIME_DAY);
	bench_skip(&b, 30 * MTIME_MINUTE);
	bench_turn(&b, 10);
	cr_expect_eq(b.n_leases, 0);
	bench_jump(&b, -2 * MTIME_DAY);
	restart(false);
	bench_skip(&b, 29 * MTIME_MINUTE);
	bench_turn(&b, 10);
	cr_expect_eq(b.n_leases, 0);
	bench_skip(&b, 2 * MTIME_MINUTE);
	WAIT(b.n_leases == 1);
	bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "ok");
	WAIT(bench_messages(&b) == 0);
}

/* ... and gets old from then on. */
Test(times, age_begins_at_the_release, .fini = end)
{
	begin(CONF);
	(void)mail((struct envelope){ .hold_ms = MTIME_HOUR }, "r@b.example");
	bench_skip(&b, MTIME_HOUR + 1000);
	for (unsigned i = 0; i < 3; i++) {
		WAIT(b.n_leases == i + 1);
		cr_expect_eq(bench_messages(&b), 1);
		bench_tell(&b, bench_untold(&b), OUTCOME_DEFERRED,
		    SCOPE_RECIPIENTS, "later");
		bench_turn(&b, 10);
		bench_skip(&b, 13000);
	}
	/* the report about it */
	WAIT(b.n_leases == 4);
	cr_expect_eq(bench_log_count(&b, " reported "), 1);
}

/* It is leased after the index has it, or not: with a note, so that a death of
 * both is a doubt then. */
Test(times, its_first_lease_is_noted, .fini = end)
{
	uint64_t id;

	begin(CONF);
	id = mail((struct envelope){ .hold_ms = MTIME_MINUTE }, "r@b.example");
	bench_skip(&b, MTIME_MINUTE + 1000);
	WAIT(b.n_leases == 1);
	cr_assert_neq(store_find_unit(b.q->store, id, 0)->noted_lease, 0);
	bench_turn(&b, 50);
	restart(true);
	WAIT(store_find_unit(b.q->store, id, 0)->message->is_held);
	cr_expect_eq(store_find_unit(b.q->store, id, 0)->recipients[0].outcome,
	    OUTCOME_IN_DOUBT);
}

Test(times, by_operators, .fini = end)
{
	begin(CONF);
	(void)mail((struct envelope){ .hold_ms = MTIME_HOUR }, "r@b.example");
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:deferred"), 1);
	cr_expect_eq(bench_ask(&b, CTL_RETRY, "all"), 1);
	WAIT(b.n_leases == 1);
}

/* smtpd may be in a stranger's hands. */
Test(times, too_long_is_refused, .fini = end)
{
	struct envelope head = { .hold_ms = ENVELOPE_HOLD_MAX + 1 };
	const struct envelope_rcpt r = { .address = SPAN_LIT("r@b.example") };
	struct buf envelope;
	uint64_t token;

	begin(CONF);
	buf_init(&envelope, 4096);
	envelope_put_head(&head, &envelope);
	envelope_put_rcpt(&r, &envelope);
	token = bench_submit_envelope(&b.smtpds[0], buf_span(&envelope),
	    SPAN_LIT("x\r\n"), 3);
	buf_clear(&envelope);
	WAIT(bench_answer(&b, token) != NULL);
	cr_expect_eq(bench_answer(&b, token)->result, SUBMIT_MALFORMED);
}

/* ---- deliver by ---- */

/* BY-02: it comes back at its time, without a further attempt, whether it waits
 * for its own or its destination's. */
static void
returned(enum verdict_scope scope)
{
	begin("queue: {first_retry: 30m, max_retry: 30m, warn: 0}\n"
	    "routes: [{to: \"*\", via: mx}]\n");
	(void)mail((struct envelope){ .by = ENVELOPE_BY_RETURN,
	    .by_ms = 10 * MTIME_MINUTE }, "r@b.example");
	WAIT(b.n_leases == 1);
	bench_next(&b, OUTCOME_DEFERRED, scope, "later");
	bench_skip(&b, 9 * MTIME_MINUTE);
	bench_turn(&b, 10);
	cr_expect_eq(b.n_leases, 1);
	cr_expect_eq(bench_log_count(&b, " reported "), 0);
	bench_skip(&b, MTIME_MINUTE + 2000);
	WAIT(bench_log_count(&b, " reported ") == 1);
	cr_expect_eq(bench_log_count(&b, "kind=failed"), 1);
	WAIT(b.n_leases == 2);
	cr_expect_eq(bench_lease(&b, 1)->sender.n, 0);	/* the report */
	bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "ok");
	WAIT(bench_messages(&b) == 0);
}

Test(times, returned_at_its_time, .fini = end)
{
	returned(SCOPE_RECIPIENTS);
}

Test(times, returned_while_its_destination_is_down, .fini = end)
{
	returned(SCOPE_DESTINATION);
}

/* An attempt that ends behind the time is the last one. */
Test(times, returned_by_a_late_verdict, .fini = end)
{
	begin(CONF);
	(void)mail((struct envelope){ .by = ENVELOPE_BY_RETURN,
	    .by_ms = 5000 }, "r@b.example");
	WAIT(b.n_leases == 1);
	bench_skip(&b, 6000);
	cr_expect_eq(bench_log_count(&b, " reported "), 0);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(bench_log_count(&b, "kind=failed") == 1);
}

/* ... it is told of once, and goes on; also after a restart. */
Test(times, told_at_its_time, .fini = end)
{
	begin("queue: {first_retry: 30m, max_retry: 30m, warn: 0}\n"
	    "routes: [{to: \"*\", via: mx}]\n");
	(void)mail((struct envelope){ .by = ENVELOPE_BY_NOTIFY,
	    .by_ms = 10 * MTIME_MINUTE }, "r@b.example");
	WAIT(b.n_leases == 1);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(b.deliverds[0].confirms == 1);
	restart(false);
	bench_skip(&b, 9 * MTIME_MINUTE);
	bench_turn(&b, 10);
	cr_expect_eq(bench_log_count(&b, " reported "), 0);
	bench_skip(&b, MTIME_MINUTE + 2000);
	WAIT(bench_log_count(&b, "kind=delayed") == 1);
	bench_skip(&b, 5000);
	bench_turn(&b, 10);
	cr_expect_eq(bench_log_count(&b, " reported "), 1);
	cr_expect_eq(bench_messages(&b), 2);
}
