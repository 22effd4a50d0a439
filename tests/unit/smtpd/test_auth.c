/*
 * AUTH in the dialogue, RFC 4954: AUTH-01 to -14, -20, -21, SUB-01, SUB-10,
 * T06, T18.  With what TLS knows: test_auth_tls.c.
 */
#include "common/base/base64.h"
#include "common/base/check.h"
#include "smtpd/engine/rx_auth.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct play p;

static void
begin(void)
{
	play_init(&p);
	p.site.has_passwords = p.site.has_scram = true;
	p.door.is_tls = true;
	play_connect(&p, "192.0.2.1");
	rx_secured(p.rx);
	play_say(&p, "EHLO c\r\n");
}

static void
end(void)
{
	play_clear(&p);
}

TestSuite(smtpd_auth, .init = begin, .fini = end);

static bool
said(const char *word)
{
	buf_add_byte(&p.out, '\0');
	p.out.n--;
	return strstr((const char *)p.out.p, word) != NULL;
}

static unsigned
answer_with(const struct rx_answer *a)
{
	cr_assert_eq(rx_state(p.rx), RX_ASKING);
	buf_reset(&p.out);
	rx_answered(p.rx, a, &p.out);
	return p.out.n < 3 ? 0 : (unsigned)(p.out.p[0] - '0') * 100 +
	    (unsigned)(p.out.p[1] - '0') * 10 +
	    (unsigned)(p.out.p[2] - '0');
}

/* Answers the question that is due, and goes on with the input. */
static unsigned
answer(enum rx_verdict verdict)
{
	static const uint8_t nonce[RX_AUTH_NONCE_BYTES];
	const struct rx_answer a = {
		.verdict = verdict, .iterations = 4096,
		.salt = SPAN_LIT("salt"), .nonce = nonce,
		.signature = SPAN_LIT("12345678901234567890123456789012"),
	};

	return answer_with(&a);
}

static struct rx_question
question(void)
{
	struct rx_question q;

	rx_question(p.rx, &q);
	return q;
}

static bool
may_relay(void)
{
	return play_code(&p, "MAIL FROM:<a@b.example>\r\n") == 250 &&
	    play_code(&p, "RCPT TO:<x@elsewhere.example>\r\n") == 250;
}

Test(smtpd_auth, plain)
{
	cr_expect(said("250-AUTH PLAIN LOGIN SCRAM-SHA-256\r\n"));
	cr_expect_eq(play_code(&p, "AUTH PLAIN\r\n"), 334);
	cr_expect(said("334 \r\n"));
	play_say(&p, "AGFubgBzZWNyZXQ=\r\n");
	cr_expect(span_equal(question().user, SPAN_LIT("ann")));
	cr_expect(span_equal(question().password, SPAN_LIT("secret")));
	cr_expect_eq(answer(RX_VERDICT_GOOD), 235);
	cr_expect(span_equal(rx_user(p.rx), SPAN_LIT("ann")));
	cr_expect(may_relay());
}

Test(smtpd_auth, initial_response_and_login)
{
	play_say(&p, "auth plain AGFubgBzZWNyZXQ=\r\n");
	cr_expect_eq(answer(RX_VERDICT_BAD), 535);
	cr_expect_eq(play_code(&p, "AUTH LOGIN\r\n"), 334);
	cr_expect(said("334 VXNlcm5hbWU6\r\n"));
	cr_expect_eq(play_code(&p, "YW5u\r\n"), 334);
	cr_expect(said("334 UGFzc3dvcmQ6\r\n"));
	play_say(&p, "c2VjcmV0\r\n");
	cr_expect(span_equal(question().user, SPAN_LIT("ann")));
	cr_expect(span_equal(question().password, SPAN_LIT("secret")));
	cr_expect_eq(answer(RX_VERDICT_LATER), 454);
	cr_expect_eq(play_code(&p, "AUTH LOGIN YW5u\r\n"), 334);
	play_say(&p, "c2VjcmV0\r\n");
	cr_expect_eq(answer(RX_VERDICT_GOOD), 235);
}

