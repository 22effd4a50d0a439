/*
 * What we say to a next hop of ourselves, and what it says: RFC 4616, RFC 7677
 * section 3, and everything that is neither.
 */
#include "common/base/check.h"
#include "common/smtp/smtp_sasl_client.h"

#include <criterion/criterion.h>
#include <string.h>

#define OURS	"rOprNGfwEbeRWgbNEkqO"
#define THEIRS	"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT	"W22ZaJ0SNY7soEsUEjb6gQ=="

static struct buf out;

static void
begin(void)
{
	buf_init(&out, 4096);
}

static void
end(void)
{
	buf_clear(&out);
}

TestSuite(smtp_sasl_client, .init = begin, .fini = end);

static void
expect(struct span want)
{
	cr_expect(span_equal(buf_span(&out), want), "%.*s", (int)out.n,
	    (const char *)out.p);
	buf_reset(&out);
}

Test(smtp_sasl_client, said)
{
	sasl_client_put_plain(SPAN_LIT("ann"), SPAN_LIT("p w"), &out);
	expect(SPAN_LIT("\0ann\0p w"));
	sasl_client_put_bare(SPAN_LIT("user"), SPAN_LIT(OURS), &out);
	expect(SPAN_LIT("n=user,r=" OURS));
	sasl_client_put_bare(SPAN_LIT("a,b=c"), SPAN_LIT("x"), &out);
	expect(SPAN_LIT("n=a=2Cb=3Dc,r=x"));
	/* RFC 7628 section 4.1, without host and port */
	sasl_client_put_bearer(SPAN_LIT("user,x@example.com"),
	    SPAN_LIT("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="), &out);
	expect(SPAN_LIT("n,a=user=2Cx@example.com,\1auth=Bearer "
	    "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"));
	sasl_client_put_xoauth2(SPAN_LIT("someuser@example.com"),
	    SPAN_LIT("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"), &out);
	expect(SPAN_LIT("user=someuser@example.com\1auth=Bearer "
	    "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1"));
	sasl_client_put_without_proof(SPAN_LIT(OURS THEIRS), &out);
	expect(SPAN_LIT("c=biws,r=" OURS THEIRS));
}

Test(smtp_sasl_client, offered)
{
	static const struct { const char *text; unsigned set; } rows[] = {
		{ "", 0 }, { "PLAIN", 1U << SASL_PLAIN },
		{ "login plain", 1U << SASL_PLAIN | 1U << SASL_LOGIN },
		{ "GSSAPI  SCRAM-SHA-256 X", 1U << SASL_SCRAM_SHA_256 },
		{ "PLAINX SCRAM-SHA-1", 0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		cr_expect_eq(sasl_client_offered(span_str(rows[i].text)),
		    rows[i].set, "%s", rows[i].text);
}

Test(smtp_sasl_client, first)
{
	static const struct { const char *text; enum err e; } rows[] = {
		{ "r=" OURS THEIRS ",s=" SALT ",i=4096", OK },
		{ "r=" OURS THEIRS ",s=" SALT ",i=4096,x=more", OK },
		/* nobody has continued our nonce */
		{ "r=" OURS ",s=" SALT ",i=4096", ERR_SYNTAX },
		{ "r=other,s=" SALT ",i=4096", ERR_SYNTAX },
		{ "m=x,r=" OURS THEIRS ",s=" SALT ",i=4096", ERR_SYNTAX },
		{ "r=" OURS "\xff,s=" SALT ",i=4096", ERR_SYNTAX },
		{ "r=" OURS " ,s=" SALT ",i=4096", ERR_SYNTAX },
		{ "s=" SALT ",i=4096", ERR_SYNTAX },
		{ "r=" OURS THEIRS ",s=!,i=4096", ERR_SYNTAX },
		{ "r=" OURS THEIRS ",s=" SALT, ERR_SYNTAX },
		{ "r=" OURS THEIRS ",s=" SALT ",i=", ERR_SYNTAX },
		{ "r=" OURS THEIRS ",s=" SALT ",i=-1", ERR_SYNTAX },
		{ "r=" OURS THEIRS ",s=" SALT ",i=0", ERR_RANGE },
		{ "r=" OURS THEIRS ",s=" SALT ",i=4294967296", ERR_RANGE },
		{ "", ERR_SYNTAX }, { "r", ERR_SYNTAX }, { ",", ERR_SYNTAX },
	};
	struct sasl_server_first f;

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		cr_expect_eq(sasl_client_read_first(span_str(rows[i].text),
		    SPAN_LIT(OURS), &f), rows[i].e, "%s", rows[i].text);
	cr_assert_eq(sasl_client_read_first(span_str(rows[0].text),
	    SPAN_LIT(OURS), &f), OK);
	cr_expect_eq(f.iterations, 4096);
	cr_expect_eq(f.salt_n, 16);
	cr_expect(span_equal(f.nonce, SPAN_LIT(OURS THEIRS)));
}

/* A salt and a nonce that are too long. */
Test(smtp_sasl_client, bounds)
{
	struct sasl_server_first f;

	buf_add_str(&out, "r=" OURS);
	for (int i = 0; i < 2 * SASL_NONCE_MAX; i++)
		buf_add_byte(&out, 'x');
	buf_add_str(&out, ",s=" SALT ",i=4096");
	cr_expect_eq(sasl_client_read_first(buf_span(&out), SPAN_LIT(OURS),
	    &f), ERR_SYNTAX);
	buf_reset(&out);
	buf_add_str(&out, "r=" OURS "x,s=");
	for (int i = 0; i < 22; i++)
		buf_add_str(&out, "AAAA");
	buf_add_str(&out, ",i=4096");
	cr_expect_eq(sasl_client_read_first(buf_span(&out), SPAN_LIT(OURS),
	    &f), ERR_RANGE);
}

Test(smtp_sasl_client, final)
{
	static const char *const bad[] = {
		"", "v=", "e=other-error", "v=AAAA",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4",
		"x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	};
	uint8_t signature[32];

	cr_expect_eq(sasl_client_read_final(SPAN_LIT(
	    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), signature),
	    OK);
	cr_expect_eq(signature[0], 0xea);
	cr_expect_eq(signature[31], 0x6e);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_expect_eq(sasl_client_read_final(span_str(bad[i]),
		    signature), ERR_SYNTAX, "%s", bad[i]);
}
