/*
 * Mail from smtpd: what is answered when, and what survives.
 */
#include "bench.h"

#include "common/mail/queue_id.h"
#include "queued/outcome.h"

#include <errno.h>
#include <unistd.h>

static struct bench b;

static void
begin(void)
{
	bench_open(&b, "queue: {first_retry: 10s, max_retry: 100s}\n");
	bench_usual(&b);
}

static void
end(void)
{
	bench_close(&b);
}

#define MAIL "Subject: x\r\n\r\nbody\r\n"

/* I-01: while the sync is under way nobody is told anything, and nothing is
 * delivered. */
Test(intake, accepted_after_the_sync, .init = begin, .fini = end)
{
	uint64_t before = bench_syncs(), token;

	bench_hold_syncs(true);
	token = bench_submit(&b, "s@a.example", "r@b.example", MAIL);
	bench_turn(&b, 100);
	cr_expect_null(bench_answer(&b, token));
	cr_expect_eq(b.n_leases, 0);
	bench_hold_syncs(false);
	WAIT(bench_answer(&b, token) != NULL);
	cr_expect_eq(bench_answer(&b, token)->result, SUBMIT_ACCEPTED);
	cr_expect_neq(bench_answer(&b, token)->id, 0);
	cr_expect_gt(bench_answer(&b, token)->synced, before);
	WAIT(b.n_leases == 1);
	cr_expect_eq(bench_lease(&b, 0)->m.id, bench_answer(&b, token)->id);
	cr_expect_eq(bench_messages(&b), 1);
}

/* A unit that is over before the sync hides none of the others. */
Test(intake, the_first_unit_is_gone_already, .fini = end)
{
	struct store_unit *unit;
	uint64_t token, id;

	bench_open(&b, "routes: [{to: \"*\", via: mx}]\n");
	bench_usual(&b);
	bench_hold_syncs(true);
	token = bench_submit(&b, "s@a.example", "1@b.example 2@c.example "
	    "3@d.example", MAIL);
	bench_turn(&b, 100);
	id = (uint64_t)1 << 40 | 1;
	unit = store_find_unit(b.q->store, id, 0);
	cr_assert_not_null(unit);
	cr_assert_eq(unit->message->unit_count, 3);
	cr_assert_eq(outcome_delete(b.q, unit), OK);
	cr_expect_null(store_find_unit(b.q->store, id, 0));
	bench_hold_syncs(false);
	WAIT(bench_answer(&b, token) != NULL);
	WAIT(b.n_leases == 2);
	cr_expect_eq(bench_recipients(&b), 2);
}

/* I-01: what waits while a sync runs goes with the next one, together. */
Test(intake, many_share_a_sync, .init = begin, .fini = end)
{
	uint64_t before, first, last = 0;

	first = bench_submit(&b, "s@a.example", "r@b.example", MAIL);
	WAIT(bench_answer(&b, first) != NULL);
	before = bench_syncs();
	for (int i = 0; i < 200; i++)
		last = bench_submit(&b, "s@a.example", "r@b.example", MAIL);
	WAIT(bench_answer(&b, last) != NULL);
	cr_expect_eq(b.n_answers, 201);
	cr_expect_leq(bench_syncs() - before, 10);
	cr_expect_eq(bench_messages(&b), 201);
}

