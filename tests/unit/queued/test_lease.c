/*
 * Leases: what deliverd is given, tells, holds, and loses.
 */
#include "bench.h"
#include "queued/plan/plan.h"

#include <stdio.h>
#include <time.h>

static struct bench b;

#define QUEUE "queue: {first_retry: 10s, max_retry: 100s}\n"

static void
begin(void)
{
	bench_open(&b, QUEUE);
	bench_usual(&b);
}

static void
begin_alone(void)
{
	bench_open(&b, QUEUE);
	bench_live(&b.smtpds[0]);
}

static void
end(void)
{
	bench_close(&b);
}

static struct msg_result
row(uint32_t first, uint32_t last, enum outcome outcome)
{
	return (struct msg_result){ .first = first, .last = last,
	    .outcome = (uint8_t)outcome,
	    .code = outcome == OUTCOME_DELIVERED ? 250 : 450,
	    .status = SPAN_LIT("4.0.0"), .text = SPAN_LIT("words") };
}

/* A deliverd that waits for bytes of a lease that is over waits in vain. */
Test(lease, bytes_of_an_unknown_one, .init = begin, .fini = end)
{
	struct msg m = { .type = MSG_content_want };

	m.content_want.lease = 12345;
	m.content_want.bytes = 100;
	(void)channel_send(b.deliverds[0].theirs, &m);
	WAIT(b.deliverds[0].contents == 1);
	cr_expect_eq(b.deliverds[0].content_failed, 1);
}

