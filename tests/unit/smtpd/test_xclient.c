/* XCLIENT in the dialogue.  XCL-01 to -10 */
#include "common/base/check.h"
#include "smtpd/engine/rx_auth.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>
#include <string.h>

static struct play p;

static void
setup(void)
{
	play_init(&p);
	p.door.may_xclient = true;
	play_connect(&p, "127.0.0.1");
}

static void
teardown(void)
{
	play_clear(&p);
}

TestSuite(smtpd_xclient, .init = setup, .fini = teardown);

static bool
offers(void)
{
	static const char row[] = "-XCLIENT NAME ADDR PORT PROTO HELO LOGIN "
	    "DESTADDR DESTPORT\r\n";

	buf_reset(&p.out);
	play_say(&p, "EHLO c.example\r\n");
	buf_add_byte(&p.out, '\0');
	return strstr((const char *)p.out.p, row) != NULL;
}

static bool
may_relay(void)
{
	bool is_taken;

	play_say(&p, "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n");
	is_taken = play_code(&p, "RCPT TO:<c@else.example>\r\n") == 250;
	play_say(&p, "RSET\r\n");
	return is_taken;
}

static void
expect_client(const char *text)
{
	char is[IPADDR_TEXT_SIZE];

	ipaddr_format(rx_client(p.rx), is);
	cr_expect_str_eq(is, text);
}

/* XCL-01 XCL-06: named clients alone, and they stay so. */
Test(smtpd_xclient, for_named_clients)
{
	cr_expect(offers());
	cr_expect_eq(play_code(&p, "XCLIENT ADDR=192.0.2.1\r\n"), 220);
	cr_expect_eq(p.clients, 1);
	expect_client("192.0.2.1");
	cr_expect_not(rx_is_trusted(p.rx));
	cr_expect(offers());
	p.door.may_xclient = false;
	play_connect(&p, "127.0.0.1");
	cr_expect_not(offers());
	cr_expect_eq(play_code(&p, "XCLIENT ADDR=192.0.2.1\r\n"), 550);
	expect_client("127.0.0.1");
}

/* XCL-07: all that was is forgotten, and the greeting comes again. */
Test(smtpd_xclient, begins_anew)
{
	play_say(&p, "EHLO c.example\r\n");
	cr_expect_eq(play_code(&p, "XCLIENT ADDR=192.0.2.1\r\n"), 220);
	cr_expect(span_equal(buf_span(&p.out),
	    SPAN_LIT("220 mx.example ESMTP mtad\r\n")));
	cr_expect_eq(rx_helo(p.rx).n, 0);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 503);
	cr_expect_eq(play_code(&p, "EHLO d.example\r\n"), 250);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
	/* XCL-08: not inside a transaction */
	cr_expect_eq(play_code(&p, "XCLIENT ADDR=127.0.0.1\r\n"), 503);
	cr_expect_eq(play_code(&p, "RCPT TO:<c@example.org>\r\n"), 250);
	cr_expect_eq(play_code(&p, "XCLIENT ADDR=127.0.0.1\r\n"), 503);
	cr_expect_eq(play_code(&p, "RCPT TO:<c@else.example>\r\n"), 550);
	cr_expect_eq(play_code(&p, "BDAT 1\r\nx"), 250);
	cr_expect_eq(play_code(&p, "XCLIENT ADDR=127.0.0.1\r\n"), 503);
	cr_expect_eq(p.clients, 1);
}

/* Trust is that of the address, either way; nobody's is none. */
Test(smtpd_xclient, trust)
{
	cr_expect(may_relay());
	play_say(&p, "XCLIENT ADDR=192.0.2.1\r\n");
	cr_expect_not(may_relay());
	play_say(&p, "XCLIENT ADDR=IPV6:::1\r\n");
	cr_expect(may_relay());
	play_say(&p, "XCLIENT ADDR=[UNAVAILABLE]\r\n");
	cr_expect_not(may_relay());
	expect_client("none");
	/* who gives no address keeps the one of before; LOGIN gives nothing */
	play_say(&p, "XCLIENT NAME=localhost LOGIN=admin\r\n");
	cr_expect_not(may_relay());
	play_say(&p, "XCLIENT ADDR=IPV6:::ffff:127.0.0.9\r\n");
	cr_expect(may_relay());
	expect_client("127.0.0.9");
}

