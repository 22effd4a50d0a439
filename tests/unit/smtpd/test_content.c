/*
 * The end of a message and nothing else ends it, wherever the pieces are cut:
 * S5321-03 S5321-04 T01; and what a session survives.
 */
#include "common/base/check.h"
#include "smtpd/engine/rx_impl.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>

#define LIT(s) { s, sizeof(s) - 1 }

/* Between lines of content: none of these is an end. */
static const struct { const char *p; size_t n; } false_ends[] = {
	LIT("\n.\n"), LIT("\n.\r"), LIT("\r.\n"), LIT("\r.\r"),
	LIT("\n.\r\n"), LIT("\r.\r\n"), LIT("\r\n.\n"), LIT("\r\n.\r"),
	LIT("\r\n.\r\r\n"), LIT("\r\r\n.\r\r\n"), LIT("\r\n\0.\r\n"),
	LIT("\r\n.\0\r\n"), LIT("\n\r.\r\n"), LIT("\n\n.\r\n"),
};

static void
begin(struct play *p)
{
	play_connect(p, "127.0.0.1");
	play_say(p, "HELO c\r\nMAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<c@example.org>\r\n");
	cr_assert_eq(play_code(p, "DATA\r\n"), 354);
	buf_reset(&p->out);
}

static void
try_cut(struct play *p, struct span text, size_t cut)
{
	begin(p);
	play_feed(p, span_sub(text, 0, cut));
	play_feed(p, span_from(text, cut));
	cr_expect_eq(play_count_replies(p), 0);
	cr_expect_eq(rx_state(p->rx), RX_IN_CONTENT);
	play_say(p, "\r\n.\r\n");
	cr_expect_eq(play_count_replies(p), 1);
	cr_expect_eq(rx_state(p->rx), RX_READY);
}

Test(smtpd_content, false_ends_at_every_cut)
{
	struct play p;
	char text[256];

	play_init(&p);
	for (size_t i = 0; i < COUNT_OF(false_ends); i++) {
		struct buf b;

		buf_init(&b, sizeof(text));
		buf_add_str(&b, "x");
		buf_add(&b, false_ends[i].p, false_ends[i].n);
		buf_add_str(&b, "MAIL FROM:<s@b.example>\r\nQUIT");
		for (size_t cut = 0; cut <= b.n; cut++)
			try_cut(&p, buf_span(&b), cut);
		buf_clear(&b);
	}
	play_clear(&p);
}

/* S5321-46 S5321-47 8BIT-02: a large message of every octet, in pieces of
 * every size up to 300, arrives as it was. */
Test(smtpd_content, bytes_arrive_as_they_were)
{
	struct play p;
	struct buf wire, want;

	play_init(&p);
	p.is_holding = true;
	buf_init(&wire, 1U << 20);
	buf_init(&want, 1U << 20);
	for (unsigned line = 0; line < 300; line++) {
		for (unsigned i = 0; i < line * 3; i++) {
			uint8_t c = (uint8_t)(line + i);

			if (c == '\r' || c == '\n')
				c = 'x';
			if (i == 0 && c == '.')
				buf_add_byte(&wire, '.');
			buf_add_byte(&wire, c);
			buf_add_byte(&want, c);
		}
		buf_add_str(&wire, "\r\n");
		buf_add_str(&want, "\r\n");
	}
	buf_add_str(&wire, ".\r\n");
	for (size_t piece = 1; piece <= 300; piece += 13) {
		begin(&p);
		for (size_t at = 0; at < wire.n; at += piece)
			play_feed(&p, span_sub(buf_span(&wire), at, piece));
		cr_assert_eq(rx_state(p.rx), RX_SUBMITTING);
		cr_expect(span_equal(buf_span(&p.body), buf_span(&want)));
		play_submitted(&p, RX_ACCEPTED);
	}
	buf_clear(&wire);
	buf_clear(&want);
	play_clear(&p);
}

/* Content that isn't wanted any more fills no memory. */
Test(smtpd_content, refused_content_is_dropped_at_once)
{
	struct play p;
	struct rx_message m;

	play_init(&p);
	p.conf->limits.message_bytes = 1000;
	begin(&p);
	for (int i = 0; i < 100; i++) {
		play_say(&p, "0123456789012345678901234567890123456789\r\n");
		cr_assert_leq(p.body.n, 1000 + 42);
	}
	cr_expect_eq(p.drops, 1);
	cr_expect_eq(p.body.n, 0);
	cr_expect_eq(play_code(&p, ".\r\n"), 552);

	begin(&p);
	play_say(&p, "x\r\n");
	rx_message(p.rx, &m);
	cr_expect_eq(m.body_bytes, 3);
	rx_body_failed(p.rx, RX_NO_ROOM);
	cr_expect_eq(play_code(&p, "y\r\n.\r\n"), 452);
	begin(&p);
	rx_body_failed(p.rx, RX_FAILED);
	cr_expect_eq(play_code(&p, ".\r\n"), 451);
	cr_expect_eq(play_code(&p, "DATA\r\n"), 503);
	play_clear(&p);
}

/* A body buffer at its end is a temporary refusal, I-06. */
Test(smtpd_content, no_memory_for_content)
{
	struct play p;

	play_init(&p);
	begin(&p);
	p.body.max = 16;
	play_say(&p, "0123456789012345678901234567890123456789\r\n");
	cr_expect_eq(play_code(&p, ".\r\n"), 452);
	cr_expect_eq(rx_state(p.rx), RX_READY);
	play_clear(&p);
}

/* A recipient for which there is no room leaves nothing of itself behind. */
Test(smtpd_content, no_memory_for_a_recipient)
{
	struct play p;

	play_init(&p);
	play_connect(&p, "127.0.0.1");
	play_say(&p, "EHLO c\r\nMAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<c@d.example>\r\n");
	p.rx->rcpts.max = p.rx->rcpts.n + 12;
	cr_expect_eq(play_code(&p, "RCPT TO:<e@f.example>\r\n"), 452);
	p.rx->rcpts.max = RX_RCPTS_MAX;
	cr_expect_eq(play_code(&p, "RCPT TO:<g@h.example>\r\n"), 250);
	play_say(&p, "DATA\r\n.\r\n");
	buf_add_byte(&p.messages, 0);
	cr_expect_not_null(strstr((const char *)p.messages.p,
	    "to=<c@d.example>,<g@h.example> "), "%s",
	    (const char *)p.messages.p);
	play_clear(&p);
}

/* The queue's answer comes late: what was sent meanwhile waits. */
Test(smtpd_content, commands_wait_for_the_queue)
{
	struct play p;

	play_init(&p);
	p.is_holding = true;
	begin(&p);
	play_say(&p, "x\r\n.\r\nNOOP\r\nQUIT\r\n");
	cr_expect_eq(play_count_replies(&p), 0);
	cr_expect_eq(rx_phase(p.rx, true), RX_PHASE_OURS);
	play_submitted(&p, RX_ACCEPTED);
	play_say(&p, "");
	cr_expect_eq(play_count_replies(&p), 3);
	cr_expect(p.is_closed);
	play_clear(&p);
}
