/*
 * AUTH with what TLS knows: channel binding (RFC 5802 section 6), and who
 * showed a certificate (RFC 4422 appendix A).  AUTH-15, AUTH-16, AUTH-17, T18.
 */
#include "common/base/base64.h"
#include "common/base/check.h"
#include "smtpd/engine/rx_auth.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>

#define DATA "0123456789abcdef0123456789abcdef"
/* nonces: ours is 24 zero octets */
#define SERVER_NONCE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define EXPORTER (1U << SASL_BINDING_EXPORTER)
#define END_POINT (1U << SASL_BINDING_END_POINT)

static struct play p;

/* A client inside TLS, and what that has. */
static void
connect_with(unsigned bindings)
{
	play_connect(&p, "192.0.2.1");
	rx_secured(p.rx);
	rx_auth_bindings(p.rx, bindings);
	play_say(&p, "EHLO c\r\n");
}

static void
begin(void)
{
	play_init(&p);
	p.site.has_passwords = p.site.has_scram = true;
	p.door.is_tls = p.door.may_xclient = true;
	connect_with(EXPORTER | END_POINT);
}

static void
end(void)
{
	play_clear(&p);
}

TestSuite(smtpd_auth_tls, .init = begin, .fini = end);

static bool
said(const char *word)
{
	buf_add_byte(&p.out, '\0');
	p.out.n--;
	return strstr((const char *)p.out.p, word) != NULL;
}

static unsigned
code(void)
{
	return p.out.n < 3 ? 0 : (unsigned)(p.out.p[0] - '0') * 100 +
	    (unsigned)(p.out.p[1] - '0') * 10 +
	    (unsigned)(p.out.p[2] - '0');
}

/* VERB and TEXT in base64; the code of the answer, 0 when keyd is asked. */
static unsigned
say_b64(const char *verb, struct span text)
{
	struct buf line;

	buf_init(&line, 1 << 16);
	buf_add_str(&line, verb);
	base64_encode(&line, text);
	buf_add_str(&line, "\r\n");
	buf_reset(&p.out);
	play_feed(&p, buf_span(&line));
	buf_clear(&line);
	return code();
}

static unsigned
answer(const char *binding)
{
	static const uint8_t nonce[RX_AUTH_NONCE_BYTES];
	const struct rx_answer a = {
		.verdict = RX_VERDICT_GOOD, .iterations = 4096,
		.salt = SPAN_LIT("salt"), .nonce = nonce,
		.binding = span_str(binding),
		.signature = SPAN_LIT("12345678901234567890123456789012"),
	};

	cr_assert_eq(rx_state(p.rx), RX_ASKING);
	buf_reset(&p.out);
	rx_answered(p.rx, &a, &p.out);
	return code();
}

