/*
 * SASL messages, whole, cut, and with every octet changed.  AUTH-13, AUTH-15,
 * AUTH-16, AUTH-17, AUTH-20, T18.
 */
#include "common/base/check.h"
#include "common/smtp/smtp_sasl.h"

#include <criterion/criterion.h>

static const struct {
	struct span message;
	enum err e;
	const char *user, *password;
} plains[] = {
	{ SPAN_LIT("\0ann\0secret"), OK, "ann", "secret" },
	{ SPAN_LIT("ann\0ann\0secret"), OK, "ann", "secret" },
	{ SPAN_LIT("\0ann@example.org\0p w"), OK, "ann@example.org", "p w" },
	{ SPAN_LIT("\0\xc3\xa4\0\xe2\x82\xac"), OK, "\xc3\xa4",
	    "\xe2\x82\xac" },
	{ SPAN_LIT("bob\0ann\0secret"), ERR_SYNTAX, NULL, NULL },
	{ SPAN_LIT("\0ann"), ERR_SYNTAX, NULL, NULL },
	{ SPAN_LIT("ann"), ERR_SYNTAX, NULL, NULL },
	{ SPAN_LIT(""), ERR_SYNTAX, NULL, NULL },
	{ SPAN_LIT("\0\0secret"), ERR_SYNTAX, NULL, NULL },
	{ SPAN_LIT("\0ann\0"), ERR_SYNTAX, NULL, NULL },
	{ SPAN_LIT("\0ann\0sec\0ret"), ERR_SYNTAX, NULL, NULL },
	{ SPAN_LIT("\0ann\0sec\nret"), ERR_SYNTAX, NULL, NULL },
	{ SPAN_LIT("\0a\r\nn\0secret"), ERR_SYNTAX, NULL, NULL },
	{ SPAN_LIT("\0ann\0\xff"), ERR_SYNTAX, NULL, NULL },
};

Test(smtp_sasl, plain)
{
	static char big[2048];
	struct sasl_plain p;

	for (size_t i = 0; i < COUNT_OF(plains); i++) {
		cr_expect_eq(sasl_plain(plains[i].message, &p), plains[i].e,
		    "%zu", i);
		if (plains[i].e != OK)
			continue;
		cr_expect(span_equal(p.user, span_str(plains[i].user)));
		cr_expect(span_equal(p.password,
		    span_str(plains[i].password)));
	}
	memset(big, 'x', sizeof(big));
	big[0] = '\0';
	big[1 + SASL_USER_MAX] = '\0';
	cr_expect_eq(sasl_plain(span_of(big, 300), &p), OK);
	big[1 + SASL_USER_MAX] = 'x';
	big[2 + SASL_USER_MAX] = '\0';
	cr_expect_eq(sasl_plain(span_of(big, 300), &p), ERR_RANGE);
	big[2 + SASL_USER_MAX] = 'x';
	big[2] = '\0';
	cr_expect_eq(sasl_plain(span_of(big, 3 + SASL_PASSWORD_MAX), &p), OK);
	cr_expect_eq(sasl_plain(span_of(big, 4 + SASL_PASSWORD_MAX), &p),
	    ERR_RANGE);
}

/* RFC 7677 section 3. */
#define FIRST	"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define C_NONCE	"rOprNGfwEbeRWgbNEkqO"
#define S_NONCE	"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define FINAL	"c=biws,r=" C_NONCE S_NONCE ","				\
	"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