/* With HELO it need not say who it is. */
Test(smtpd_xclient, helo_and_proto)
{
	struct rx_message m;

	play_say(&p, "XCLIENT ADDR=192.0.2.1 PROTO=ESMTP HELO=h.example\r\n");
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example> SIZE=1\r\n"),
	    250);
	cr_expect_eq(play_code(&p, "RCPT TO:<c@example.org>\r\n"), 250);
	p.is_holding = true;
	play_say(&p, "DATA\r\nx\r\n.\r\n");
	rx_message(p.rx, &m);
	cr_expect(m.is_esmtp);
	cr_expect(span_equal(m.head.helo, SPAN_LIT("h.example")));
	cr_expect_eq(m.head.client.n, 4);
	play_submitted(&p, RX_ACCEPTED);
	cr_expect_eq(play_code(&p, "XCLIENT PROTO=SMTP HELO=h\r\n"), 220);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example> SIZE=1\r\n"),
	    555);
	cr_expect_eq(play_code(&p, "EHLO i.example\r\n"), 250);
	cr_expect(span_equal(rx_helo(p.rx), SPAN_LIT("i.example")));
}

/* XCL-09: somebody else may have put it there. */
Test(smtpd_xclient, is_forgotten_behind_starttls)
{
	p.door.may_tls = true;
	play_connect(&p, "192.0.2.1");
	play_say(&p, "XCLIENT ADDR=127.0.0.1 NAME=n\r\n");
	cr_expect(may_relay());
	play_say(&p, "STARTTLS\r\n");
	cr_assert(p.is_shaking);
	rx_secured(p.rx);
	cr_expect_not(may_relay());
	cr_expect_eq(p.clients, 2);
	cr_expect_null(rx_xclient(p.rx));
	expect_client("192.0.2.1");
	/* inside it counts */
	cr_expect_eq(play_code(&p, "XCLIENT ADDR=127.0.0.1\r\n"), 220);
	cr_expect(may_relay());
}

/* XCL-10: a filter that authenticates gives none of that to the clients it
 * speaks for. */
Test(smtpd_xclient, has_no_user)
{
	static const uint8_t nonce[RX_AUTH_NONCE_BYTES];
	const struct rx_answer yes = { .verdict = RX_VERDICT_GOOD,
	    .nonce = nonce };

	p.site.has_passwords = true;
	p.door.is_tls = true;
	play_connect(&p, "192.0.2.9");
	rx_secured(p.rx);
	play_say(&p, "EHLO c\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
	cr_assert_eq(rx_state(p.rx), RX_ASKING);
	rx_answered(p.rx, &yes, &p.out);
	cr_expect(may_relay());
	play_say(&p, "XCLIENT ADDR=192.0.2.1\r\n");
	cr_expect_not(may_relay());
}

/* A mistake changes nothing. */
Test(smtpd_xclient, mistakes)
{
	static const char *const lines[] = {
		"XCLIENT\r\n", "XCLIENT ADDR=192.0.2.300\r\n",
		"XCLIENT ADDR=192.0.2.1 FOO=x\r\n",
		"XCLIENT ADDR=192.0.2.1 HELO=a+0D+0Ab\r\n",
	};

	for (size_t i = 0; i < COUNT_OF(lines); i++)
		cr_expect_eq(play_code(&p, lines[i]), 501, "%s", lines[i]);
	cr_expect_eq(p.clients, 0);
	cr_expect_null(rx_xclient(p.rx));
	expect_client("127.0.0.1");
}