/* I-05: a frame that says nonsense is refused, the next one is taken. */
Test(intake, malformed_is_refused, .init = begin, .fini = end)
{
	struct bench_peer *p = &b.smtpds[0];
	struct buf good, report, many;
	struct envelope head = { .flags = ENVELOPE_REPORT };
	struct envelope_rcpt rcpt = { .address = SPAN_LIT("r@b.example") };
	uint64_t tokens[5];

	buf_init(&good, 4096);
	buf_init(&report, 4096);
	buf_init(&many, 1 << 20);
	bench_envelope("s@a.example", "r@b.example", &good);
	envelope_put_head(&head, &report);
	envelope_put_rcpt(&rcpt, &report);
	head.flags = 0;
	envelope_put_head(&head, &many);
	for (int i = 0; i < 1001; i++)
		envelope_put_rcpt(&rcpt, &many);
	tokens[0] = bench_submit_envelope(p, SPAN_LIT("nonsense"),
	    SPAN_LIT(MAIL), sizeof(MAIL) - 1);
	tokens[1] = bench_submit_envelope(p, buf_span(&good), SPAN_LIT(MAIL),
	    7);
	/* I-08: nobody but us makes reports */
	tokens[2] = bench_submit_envelope(p, buf_span(&report),
	    SPAN_LIT(MAIL), sizeof(MAIL) - 1);
	tokens[3] = bench_submit_envelope(p, buf_span(&many), SPAN_LIT(MAIL),
	    sizeof(MAIL) - 1);
	tokens[4] = bench_submit_envelope(p, SPAN_NONE, SPAN_NONE, 0);
	for (int i = 0; i < 5; i++) {
		WAIT(bench_answer(&b, tokens[i]) != NULL);
		cr_expect_eq(bench_answer(&b, tokens[i])->result,
		    SUBMIT_MALFORMED, "%d", i);
	}
	cr_expect_eq(bench_messages(&b), 0);
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	buf_clear(&good);
	buf_clear(&report);
	buf_clear(&many);
}

/* I-04: each frame's bytes come back as credit, exactly, however it ends. */
Test(intake, credit_comes_back, .init = begin, .fini = end)
{
	struct bench_peer *p = &b.smtpds[0];
	uint64_t all = p->credit, sent = 0;
	struct buf envelope;

	cr_assert_gt(all, 1 << 20);
	buf_init(&envelope, 4096);
	bench_envelope("s@a.example", "r@b.example", &envelope);
	for (int i = 0; i < 20; i++) {
		(void)bench_submit_envelope(p, buf_span(&envelope),
		    SPAN_LIT(MAIL), i % 4 == 0 ? 3 : sizeof(MAIL) - 1);
		sent += envelope.n + sizeof(MAIL) - 1;
	}
	WAIT(b.n_answers == 20);
	bench_turn(&b, 5);
	cr_expect_eq(p->credit - all, sent);
	buf_clear(&envelope);
}

/* I-06: an I/O error of the log: what was waiting is refused, not lost
 * silently, and the next one is taken. */
Test(intake, refused_when_the_disk_fails, .init = begin, .fini = end)
{
	uint64_t token;

	bench_hold_syncs(true);
	token = bench_submit(&b, "s@a.example", "r@b.example", MAIL);
	bench_turn(&b, 20);
	bench_fail_syncs(EIO);
	bench_hold_syncs(false);
	bench_turn(&b, 20);
	bench_fail_syncs(0);
	if (b.is_failed)	/* both log and rescue failed: no reply */
		cr_expect_null(bench_answer(&b, token));
	else
		WAIT(bench_answer(&b, token) != NULL &&
		    bench_answer(&b, token)->result == SUBMIT_IO);
}

/* The same while an operator holds everything: units that are refused are
 * not scheduled by anybody. */
Test(intake, refused_while_an_operator_acts, .init = begin, .fini = end)
{
	struct bench_client *c = bench_client(&b);
	uint64_t token, other;

	bench_hold_syncs(true);
	token = bench_submit(&b, "s@a.example", "r@b.example", MAIL);
	bench_turn(&b, 20);
	other = bench_submit(&b, "s@a.example", "r@b.example", MAIL);
	bench_turn(&b, 20);
	bench_send_queue(c, CTL_HOLD, "all", false);
	bench_turn(&b, 20);
	cr_expect_eq(c->ends, 0, "answered before the sync");
	bench_send_queue(bench_client(&b), CTL_RELEASE, "all", false);
	bench_send_queue(bench_client(&b), CTL_RETRY, "all", false);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 0, "leased before it was accepted");
	bench_fail_syncs(EIO);
	bench_hold_syncs(false);
	for (int i = 0; i < 2000 && !b.is_failed &&
	    bench_log_count(&b, "write") == 0; i++)
		bench_turn(&b, 1);
	bench_fail_syncs(0);
	bench_turn(&b, 50);
	if (!b.is_failed) {
		WAIT(bench_answer(&b, token) != NULL);
		WAIT(bench_answer(&b, other) != NULL);
	}
	bench_turn(&b, 1100);	/* housekeeping looks at all units */
	bench_skip(&b, 60000);
	bench_turn(&b, 50);
	if (!b.is_failed && bench_answer(&b, token)->result != SUBMIT_ACCEPTED)
		for (unsigned i = 0; i < b.n_leases; i++)
			cr_expect_neq(bench_lease(&b, i)->m.id,
			    bench_answer(&b, token)->id);
}

