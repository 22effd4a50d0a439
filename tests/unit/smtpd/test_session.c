/*
 * Sessions and their messages on the way to a queued that lives, lags, dies
 * and comes back.  I-01, I-03, I-06, S5321-30, S5321-63, S5321-64.
 */
#include "common/base/check.h"
#include "common/os/clock.h"
#include "tests/unit/smtpd/fake_queued.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELLO "EHLO c.example\r\n"
#define ENVELOPE "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
#define MESSAGE ENVELOPE "DATA\r\nSubject: x\r\n\r\n..x\r\n.\r\n"
#define CREDIT (1U << 20)

static struct fake f;
static int client;

static void
setup(void)
{
	fake_init(&f);
}

static void
begin(void)
{
	client = fake_client(&f);
	cr_assert_eq(strncmp(fake_heard(&f, client), "220 ", 4), 0);
	fake_say(&f, client, SPAN_LIT(HELLO));
	cr_assert_eq(strncmp(fake_heard(&f, client), "250-", 4), 0);
}

static void
teardown(void)
{
	close(client);
	fake_turns(&f);
	fake_clear(&f);
}

TestSuite(smtpd_session, .init = setup, .fini = teardown, .timeout = 20);

/* What the server says has a line that begins so. */
static void
expect_line(const char *heard, const char *wanted)
{
	size_t n = strlen(wanted);

	for (const char *p = heard; p != NULL && *p != '\0';
	    p = strchr(p, '\n'), p = p != NULL ? p + 1 : NULL)
		if (strncmp(p, wanted, n) == 0)
			return;
	cr_assert_fail("no line `%s` in: %s", wanted, heard);
}

static void
expect_none(const char *heard, const char *unwanted)
{
	cr_assert_null(strstr(heard, unwanted), "`%s` in: %s", unwanted,
	    heard);
}

Test(smtpd_session, a_message_goes_over_whole)
{
	const char *trace;

	fake_live(&f, CREDIT);
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	expect_line(fake_heard(&f, client), "250 2.0.0 0000000000001\r");
	cr_assert_eq(f.submit_count, 1);
	cr_expect_eq(f.submits[0].rcpts, 1);
	cr_expect_eq(f.submits[0].flags, CONTENT_DOTS);
	cr_expect_not(f.submits[0].is_streamed);
	cr_expect(span_equal(buf_span(&f.body),
	    SPAN_LIT("Subject: x\r\n\r\n.x\r\n")));
	buf_add_byte(&f.trace, 0);
	trace = (const char *)f.trace.p;
	cr_expect_eq(strncmp(trace, "Received: from c.example ([127.0.0.1])",
	    38), 0, "%s", trace);
	cr_expect_not_null(strstr(trace, "by mx.example with ESMTP id ID"));
	cr_expect_not_null(strstr(trace, "for <c@d.example>;"));
	fake_say(&f, client, SPAN_LIT("QUIT\r\n"));
	expect_line(fake_heard(&f, client), "221 2.0.0");
	cr_expect_eq(f.server.session_count, 0);
}

/* S5321-64: no FOR with two recipients. */
Test(smtpd_session, trace_of_two_recipients)
{
	fake_live(&f, CREDIT);
	begin();
	fake_say(&f, client, SPAN_LIT(ENVELOPE "RCPT TO:<e@f.example>\r\n"
	    "DATA\r\n.\r\n"));
	cr_assert_eq(f.submit_count, 1);
	cr_expect_eq(f.submits[0].rcpts, 2);
	buf_add_byte(&f.trace, 0);
	cr_expect_null(strstr((const char *)f.trace.p, "for <"));
}

/* No reply before queued's answer; pipelined commands wait for it. */
Test(smtpd_session, the_reply_waits_for_the_answer)
{
	fake_live(&f, CREDIT);
	f.is_holding = true;
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE "NOOP\r\n"));
	expect_none(fake_heard(&f, client), "250 2.0.0");
	cr_assert_eq(f.submit_count, 1);
	fake_answer(&f, f.submits[0].token, SUBMIT_ACCEPTED);
	expect_line(fake_heard(&f, client), "250 2.0.0 Still here");
}

