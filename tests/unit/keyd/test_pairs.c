/*
 * Certificates and keys: what is taken, what is refused with which words, and
 * what is signed with them (I-07).
 */
#include "common/base/check.h"
#include "common/ipc/messages.h"
#include "keyd/pairs.h"
#include "keyd/sign.h"
#include "tests/unit/keyd/make_pair.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <time.h>

#define DAY	86400L
#define BIG	((size_t)1024 * 1024)

struct files {
	struct buf chain, key, rows, text;
	uint32_t n;
	enum pairs_side side;
	struct pairs pairs;
};

static struct files f;

static void
begin(void)
{
	buf_init(&f.chain, BIG);
	buf_init(&f.key, BIG);
	buf_init(&f.rows, BIG);
	buf_init(&f.text, BIG);
}

static void
end(void)
{
	pairs_clear(&f.pairs);
	buf_clear(&f.chain);
	buf_clear(&f.key);
	buf_clear(&f.rows);
	buf_clear(&f.text);
}

TestSuite(pairs, .init = begin, .fini = end);

static void
make(const char *kind, long from_s, long until_s)
{
	buf_reset(&f.chain);
	buf_reset(&f.key);
	make_pair(kind, "mail.example.org", from_s, until_s, &f.chain,
	    &f.key);
}

static void
add(struct span chain, struct span key, struct span staple)
{
	const struct msg_tls_pair row = {
		SPAN_LIT("/c.pem"), chain, key, staple,
	};

	msg_put_tls_pair(&f.rows, &row);
	f.n++;
}

static enum err
load(void)
{
	const struct msg_list rows = { f.n, buf_span(&f.rows) };

	return pairs_load(&rows, f.side, (int64_t)time(NULL), &f.pairs,
	    &f.text);
}

static const char *
text(void)
{
	buf_add_byte(&f.text, '\0');
	f.text.n--;
	return (const char *)f.text.p;
}

/* ---- signatures ---- */

static EVP_PKEY *
public_key(const struct pair *pair)
{
	BIO *bio = BIO_new_mem_buf(pair->chain.p, (int)pair->chain.n);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY *key = X509_get_pubkey(x);

	X509_free(x);
	BIO_free(bio);
	return key;
}

static bool
is_good(EVP_PKEY *key, uint8_t scheme, const EVP_MD *md, struct span text,
    struct span signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	bool is = EVP_DigestVerifyInit(ctx, &pctx, md, NULL, key) > 0;

	if (is && scheme == SIGN_RSA_PSS)
		is = EVP_PKEY_CTX_set_rsa_padding(pctx,
		    RSA_PKCS1_PSS_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
		    RSA_PSS_SALTLEN_DIGEST) > 0;
	is = is && EVP_DigestVerify(ctx, signature.p, signature.n, text.p,
	    text.n) == 1;
	EVP_MD_CTX_free(ctx);
	return is;
}

/* Asks for a signature under TEXT; the answer's length is given. */
static size_t
ask(uint8_t scheme, uint8_t digest, const EVP_MD *md, struct span message)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct sign_question q = { .scheme = scheme, .digest = digest };
	struct buf packet, out;
	struct span signature = SPAN_NONE;
	EVP_PKEY *key = public_key(&f.pairs.v[0]);
	size_t length;

	memcpy(q.key_id, f.pairs.v[0].key_id, SIGN_ID_BYTES);
	if (md != NULL)
		EVP_Digest(message.p, message.n, hash, &n, md, NULL);
	q.text = md != NULL ? span_of(hash, n) : message;
	buf_init(&packet, SIGN_QUESTION_MAX);
	buf_init(&out, SIGN_QUESTION_MAX);
	sign_put_question(&q, &packet);
	cr_assert_eq(sign_answer(&f.pairs, buf_span(&packet), &out), OK);
	cr_assert_eq(sign_get_answer(buf_span(&out), &signature), OK);
	length = signature.n;
	if (length > 0)
		cr_expect(is_good(key, scheme, md, message, signature));
	EVP_PKEY_free(key);
	buf_clear(&packet);
	buf_clear(&out);
	return length;
}