/* I-03: smtpd asks the next queued what became of its submissions. */
Test(intake, tokens_after_a_kill, .init = begin, .fini = end)
{
	struct msg ask = { .type = MSG_token_ask };
	uint64_t answered, unanswered, never;

	answered = bench_submit(&b, "s@a.example", "r@b.example", MAIL);
	WAIT(bench_answer(&b, answered) != NULL);
	/* written, not synced, not answered */
	bench_hold_syncs(true);
	unanswered = bench_submit(&b, "s@a.example", "q@b.example", MAIL);
	bench_turn(&b, 100);
	cr_assert_null(bench_answer(&b, unanswered));
	/* this one still waits in memory for its group */
	never = bench_submit(&b, "s@a.example", "p@b.example", MAIL);
	bench_turn(&b, 20);
	bench_kill(&b);
	bench_start(&b);
	bench_usual(&b);
	cr_expect_eq(bench_messages(&b), 2);
	ask.token_ask.token = unanswered;
	(void)channel_send(b.smtpds[0].theirs, &ask);
	ask.token_ask.token = never;
	(void)channel_send(b.smtpds[0].theirs, &ask);
	WAIT(bench_answer(&b, never) != NULL);
	cr_expect_eq(bench_answer(&b, unanswered)->result, SUBMIT_ACCEPTED);
	cr_expect_neq(bench_answer(&b, unanswered)->id, 0);
	cr_expect_eq(bench_answer(&b, never)->result, SUBMIT_UNKNOWN);
	cr_expect_eq(b.n_answers, 3);
}

/* I-03: the questions of many starts, each with some unanswered. */
Test(intake, tokens_of_many_kills, .init = begin, .fini = end)
{
	struct msg ask = { .type = MSG_token_ask };
	uint64_t tokens[8], accepted = 0;

	for (int round = 0; round < 8; round++) {
		unsigned before;

		for (int i = 0; i < 8; i++)
			tokens[i] = bench_submit(&b, "s@a.example",
			    "r@b.example", MAIL);
		bench_turn(&b, round / 2);
		bench_kill(&b);
		bench_start(&b);
		bench_usual(&b);
		for (int i = 0; i < 8; i++) {
			if (bench_answer(&b, tokens[i]) != NULL)
				continue;
			before = b.n_answers;
			ask.token_ask.token = tokens[i];
			(void)channel_send(b.smtpds[0].theirs, &ask);
			WAIT(b.n_answers > before);
		}
		for (int i = 0; i < 8; i++)
			accepted += bench_answer(&b, tokens[i])->result ==
			    SUBMIT_ACCEPTED;
		cr_expect_eq(bench_messages(&b), accepted, "round %d: %u %u",
		    round, (unsigned)bench_messages(&b), (unsigned)accepted);
	}
}

/* I-03: a queued that dies before it was asked leaves the tokens to the next,
 * whatever its index has learned meanwhile. */
