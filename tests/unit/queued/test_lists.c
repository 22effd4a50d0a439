/* Messages with very many recipients: what smtpd may do with them, and that
 * each recipient is tried, whatever dies meanwhile (I-01, I-04, I-05). */
#include "common/mail/queue_id.h"
#include "queued/store/store_list.h"
#include "tests/unit/queued/bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { MANY = 2500 };

static const char body_text[] = "Subject: all\r\n\r\nbody\r\n";

static struct bench b;

static void
begin(void)
{
	bench_open(&b, "limits: {recipients: 5000}\n");
	bench_usual(&b);
}

static void
end(void)
{
	bench_close(&b);
}

static void
open_stream(uint64_t token, bool is_list)
{
	struct msg m = { .type = MSG_body_open };

	m.body_open.token = token;
	m.body_open.is_list = is_list;
	(void)channel_send(b.smtpds[0].theirs, &m);
}

static void
send_recipients(uint64_t token, struct span bytes)
{
	struct msg m = { .type = MSG_list_data };

	m.list_data.token = token;
	m.list_data.recipients = bytes;
	(void)channel_send(b.smtpds[0].theirs, &m);
}

/* FIRST and the N - 1 that follow, one domain for each ten. */
static void
say(uint64_t token, uint32_t first, uint32_t n)
{
	struct buf list;

	buf_init(&list, 1 << 20);
	for (uint32_t i = first; i < first + n; i++) {
		char text[64];
		struct envelope_rcpt r = { 0 };

		(void)snprintf(text, sizeof(text), "u%u@d%u.example", i,
		    i / 10);
		r.address = span_str(text);
		envelope_put_rcpt(&r, &list);
	}
	send_recipients(token, buf_span(&list));
	buf_clear(&list);
}

static void
send_body(uint64_t token)
{
	struct msg m = { .type = MSG_body_data };

	m.body_data.token = token;
	m.body_data.bytes = span_str(body_text);
	(void)channel_send(b.smtpds[0].theirs, &m);
}

/* RCPTS: addresses in the envelope; of a list there should be none. */
static void
submit(uint64_t token, const char *rcpts)
{
	struct msg m = { .type = MSG_submit };
	struct buf envelope;

	buf_init(&envelope, 4096);
	bench_envelope("s@a.example", rcpts, &envelope);
	m.submit.token = token;
	m.submit.envelope = buf_span(&envelope);
	m.submit.trace_head = SPAN_LIT("Received: from a id ");
	m.submit.trace_tail = SPAN_LIT("; now\r\n");
	m.submit.is_streamed = 1;
	(void)channel_send(b.smtpds[0].theirs, &m);
	buf_clear(&envelope);
}

static uint64_t
accept_list(uint32_t total)
{
	open_stream(5, true);
	WAIT(b.smtpds[0].body_credit >= 512 * 1024);
	for (uint32_t i = 0; i < total; i += 500)
		say(5, i, total - i < 500 ? total - i : 500);
	send_body(5);
	submit(5, "");
	WAIT(bench_answer(&b, 5) != NULL);
	cr_assert_eq(bench_answer(&b, 5)->result, SUBMIT_ACCEPTED);
	return bench_answer(&b, 5)->id;
}

/* Tells all leases that come until nothing is queued; counts who was in
 * them. */
static void
deliver_all(uint8_t *seen)
{
	int64_t until = bench_real_ms() + 60000;

	while (bench_messages(&b) > 0 && bench_real_ms() < until) {
		struct bench_lease *l = bench_untold(&b);

		if (l == NULL) {
			bench_turn(&b, 1);
			continue;
		}
		for (struct span all = buf_span(&l->to); all.n > 0;) {
			size_t n = span_find(all, ' ');

			seen[strtoul((const char *)all.p + 1, NULL, 10)]++;
			all = span_from(all, n + 1);
		}
		bench_tell(&b, l, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "ok");
	}
	cr_assert_eq(bench_messages(&b), 0);
}

static void
check_once(const uint8_t *seen, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		cr_assert_eq(seen[i], 1, "recipient %u: %u", i, seen[i]);
}

Test(lists, each_recipient_is_leased_once, .init = begin, .fini = end)
{
	uint8_t *seen = calloc(MANY, 1);
	uint64_t id = accept_list(MANY);
	struct bench_lease *l;

	cr_expect_eq(bench_recipients(&b), MANY);
	WAIT(b.n_leases >= 1);
	l = bench_lease(&b, 0);
	/* the first part; with the trace that names the list */
	cr_expect_eq(l->m.id, id + 1);
	cr_expect_eq(l->m.size, sizeof(body_text) - 1 + QUEUE_ID_LENGTH +
	    strlen("Received: from a id ; now\r\n"));
	deliver_all(seen);
	check_once(seen, MANY);
	cr_expect_eq(bench_log_count(&b, " part id="), 3);
	free(seen);
}