static void
say_b64(const char *verb, const char *text)
{
	struct buf line;

	buf_init(&line, 1 << 16);
	buf_add_str(&line, verb);
	base64_encode(&line, span_str(text));
	buf_add_str(&line, "\r\n");
	buf_reset(&p.out);
	play_feed(&p, buf_span(&line));
	buf_clear(&line);
}

/* By whom the answer is given decides what the user is called. */
Test(smtpd_auth, another_name)
{
	static const struct {
		struct span user;
		unsigned code;
		const char *is;
	} cases[] = {
		{ SPAN_LIT("ann@b.example"), 235, "ann@b.example" },
		{ SPAN_LIT("a\r\nb"), 454, "" }, { SPAN_LIT("a\0"), 454, "" },
		{ SPAN_LIT("\xff"), 454, "" }, { SPAN_NONE, 235, "ann" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct rx_answer a = {
			.verdict = RX_VERDICT_GOOD, .user = cases[i].user,
		};

		play_connect(&p, "192.0.2.1");
		play_say(&p, "EHLO c\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
		cr_expect_eq(answer_with(&a), cases[i].code, "%zu", i);
		cr_expect(span_equal(rx_user(p.rx), span_str(cases[i].is)));
	}
}

/* RFC 7628 */
Test(smtpd_auth, bearer)
{
	static const struct rx_answer nobody = { .verdict = RX_VERDICT_GOOD };
	static const struct rx_answer ann = {
		.verdict = RX_VERDICT_GOOD, .user = SPAN_LIT("ann"),
	};

	p.site.has_bearer = true;
	play_say(&p, "EHLO c\r\n");
	cr_expect(said("250-AUTH PLAIN LOGIN SCRAM-SHA-256 OAUTHBEARER\r\n"));
	say_b64("AUTH OAUTHBEARER ",
	    "n,a=u@b,\001host=x\001auth=Bearer tok\001\001");
	cr_expect_eq(question().kind, RX_ASK_TOKEN);
	cr_expect(span_equal(question().user, SPAN_LIT("u@b")));
	cr_expect(span_equal(question().password, SPAN_LIT("tok")));
	cr_expect_eq(answer_with(&nobody), 235);
	cr_expect(span_equal(rx_user(p.rx), SPAN_LIT("u@b")));
	cr_expect(may_relay());
	/* without a name the answer has to have one */
	for (int i = 0; i < 2; i++) {
		play_connect(&p, "192.0.2.1");
		play_say(&p, "EHLO c\r\n");
		cr_expect_eq(play_code(&p, "AUTH OAUTHBEARER\r\n"), 334);
		cr_expect(said("334 \r\n"));
		say_b64("", "n,,\001auth=Bearer tok\001\001");
		cr_expect_eq(question().user.n, 0);
		cr_expect_eq(answer_with(i == 0 ? &ann : &nobody),
		    i == 0 ? 235 : 454);
		cr_expect(span_equal(rx_user(p.rx), i == 0
		    ? SPAN_LIT("ann") : SPAN_NONE));
	}
}

/* Section 3.2.2: why comes as a challenge, and its answer means nothing. */
Test(smtpd_auth, bearer_is_refused)
{
	static const struct rx_answer why = {
		.verdict = RX_VERDICT_BAD, .challenge = SPAN_LIT("{}"),
	};
	static const char *const last[] = { "AQ==\r\n", "\r\n", "AA==\r\n" };

	p.site.has_bearer = true;
	for (size_t i = 0; i < COUNT_OF(last); i++) {
		say_b64("AUTH OAUTHBEARER ",
		    "n,,\001auth=Bearer tok\001\001");
		cr_expect_eq(i == 0 ? answer_with(&why)
		    : answer(RX_VERDICT_BAD), 334);
		cr_expect(said(i == 0 ? "334 e30=\r\n"
		    : "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"));
		cr_expect_eq(play_code(&p, last[i]), 535);
		cr_expect_eq(rx_state(p.rx), RX_READY);
		cr_expect_not(may_relay());
		cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
	}
	say_b64("AUTH OAUTHBEARER ", "n,,\001auth=Bearer tok\001\001");
	cr_expect_eq(answer(RX_VERDICT_LATER), 454);
	/* who asks what it would need asks nobody else */
	say_b64("AUTH OAUTHBEARER ", "n,a=u,\001auth=\001\001");
	cr_expect(said("334 eyJzdGF0dXMi"));
	cr_expect_eq(play_code(&p, "*\r\n"), 501);
	say_b64("AUTH OAUTHBEARER ", "n,a=u,\001auth=x\001\001");
	cr_expect(said("501 "));
	p.site.has_bearer = false;
	cr_expect_eq(play_code(&p, "AUTH OAUTHBEARER\r\n"), 504);
}

Test(smtpd_auth, scram)
{
	/* nonces: ours is 24 zero octets */
#define SERVER_NONCE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	say_b64("AUTH SCRAM-SHA-256 ", "n,,n=ann,r=abc");
	cr_expect_eq(question().kind, RX_ASK_SALT);
	cr_expect_eq(answer(RX_VERDICT_GOOD), 334);
	say_b64("", "c=biws,r=abc" SERVER_NONCE
	    ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	cr_expect_eq(question().kind, RX_ASK_PROOF);
	cr_expect(span_equal(question().auth_message,
	    SPAN_LIT("n=ann,r=abc,r=abc" SERVER_NONCE ",s=c2FsdA==,i=4096,"
	    "c=biws,r=abc" SERVER_NONCE)));
	cr_expect_eq(answer(RX_VERDICT_GOOD), 334);
	/* not before the client has seen who we are */
	cr_expect_eq(rx_user(p.rx).n, 0);
	cr_expect_eq(play_code(&p, "\r\n"), 235);
	cr_expect(span_equal(rx_user(p.rx), SPAN_LIT("ann")));
}

/* What a client may get wrong: the exchange ends, and nothing is left of
 * it. */
static const struct {
	const char *lines[3];
	unsigned codes[3];
} wrongs[] = {
	{ { "AUTH PLAIN !!!\r\n" }, { 501 } },
	{ { "AUTH PLAIN a===\r\n" }, { 501 } },
	{ { "AUTH PLAIN ab=c\r\n" }, { 501 } },
	{ { "AUTH PLAIN =\r\n" }, { 501 } },
	{ { "AUTH PLAIN\r\n", "!!!\r\n" }, { 334, 501 } },
	{ { "AUTH PLAIN\r\n", "*\r\n" }, { 334, 501 } },
	{ { "AUTH LOGIN\r\n", "YW5u\r\n", "*\r\n" }, { 334, 334, 501 } },
	{ { "AUTH PLAIN\r\n", "YW5u\r\n" }, { 334, 501 } },	/* no NUL */
	{ { "AUTH PLAIN\r\n", "AAA=\r\n" }, { 334, 501 } },	/* empty */
	{ { "AUTH PLAIN\r\n", "\r\n" }, { 334, 501 } },
	{ { "AUTH LOGIN\r\n", "\r\n" }, { 334, 501 } },
	{ { "AUTH LOGIN\r\n", "AA==\r\n" }, { 334, 501 } },	/* NUL */
	{ { "AUTH CRAM-MD5\r\n" }, { 504 } },
	{ { "AUTH XOAUTH2\r\n" }, { 504 } },
	{ { "AUTH EXTERNAL =\r\n" }, { 504 } },
	{ { "AUTH SCRAM-SHA-256-PLUS\r\n" }, { 504 } },
	{ { "AUTH SCRAM-SHA-256\r\n", "bixuPWEscj1i\r\n" }, { 334, 501 } },
	{ { "AUTH PLAIN\r\n", "AGFu\nbgBi\r\n" }, { 334, 500 } },
	{ { "AUTH \r\n" }, { 501 } },
};

Test(smtpd_auth, mistakes)
{
	for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
		for (int k = 0; k < 3 && wrongs[i].lines[k] != NULL; k++)
			cr_expect_eq(play_code(&p, wrongs[i].lines[k]),
			    wrongs[i].codes[k], "%zu %d", i, k);
		cr_expect_eq(rx_state(p.rx), RX_READY, "%zu", i);
		cr_expect_eq(rx_user(p.rx).n, 0);
		cr_expect_not(may_relay());
		cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
		/* so many would end the session */
		play_connect(&p, "192.0.2.1");
		play_say(&p, "EHLO c\r\n");
	}
}

/* 12288 octets are a line, one more is none: AUTH-07. */
Test(smtpd_auth, long_lines)
{
	static char line[12288 + 8];

	memset(line, 'A', sizeof(line));
	cr_expect_eq(play_code(&p, "AUTH PLAIN\r\n"), 334);
	memcpy(line + 12288, "\r\n", 3);
	cr_expect_eq(play_code(&p, line), 501);
	cr_expect_eq(play_code(&p, "AUTH PLAIN\r\n"), 334);
	memcpy(line + 12289, "\r\n", 3);
	line[12288] = 'A';
	cr_expect_eq(play_code(&p, line), 500);
	cr_expect_eq(rx_state(p.rx), RX_READY);
	/* behind it commands have their own limit again */
	memcpy(line + 9000, "\r\n", 3);
	cr_expect_eq(play_code(&p, line), 500);
}

Test(smtpd_auth, order)
{
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
	cr_expect_eq(play_code(&p, "AUTH PLAIN\r\n"), 503);
	cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
	play_say(&p, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
	/* nothing goes on before the answer */
	play_say(&p, "NOOP\r\n");
	cr_expect_eq(answer(RX_VERDICT_GOOD), 235);
	play_say(&p, "");
	cr_expect(said("250 2.0.0"));
	cr_expect_eq(play_code(&p, "AUTH PLAIN\r\n"), 503);
	/* RSET and EHLO keep it */
	cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
	play_say(&p, "EHLO c\r\n");
	cr_expect(may_relay());
}

Test(smtpd_auth, not_before_tls)
{
	p.door = (struct rx_door){ .may_tls = true };
	play_connect(&p, "192.0.2.1");
	play_say(&p, "EHLO c\r\n");
	cr_expect_not(said("AUTH"));
	cr_expect_eq(play_code(&p, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"), 538);
	cr_expect_eq(p.asks, 0);
	/* without users, or without TLS, there is none */
	p.site.has_passwords = p.site.has_scram = false;
	cr_expect_eq(play_code(&p, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"), 502);
}

/* Only what was listed: AUTH-11, AUTH-12. */
Test(smtpd_auth, only_what_is_listed)
{
	p.site.has_scram = false;
	play_say(&p, "EHLO c\r\n");
	cr_expect(said("250-AUTH PLAIN LOGIN\r\n"));
	cr_expect_eq(play_code(&p, "AUTH SCRAM-SHA-256\r\n"), 504);
	cr_expect_eq(play_code(&p, "AUTH PLAIN\r\n"), 334);
}

/* AUTH= of MAIL counts as <>, from whomever: AUTH-09. */
Test(smtpd_auth, auth_parameter)
{
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example> AUTH=<>\r\n"),
	    250);
	cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
	cr_expect_eq(play_code(&p,
	    "MAIL FROM:<a@b.example> AUTH=e+3Dmc2@example.com\r\n"), 250);
	cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example> AUTH=a+0D\r\n"),
	    501);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example> AUTH\r\n"), 501);
}

/* SUB-01 */
Test(smtpd_auth, submission_needs_it)
{
	p.door.needs_auth = true;
	play_connect(&p, "127.0.0.1");
	play_say(&p, "EHLO c\r\n");
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 530);
	play_say(&p, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
	cr_expect_eq(answer(RX_VERDICT_GOOD), 235);
	cr_expect(may_relay());
}

/* Guesses count as mistakes: the session ends. */
Test(smtpd_auth, guesses)
{
	unsigned code = 0;
	int n = 0;

	for (; n < 100 && !p.is_closed; n++) {
		play_say(&p, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
		code = answer(RX_VERDICT_BAD);
		play_say(&p, "");
	}
	cr_expect_eq(code, 421);
	cr_expect_lt(n, 30);
}

/* RFC 6409 8: Bcc is taken out, and nothing else is changed; elsewhere nothing
 * is.  SUB-05, SUB-06. */
Test(smtpd_auth, submitted_header)
{
	static const char *const ends[] = {
		"DATA\r\nTo: x\r\nBcc: y\r\n z\r\nSubject: s\r\n\r\n"
		    "Bcc: body\r\n..\r\n.\r\n",
		"BDAT 19\r\nTo: x\r\nBcc: y\r\n z\r\n"
		    "BDAT 25 LAST\r\nSubject: s\r\n\r\nBcc: body\r\n",
	};
	struct rx_message m;

	p.is_holding = true;
	for (int needs = 0; needs < 2; needs++) {
		p.door.needs_auth = needs == 1;
		for (size_t i = 0; i < COUNT_OF(ends); i++) {
			play_connect(&p, "127.0.0.1");
			play_say(&p, "EHLO c\r\nAUTH PLAIN AGFubgBz\r\n");
			cr_expect_eq(answer(RX_VERDICT_GOOD), 235);
			play_say(&p, "MAIL FROM:<a@b.example>\r\n"
			    "RCPT TO:<c@example.org>\r\n");
			play_say(&p, ends[i]);
			rx_message(p.rx, &m);
			cr_expect_eq(m.body_bytes, p.body.n);
			cr_expect_eq(memmem(p.body.p, p.body.n, "Bcc: y", 6)
			    == NULL, needs == 1);
			cr_expect(memmem(p.body.p, p.body.n, "To: x\r\n", 7)
			    != NULL);
			cr_expect(memmem(p.body.p, p.body.n, "Bcc: body", 9)
			    != NULL);
			cr_expect_eq(m.lacks_date, needs == 1);
			cr_expect_eq(m.lacks_message_id, needs == 1);
		}
	}
}

/* SUB-04 */
Test(smtpd_auth, as_whom_a_user_may_send)
{
	static const char *rows[] = {
		"ann ann@b.example", "ann shop.example", "ann .shop.example",
		"bob *", "* <>", "* info@b.example",
	};
	static const struct {
		const char *from;
		unsigned code;
	} froms[] = {
		{ "ann@b.example", 250 }, { "ann@B.example", 250 },
		{ "Ann@b.example", 550 }, { "x@shop.example", 250 },
		{ "x@a.shop.example", 250 }, { "x@notshop.example", 550 },
		{ "", 250 }, { "info@b.example", 250 },
		{ "bob@b.example", 550 }, { "ann@b.example.com", 550 },
	};
	char line[128];

	p.conf->auth.senders.v = rows;
	p.conf->auth.senders.n = COUNT_OF(rows);
	play_say(&p, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
	cr_expect_eq(answer(RX_VERDICT_GOOD), 235);
	for (size_t i = 0; i < COUNT_OF(froms); i++) {
		snprintf(line, sizeof(line), "MAIL FROM:<%s>\r\n",
		    froms[i].from);
		cr_expect_eq(play_code(&p, line), froms[i].code, "%s", line);
		cr_expect_eq(rx_has_transaction(p.rx),
		    froms[i].code == 250);
		play_say(&p, "RSET\r\n");
	}
	p.conf->auth.senders.v = NULL;
	p.conf->auth.senders.n = 0;
	cr_expect_eq(play_code(&p, "MAIL FROM:<bob@b.example>\r\n"), 250);
}