static const struct {
	const char *kind;
	uint8_t scheme;
	size_t least;			/* bytes; 0: refused */
} schemes[] = {
	{ "RSA2048", SIGN_RSA_PKCS1, 256 },
	{ "RSA2048", SIGN_RSA_PSS, 256 },
	{ "RSA2048", SIGN_ECDSA, 0 },
	{ "RSA2048", SIGN_ED25519, 0 },
	{ "P-256", SIGN_ECDSA, 60 },
	{ "P-384", SIGN_ECDSA, 90 },
	{ "P-256", SIGN_RSA_PSS, 0 },
	{ "P-256", SIGN_RSA_PKCS1, 0 },
	{ "ED25519", SIGN_ED25519, 64 },
	{ "ED25519", SIGN_ECDSA, 0 },
};

Test(pairs, signs_with_the_schemes_of_the_key)
{
	const struct span message = SPAN_LIT("TLS 1.3, server CertificateVerify");

	for (size_t i = 0; i < COUNT_OF(schemes); i++) {
		const bool is_text = schemes[i].scheme == SIGN_ED25519;
		size_t n;

		make(schemes[i].kind, 0, 90 * DAY);
		buf_reset(&f.rows);
		f.n = 0;
		add(buf_span(&f.chain), buf_span(&f.key), SPAN_NONE);
		cr_assert_eq(load(), OK, "%s: %s", schemes[i].kind, text());
		n = ask(schemes[i].scheme,
		    is_text ? SIGN_NO_DIGEST : SIGN_SHA256,
		    is_text ? NULL : EVP_sha256(), message);
		cr_expect(schemes[i].least == 0 ? n == 0
		    : n >= schemes[i].least, "%s %u: %zu", schemes[i].kind,
		    schemes[i].scheme, n);
		pairs_clear(&f.pairs);
	}
	cr_expect_eq(f.text.n, 0);
}

Test(pairs, an_unknown_key_signs_nothing_and_no_question_is_an_error)
{
	struct sign_question q = {
		.scheme = SIGN_ECDSA, .digest = SIGN_SHA256,
		.text = SPAN_LIT("12345678901234567890123456789012"),
	};
	struct buf packet, out;

	buf_init(&packet, SIGN_QUESTION_MAX);
	buf_init(&out, SIGN_QUESTION_MAX);
	sign_put_question(&q, &packet);
	cr_expect_eq(sign_answer(&f.pairs, buf_span(&packet), &out), OK);
	cr_expect_eq(out.n, 4);		/* an empty span */
	for (size_t n = 0; n < packet.n; n++)
		cr_expect_eq(sign_answer(&f.pairs, span_of(packet.p, n), &out),
		    ERR_SYNTAX);
	/* a digest of another length */
	q.digest = SIGN_SHA384;
	buf_reset(&packet);
	sign_put_question(&q, &packet);
	cr_expect_eq(sign_answer(&f.pairs, buf_span(&packet), &out),
	    ERR_SYNTAX);
	buf_clear(&packet);
	buf_clear(&out);
}

/* ---- what is refused ---- */

Test(pairs, a_key_of_another_certificate)
{
	struct buf other;

	make("P-256", 0, 90 * DAY);
	buf_init(&other, BIG);
	buf_add_span(&other, buf_span(&f.key));
	make("P-256", 0, 90 * DAY);
	add(buf_span(&f.chain), buf_span(&other), SPAN_NONE);
	cr_expect_eq(load(), ERR_SYNTAX);
	cr_expect_str_eq(text(), "/c.pem: its key in tls.key is that of "
	    "another certificate\n");
	buf_clear(&other);
}

