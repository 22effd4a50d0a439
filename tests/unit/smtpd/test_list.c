/* Very many recipients in one transaction: they leave the dialogue as they
 * gather, and what becomes of them does not shake it (I-04, I-06). */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "smtpd/engine/rx_impl.h"
#include "tests/unit/smtpd/play.h"

enum { MANY = 6000 };

static void
begin(struct play *p)
{
	play_init(p);
	p->conf->limits.recipients = 1000000;
	play_connect(p, "127.0.0.1");
	play_say(p, "EHLO c\r\nMAIL FROM:<a@b.example>\r\n");
	buf_reset(&p->out);
}

static void
say_recipients(struct play *p, unsigned n)
{
	char text[64];

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text),
		    "RCPT TO:<user%u@d.example>\r\n", i);
		play_say(p, text);
		cr_assert_lt(p->rx->rcpts.n, RX_RCPTS_PIECE + ADDRESS_MAX);
	}
}

/* I-04 */
Test(smtpd_list, all_of_them_in_order_and_no_memory)
{
	const char *at;
	char text[64];
	struct play p;

	begin(&p);
	say_recipients(&p, MANY);
	cr_expect_eq(play_count_replies(&p), MANY);
	cr_expect_geq(p.lists, 2);
	cr_assert_eq(play_code(&p, "DATA\r\n"), 354);
	cr_assert_eq(play_code(&p, "x\r\n.\r\n"), 250);
	cr_expect_eq(p.submits, 1);
	cr_expect_eq(p.drops, 0);
	buf_add_byte(&p.messages, 0);
	at = (const char *)p.messages.p;
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(text, sizeof(text), "<user%u@d.example>", i);
		at = strstr(at, text);
		cr_assert_not_null(at, "%s", text);
	}
	/* the next one is an ordinary one */
	buf_reset(&p.messages);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
	cr_expect_eq(play_code(&p, "RCPT TO:<one@d.example>\r\n"), 250);
	play_say(&p, "DATA\r\ny\r\n.\r\n");
	buf_add_byte(&p.messages, 0);
	cr_expect_str_eq((const char *)p.messages.p,
	    "from=<a@b.example> to=<one@d.example> body=y\\x0d\\x0a\r\n");
	play_clear(&p);
}

Test(smtpd_list, what_was_taken_is_dropped_with_its_transaction)
{
	static const char *const ends[] = { "RSET\r\n", "EHLO c\r\n",
	    "HELO c\r\n" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct play p;

		begin(&p);
		say_recipients(&p, 5000);
		cr_assert_gt(p.list.n, 0);
		play_say(&p, ends[i]);
		play_say(&p, "");
		cr_expect_eq(p.drops, 1);
		cr_expect_eq(p.list.n, 0);
		buf_reset(&p.out);
		cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"),
		    250);
		cr_expect_eq(play_code(&p, "RCPT TO:<o@d.example>\r\n"), 250);
		play_say(&p, "DATA\r\ny\r\n.\r\n");
		cr_expect_eq(p.submits, 1);
		cr_expect_eq(p.drops, 1);
		play_clear(&p);
	}
}

/* They can't be kept: the rest is refused, and DATA, until a new transaction
 * begins; whatever the client does, no half of them is sent to. */
Test(smtpd_list, what_cannot_be_kept_is_refused_for_now)
{
	static const unsigned codes[] = { [RX_NO_ROOM] = 452,
	    [RX_FAILED] = 451 };

	for (int how = RX_NO_ROOM; how <= RX_FAILED; how++) {
		struct play p;

		begin(&p);
		say_recipients(&p, 5000);
		rx_body_failed(p.rx, (enum rx_result)how);
		buf_reset(&p.out);
		cr_expect_eq(play_code(&p, "RCPT TO:<o@d.example>\r\n"),
		    codes[how]);
		cr_expect_eq(play_code(&p, "DATA\r\n"), codes[how]);
		cr_expect_eq(play_code(&p, "RCPT TO:<o@d.example>\r\n"),
		    codes[how]);
		cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
		cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"),
		    250);
		cr_expect_eq(play_code(&p, "RCPT TO:<o@d.example>\r\n"), 250);
		cr_expect_eq(play_code(&p, "DATA\r\n"), 354);
		cr_expect_eq(play_code(&p, ".\r\n"), 250);
		cr_expect_eq(p.submits, 1);
		play_clear(&p);
	}
}

/* Nothing goes on while they can't be taken, and nothing is lost of it. */
Test(smtpd_list, the_dialogue_waits_for_who_takes_them)
{
	struct play p;
	unsigned lists;

	begin(&p);
	p.is_keeping = true;
	say_recipients(&p, 5000);
	cr_expect(rx_is_list_due(p.rx));
	lists = p.lists;
	play_say(&p, "DATA\r\n");
	cr_expect_eq(p.lists, lists + 1);
	cr_expect_lt(play_count_replies(&p), 5000);
	p.is_keeping = false;
	play_say(&p, "");
	cr_expect_eq(play_count_replies(&p), 5001);
	cr_expect_eq(rx_state(p.rx), RX_IN_CONTENT);
	play_clear(&p);
}

Test(smtpd_list, the_limit_is_452_and_strangers_have_a_small_one)
{
	struct play p;

	begin(&p);
	p.conf->limits.recipients = 3000;
	say_recipients(&p, 3000);
	buf_reset(&p.out);
	cr_expect_eq(play_code(&p, "RCPT TO:<o@d.example>\r\n"), 452);
	cr_expect_eq(play_code(&p, "DATA\r\n"), 354);
	cr_expect_eq(play_code(&p, ".\r\n"), 250);
	play_clear(&p);
	play_init(&p);
	p.conf->limits.recipients = 3000;
	play_connect(&p, "192.0.2.1");
	play_say(&p, "EHLO c\r\nMAIL FROM:<a@b.example>\r\n");
	for (int i = 0; i < 1000; i++) {
		buf_reset(&p.out);
		cr_assert_eq(play_code(&p, "RCPT TO:<u@example.org>\r\n"),
		    250);
	}
	cr_expect_eq(play_code(&p, "RCPT TO:<u@example.org>\r\n"), 452);
	play_clear(&p);
}
