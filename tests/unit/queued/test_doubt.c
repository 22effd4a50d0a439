/*
 * Leases whose end nobody can tell (I-03): recorded, and tried again or held;
 * and none in doubt that somebody knows of.
 */
#include "bench.h"
#include "common/base/check.h"
#include "queued/journal/journal_read.h"
#include "queued/residence.h"
#include "queued/store/store_write.h"

static struct bench b;

#define QUEUE "queue: {first_retry: 10s, max_retry: 100s}\n"

static void
begin(void)
{
	bench_open(&b, QUEUE);
	bench_usual(&b);
}

static void
begin_holding(void)
{
	bench_open(&b, "queue: {first_retry: 10s, in_doubt: hold}\n");
	bench_usual(&b);
}

static void
end(void)
{
	bench_close(&b);
}

/* All processes die; the deliverd that comes back knows nothing. */
static void
death_of_all(void)
{
	bench_kill(&b);
	b.deliverds[0].instance += 100;
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_present_new(&b.deliverds[0]);
}

static uint8_t
outcome(uint64_t id)
{
	const struct store_unit *unit = store_find_unit(b.q->store, id, 0);

	cr_assert_not_null(unit);
	return unit->recipients[0].outcome;
}

static bool
is_indexed(void)
{
	struct store_figures f;

	store_figures(b.q->store, &f);
	return f.checkpoint_lag_bytes == 0;
}

static bool
count_results(void *ctx, const struct journal_record *r)
{
	unsigned *n = ctx;
	struct journal_attempt a;
	struct journal_result result;

	if (r->type != JOURNAL_ATTEMPT)
		return true;
	cr_assert_eq(journal_attempt_get(r->fields, &a), OK);
	while (journal_result_next(&a.results, &result))
		n[result.outcome]++;
	return true;
}

/* What the history has of ID, by outcome. */
static void
history(uint64_t id, unsigned n[OUTCOME_COUNT])
{
	struct journal_reader *reader;

	memset(n, 0, OUTCOME_COUNT * sizeof(*n));
	bench_stop(&b);
	cr_assert_eq(journal_read_open(b.dir, &reader), OK);
	cr_assert_eq(journal_read_message(reader, id, count_results, n), OK);
	journal_read_close(&reader);
	bench_start(&b);
}