/* kill -9 while it is being begun: what was begun is not begun again. */
Test(lists, a_kill_forgets_nobody_and_doubles_nobody, .init = begin,
    .fini = end, .timeout = 120)
{
	uint8_t *seen = calloc(MANY, 1);

	(void)accept_list(MANY);
	for (int i = 0; i < 4; i++) {
		bench_turn(&b, i);
		bench_kill(&b);
		bench_start(&b);
		bench_live(&b.smtpds[0]);
		bench_live(&b.deliverds[0]);
		bench_return(&b.deliverds[0]);
		cr_assert_eq(bench_recipients(&b), MANY);
	}
	deliver_all(seen);
	check_once(seen, MANY);
	free(seen);
}

/* I-05, I-06: whatever comes as recipients, nobody dies and nothing is
 * accepted that was not right. */
Test(lists, what_smtpd_says_is_checked, .init = begin, .fini = end)
{
	static const struct span wrong[] = {
		SPAN_LIT("x"), SPAN_LIT("\x40\x00\x00\x00\x00"),
		SPAN_LIT("\x40\xff\xff\xff\xff" "abc"),
		SPAN_LIT("\x02\x01\x00\x00\x00" "a"),
		SPAN_LIT("\x40\x08\x00\x00\x00\x01\x03\x00\x00\x00" "a>b"),
	};
	unsigned failed = 0;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		open_stream(10 + i, true);
		say(10 + i, 0, 10);
		send_recipients(10 + i, wrong[i]);
		failed++;
		WAIT(b.smtpds[0].body_failed == failed);
		cr_expect_eq(b.smtpds[0].body_why, SUBMIT_MALFORMED);
	}
	/* one more than the configuration allows */
	open_stream(20, true);
	for (uint32_t i = 0; i < 10; i++)
		say(20, i * 500, 500);
	say(20, 0, 1);
	failed++;
	WAIT(b.smtpds[0].body_failed == failed);
	/* recipients behind the body, or of a body that is no list's */
	open_stream(21, true);
	say(21, 0, 10);
	send_body(21);
	say(21, 10, 10);
	failed++;
	WAIT(b.smtpds[0].body_failed == failed);
	open_stream(22, false);
	say(22, 0, 10);
	failed++;
	WAIT(b.smtpds[0].body_failed == failed);
	/* a list of nobody; others in its envelope */
	open_stream(23, true);
	send_body(23);
	submit(23, "");
	WAIT(bench_answer(&b, 23) != NULL);
	cr_expect_eq(bench_answer(&b, 23)->result, SUBMIT_MALFORMED);
	open_stream(24, true);
	say(24, 0, 10);
	submit(24, "x@y.example");
	WAIT(bench_answer(&b, 24) != NULL);
	cr_expect_eq(bench_answer(&b, 24)->result, SUBMIT_MALFORMED);
	say(25, 0, 10);			/* never opened */
	cr_expect_eq(bench_messages(&b), 0);
	(void)bench_mail(&b, "s@a.example", "r@b.example");
}

/* A list that is held before a block of it is begun. */
static uint64_t
accept_held(char *words, size_t size)
{
	char text[QUEUE_ID_SIZE];
	struct bench_client *c;
	uint64_t id;

	bench_hold_syncs(true);
	open_stream(5, true);
	WAIT(b.smtpds[0].body_credit >= 512 * 1024);
	for (uint32_t i = 0; i < MANY; i += 500)
		say(5, i, 500);
	send_body(5);
	submit(5, "");
	WAIT(bench_messages(&b) == 1);
	c = bench_client(&b);
	bench_send_queue(c, CTL_HOLD, "all", false);
	bench_turn(&b, 20);
	bench_hold_syncs(false);
	WAIT(bench_answer(&b, 5) != NULL && c->ends == 1);
	id = bench_answer(&b, 5)->id;
	queue_id_format(id, text);
	(void)snprintf(words, size, "id:%s", text);
	bench_turn(&b, 20);
	cr_expect_eq(bench_messages(&b), 1);
	cr_expect_eq(bench_recipients(&b), MANY);
	cr_expect_eq(b.n_leases, 0);
	return id;
}

Test(lists, held_and_released, .init = begin, .fini = end)
{
	uint8_t *seen = calloc(MANY, 1);
	char words[64];

	(void)accept_held(words, sizeof(words));
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	bench_live(&b.deliverds[0]);
	bench_return(&b.deliverds[0]);
	bench_turn(&b, 50);
	cr_expect_eq(bench_messages(&b), 1);
	cr_expect_eq(bench_ask(&b, CTL_RELEASE, words), 1);
	deliver_all(seen);
	check_once(seen, MANY);
	free(seen);
}

/* What was not begun goes with it; what was is not concerned. */
Test(lists, deleted, .init = begin, .fini = end)
{
	char words[64];

	(void)accept_held(words, sizeof(words));
	cr_expect_eq(bench_ask(&b, CTL_DELETE, words), 1);
	WAIT(bench_messages(&b) == 0);
	cr_expect_eq(bench_recipients(&b), 0);
	cr_expect_eq(bench_log_count(&b, " part "), 0);
	bench_stop(&b);
	bench_start(&b);
	cr_expect_eq(bench_messages(&b), 0);
}