Test(intake, tokens_after_two_kills, .init = begin, .fini = end)
{
	struct msg ask = { .type = MSG_token_ask };
	uint64_t token;

	bench_hold_syncs(true);
	token = bench_submit(&b, "s@a.example", "r@b.example", MAIL);
	bench_turn(&b, 100);
	bench_kill(&b);
	bench_start(&b);
	bench_turn(&b, 1200);		/* a check-point's time, and no smtpd */
	bench_kill(&b);
	bench_start(&b);
	bench_usual(&b);
	cr_expect_eq(bench_messages(&b), 1);
	ask.token_ask.token = token;
	(void)channel_send(b.smtpds[0].theirs, &ask);
	WAIT(bench_answer(&b, token) != NULL);
	cr_expect_eq(bench_answer(&b, token)->result, SUBMIT_ACCEPTED);
}

/* ---- large bodies ---- */

static void
send_token(enum msg_type type, uint64_t token)
{
	struct msg m = { .type = type };

	if (type == MSG_body_open)
		m.body_open.token = token;
	else
		m.body_drop.token = token;
	(void)channel_send(b.smtpds[0].theirs, &m);
}

static void
send_data(uint64_t token, size_t n)
{
	static uint8_t block[256 * 1024];
	struct msg m = { .type = MSG_body_data };

	memset(block, 'x', sizeof(block));
	m.body_data.token = token;
	m.body_data.bytes = span_of(block, n);
	(void)channel_send(b.smtpds[0].theirs, &m);
}

static void
send_streamed(uint64_t token, const char *sender, uint64_t bytes)
{
	struct msg m = { .type = MSG_submit };
	struct buf envelope;

	buf_init(&envelope, 4096);
	bench_envelope(sender, "r@b.example", &envelope);
	m.submit.token = token;
	m.submit.envelope = buf_span(&envelope);
	m.submit.trace_head = SPAN_LIT("Received: from a id ");
	m.submit.trace_tail = SPAN_LIT("; now\r\n");
	m.submit.is_streamed = 1;
	m.submit.body_bytes = bytes;
	(void)channel_send(b.smtpds[0].theirs, &m);
	buf_clear(&envelope);
}

/* I-01, I-09: a body in pieces becomes a message, and comes back whole. */
Test(intake, streamed, .init = begin, .fini = end)
{
	struct msg want = { .type = MSG_content_want };
	struct bench_peer *p = &b.smtpds[0], *d = &b.deliverds[0];
	struct bench_lease *l;

	send_token(MSG_body_open, 5);
	WAIT(p->body_credit >= 512 * 1024);
	send_data(5, 256 * 1024);
	send_data(5, 200 * 1024);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_answers, 0);
	send_streamed(5, "s@a.example", 456 * 1024);
	WAIT(b.n_answers == 1);
	cr_expect_eq(b.answers[0].result, SUBMIT_ACCEPTED);
	WAIT(b.n_leases == 1);
	l = bench_lease(&b, 0);
	cr_expect_eq(l->content.n, 0, "it is to be asked for");
	cr_expect_eq(l->m.size, 456 * 1024 + QUEUE_ID_LENGTH +
	    strlen("Received: from a id ; now\r\n"));
	want.content_want.lease = l->m.lease;
	want.content_want.offset = 456 * 1024;
	want.content_want.bytes = 1 << 20;
	(void)channel_send(d->theirs, &want);
	WAIT(d->contents == 1);
	cr_expect_eq(d->content_failed, 0);
	cr_expect_eq(d->content.n, l->m.size - 456 * 1024);
	/* beyond its end, and of a lease that nobody has */
	want.content_want.offset = UINT64_MAX - 3;
	(void)channel_send(d->theirs, &want);
	WAIT(d->contents == 2);
	want.content_want.lease = 99;
	(void)channel_send(d->theirs, &want);
	WAIT(d->contents == 3);
	cr_expect_eq(d->content_failed, 1);
	bench_tell(&b, l, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
}