Test(smtpd_session, each_failure_has_its_reply)
{
	static const struct { uint8_t result; const char *reply; } rows[] = {
		{ SUBMIT_NO_ROOM, "452 4.3.1" }, { SUBMIT_IO, "451 4.3.0" },
		{ SUBMIT_MALFORMED, "451 4.3.0" },
	};

	fake_live(&f, CREDIT);
	begin();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		f.result = rows[i].result;
		fake_say(&f, client, SPAN_LIT(MESSAGE));
		expect_line(fake_heard(&f, client), rows[i].reply);
	}
}

Test(smtpd_session, without_credit_it_waits)
{
	fake_live(&f, 0);
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	cr_assert_eq(f.submit_count, 0);
	fake_credit(&f, 1);
	expect_line(fake_heard(&f, client), "250 2.0.0");
	cr_expect_eq(f.submit_count, 1);
}

Test(smtpd_session, a_short_absence_of_queued_is_not_seen)
{
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	expect_none(fake_heard(&f, client), "250 2.0.0");
	fake_live(&f, CREDIT);
	expect_line(fake_heard(&f, client), "250 2.0.0 0000000000001");
}

/* It was stored before queued died: not once more. */
Test(smtpd_session, a_known_token_is_not_sent_again)
{
	fake_live(&f, CREDIT);
	f.is_holding = true;
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	fake_die(&f);
	f.asked_result = SUBMIT_ACCEPTED;
	fake_live(&f, CREDIT);
	expect_line(fake_heard(&f, client), "250 2.0.0 0000000000001");
	cr_expect_eq(f.asked, 1);
	cr_expect_eq(f.submit_count, 1);
}

/* It was not: then under another token. */
Test(smtpd_session, an_unknown_token_is_sent_again)
{
	fake_live(&f, CREDIT);
	f.is_holding = true;
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	fake_die(&f);
	f.is_holding = false;
	fake_live(&f, CREDIT);
	expect_line(fake_heard(&f, client), "250 2.0.0 0000000000001");
	cr_expect_eq(f.asked, 1);
	cr_assert_eq(f.submit_count, 2);
	cr_expect_neq(f.submits[0].token, f.submits[1].token);
	cr_expect_eq(f.submits[1].inline_bytes, f.submits[0].inline_bytes);
}

/* Dead again before it answered. */
Test(smtpd_session, asked_twice)
{
	fake_live(&f, CREDIT);
	f.is_holding = true;
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	fake_die(&f);
	fake_live(&f, 0);	/* unknown; no credit to send it again */
	fake_die(&f);
	cr_expect_eq(f.submit_count, 1);
	f.is_holding = false;
	fake_live(&f, CREDIT);
	expect_line(fake_heard(&f, client), "250 2.0.0");
	cr_expect_eq(f.submit_count, 2);
}

/* S5321-30: the client goes; what queued has is settled, the rest dropped. */
Test(smtpd_session, clients_that_go_away)
{
	fake_live(&f, CREDIT);
	begin();
	fake_say(&f, client, SPAN_LIT(ENVELOPE "DATA\r\nx\r\n"));
	close(client);
	fake_turns(&f);
	cr_expect_eq(f.submit_count, 0);
	cr_expect_eq(f.server.session_count, 0);

	f.is_holding = true;
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	shutdown(client, SHUT_WR);
	fake_turns(&f);
	cr_expect_eq(f.server.session_count, 1);
	fake_answer(&f, f.submits[0].token, SUBMIT_ACCEPTED);
	expect_line(fake_heard(&f, client), "250 2.0.0");
	cr_expect_eq(f.server.session_count, 0);
}

/* Everything in one piece and its side ended: all of it is answered. */
Test(smtpd_session, a_client_that_only_listens)
{
	const char *heard;

	fake_live(&f, CREDIT);
	begin();
	cr_assert_gt(send(client, MESSAGE MESSAGE "QUIT\r\n",
	    sizeof(MESSAGE MESSAGE "QUIT\r\n") - 1, 0), 0);
	shutdown(client, SHUT_WR);
	heard = fake_heard(&f, client);
	expect_line(heard, "250 2.0.0 0000000000001");
	expect_line(heard, "221 2.0.0");
	cr_expect_eq(f.submit_count, 2);
	cr_expect_eq(f.server.session_count, 0);
}