/* I-09: the lease has the message whole, trace and id in front. */
Test(lease, says_all, .init = begin, .fini = end)
{
	uint64_t id = bench_mail(&b, "s@a.example",
	    "r@b.example q@b.example p@c.example");
	struct bench_lease *l;

	WAIT(b.n_leases == 1);
	l = bench_lease(&b, 0);
	cr_expect_eq(l->m.id, id);
	cr_expect_eq(l->m.generation, 1);
	cr_expect_eq(l->m.route, 0);
	cr_expect_eq(l->rcpts, 3, "one destination, one unit");
	cr_expect_str_eq((char *)l->to.p,
	    "r@b.example q@b.example p@c.example");
	cr_expect_str_eq((char *)l->sender.p, "s@a.example");
	cr_expect_eq(l->m.size, l->content.n);
	cr_expect_not_null(strstr((char *)l->content.p,
	    "; now\r\nSubject: x\r\n\r\nbody\r\n"));
	bench_tell(&b, l, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	WAIT(b.deliverds[0].confirms == 1);
	cr_expect_eq(b.deliverds[0].confirmed, l->m.lease);
}

/* The same from the spool, after a start. */
Test(lease, reads_from_the_spool, .init = begin_alone, .fini = end)
{
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	bench_stop(&b);
	bench_start(&b);
	bench_usual(&b);
	WAIT(b.n_leases == 1);
	cr_expect_not_null(strstr((char *)bench_lease(&b, 0)->content.p,
	    "; now\r\nSubject: x\r\n\r\nbody\r\n"));
}

/* I-03: nothing is leased before the deliverds have said what they hold, or a
 * while has passed. */
Test(lease, waits_for_deliverds, .init = begin_alone, .fini = end)
{
	struct timespec before, after;

	bench_live(&b.deliverds[0]);
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	bench_turn(&b, 300);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	cr_expect_eq(b.n_leases, 0);
	cr_expect_lt((after.tv_sec - before.tv_sec) * 1000 +
	    (after.tv_nsec - before.tv_nsec) / 1000000, 150,
	    "it waits busily");
	bench_present(&b.deliverds[0]);
	WAIT(b.n_leases == 1);
}

Test(lease, waits_not_for_ever, .init = begin_alone, .fini = end)
{
	bench_live(&b.deliverds[1]);	/* number 0 never comes */
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	bench_turn(&b, 50);
	cr_expect_eq(b.n_leases, 0);
	bench_skip(&b, 4000);
	bench_present(&b.deliverds[1]);
	WAIT(b.n_leases == 1);
	cr_expect_eq(bench_lease(&b, 0)->peer, 1);
}

/* Recipients of several destinations are units of their own. */
Test(lease, units_by_destination, .fini = end)
{
	bench_open(&b, QUEUE "routes: [{to: b.example, via: "
	    "\"smtp://one.example\"}, {to: c.example, via: mx}, "
	    "{to: d.example, via: mx}]\n");
	bench_usual(&b);
	(void)bench_mail(&b, "s@a.example",
	    "1@b.example 2@c.example 3@B.EXAMPLE 4@d.example 5@C.example");
	WAIT(b.n_leases == 3);
	for (unsigned i = 0; i < 3; i++) {
		const char *to = (char *)bench_lease(&b, i)->to.p;

		cr_expect(strcmp(to, "1@b.example 3@B.EXAMPLE") == 0 ||
		    strcmp(to, "2@c.example 5@C.example") == 0 ||
		    strcmp(to, "4@d.example") == 0, "%s", to);
	}
	for (unsigned i = 0; i < 3; i++)
		bench_tell(&b, bench_lease(&b, i), OUTCOME_DELIVERED,
		    SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
}

/* After a reload one unit may have several ways: each is leased, one after
 * the other, and none waits for another that fails. */
Test(lease, several_ways_in_one_unit, .init = begin_alone, .fini = end)
{
	(void)bench_mail(&b, "s@a.example", "1@b.example 2@c.example "
	    "3@b.example 4@c.example 5@c.example");
	bench_reload(&b, QUEUE "routes: [{to: b.example, via: "
	    "\"smtp://one.example\"}, {to: \"*\", "
	    "via: \"smtp://two.example\"}]\n");
	bench_live(&b.deliverds[0]);
	bench_present(&b.deliverds[0]);
	WAIT(b.n_leases == 1);
	cr_expect_eq(bench_lease(&b, 0)->m.generation, 2);
	cr_expect_str_eq((char *)bench_lease(&b, 0)->to.p,
	    "1@b.example 3@b.example");
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 1, "one lease of a unit at a time");
	bench_tell(&b, bench_lease(&b, 0), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(b.n_leases == 2);		/* at once */
	cr_expect_str_eq((char *)bench_lease(&b, 1)->to.p,
	    "2@c.example 4@c.example 5@c.example");
	bench_tell(&b, bench_lease(&b, 1), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
}

/* I-02: what an operator deletes is all of it, leased or not. */
Test(lease, deleted_in_parts, .init = begin_alone, .fini = end)
{
	(void)bench_mail(&b, "s@a.example", "1@b.example 2@c.example");
	bench_reload(&b, QUEUE "routes: [{to: b.example, via: "
	    "\"smtp://one.example\"}, {to: \"*\", "
	    "via: \"smtp://two.example\"}]\n");
	bench_live(&b.deliverds[0]);
	bench_present(&b.deliverds[0]);
	WAIT(b.n_leases == 1);
	cr_expect_eq(bench_lease(&b, 0)->rcpts, 1);
	cr_expect_eq(bench_ask(&b, CTL_DELETE, "all"), 1);
	bench_tell(&b, bench_lease(&b, 0), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 1);
}

/* ... and whoever dies before the lease ends: the note of the lease has it. */
Test(lease, deleted_before_a_kill, .init = begin, .fini = end)
{
	struct bench_lease *l;

	(void)bench_mail(&b, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 1);
	l = bench_lease(&b, 0);
	cr_expect_eq(bench_ask(&b, CTL_DELETE, "all"), 1);
	cr_expect_eq(bench_messages(&b), 1, "it is out");
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_tell_held(&b.deliverds[0], l);
	bench_present(&b.deliverds[0]);
	bench_turn(&b, 50);
	cr_expect_eq(bench_messages(&b), 1);
	bench_tell(&b, l, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(bench_messages(&b) == 0);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 1, "given out again");
}

Test(lease, deleted_before_all_die, .init = begin, .fini = end)
{
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 1);
	cr_expect_eq(bench_ask(&b, CTL_DELETE, "all"), 1);
	bench_kill(&b);
	b.deliverds[0].instance += 100;
	/* and once more, before anything is given out */
	bench_start(&b);
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_present_new(&b.deliverds[0]);
	WAIT(bench_messages(&b) == 0);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 1, "given out again");
}

/* Numbers of processes begin anywhere: none of them may look like that note. */
Test(lease, no_number_is_a_delete, .init = begin, .fini = end)
{
	static const uint64_t instances[] = { 0x000001, 0x400001, 0x7fff01,
	    0x800001, 0xbfff01, 0xfffe01 };
	unsigned leases;

	for (size_t i = 0; i < sizeof(instances) / sizeof(*instances); i++) {
		bench_kill(&b);
		b.instance = instances[i];
		bench_start(&b);
		bench_live(&b.smtpds[0]);
		bench_live(&b.deliverds[0]);
		bench_present(&b.deliverds[0]);
		leases = b.n_leases;
		(void)bench_mail(&b, "s@a.example", "r@b.example");
		WAIT(b.n_leases == leases + 1);
		bench_tell(&b, bench_lease(&b, leases), OUTCOME_DEFERRED,
		    SCOPE_RECIPIENTS, "later");
		WAIT(bench_lease(&b, leases)->is_confirmed);
		/* a second lease is noted by a record */
		(void)bench_ask(&b, CTL_RETRY, "all");
		WAIT(b.n_leases == leases + 2);
		bench_kill(&b);
		b.instance = instances[i] + 16;
		b.deliverds[0].instance += 100;
		bench_start(&b);
		bench_live(&b.smtpds[0]);
		bench_live(&b.deliverds[0]);
		bench_present_new(&b.deliverds[0]);
		WAIT(b.n_leases == leases + 3);
		cr_expect_eq(bench_messages(&b), 1, "instance %jx",
		    (uintmax_t)instances[i]);
		bench_tell(&b, bench_lease(&b, leases + 2),
		    OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
		WAIT(bench_messages(&b) == 0);
	}
}

Test(lease, a_dead_way_does_not_hide_another, .init = begin_alone,
    .fini = end)
{
	bool is_tried = false;

	(void)bench_mail(&b, "s@a.example", "1@b.example 2@c.example");
	bench_reload(&b, QUEUE "routes: [{to: b.example, via: "
	    "\"smtp://one.example\"}, {to: \"*\", "
	    "via: \"smtp://two.example\"}]\n");
	bench_live(&b.deliverds[0]);
	bench_present(&b.deliverds[0]);
	for (unsigned i = 0; i < 3 && !is_tried; i++) {
		WAIT(b.n_leases == i + 1);
		is_tried = strcmp((char *)bench_lease(&b, i)->to.p,
		    "2@c.example") == 0;
		bench_tell(&b, bench_lease(&b, i), is_tried ?
		    OUTCOME_DELIVERED : OUTCOME_DEFERRED,
		    is_tried ? SCOPE_RECIPIENTS : SCOPE_DESTINATION, "dead");
		WAIT(b.deliverds[0].confirms == i + 1);
		bench_skip(&b, 110000);
	}
	cr_expect(is_tried, "the second way is never tried");
	cr_expect_eq(bench_recipients(&b), 1);
}

/* deliverd has another configuration: the lease comes again, no try. */
Test(lease, stale_generation, .init = begin, .fini = end)
{
	struct bench_lease *l;

	(void)bench_mail(&b, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 1);
	bench_reload(&b, QUEUE);
	bench_tell(&b, bench_lease(&b, 0), OUTCOME_UNTRIED, SCOPE_RECIPIENTS,
	    "");
	WAIT(b.n_leases == 2);
	l = bench_lease(&b, 1);
	cr_expect_neq(l->m.lease, bench_lease(&b, 0)->m.lease);
	cr_expect_eq(l->m.generation, 2);
	WAIT(b.deliverds[0].confirmed == bench_lease(&b, 0)->m.lease);
	bench_tell(&b, l, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(b.deliverds[0].confirms == 2);
	cr_expect_eq(store_find_unit(b.q->store, l->m.id, 0)->tries, 1);
}

/* A window bounds what is out to one destination; others have their own. */
Test(lease, window, .fini = end)
{
	unsigned one = 0;

	bench_open(&b, QUEUE "routes: [{to: b.example, via: "
	    "\"smtp://one.example\"}, {to: \"*\", via: "
	    "\"smtp://two.example\"}]\n");
	bench_usual(&b);
	for (int i = 0; i < 100; i++)
		(void)bench_submit(&b, "s@a.example", "r@b.example", "x\r\n");
	WAIT(b.n_answers == 100);
	bench_turn(&b, 20);
	one = b.n_leases;
	cr_expect_gt(one, 0);
	cr_expect_lt(one, 100);
	(void)bench_mail(&b, "s@a.example", "r@c.example");
	WAIT(b.n_leases == one + 1);
	for (int i = 0; i < 101; i++)
		bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	cr_expect_eq(b.n_leases, 101);
}

/* A destination sticks to a worker; both get work. */
Test(lease, worker_choice, .fini = end)
{
	unsigned at[BENCH_PEERS] = { 0 };
	char rcpt[64];

	bench_open(&b, QUEUE "routes: [{to: \"*\", via: mx}]\n");
	bench_live(&b.smtpds[0]);
	for (int i = 0; i < 2; i++) {
		bench_live(&b.deliverds[i]);
		bench_present(&b.deliverds[i]);
	}
	for (int i = 0; i < 64; i++) {
		(void)snprintf(rcpt, sizeof(rcpt), "r@d%d.example", i % 16);
		(void)bench_submit(&b, "s@a.example", rcpt, "x\r\n");
	}
	WAIT(b.n_leases == 64);
	for (unsigned i = 0; i < 64; i++) {
		at[bench_lease(&b, i)->peer]++;
		for (unsigned k = 0; k < i; k++)
			if (buf_span(&bench_lease(&b, i)->to).n ==
			    buf_span(&bench_lease(&b, k)->to).n &&
			    span_equal(buf_span(&bench_lease(&b, i)->to),
			    buf_span(&bench_lease(&b, k)->to)))
				cr_expect_eq(bench_lease(&b, i)->peer,
				    bench_lease(&b, k)->peer);
	}
	cr_expect_gt(at[0], 0);
	cr_expect_gt(at[1], 0);
}

/* I-03: who dies leaves its leases in doubt: recorded, tried again soon. */
Test(lease, in_doubt_when_deliverd_dies, .init = begin, .fini = end)
{
	struct bench_lease *l;

	(void)bench_mail(&b, "s@a.example", "r@b.example q@b.example");
	WAIT(b.n_leases == 1);
	bench_die(&b.deliverds[0]);
	bench_live(&b.deliverds[0]);
	bench_present(&b.deliverds[0]);
	WAIT(bench_log_count(&b, "in doubt") == 2);
	WAIT(b.n_leases == 2);
	l = bench_lease(&b, 1);
	cr_expect_eq(l->rcpts, 2);
	bench_tell(&b, l, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	/* the dead one's verdict comes late, by its successor */
	bench_tell(&b, bench_lease(&b, 0), OUTCOME_FAILED, SCOPE_RECIPIENTS,
	    "no");
	WAIT(b.deliverds[0].confirmed == bench_lease(&b, 0)->m.lease);
	cr_expect_eq(bench_messages(&b), 0);
}

/* A verdict for a lease that nobody knows is confirmed without delay, also
 * when nothing else is to be written. */
Test(lease, an_unknown_verdict_is_confirmed, .init = begin, .fini = end)
{
	struct bench_lease l = { .m = { .lease = 12345, .id = 1 },
		.rcpts = 1 };

	buf_init(&l.results, 4096);
	bench_turn(&b, 50);
	bench_tell(&b, &l, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(b.deliverds[0].confirmed == 12345);
	cr_expect_eq(b.deliverds[0].confirms, 1);
	buf_clear(&l.results);
}

/* I-03: queued dies at a lease; its successor hears of it and takes the
 * verdict, for the right recipients, once. */
Test(lease, held_over_a_kill, .init = begin, .fini = end)
{
	struct bench_lease *l;

	(void)bench_mail(&b, "s@a.example", "r@b.example q@b.example");
	WAIT(b.n_leases == 1);
	l = bench_lease(&b, 0);
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_tell_held(&b.deliverds[0], l);
	bench_present(&b.deliverds[0]);
	bench_turn(&b, 50);
	cr_expect_eq(b.n_leases, 1, "leased while it is held");
	bench_tell(&b, l, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	WAIT(b.deliverds[0].confirmed == l->m.lease);
	cr_expect_eq(b.n_leases, 1);
}

/* I-03: the verdict was written, its confirmation lost: told again it changes
 * nothing, though the unit has other open recipients now. */
Test(lease, a_verdict_is_repeated, .init = begin, .fini = end)
{
	struct msg_result rows[2] = { row(0, 0, OUTCOME_DELIVERED),
		row(1, 2, OUTCOME_DEFERRED) };
	struct store_unit *unit;
	struct bench_lease *l;

	(void)bench_mail(&b, "s@a.example",
	    "r@b.example q@b.example p@b.example");
	WAIT(b.n_leases == 1);
	l = bench_lease(&b, 0);
	bench_tell_rows(&b, l, SCOPE_RECIPIENTS, rows, 2);
	WAIT(bench_recipients(&b) == 2);
	WAIT(b.deliverds[0].confirms == 1);
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_tell_held(&b.deliverds[0], l);
	bench_tell_rows(&b, l, SCOPE_RECIPIENTS, rows, 2);
	bench_present(&b.deliverds[0]);
	WAIT(b.deliverds[0].confirms == 2);
	cr_expect_eq(bench_recipients(&b), 2);
	unit = store_find_unit(b.q->store, l->m.id, 0);
	cr_assert_not_null(unit);
	cr_expect(unit->recipients[0].is_settled);
	cr_expect(!unit->recipients[1].is_settled);
	bench_turn(&b, 50);
	cr_expect_eq(b.n_leases, 1, "leased out of its time");
}

/* ... and when all of the lease was settled, the rest keeps its time. */
Test(lease, a_settled_verdict_is_repeated, .init = begin, .fini = end)
{
	struct msg_result rows[2] = { row(0, 0, OUTCOME_DELIVERED),
		row(1, 1, OUTCOME_DEFERRED) };
	struct bench_lease *l;

	(void)bench_mail(&b, "s@a.example", "r@b.example q@b.example");
	WAIT(b.n_leases == 1);
	l = bench_lease(&b, 0);
	bench_tell_rows(&b, l, SCOPE_RECIPIENTS, rows, 2);
	WAIT(bench_recipients(&b) == 1);
	WAIT(b.deliverds[0].confirms == 1);
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.deliverds[0]);
	l->rows.n = 0;
	buf_add(&l->rows, "\0\0\0\0\0\0\0\0", 8);	/* row 0 alone */
	bench_tell_held(&b.deliverds[0], l);
	bench_tell_rows(&b, l, SCOPE_RECIPIENTS, rows, 1);
	bench_present(&b.deliverds[0]);
	WAIT(b.deliverds[0].confirms == 2);
	bench_turn(&b, 50);
	cr_expect_eq(b.n_leases, 1, "leased out of its time");
	bench_skip(&b, 15000);
	WAIT(b.n_leases == 2);
	cr_expect_str_eq((char *)bench_lease(&b, 1)->to.p, "q@b.example");
}

/* I-03: given out again before the verdict was written, then killed: both are
 * held, and the result of each counts. */
static void
hold_two(struct bench_lease **first_out, struct bench_lease **second_out)
{
	struct bench_lease *first;

	(void)bench_mail(&b, "s@a.example", "r@b.example q@b.example");
	WAIT(b.n_leases == 1);
	first = bench_lease(&b, 0);
	bench_tell(&b, first, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(b.deliverds[0].confirms == 1);
	(void)bench_ask(&b, CTL_RETRY, "all");
	WAIT(b.n_leases == 2);
	bench_kill(&b);
	bench_start(&b);
	first->is_confirmed = false;	/* as if it had not been written */
	bench_live(&b.deliverds[0]);
	*first_out = first;
	*second_out = bench_lease(&b, 1);
}

Test(lease, two_of_one_unit_are_held, .init = begin, .fini = end)
{
	struct bench_lease *first, *second;

	hold_two(&first, &second);
	bench_return(&b.deliverds[0]);
	WAIT(first->is_confirmed);
	bench_skip(&b, 200000);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 2, "leased while it is held");
	bench_tell(&b, second, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	cr_expect_eq(b.n_leases, 2);
}

/* The other way round: what the second settles, the first may not touch. */
Test(lease, two_of_one_unit_end_in_any_order, .init = begin, .fini = end)
{
	struct bench_lease *first, *second;

	hold_two(&first, &second);
	first->is_told = false;
	bench_return(&b.deliverds[0]);
	bench_tell(&b, second, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	bench_tell(&b, first, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(first->is_confirmed);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 2);
}