Test(pairs, all_that_is_wrong_is_told_at_once)
{
	make("RSA1024", 0, 90 * DAY);
	add(buf_span(&f.chain), buf_span(&f.key), SPAN_NONE);
	add(SPAN_LIT("no certificate"), buf_span(&f.key), SPAN_NONE);
	add(buf_span(&f.chain), SPAN_LIT("no key"), SPAN_NONE);
	make("P-256", 0, 90 * DAY);
	add(buf_span(&f.chain), buf_span(&f.key), SPAN_LIT("no staple"));
	/* the chain's second certificate is cut */
	buf_add_str(&f.chain, "-----BEGIN CERTIFICATE-----\nMIIB\n");
	add(buf_span(&f.chain), buf_span(&f.key), SPAN_NONE);
	cr_expect_eq(load(), ERR_SYNTAX);
	cr_expect_neq(strstr(text(), "the key must be RSA of 2048"), NULL);
	cr_expect_neq(strstr(text(), "is no certificate chain in PEM"), NULL);
	cr_expect_neq(strstr(text(), "is no private key in PEM"), NULL);
	cr_expect_neq(strstr(text(), "no successful OCSP response"), NULL);
	cr_expect_eq(f.pairs.n, 0);
	f.n = 0;
	for (size_t i = 0; i < f.text.n; i++)
		f.n += f.text.p[i] == '\n';
	cr_expect_eq(f.n, 5, "%s", text());
}

static const struct {
	long from, until;
	const char *word;		/* NULL: none */
} dates[] = {
	{ -90 * DAY, -DAY, "has expired" },
	{ -90 * DAY, 3 * DAY, "expires within 14 days" },
	{ DAY, 90 * DAY, "is not valid yet" },
	{ -DAY, 90 * DAY, NULL },
};

Test(pairs, dates_are_a_remark)
{
	for (size_t i = 0; i < COUNT_OF(dates); i++) {
		make("P-256", dates[i].from, dates[i].until);
		buf_reset(&f.rows);
		buf_reset(&f.text);
		f.n = 0;
		add(buf_span(&f.chain), buf_span(&f.key), SPAN_NONE);
		cr_expect_eq(load(), OK);
		if (dates[i].word == NULL)
			cr_expect_eq(f.text.n, 0, "%s", text());
		else
			cr_expect_neq(strstr(text(), dates[i].word), NULL,
			    "%s", text());
		pairs_clear(&f.pairs);
	}
}

/* A key that is renewed keeps none of its names. */
Test(pairs, several_are_told_apart)
{
	static const char *const kinds[] = { "P-256", "P-256", "ED25519" };

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		make(kinds[i], 0, 90 * DAY);
		add(buf_span(&f.chain), buf_span(&f.key), SPAN_NONE);
	}
	cr_assert_eq(load(), OK);
	cr_assert_eq(f.pairs.n, 3);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(pairs_find(&f.pairs, f.pairs.v[i].key_id),
		    &f.pairs.v[i]);
	f.pairs.v[2].key_id[31] ^= 1;
	cr_expect_eq(pairs_find(&f.pairs, f.pairs.v[0].key_id),
	    &f.pairs.v[0]);
}

/* What is shown at next hops: the same, in the words of routes. */
Test(pairs, of_clients)
{
	f.side = PAIRS_CLIENT;
	make("P-256", 0, 90 * DAY);
	add(buf_span(&f.chain), SPAN_LIT("no key"), SPAN_NONE);
	cr_expect_eq(load(), ERR_SYNTAX);
	cr_expect_neq(strstr(text(), "/c.pem: its key in routes[].tls_key is "
	    "no private key in PEM without passphrase"), NULL);
	buf_reset(&f.rows);
	buf_reset(&f.text);
	f.n = 0;
	add(buf_span(&f.chain), buf_span(&f.key), SPAN_NONE);
	cr_expect_eq(load(), OK);
	cr_expect_eq(f.text.n, 0, "%s", text());
	cr_expect(span_equal(buf_span(&f.pairs.v[0].name),
	    SPAN_LIT("/c.pem")));
	f.side = PAIRS_SERVER;
}