Test(smtp_sasl, scram_of_the_rfc)
{
	static const uint8_t salt[16] = {
		0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
		0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81,
	};
	struct sasl_first first;
	struct sasl_final final;
	struct buf out;

	cr_assert_eq(sasl_scram_first(SPAN_LIT(FIRST), &first), OK);
	cr_expect(span_equal(span_of(first.user, first.user_n),
	    SPAN_LIT("user")));
	cr_expect(span_equal(first.gs2, SPAN_LIT("n,,")));
	cr_expect(span_equal(first.bare, SPAN_LIT("n=user,r=" C_NONCE)));
	cr_expect(span_equal(first.nonce, SPAN_LIT(C_NONCE)));
	buf_init(&out, 1024);
	sasl_scram_put_first(first.nonce, SPAN_LIT(S_NONCE),
	    span_of(salt, sizeof(salt)), 4096, &out);
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("r=" C_NONCE S_NONCE
	    ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")));
	cr_assert_eq(sasl_scram_final(SPAN_LIT(FINAL), first.gs2, SPAN_NONE,
	    first.nonce, SPAN_LIT(S_NONCE), &final), OK);
	cr_expect(span_equal(final.without_proof,
	    SPAN_LIT("c=biws,r=" C_NONCE S_NONCE)));
	cr_expect_eq(final.proof[0], 0x74);
	buf_clear(&out);
}

static const struct {
	const char *message;
	enum err e;
	const char *user;
	enum sasl_gs2_flag flag;
	const char *binding;
} firsts[] = {
	{ "n,,n=a=2Cb=3Dc,r=x", OK, "a,b=c", SASL_GS2_NONE, "" },
	{ "y,,n=u,r=x,ext=1", OK, "u", SASL_GS2_THOUGHT_NONE, "" },
	{ "n,a=u,n=u,r=x", OK, "u", SASL_GS2_NONE, "" },
	{ "p=tls-unique,,n=u,r=x", OK, "u", SASL_GS2_BOUND, "tls-unique" },
	{ "p=x.Y-9,a=u,n=u,r=x", OK, "u", SASL_GS2_BOUND, "x.Y-9" },
	{ "p=,,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "p,,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "p=tls_unique,,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "pp=tls-unique,,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "P=tls-unique,,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "Y,,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "nn,,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ ",,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "n,a=v,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "n,,m=1,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "n,,n=u", ERR_SYNTAX, NULL, 0, NULL },
	{ "n,,n=,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "n,,n=u,r=", ERR_SYNTAX, NULL, 0, NULL },
	{ "n,,n=u=2,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "n,,n=u=41,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "n,,n=u,r=x y", ERR_SYNTAX, NULL, 0, NULL },
	{ "n,n=u,r=x", ERR_SYNTAX, NULL, 0, NULL },
	{ "", ERR_SYNTAX, NULL, 0, NULL },
};

Test(smtp_sasl, scram_first)
{
	for (size_t i = 0; i < COUNT_OF(firsts); i++) {
		struct sasl_first f;

		cr_expect_eq(sasl_scram_first(span_str(firsts[i].message),
		    &f), firsts[i].e, "%s", firsts[i].message);
		if (firsts[i].e != OK)
			continue;
		cr_expect(span_equal(span_of(f.user, f.user_n),
		    span_str(firsts[i].user)));
		cr_expect_eq(f.flag, firsts[i].flag, "%zu", i);
		cr_expect(span_equal(f.binding,
		    span_str(firsts[i].binding)), "%zu", i);
	}
}

static enum err
final_of(struct span message)
{
	struct sasl_final f;

	return sasl_scram_final(message, SPAN_LIT("n,,"), SPAN_NONE,
	    SPAN_LIT(C_NONCE), SPAN_LIT(S_NONCE), &f);
}

/* Everything but the proof itself is fixed; a changed proof is keyd's to
 * refuse. */
Test(smtp_sasl, scram_final_changed)
{
	char text[] = FINAL;
	const size_t proof = strstr(text, "p=") - text + 2;

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		cr_expect_eq(final_of(span_of(text, n)), ERR_SYNTAX, "%zu",
		    n);
	for (size_t i = 0; i < proof; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(text[i] ^ (1 << bit));
			cr_expect_eq(final_of(span_of(text,
			    sizeof(text) - 1)), ERR_SYNTAX, "%zu", i);
			text[i] = (char)(text[i] ^ (1 << bit));
		}
	}
	cr_expect_eq(final_of(SPAN_LIT("c=biws,r=" C_NONCE S_NONCE ",x=1,"
	    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")), OK);
	cr_expect_eq(final_of(SPAN_LIT("c=biws,r=" C_NONCE S_NONCE ",p=AAAA")),
	    ERR_SYNTAX);
}

Test(smtp_sasl, names)
{
	enum sasl_mechanism m;

	cr_expect(sasl_find(SPAN_LIT("plain"), &m) && m == SASL_PLAIN);
	cr_expect(sasl_find(SPAN_LIT("SCRAM-SHA-256"), &m) &&
	    m == SASL_SCRAM_SHA_256);
	cr_expect_not(sasl_find(SPAN_LIT("CRAM-MD5"), &m));
	cr_expect(sasl_find(SPAN_LIT("scram-sha-256-plus"), &m) &&
	    m == SASL_SCRAM_SHA_256_PLUS);
	cr_expect_not(sasl_find(SPAN_LIT("SCRAM-SHA-256-"), &m));
	cr_expect_not(sasl_find(SPAN_LIT(""), &m));
}

/* ---- OAUTHBEARER ---- */

/* RFC 7628 section 4.1 */
#define BEARER "n,a=user@example.com,\001host=server.example.com\001port=143" \
	"\001auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001"

static const struct {
	const char *message;
	enum err e;
	const char *user, *token;
} bearers[] = {
	{ BEARER, OK, "user@example.com",
	    "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" },
	{ "n,,\001auth=Bearer a.b-c_d~e+f/1=\001\001", OK, "",
	    "a.b-c_d~e+f/1=" },
	{ "y,a=a=2Cb=3Dc,\001auth=bEARER  t\001\001", OK, "a,b=c", "t" },
	{ "n,,\001auth=\001\001", OK, "", "" },
	{ "n,,\001auth=Bearer t\001x=a\tb\r\n\001\001", OK, "", "t" },
	{ "n,,\001auth=Bearer t\001auth=Bearer t\001\001", ERR_SYNTAX, NULL,
	    NULL },
	{ "n,,\001auth=Bearer t\001\001x", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001auth=Bearer t\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001auth=Bearer\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001auth=Bearer \001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001auth=Bearer =\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001auth=Bearer a=b\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001auth=Bearer a b\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001auth=Bearer a\tb\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001auth=Basic t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001host=x\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\0011=x\001auth=Bearer t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001=x\001auth=Bearer t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,\001x\001auth=Bearer t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,,auth=Bearer t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,a=,\001auth=Bearer t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,b=u,\001auth=Bearer t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,a=u=41,\001auth=Bearer t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "n,a=\x7f,\001auth=Bearer t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "p=x,,\001auth=Bearer t\001\001", ERR_SYNTAX, NULL, NULL },
	{ "", ERR_SYNTAX, NULL, NULL },
};

Test(smtp_sasl, bearer)
{
	struct sasl_bearer b;

	for (size_t i = 0; i < COUNT_OF(bearers); i++) {
		cr_assert_eq(sasl_bearer(span_str(bearers[i].message), &b),
		    bearers[i].e, "%s", bearers[i].message);
		if (bearers[i].e != OK)
			continue;
		cr_expect(span_equal(span_of(b.user, b.user_n),
		    span_str(bearers[i].user)));
		cr_expect(span_equal(b.token, span_str(bearers[i].token)));
	}
}

/* What is cut is none; what is changed is none, or has other words of the same
 * kind. */
Test(smtp_sasl, bearer_cut_and_changed)
{
	char text[] = BEARER;
	struct sasl_bearer b;

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		cr_expect_eq(sasl_bearer(span_of(text, n), &b), ERR_SYNTAX,
		    "%zu", n);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(text[i] ^ (1 << bit));
			if (sasl_bearer(span_str(text), &b) == OK)
				cr_expect_eq(sasl_check_user(span_of(b.user,
				    b.user_n)), OK);
			text[i] = (char)(text[i] ^ (1 << bit));
		}
	}
}

Test(smtp_sasl, bearer_has_bounds)
{
	static char text[SASL_MESSAGE_MAX + 1] = "n,,\001auth=Bearer ";
	const size_t begin = strlen(text);
	struct sasl_bearer b;
	struct buf many;

	memset(text + begin, 't', SASL_TOKEN_MAX + 1);
	memset(text + begin + SASL_TOKEN_MAX, 1, 2);
	cr_expect_eq(sasl_bearer(span_of(text, begin + SASL_TOKEN_MAX + 2),
	    &b), OK);
	memset(text + begin + SASL_TOKEN_MAX, 't', 1);
	memset(text + begin + SASL_TOKEN_MAX + 1, 1, 2);
	cr_expect_eq(sasl_bearer(span_of(text, begin + SASL_TOKEN_MAX + 3),
	    &b), ERR_RANGE);
	cr_expect_eq(sasl_bearer(span_of(text, sizeof(text)), &b),
	    ERR_RANGE);
	buf_init(&many, 4096);
	buf_add_str(&many, "n,,\001auth=Bearer t\001");
	for (int i = 0; i < SASL_BEARER_PAIRS_MAX; i++)
		buf_add_str(&many, "x=\001");
	buf_add_str(&many, "\001");
	cr_expect_eq(sasl_bearer(buf_span(&many), &b), ERR_RANGE);
	buf_clear(&many);
}

/* ---- channel binding ---- */

/* Of the octets 0 to 31, as in secret/test_scram.c. */
#define PLUS_GS2	"p=tls-exporter,,"
#define PLUS_C		"c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZ" \
	"GhscHR4f"
#define PLUS_FINAL	PLUS_C ",r=" C_NONCE S_NONCE ","		\
	"p=QC6CS20quADQRb3mT99YUH+n3VJxUvzuK0K0E1Vrs2M="

static enum err
bound_final(struct span message, const char *gs2, struct span data)
{
	struct sasl_final f;

	return sasl_scram_final(message, span_str(gs2), data,
	    SPAN_LIT(C_NONCE), SPAN_LIT(S_NONCE), &f);
}

Test(smtp_sasl, scram_bound)
{
	char text[] = PLUS_FINAL;
	uint8_t data[33] = { 0 };

	for (uint8_t i = 0; i < 32; i++)
		data[i] = i;
	cr_expect_eq(bound_final(SPAN_LIT(PLUS_FINAL), PLUS_GS2,
	    span_of(data, 32)), OK);
	/* data that are longer, shorter, none; another header */
	cr_expect_eq(bound_final(SPAN_LIT(PLUS_FINAL), PLUS_GS2,
	    span_of(data, 33)), ERR_DENIED);
	cr_expect_eq(bound_final(SPAN_LIT(PLUS_FINAL), PLUS_GS2,
	    span_of(data, 31)), ERR_DENIED);
	cr_expect_eq(bound_final(SPAN_LIT(PLUS_FINAL), PLUS_GS2, SPAN_NONE),
	    ERR_DENIED);
	cr_expect_eq(bound_final(SPAN_LIT(PLUS_FINAL), "p=tls-exportes,,",
	    span_of(data, 32)), ERR_SYNTAX);
	cr_expect_eq(bound_final(SPAN_LIT(FINAL), "n,,",
	    span_of(data, 32)), ERR_DENIED);
	/* every bit of ours, and of the client's words */
	for (int bit = 0; bit < 32 * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		cr_expect_eq(bound_final(SPAN_LIT(PLUS_FINAL), PLUS_GS2,
		    span_of(data, 32)), ERR_DENIED, "%d", bit);
		data[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (size_t bit = 0; bit < (sizeof(PLUS_C) - 1) * 8; bit++) {
		text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
		cr_expect_neq(bound_final(span_str(text), PLUS_GS2,
		    span_of(data, 32)), OK, "%zu", bit);
		text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
	}
}

/* RFC 4422 appendix A. */
Test(smtp_sasl, external)
{
	const struct span ann = SPAN_LIT("ann@example.org");
	static char big[SASL_USER_MAX + 1];

	memset(big, 'x', sizeof(big));
	cr_expect_eq(sasl_external(SPAN_NONE, ann), OK);
	cr_expect_eq(sasl_external(ann, ann), OK);
	cr_expect_eq(sasl_external(SPAN_LIT("ann"), ann), ERR_DENIED);
	cr_expect_eq(sasl_external(SPAN_LIT("Ann@example.org"), ann),
	    ERR_DENIED);
	cr_expect_eq(sasl_external(SPAN_LIT("ann@example.org\0"), ann),
	    ERR_SYNTAX);
	cr_expect_eq(sasl_external(SPAN_LIT("\0"), ann), ERR_SYNTAX);
	cr_expect_eq(sasl_external(span_of(big, sizeof(big)), ann),
	    ERR_RANGE);
}

Test(smtp_sasl, bindings)
{
	enum sasl_binding b;

	cr_expect(sasl_find_binding(SPAN_LIT("tls-exporter"), &b) &&
	    b == SASL_BINDING_EXPORTER);
	cr_expect(sasl_find_binding(SPAN_LIT("tls-server-end-point"), &b) &&
	    b == SASL_BINDING_END_POINT);
	cr_expect(sasl_find_binding(SPAN_LIT("tls-unique"), &b) &&
	    b == SASL_BINDING_UNIQUE);
	cr_expect_not(sasl_find_binding(SPAN_LIT("TLS-UNIQUE"), &b));
	cr_expect_not(sasl_find_binding(SPAN_LIT(""), &b));
}