/* I-05: nonsense about bodies: no crash, no message, others go on. */
Test(intake, bodies_out_of_order, .init = begin, .fini = end)
{
	struct bench_peer *p = &b.smtpds[0];

	send_data(1, 10);			/* never opened */
	send_token(MSG_body_drop, 1);
	send_streamed(1, "s@a.example", 10);
	WAIT(b.n_answers == 1);
	cr_expect_eq(b.answers[0].result, SUBMIT_IO);
	for (int i = 0; i < 50; i++) {		/* the same name again */
		send_token(MSG_body_open, 2);
		send_data(2, 1000);
		send_token(MSG_body_drop, 2);
	}
	send_token(MSG_body_open, 2);
	send_token(MSG_body_open, 2);		/* twice */
	WAIT(p->body_failed >= 1);
	send_data(2, 1000);
	for (int i = 0; i < 3; i++)
		send_streamed(2, "s@a.example", 1000);
	WAIT(b.n_answers >= 4);
	cr_expect_leq(bench_messages(&b), 1);
	send_token(MSG_body_open, 3);		/* far beyond the credit */
	for (int i = 0; i < 200; i++)
		send_data(3, 256 * 1024);
	bench_turn(&b, 50);
	cr_expect(!p->is_cut);
	(void)bench_mail(&b, "s@a.example", "r@b.example");
}

/* A streamed body behind a bad envelope is refused, and its frame's credit
 * comes back; a drop behind the submission is too late. */
Test(intake, streamed_and_refused_or_dropped, .init = begin, .fini = end)
{
	struct bench_peer *p = &b.smtpds[0];
	uint64_t all = p->credit;
	struct msg m = { .type = MSG_submit };

	send_token(MSG_body_open, 7);
	send_data(7, 1000);
	m.submit.token = 7;
	m.submit.is_streamed = 1;
	m.submit.envelope = SPAN_LIT("nonsense");
	(void)channel_send(p->theirs, &m);
	WAIT(bench_answer(&b, 7) != NULL);
	cr_expect_eq(bench_answer(&b, 7)->result, SUBMIT_MALFORMED);
	bench_turn(&b, 5);
	cr_expect_eq(p->credit, all + 8);
	send_token(MSG_body_open, 8);
	send_data(8, 1000);
	send_streamed(8, "s@a.example", 1000);
	send_token(MSG_body_drop, 8);
	WAIT(bench_answer(&b, 8) != NULL);
	cr_expect_eq(bench_answer(&b, 8)->result, SUBMIT_ACCEPTED);
	bench_turn(&b, 5);
	cr_expect_gt(p->credit, all + 8);
	cr_expect_eq(bench_messages(&b), 1);
}

/* smtpd dies: half a body is forgotten; what was submitted whole is kept, and
 * its successor hears nothing of it. */
Test(intake, a_peer_dies, .init = begin, .fini = end)
{
	struct bench_peer *p = &b.smtpds[0];
	uint64_t credit;

	send_token(MSG_body_open, 10);
	send_data(10, 1000);
	send_token(MSG_body_open, 11);
	send_data(11, 1000);
	bench_turn(&b, 20);
	bench_hold_syncs(true);
	send_streamed(11, "s@a.example", 1000);
	(void)bench_submit(&b, "s@a.example", "r@b.example", MAIL);
	bench_turn(&b, 20);
	bench_die(p);
	bench_live(p);
	credit = p->credit;
	bench_hold_syncs(false);
	WAIT(bench_messages(&b) == 2 && b.n_leases == 2);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_answers, 0, "an answer to somebody else's question");
	cr_expect_eq(p->credit, credit, "credit of somebody else");
	(void)bench_mail(&b, "s@a.example", "r@b.example");
}

/* I-05: a frame out of place costs the channel of its sender, nobody else. */
Test(intake, a_violation_closes_one_channel, .init = begin, .fini = end)
{
	static const uint8_t junk[] = { 16, 0, 0, 0, 32, 0, 0, 0,
		1, 2, 3, 4, 5, 6, 7, 8 };
	struct bench_peer *other = &b.smtpds[1];

	bench_live(other);
	cr_assert_eq(write(channel_fd(other->theirs), junk, sizeof(junk)),
	    (ssize_t)sizeof(junk));
	WAIT(other->is_cut);
	(void)bench_mail(&b, "s@a.example", "r@b.example");
}
