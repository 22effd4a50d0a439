/* Recipients that are senders which we have rewritten. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "play.h"
#include "smtpd/engine/rx_srs.h"

#define ADDRESS "SRS0=ABCDEF=AA=s.example=u@srs.example"

static struct play p;
static struct conf_route route = { .srs = "srs.example" };

static void
begin(void)
{
	play_init(&p);
	p.conf->routes.v = &route;
	p.conf->routes.n = 1;
	play_connect(&p, "192.0.2.1");
	play_say(&p, "EHLO c.example\r\nMAIL FROM:<>\r\n");
	buf_reset(&p.out);
}

static void
end(void)
{
	p.conf->routes.n = 0;
	play_clear(&p);
}

TestSuite(smtpd_srs, .init = begin, .fini = end);

static unsigned
answer(enum rx_verdict verdict, struct span address)
{
	cr_assert_eq(rx_state(p.rx), RX_ASKING);
	buf_reset(&p.out);
	cr_expect_eq(rx_srs_answered(p.rx, verdict, address, &p.out),
	    p.out.p[0] != '2');
	play_feed(&p, SPAN_NONE);
	buf_add_byte(&p.out, '\0');
	return (unsigned)atoi((const char *)p.out.p);
}

Test(smtpd_srs, asked)
{
	struct span address;

	play_say(&p, "RCPT TO:<" ADDRESS ">\r\n");
	cr_assert(rx_srs_question(p.rx, &address));
	cr_expect(span_equal(address, SPAN_LIT(ADDRESS)));
	cr_expect_eq(p.out.n, 0);
	cr_expect_eq(answer(RX_VERDICT_GOOD, SPAN_LIT("u@s.example")), 250);
	cr_expect_not(rx_srs_question(p.rx, &address));
	play_say(&p, "DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n");
	buf_add_byte(&p.messages, '\0');
	cr_expect_not_null(strstr((const char *)p.messages.p,
	    "to=<u@s.example>"));
}

/* It may be good for a letter beyond ASCII, but only with SMTPUTF8. */
Test(smtpd_srs, refused)
{
	struct span address;

	play_say(&p, "RCPT TO:<" ADDRESS ">\r\n");
	cr_expect_eq(answer(RX_VERDICT_BAD, SPAN_NONE), 550);
	play_say(&p, "RCPT TO:<" ADDRESS ">\r\n");
	cr_expect_eq(answer(RX_VERDICT_LATER, SPAN_NONE), 451);
	play_say(&p, "RCPT TO:<" ADDRESS ">\r\n");
	cr_expect_eq(answer(RX_VERDICT_GOOD, SPAN_LIT("\xc3\xa9@s.example")),
	    550);
	cr_expect_not(rx_srs_question(p.rx, &address));
	buf_reset(&p.out);
	cr_expect_eq(play_code(&p, "DATA\r\n"), 554);
}

/* What is in no domain of a rule, or too long, is as before. */
Test(smtpd_srs, not_ours)
{
	char line[256] = "RCPT TO:<";

	memset(line + 9, 'x', 65);
	(void)strcpy(line + 74, "@example.org>\r\n");
	cr_expect_eq(play_code(&p, line), 501);
	cr_expect_eq(play_code(&p,
	    "RCPT TO:<SRS0=ABCDEF=AA=s.example=u@other.example>\r\n"), 550);
	cr_expect_eq(play_code(&p, "RCPT TO:<u@srs.example>\r\n"), 550);
	cr_expect_eq(p.asks, 0);
}

/* Its parameters are kept, and the client may go meanwhile. */
Test(smtpd_srs, parameters)
{
	play_say(&p, "RCPT TO:<" ADDRESS "> NOTIFY=NEVER "
	    "ORCPT=rfc822;a@b.example\r\n");
	cr_expect_eq(answer(RX_VERDICT_GOOD, SPAN_LIT("u@s.example")), 250);
	play_say(&p, "RCPT TO:<" ADDRESS ">\r\n");
	cr_expect_eq(rx_state(p.rx), RX_ASKING);
}