static bool
can_say(int fd, int64_t within_ms)
{
	int64_t until = clock_mono_ms() + within_ms;

	while (clock_mono_ms() < until) {
		if (send(fd, "X", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			return false;
		fake_turns(&f);
	}
	return true;
}

/* A socket closed with input behind its last reply would reset the connection,
 * and with it the reply. */
Test(smtpd_session, after_quit_it_is_closed_at_once_unless_more_came)
{
	fake_live(&f, CREDIT);
	begin();
	fake_say(&f, client, SPAN_LIT("QUIT\r\n"));
	expect_line(fake_heard(&f, client), "221 2.0.0");
	cr_expect_not(can_say(client, 500));
	(void)close(client);
	begin();
	fake_say(&f, client, SPAN_LIT("QUIT\r\nNOOP\r\n"));
	expect_line(fake_heard(&f, client), "221 2.0.0");
	cr_expect(can_say(client, 500));
}

/* ---- large bodies ---- */

static struct buf
large_body(size_t lines)
{
	struct buf b;

	buf_init(&b, 64U << 20);
	for (size_t i = 0; i < lines; i++)
		buf_addf(&b, "%062zu\r\n", i);
	return b;
}

static void
send_large(const struct buf *body)
{
	fake_say(&f, client, SPAN_LIT(ENVELOPE "DATA\r\n"));
	fake_say(&f, client, buf_span(body));
	fake_say(&f, client, SPAN_LIT(".\r\n"));
}

Test(smtpd_session, a_large_body_goes_in_pieces)
{
	struct buf body = large_body(50000);

	fake_live(&f, CREDIT);
	f.body_credit = 100000;
	begin();
	send_large(&body);
	expect_line(fake_heard(&f, client), "250 2.0.0 0000000000001");
	cr_assert_eq(f.submit_count, 1);
	cr_expect(f.submits[0].is_streamed);
	cr_expect_eq(f.submits[0].body_bytes, body.n);
	cr_expect_eq(f.submits[0].inline_bytes, 0);
	cr_expect(span_equal(buf_span(&f.streamed), buf_span(&body)));
	buf_clear(&body);
}

/* BODY in chunks of N octets, and the last one, an empty one, if IS_LAST. */
static void
send_chunks(const struct buf *body, size_t n, bool is_last)
{
	char line[64];

	fake_say(&f, client, SPAN_LIT(ENVELOPE));
	for (size_t at = 0; at < body->n; at += n) {
		struct span chunk = span_sub(buf_span(body), at, n);

		(void)snprintf(line, sizeof(line), "BDAT %zu\r\n", chunk.n);
		fake_say(&f, client, span_str(line));
		fake_say(&f, client, chunk);
	}
	if (is_last)
		fake_say(&f, client, SPAN_LIT("BDAT 0 LAST\r\n"));
}

/* BDAT-11: also when half of it is with queued already. */
Test(smtpd_session, a_large_body_comes_in_chunks)
{
	struct buf body = large_body(50000), small = large_body(3);

	fake_live(&f, CREDIT);
	f.body_credit = 100000;
	begin();
	send_chunks(&body, 700001, true);
	expect_line(fake_heard(&f, client), "250 2.0.0 0000000000001");
	cr_assert_eq(f.submit_count, 1);
	cr_expect(f.submits[0].is_streamed);
	cr_expect_eq(f.submits[0].body_bytes, body.n);
	cr_expect(span_equal(buf_span(&f.streamed), buf_span(&body)));
	send_chunks(&body, 700001, false);
	cr_expect_eq(f.submit_count, 1);
	fake_say(&f, client, SPAN_LIT("RSET\r\n"));
	expect_line(fake_heard(&f, client), "250 2.0.0 Forgotten");
	send_chunks(&small, 100, true);
	expect_line(fake_heard(&f, client), "250 2.0.0 0000000000001");
	cr_assert_eq(f.submit_count, 2);
	cr_expect_eq(f.submits[1].body_bytes, small.n);
	buf_clear(&body);
	buf_clear(&small);
}

/* Just above and at the limit between the two ways. */
Test(smtpd_session, the_limit_of_an_inline_body)
{
	const size_t lines = SPOOL_INLINE_MAX / 64;

	fake_live(&f, 16U << 20);
	f.body_credit = 100000;
	begin();
	for (size_t n = lines - 1; n <= lines + 1; n++) {
		struct buf body = large_body(n);

		send_large(&body);
		expect_line(fake_heard(&f, client), "250 2.0.0");
		cr_expect_eq(f.submits[f.submit_count - 1].body_bytes,
		    body.n);
		cr_expect_eq(f.submits[f.submit_count - 1].is_streamed,
		    n > lines);
		buf_clear(&body);
	}
	cr_expect_eq(f.submit_count, 3);
}

/* I-06: a queued that takes nothing stops the client, not our memory. */
Test(smtpd_session, without_body_credit_memory_stays_bounded)
{
	struct buf body = large_body(50000);

	fake_live(&f, CREDIT);
	begin();
	send_large(&body);	/* only part of it is taken */
	cr_expect_eq(f.opened, 1);
	cr_expect_leq(f.server.bodies.used_bytes, BODIES_BUF_MAX);
	fake_body_failed(&f, (UINT64_C(7) << 40) + 1, SUBMIT_NO_ROOM);
	fake_turns(&f);
	cr_expect_eq(f.server.bodies.used_bytes, 0);
	buf_clear(&body);
}

Test(smtpd_session, a_failed_body_is_refused_at_its_end)
{
	struct buf body = large_body(6000);

	fake_live(&f, CREDIT);
	begin();
	send_large(&body);
	cr_expect_eq(f.opened, 1);
	fake_body_failed(&f, (UINT64_C(7) << 40) + 1, SUBMIT_NO_ROOM);
	fake_turns(&f);
	expect_line(fake_heard(&f, client), "452 4.3.1");
	cr_expect_eq(f.submit_count, 0);
	/* and nothing is left of it */
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	expect_line(fake_heard(&f, client), "250 2.0.0 0000000000001");
	buf_clear(&body);
}

Test(smtpd_session, queued_dies_with_half_a_body)
{
	struct buf body = large_body(6000);

	fake_live(&f, CREDIT);
	f.body_credit = 65536;
	begin();
	fake_say(&f, client, SPAN_LIT(ENVELOPE "DATA\r\n"));
	fake_say(&f, client, buf_span(&body));
	cr_assert_gt(f.streamed.n, 0);
	fake_die(&f);
	fake_live(&f, CREDIT);
	fake_say(&f, client, SPAN_LIT(".\r\n"));
	expect_line(fake_heard(&f, client), "451 4.3.0");
	cr_expect_eq(f.submit_count, 0);
	buf_clear(&body);
}

/* A client that has sent a whole large message, and ended its side, while
 * nothing of it can go over. */
static void
send_and_end(void)
{
	struct buf body = large_body(SPOOL_INLINE_MAX / 64);

	begin();
	fake_say(&f, client, SPAN_LIT(ENVELOPE "DATA\r\n"));
	fake_say(&f, client, buf_span(&body));
	/* too much with this line, which comes together with the end */
	fake_say(&f, client, SPAN_LIT("x\r\n.\r\n"));
	shutdown(client, SHUT_WR);
	fake_turns(&f);
	buf_clear(&body);
	cr_assert_eq(f.server.session_count, 1);
}

/* The answer is the session's end, too. */
Test(smtpd_session, queued_dies_before_the_body_of_one_that_listens)
{
	fake_live(&f, CREDIT);
	send_and_end();
	cr_assert_eq(f.opened, 1);
	fake_die(&f);
	fake_turns(&f);
	expect_line(fake_heard(&f, client), "451 4.3.0");
	cr_expect_eq(f.server.session_count, 0);
}

Test(smtpd_session, given_up_before_the_body_of_one_that_listens)
{
	send_and_end();
	session_give_up(CONTAINER_OF(list_first(&f.server.sessions),
	    struct session, node));
	fake_turns(&f);
	expect_line(fake_heard(&f, client), "451 4.3.0");
	cr_expect_eq(f.server.session_count, 0);
}

/* The client of a large body goes: queued is told to forget it. */
Test(smtpd_session, a_dropped_body)
{
	struct buf body = large_body(6000);

	fake_live(&f, CREDIT);
	f.body_credit = 65536;
	begin();
	fake_say(&f, client, SPAN_LIT(ENVELOPE "DATA\r\n"));
	fake_say(&f, client, buf_span(&body));
	close(client);
	fake_turns(&f);
	cr_expect_eq(f.dropped, 1);
	cr_expect_eq(f.server.session_count, 0);
	buf_clear(&body);
}

/* A large body that comes while queued is away waits in the client. */
Test(smtpd_session, a_large_body_waits_for_queued)
{
	struct buf body = large_body(6000);

	f.body_credit = 1U << 20;
	begin();
	send_large(&body);
	expect_none(fake_heard(&f, client), "250 2.0.0");
	fake_live(&f, CREDIT);
	fake_turns(&f);
	expect_line(fake_heard(&f, client), "250 2.0.0");
	cr_expect(span_equal(buf_span(&f.streamed), buf_span(&body)));
	buf_clear(&body);
}

/* When memory is short smaller bodies go in pieces, too. */
Test(smtpd_session, memory_pressure)
{
	struct buf body = large_body(2000);	/* 128,000 octets */

	fake_live(&f, CREDIT);
	f.body_credit = 1U << 20;
	f.server.bodies.budget_bytes = 10000;
	begin();
	send_large(&body);
	expect_line(fake_heard(&f, client), "250 2.0.0");
	cr_expect(f.submits[0].is_streamed);
	cr_expect(span_equal(buf_span(&f.streamed), buf_span(&body)));
	buf_clear(&body);
}

/* … but not those that are whole already and wait their turn. */
Test(smtpd_session, memory_pressure_behind_the_end)
{
	struct buf body = large_body(2000);

	fake_live(&f, 0);
	begin();
	send_large(&body);
	f.server.bodies.budget_bytes = 10000;
	fake_die(&f);
	fake_live(&f, 0);
	cr_expect_eq(f.opened, 0);
	fake_credit(&f, CREDIT);
	expect_line(fake_heard(&f, client), "250 2.0.0");
	cr_expect_eq(f.submit_count, 1);
	cr_expect_eq(f.submits[0].inline_bytes, body.n);
	buf_clear(&body);
}

/* Many large bodies and a queued that takes nothing: each keeps little. */
Test(smtpd_session, many_under_pressure)
{
	struct buf body = large_body(2000);
	int many[40];

	fake_live(&f, CREDIT);
	f.server.bodies.budget_bytes = 100000;
	for (size_t i = 0; i < COUNT_OF(many); i++) {
		begin();
		many[i] = client;
		send_large(&body);
	}
	cr_expect_leq(f.server.bodies.used_bytes,
	    100000 + COUNT_OF(many) * 64 * 1024);
	for (size_t i = 0; i + 1 < COUNT_OF(many); i++)
		close(many[i]);
	/* queued wakes up */
	f.body_credit = 1U << 20;
	for (uint64_t token = 1; token <= COUNT_OF(many); token++)
		fake_body_credit(&f, (UINT64_C(7) << 40) + token, 1U << 20);
	for (int i = 0; i < 20; i++)
		fake_turns(&f);
	expect_line(fake_heard(&f, client), "250 2.0.0");
	cr_expect_eq(f.server.session_count, 1);
	buf_clear(&body);
}

/* Idle sessions own no buffers. */
Test(smtpd_session, an_idle_session_is_small)
{
	fake_live(&f, CREDIT);
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	cr_expect_eq(f.server.bodies.used_bytes, 0);
	cr_expect_leq(f.server.bodies.spares, 1);
}

/* S5321-32 */
Test(smtpd_session, drain)
{
	struct session *s;

	fake_live(&f, CREDIT);
	f.is_holding = true;
	begin();
	fake_say(&f, client, SPAN_LIT(MESSAGE));
	s = CONTAINER_OF(list_first(&f.server.sessions), struct session, node);
	session_drain(s);
	expect_none(fake_heard(&f, client), "421");
	fake_answer(&f, f.submits[0].token, SUBMIT_ACCEPTED);
	expect_line(fake_heard(&f, client), "421 4.3.2");
	cr_expect_eq(f.server.session_count, 0);
}
