/*
 * STARTTLS in the dialogue, RFC 3207: what is forgotten, what is offered, what
 * is never executed.  TLS-01 to -04, TLS-07 to -09, T05, T06.
 */
#include "common/base/check.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>

static struct play p;

static void
begin(void)
{
	play_init(&p);
	p.door.may_tls = true;
}

static void
end(void)
{
	play_clear(&p);
}

TestSuite(smtpd_starttls, .init = begin, .fini = end);

static bool
said(const char *word)
{
	buf_add_byte(&p.out, '\0');
	p.out.n--;
	return strstr((const char *)p.out.p, word) != NULL;
}

static void
secure(void)
{
	play_say(&p, "EHLO c\r\nSTARTTLS\r\n");
	cr_assert(p.is_shaking);
	rx_secured(p.rx);
	buf_reset(&p.out);
}

Test(smtpd_starttls, is_offered_where_it_works)
{
	play_connect(&p, "192.0.2.1");
	play_say(&p, "EHLO c\r\n");
	cr_expect(said("250-STARTTLS\r\n"));
	secure();
	play_say(&p, "EHLO c\r\n");
	cr_expect_not(said("STARTTLS"));
	cr_expect_eq(play_code(&p, "STARTTLS\r\n"), 503);
	p.door.may_tls = false;
	play_connect(&p, "192.0.2.1");
	play_say(&p, "EHLO c\r\n");
	cr_expect_not(said("STARTTLS"));
	cr_expect_eq(play_code(&p, "STARTTLS\r\n"), 502);
}

/* The greeting and all behind it may be somebody else's. */
Test(smtpd_starttls, what_was_known_before_is_forgotten)
{
	play_connect(&p, "127.0.0.1");
	secure();
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 503);
	cr_expect_eq(rx_helo(p.rx).n, 0);
	cr_expect_eq(rx_state(p.rx), RX_START);
	play_say(&p, "EHLO c\r\nMAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<c@example.org>\r\nDATA\r\nx\r\n.\r\n");
	cr_expect_eq(p.submits, 1);
}

Test(smtpd_starttls, nothing_behind_it_is_executed)
{
	static const char *const behind[] = {
		"STARTTLS\r\nNOOP\r\n", "STARTTLS\r\nEHLO x\r\nRSET\r\n",
		"STARTTLS\r\n\x16\x03\x01", "STARTTLS\r\nM",
		"STARTTLS\r\nMAIL FROM:<evil@b.example>\r\n"
		    "RCPT TO:<c@example.org>\r\nDATA\r\nx\r\n.\r\n",
	};

	for (size_t i = 0; i < COUNT_OF(behind); i++) {
		play_connect(&p, "127.0.0.1");
		play_say(&p, "EHLO c\r\n");
		buf_reset(&p.out);
		cr_expect_eq(play_code(&p, behind[i]), 554, "%zu", i);
		cr_expect(p.is_closed);
		cr_expect_not(p.is_shaking);
		cr_expect_eq(p.submits, 0);
	}
}

/* While the handshake is under way nothing is a command. */
Test(smtpd_starttls, the_handshake_is_deaf)
{
	play_connect(&p, "127.0.0.1");
	play_say(&p, "EHLO c\r\nSTARTTLS\r\n");
	buf_reset(&p.out);
	play_say(&p, "NOOP\r\n");
	cr_expect_eq(p.out.n, 0);
	cr_expect_eq(rx_state(p.rx), RX_HANDSHAKE);
}

Test(smtpd_starttls, keyd_is_away)
{
	play_connect(&p, "192.0.2.1");
	p.site.has_signer = false;
	play_say(&p, "EHLO c\r\n");
	cr_expect_eq(play_code(&p, "STARTTLS\r\n"), 454);
	cr_expect_eq(play_code(&p, "NOOP\r\n"), 250);
	p.site.has_signer = true;
	cr_expect_eq(play_code(&p, "STARTTLS\r\n"), 220);
}

/* Submission: 530 for all but what leads to TLS, or away. */
Test(smtpd_starttls, where_it_is_required_nothing_else_goes_on)
{
	static const struct {
		const char *line;
		unsigned code;
	} rows[] = {
		{ "NOOP\r\n", 250 }, { "EHLO c\r\n", 250 },
		{ "MAIL FROM:<a@b.example>\r\n", 530 },
		{ "RCPT TO:<c@example.org>\r\n", 530 },
		{ "DATA\r\n", 530 }, { "RSET\r\n", 530 },
		{ "VRFY a\r\n", 530 }, { "HELP\r\n", 530 },
		{ "AUTH PLAIN AAA=\r\n", 530 }, { "ETRN d\r\n", 530 },
		{ "EXPN d\r\n", 530 }, { "WHAT\r\n", 500 },
		{ "STARTTLS\r\n", 220 },
	};

	p.door.needs_tls = true;
	play_connect(&p, "127.0.0.1");
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		cr_expect_eq(play_code(&p, rows[i].line), rows[i].code, "%s",
		    rows[i].line);
	rx_secured(p.rx);
	cr_expect_eq(play_code(&p, "EHLO c\r\n"), 250);
	cr_expect_neq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 0);
}

/* A port for everybody requires nothing (RFC 3207 4). */
Test(smtpd_starttls, elsewhere_mail_is_taken_in_clear)
{
	play_connect(&p, "192.0.2.1");
	play_say(&p, "EHLO c\r\nMAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<c@example.org>\r\nDATA\r\nx\r\n.\r\n");
	cr_expect_eq(p.submits, 1);
}

/* RFC 8689: RTLS-01, RTLS-09. */
Test(smtpd_starttls, requiretls_is_offered_inside_only)
{
	struct rx_message m;

	play_connect(&p, "127.0.0.1");
	play_say(&p, "EHLO c\r\n");
	cr_expect_not(said("REQUIRETLS"));
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example> REQUIRETLS\r\n"),
	    555);
	secure();
	p.is_holding = true;
	play_say(&p, "EHLO c\r\n");
	cr_expect(said("REQUIRETLS\r\n"));
	cr_expect_eq(play_code(&p,
	    "MAIL FROM:<a@b.example> REQUIRETLS=1\r\n"), 501);
	play_say(&p, "MAIL FROM:<a@b.example> requiretls\r\n"
	    "RCPT TO:<c@example.org>\r\nDATA\r\nx\r\n.\r\n");
	rx_message(p.rx, &m);
	cr_expect((m.head.flags & ENVELOPE_REQUIRE_TLS) != 0);
	play_submitted(&p, RX_ACCEPTED);
	/* of one message, not of the session */
	play_say(&p, "MAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<c@example.org>\r\nDATA\r\nx\r\n.\r\n");
	rx_message(p.rx, &m);
	cr_expect((m.head.flags & ENVELOPE_REQUIRE_TLS) == 0);
}

/* TLS from the start on: no STARTTLS, and the greeting is said inside. */
Test(smtpd_starttls, implicit)
{
	struct rx_message m;

	p.door = (struct rx_door){ .is_tls = true, .needs_tls = true };
	p.is_holding = true;
	play_connect(&p, "127.0.0.1");
	rx_secured(p.rx);
	cr_expect_eq(play_code(&p, "EHLO c\r\n"), 250);
	cr_expect_not(said("STARTTLS"));
	play_say(&p, "MAIL FROM:<a@b.example>\r\n"
	    "RCPT TO:<c@example.org>\r\nDATA\r\nx\r\n.\r\n");
	cr_expect_eq(p.submits, 1);
	rx_message(p.rx, &m);
	cr_expect(m.is_tls);
}