/* The record of the message is the note of its first lease. */
Test(doubt, first_lease, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");
	unsigned n[OUTCOME_COUNT];

	WAIT(b.n_leases == 1);
	death_of_all();
	WAIT(b.n_leases == 2);
	cr_expect_eq(outcome(id), OUTCOME_IN_DOUBT);
	bench_tell(&b, bench_lease(&b, 1), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	history(id, n);
	cr_expect_eq(n[OUTCOME_IN_DOUBT], 1);
	cr_expect_eq(n[OUTCOME_DELIVERED], 1);
}

/* … and when the index has the message, its row. */
Test(doubt, first_lease_indexed, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");

	WAIT(b.n_leases == 1);
	WAIT(is_indexed());
	death_of_all();
	WAIT(b.n_leases == 2);
	cr_expect_eq(outcome(id), OUTCOME_IN_DOUBT);
}

/* A further lease is noted before it leaves. */
Test(doubt, further_lease, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");
	uint64_t syncs;

	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(is_indexed());
	bench_skip(&b, 20000);
	syncs = bench_syncs();
	WAIT(b.n_leases == 2);
	cr_expect_eq(bench_syncs(), syncs, "a note is written only");
	cr_expect_eq(store_find_unit(b.q->store, id, 0)->noted_lease,
	    bench_lease(&b, 1)->m.lease);
	death_of_all();
	WAIT(b.n_leases == 3);
	cr_expect_eq(outcome(id), OUTCOME_IN_DOUBT);
}

/* … also while the index does not have the message: its record is the note of
 * the first lease only. */
Test(doubt, further_lease_of_a_fresh_one, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");
	unsigned n[OUTCOME_COUNT];

	WAIT(b.n_leases == 1);
	death_of_all();
	WAIT(b.n_leases == 2);
	death_of_all();
	WAIT(b.n_leases == 3);
	bench_tell(&b, bench_lease(&b, 2), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	history(id, n);
	cr_expect_eq(n[OUTCOME_IN_DOUBT], 2);
}

/* A lease that waits for its note has not left: when its deliverd dies, nobody
 * was tried. */
Test(doubt, not_before_it_left, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");

	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(is_indexed());
	bench_hold_syncs(true);
	(void)bench_submit(&b, "s@a.example", "r@c.example", "x");
	bench_turn(&b, 20);
	bench_skip(&b, 20000);
	bench_turn(&b, 20);
	cr_assert_eq(b.n_leases, 1);
	cr_assert_neq(store_find_unit(b.q->store, id, 0)->noted_lease, 0);
	bench_die(&b.deliverds[0]);
	cr_expect_eq(outcome(id), OUTCOME_DEFERRED);
	bench_hold_syncs(false);
	bench_live(&b.deliverds[0]);
	bench_present(&b.deliverds[0]);
	WAIT(b.n_leases == 3);
	cr_expect_eq(outcome(id), OUTCOME_DEFERRED);
}

/* A deliverd that comes back late has it, while a lease for another try waits
 * for its note: to delete it ends that one, and the other ends with its verdict,
 * whatever that says. */
Test(doubt, deleted_with_one_that_has_not_left, .init = begin, .fini = end)
{
	static const enum outcome said[] = { OUTCOME_UNTRIED,
	    OUTCOME_DEFERRED, OUTCOME_DELIVERED };

	for (unsigned i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		unsigned n = b.n_leases;
		struct bench_client *c = bench_client(&b);
		struct bench_lease *late;

		(void)bench_mail(&b, "s@a.example", "r@b.example");
		bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
		late = bench_lease(&b, n);
		WAIT(late->is_confirmed && is_indexed());
		bench_hold_syncs(true);
		(void)bench_submit(&b, "s@a.example", "r@c.example", "x");
		bench_turn(&b, 20);
		bench_skip(&b, 20000);
		bench_turn(&b, 20);
		cr_assert_eq(b.n_leases, n + 1);
		bench_tell_held(&b.deliverds[0], late);
		bench_send_queue(c, CTL_DELETE, "to:r@b.example", false);
		bench_turn(&b, 20);
		bench_hold_syncs(false);
		WAIT(c->ends == 1);
		cr_expect_eq(c->count, 1);
		late->is_told = late->is_confirmed = false;
		bench_tell(&b, late, said[i], SCOPE_RECIPIENTS, "late");
		WAIT(late->is_confirmed);
		/* r@c.example's alone */
		WAIT(b.n_leases == n + 2);
		bench_tell(&b, bench_lease(&b, n + 1), OUTCOME_DELIVERED,
		    SCOPE_RECIPIENTS, "taken");
		WAIT(bench_messages(&b) == 0);
	}
}

/* What has a verdict is not in doubt, whoever dies. */
Test(doubt, not_after_a_verdict, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");

	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(b.deliverds[0].confirms == 1);
	death_of_all();
	bench_skip(&b, 20000);
	WAIT(b.n_leases == 2);
	cr_expect_eq(outcome(id), OUTCOME_DEFERRED);
}

/* queued alone, as often as may be. */
static void
death_of_queued(void)
{
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_present(&b.deliverds[0]);
}

static void
set_held(uint64_t id, bool is_held)
{
	struct store_unit *unit;

	cr_assert_eq(store_load_unit(b.q->store, id, 0, &unit), OK);
	cr_assert_eq(store_hold(b.q->store, unit->message, is_held), OK);
	cr_assert_eq(residence_adopt(b.q, unit), OK);
	plan_hold(b.q->plan, unit->plan, is_held);
	queued_touch(b.q);
	WAIT(store_synced(b.q->store) == store_last_group(b.q->store));
}

/* What was not looked at before queued dies once more, alone, is in doubt
 * still: by its record, … */
Test(doubt, not_forgotten, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");

	WAIT(b.n_leases == 1);
	set_held(id, true);
	death_of_all();
	death_of_queued();
	death_of_queued();
	set_held(id, false);
	WAIT(b.n_leases == 2);
	cr_expect_eq(outcome(id), OUTCOME_IN_DOUBT);
}

/* … and by its row; what came afterwards was never out. */
Test(doubt, not_forgotten_indexed, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example"), other;

	WAIT(b.n_leases == 1);
	set_held(id, true);
	WAIT(is_indexed());
	death_of_all();
	other = bench_mail(&b, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 2);
	death_of_queued();
	WAIT(b.n_leases == 3);
	cr_expect_eq(outcome(other), STORE_NO_OUTCOME);
	set_held(id, false);
	WAIT(b.n_leases == 4);
	cr_expect_eq(outcome(id), OUTCOME_IN_DOUBT);
}

/* A new deliverd is new until it has heard that this is known. */
Test(doubt, a_new_one_is_confirmed, .init = begin, .fini = end)
{
	WAIT(b.deliverds[0].is_known);
}

/* A deliverd that lived tells what it holds: all else was never out. */
Test(doubt, not_while_deliverd_lives, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");

	WAIT(b.n_leases == 1);
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_present(&b.deliverds[0]);
	WAIT(b.n_leases == 2);
	cr_expect_eq(outcome(id), STORE_NO_OUTCOME);
}

Test(doubt, held_by_policy, .init = begin_holding, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example", "r@b.example");
	const struct store_unit *unit;

	WAIT(b.n_leases == 1);
	death_of_all();
	unit = store_find_unit(b.q->store, id, 0);
	cr_assert_not_null(unit);
	WAIT(unit->message->is_held);
	bench_turn(&b, 50);
	cr_expect_eq(b.n_leases, 1);
	cr_expect_eq(outcome(id), OUTCOME_IN_DOUBT);
}

/* The rest of such a message is not damaged: it goes on. */
Test(doubt, held_by_policy_in_part, .fini = end)
{
	unsigned later;
	uint64_t id;

	bench_open(&b, "queue: {first_retry: 10s, in_doubt: hold}\n"
	    "routes: [{to: \"*\", via: mx}]\n");
	bench_usual(&b);
	id = bench_mail(&b, "s@a.example", "r@b.example q@c.example");
	WAIT(b.n_leases == 2);
	later = strcmp((char *)bench_lease(&b, 0)->to.p, "q@c.example") == 0 ?
	    0 : 1;
	bench_tell(&b, bench_lease(&b, later), OUTCOME_DEFERRED,
	    SCOPE_RECIPIENTS, "later");
	WAIT(b.deliverds[0].confirms == 1);
	death_of_all();
	WAIT(store_find_unit(b.q->store, id, 0)->message->is_held);
	bench_skip(&b, 20000);
	WAIT(b.n_leases == 3);
	cr_expect_str_eq((char *)bench_lease(&b, 2)->to.p, "q@c.example");
	cr_expect_eq(bench_log_count(&b, " spool_damaged "), 0);
}

/* As if it was not in memory. */
static void
read_again(uint64_t id)
{
	struct store_unit *unit = store_find_unit(b.q->store, id, 0);

	if (unit != NULL && unit->plan != NULL)
		residence_give_back(b.q, unit->plan);
	b.q->pass.next_at = 0;
	b.q->pass.cursor = (struct store_due){ .due_at = 0 };
	residence_refill(b.q);
	bench_turn(&b, 20);
}

/* After a start nobody is told that its destination failed, before all that may
 * hold it have spoken: the other deliverd may have delivered it by then. */
Test(doubt, nobody_is_told_of_what_another_may_hold, .fini = end)
{
	struct bench_peer *first, *other;
	uint64_t id;

	bench_open(&b, "workers: {smtpd: 1, deliverd: 2}\n"
	    "queue: {first_retry: 100s, max_retry: 100s, expire: 2h}\n");
	bench_usual(&b);
	bench_live(&b.deliverds[1]);
	bench_present(&b.deliverds[1]);
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	id = bench_mail(&b, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 2);
	WAIT(is_indexed());
	first = &b.deliverds[b.leases[0].peer];
	other = &b.deliverds[1 - b.leases[0].peer];
	bench_kill(&b);
	bench_skip(&b, 7300 * 1000);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(first);
	bench_tell_held(first, bench_lease(&b, 0));
	bench_present(first);
	bench_tell(&b, bench_lease(&b, 0), OUTCOME_DEFERRED,
	    SCOPE_DESTINATION, "connection refused");
	WAIT(bench_log_count(&b, " bounced ") == 1);
	read_again(id);
	cr_expect_eq(bench_log_count(&b, " bounced "), 1);
	bench_live(other);
	bench_tell_held(other, bench_lease(&b, 1));
	bench_present(other);
	b.leases[1].peer = (uint16_t)(other - b.deliverds);
	bench_tell(&b, bench_lease(&b, 1), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(store_find_unit(b.q->store, id, 0) == NULL);
	cr_expect_eq(bench_log_count(&b, " bounced "), 1);
}

/* The next hop had all of it and its reply was lost: by the route's policy, with
 * what was settled of it left alone. */
static void
final_reply_lost(const char *conf, bool is_held)
{
	const struct store_unit *unit;
	uint64_t id;

	bench_open(&b, conf);
	bench_usual(&b);
	id = bench_mail(&b, "s@a.example", "r@b.example");
	bench_next(&b, OUTCOME_IN_DOUBT, SCOPE_RECIPIENTS, "lost");
	WAIT(b.deliverds[0].confirms == 1);
	unit = store_find_unit(b.q->store, id, 0);
	cr_assert_not_null(unit);
	cr_expect_eq(outcome(id), OUTCOME_IN_DOUBT);
	cr_expect_eq(unit->message->is_held, is_held);
	bench_skip(&b, 20000);
	bench_turn(&b, 50);
	cr_expect_eq(b.n_leases, is_held ? 1 : 2);
	bench_close(&b);
}

Test(doubt, final_reply_lost)
{
	final_reply_lost(QUEUE, false);
	final_reply_lost("queue: {first_retry: 10s, in_doubt: hold}\n", true);
	final_reply_lost("queue: {first_retry: 10s, in_doubt: hold}\n"
	    "routes: [{to: b.example, via: mx, in_doubt: retry}]\n", false);
	final_reply_lost("queue: {first_retry: 10s}\nroutes:\n"
	    "- {to: b.example, via: mx, in_doubt: hold}\n", true);
	final_reply_lost("queue: {first_retry: 10s, in_doubt: hold}\nroutes:\n"
	    "- {to: b.example, via: mx, in_doubt: queue}\n", true);
}

/* The deliverd that had it died: the same. */
Test(doubt, held_when_its_deliverd_dies, .fini = end)
{
	uint64_t id;

	bench_open(&b, "queue: {first_retry: 10s}\nroutes:\n"
	    "- {to: b.example, via: mx, in_doubt: hold}\n");
	bench_usual(&b);
	id = bench_mail(&b, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 1);
	bench_die(&b.deliverds[0]);
	WAIT(store_find_unit(b.q->store, id, 0)->message->is_held);
	bench_live(&b.deliverds[0]);
	bench_present(&b.deliverds[0]);
	bench_skip(&b, 20000);
	bench_turn(&b, 50);
	cr_expect_eq(b.n_leases, 1);
	set_held(id, false);
	WAIT(b.n_leases == 2);
}