/* The last message, with C of c=. */
static unsigned
say_final(struct span c)
{
	struct buf text;
	unsigned reply;

	buf_init(&text, 1 << 16);
	buf_add_str(&text, "c=");
	base64_encode(&text, c);
	buf_add_str(&text, ",r=abc" SERVER_NONCE
	    ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	reply = say_b64("", buf_span(&text));
	buf_clear(&text);
	return reply;
}

Test(smtpd_auth_tls, bound)
{
	struct rx_question q;

	cr_expect(said("LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n"));
	cr_expect_eq(say_b64("AUTH SCRAM-SHA-256-PLUS ",
	    SPAN_LIT("p=tls-server-end-point,,n=ann,r=abc")), 0);
	rx_question(p.rx, &q);
	cr_expect_eq(q.kind, RX_ASK_SALT);
	cr_expect(q.is_bound && q.binding == SASL_BINDING_END_POINT);
	cr_expect_eq(answer(DATA), 334);
	cr_expect_eq(say_final(SPAN_LIT("p=tls-server-end-point,," DATA)), 0);
	rx_question(p.rx, &q);
	cr_expect_eq(q.kind, RX_ASK_PROOF);
	cr_expect_eq(answer(""), 334);
	cr_expect_eq(rx_user(p.rx).n, 0);
	cr_expect_eq(play_code(&p, "\r\n"), 235);
	cr_expect(span_equal(rx_user(p.rx), SPAN_LIT("ann")));
	cr_expect_str_eq(rx_user_mechanism(p.rx), "SCRAM-SHA-256-PLUS");
}

/* The proof is never looked at, whatever it is. */
Test(smtpd_auth_tls, bound_to_another_session)
{
	static const struct {
		struct span c;
		unsigned code;
	} rows[] = {
		{ SPAN_LIT("p=tls-exporter,,0123456789abcdef0123456789abcdeF"),
		    535 },
		{ SPAN_LIT("p=tls-exporter,," DATA "x"), 535 },
		{ SPAN_LIT("p=tls-exporter,,0123456789abcdef"), 535 },
		{ SPAN_LIT("p=tls-exporter,,"), 535 },
		{ SPAN_LIT("p=tls-unique,," DATA), 501 },
		{ SPAN_LIT("n,,"), 501 },
		{ SPAN_LIT("y,,"), 501 },
		{ SPAN_LIT(""), 501 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		connect_with(EXPORTER);
		cr_expect_eq(say_b64("AUTH SCRAM-SHA-256-PLUS ",
		    SPAN_LIT("p=tls-exporter,,n=ann,r=abc")), 0);
		cr_expect_eq(answer(DATA), 334);
		cr_expect_eq(say_final(rows[i].c), rows[i].code, "%zu", i);
		cr_expect_eq(rx_state(p.rx), RX_READY);
		cr_expect_eq(rx_user(p.rx).n, 0);
	}
}

/* Flags and types, RFC 5802 section 6: BOUND and PLAIN are the answers in the
 * two mechanisms, where PLUS is offered and where not. */
static const struct {
	const char *first;
	unsigned plus, plain, plain_alone;
} flags[] = {
	{ "n,,n=ann,r=abc", 535, 0, 0 },
	/* somebody took -PLUS off the list that this client saw */
	{ "y,,n=ann,r=abc", 535, 535, 0 },
	{ "p=tls-exporter,,n=ann,r=abc", 0, 501, 501 },
	{ "p=tls-server-end-point,,n=ann,r=abc", 0, 501, 501 },
	/* not in this session; unknown */
	{ "p=tls-unique,,n=ann,r=abc", 535, 501, 501 },
	{ "p=tls-exporte,,n=ann,r=abc", 535, 501, 501 },
	{ "p=,,n=ann,r=abc", 501, 501, 501 },
	{ "x,,n=ann,r=abc", 501, 501, 501 },
};

Test(smtpd_auth_tls, flags)
{
	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		const struct span first = span_str(flags[i].first);

		connect_with(EXPORTER | END_POINT);
		cr_expect_eq(say_b64("AUTH SCRAM-SHA-256-PLUS ", first),
		    flags[i].plus, "%zu", i);
		connect_with(EXPORTER | END_POINT);
		cr_expect_eq(say_b64("AUTH SCRAM-SHA-256 ", first),
		    flags[i].plain, "%zu", i);
		connect_with(0);
		cr_expect_eq(say_b64("AUTH SCRAM-SHA-256 ", first),
		    flags[i].plain_alone, "%zu", i);
		cr_expect_eq(rx_user(p.rx).n, 0);
	}
}

/* The driver found nothing, after all. */
Test(smtpd_auth_tls, no_data)
{
	cr_expect_eq(say_b64("AUTH SCRAM-SHA-256-PLUS ",
	    SPAN_LIT("p=tls-exporter,,n=ann,r=abc")), 0);
	cr_expect_eq(answer(""), 454);
}

Test(smtpd_auth_tls, only_where_there_is_something_to_bind)
{
	connect_with(0);
	cr_expect(said("AUTH PLAIN LOGIN SCRAM-SHA-256\r\n"));
	cr_expect_eq(play_code(&p, "AUTH SCRAM-SHA-256-PLUS\r\n"), 504);
	p.site.has_scram = false;
	connect_with(EXPORTER);
	cr_expect(said("AUTH PLAIN LOGIN\r\n"));
	/* what TLS says is about the one who connected */
	p.site.has_scram = true;
	connect_with(EXPORTER);
	play_say(&p, "XCLIENT ADDR=192.0.2.7\r\nEHLO c\r\n");
	cr_expect(said("AUTH PLAIN LOGIN SCRAM-SHA-256\r\n"));
}

/* What was refused is told, for somebody may stand between. */
Test(smtpd_auth_tls, the_log_hears_of_it)
{
	struct rx_refusal r;
	const unsigned before = p.refusals;

	cr_expect_eq(say_b64("AUTH SCRAM-SHA-256 ",
	    SPAN_LIT("y,,n=ann,r=abc")), 535);
	cr_expect_eq(p.refusals, before + 1);
	rx_refusal(p.rx, &r);
	cr_expect(r.is_policy);
	cr_expect_str_eq(r.stage, "AUTH");
}

/* ---- EXTERNAL ---- */

static void
certify(const char *user)
{
	play_connect(&p, "192.0.2.1");
	rx_secured(p.rx);
	rx_auth_certified(p.rx, span_str(user));
	play_say(&p, "EHLO c\r\n");
}

Test(smtpd_auth_tls, external)
{
	static const struct {
		const char *lines[2];
		unsigned codes[2];
	} rows[] = {
		{ { "AUTH EXTERNAL =\r\n" }, { 235 } },
		{ { "auth external\r\n", "\r\n" }, { 334, 235 } },
		/* "ann@example.org" */
		{ { "AUTH EXTERNAL YW5uQGV4YW1wbGUub3Jn\r\n" }, { 235 } },
		{ { "AUTH EXTERNAL\r\n", "YW5uQGV4YW1wbGUub3Jn\r\n" },
		    { 334, 235 } },
		/* "bob", "ann@example.org" and a NUL, a NUL */
		{ { "AUTH EXTERNAL Ym9i\r\n" }, { 535 } },
		{ { "AUTH EXTERNAL\r\n", "Ym9i\r\n" }, { 334, 535 } },
		{ { "AUTH EXTERNAL YW5uQGV4YW1wbGUub3JnAA==\r\n" }, { 501 } },
		{ { "AUTH EXTERNAL AA==\r\n" }, { 501 } },
		{ { "AUTH EXTERNAL\r\n", "*\r\n" }, { 334, 501 } },
		{ { "AUTH EXTERNAL !\r\n" }, { 501 } },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unsigned last = 0;

		certify("ann@example.org");
		cr_expect(said("SCRAM-SHA-256 EXTERNAL\r\n"));
		for (int k = 0; k < 2 && rows[i].lines[k] != NULL; k++) {
			last = play_code(&p, rows[i].lines[k]);
			cr_expect_eq(last, rows[i].codes[k], "%zu %d", i, k);
		}
		cr_expect_eq(rx_state(p.rx), RX_READY);
		cr_expect(span_equal(rx_user(p.rx), last == 235
		    ? SPAN_LIT("ann@example.org") : SPAN_NONE), "%zu", i);
	}
	cr_expect_eq(p.asks, 0);
	certify("ann");
	cr_expect_eq(play_code(&p, "AUTH EXTERNAL =\r\n"), 235);
	cr_expect_str_eq(rx_user_mechanism(p.rx), "EXTERNAL");
	cr_expect_eq(play_code(&p, "AUTH EXTERNAL =\r\n"), 503);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
	cr_expect_eq(play_code(&p, "RCPT TO:<x@elsewhere.example>\r\n"),
	    250);
}

/* Who was certified may still say a password, as somebody else. */
Test(smtpd_auth_tls, external_is_offered_only_to_who_is_certified)
{
	connect_with(EXPORTER);
	cr_expect_not(said("EXTERNAL"));
	cr_expect_eq(play_code(&p, "AUTH EXTERNAL =\r\n"), 504);
	certify("ann");
	play_say(&p, "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n");
	(void)answer("");
	cr_expect(span_equal(rx_user(p.rx), SPAN_LIT("bob")));
	/* without users in a file it is the only one */
	p.site.has_passwords = p.site.has_scram = false;
	certify("ann");
	cr_expect(said("250-AUTH EXTERNAL\r\n"));
	cr_expect_eq(play_code(&p, "AUTH PLAIN\r\n"), 504);
	cr_expect_eq(play_code(&p, "AUTH EXTERNAL =\r\n"), 235);
	/* the certificate is of the one who connected */
	certify("ann");
	buf_reset(&p.out);
	play_say(&p, "XCLIENT ADDR=192.0.2.7\r\nEHLO c\r\n");
	cr_expect_not(said("EXTERNAL"));
	cr_expect_eq(play_code(&p, "AUTH EXTERNAL =\r\n"), 502);
	buf_reset(&p.out);
	connect_with(0);
	cr_expect_not(said("AUTH"));
}
