/*
 * Clients that show a certificate: who is who, and who is nobody (AUTH-17,
 * AUTH-18, T16).  A wrong one ends no session.
 */
#include "common/base/check.h"
#include "tests/unit/tls/make_client.h"
#include "tests/unit/tls/tls_rig.h"

#include <criterion/criterion.h>
#include <openssl/err.h>

#define CHAIN_MAX 300

static const struct pair_names one[] = { { "P-256", "mail.example.org" } };

static struct made root, client, chain[CHAIN_MAX];
static size_t chain_n;
static struct tls_identity found;
static struct why why;

/* ---- the authority ---- */

static const struct made_spec root_spec = {
	.name = SPAN_LIT("Root"), .is_ca = true,
};

static void
believe(const struct made *ca)
{
	struct buf pem;

	buf_init(&pem, TLS_RIG_BIG);
	made_write(ca, &pem);
	tls_clients_free(&rig.clients);
	cr_assert_eq(tls_clients_new(buf_span(&pem), &rig.clients, &why), OK,
	    "%s", why.text);
	buf_clear(&pem);
}

static void
begin(void)
{
	tls_rig_begin();
	tls_rig_serve(one, 1);
	make_client(&root_spec, NULL, &root);
	believe(&root);
}

static void
forget_client(void)
{
	made_clear(&client);
	for (size_t i = 0; i < chain_n; i++)
		made_clear(&chain[i]);
	chain_n = 0;
}

static void
end(void)
{
	forget_client();
	made_clear(&root);
	tls_rig_end();
}

TestSuite(tls_clients, .init = begin, .fini = end);

/* ---- clients ---- */

static void
showing(SSL *ssl)
{
	if (client.x == NULL)
		return;
	cr_assert_eq(SSL_use_certificate(ssl, client.x), 1);
	cr_assert_eq(SSL_use_PrivateKey(ssl, client.key), 1);
	for (size_t i = 0; i < chain_n; i++)
		cr_assert_eq(SSL_add1_chain_cert(ssl, chain[i].x), 1);
}

static void
showing_12(SSL *ssl)
{
	tls_rig_only_12(ssl);
	showing(ssl);
}

static enum err
look(void)
{
	why.text[0] = '\0';
	return tls_clients_look(rig.clients, rig.filter, &found, &why);
}

/* In both versions, and the session is open whatever comes of it. */
static enum err
try_client(void)
{
	enum err e;

	cr_assert(tls_rig_try(rig.server, showing_12));
	e = look();
	cr_assert(tls_rig_try(rig.server, showing));
	cr_assert_str_eq(SSL_get_version(rig.client), "TLSv1.3");
	cr_assert_eq(look(), e);
	return e;
}

static enum err
try_spec(const struct made_spec *spec, const struct made *issuer)
{
	forget_client();
	make_client(spec, issuer, &client);
	return try_client();
}

static bool
is_user(const char *name)
{
	return span_equal(span_of(found.user, found.user_n), span_str(name));
}

/* ---- who is who ---- */

Test(tls_clients, none_is_shown)
{
	cr_expect_eq(try_client(), ERR_NOT_FOUND);
	/* it is asked, and told of whom */
	cr_expect_eq(sk_X509_NAME_num(SSL_get0_peer_CA_list(rig.client)), 1);
}

#define LONG50	"0123456789012345678901234567890123456789012345678@"
#define LONG250	LONG50 LONG50 LONG50 LONG50 LONG50

static const struct {
	struct made_spec spec;
	const char *user;		/* NULL: nobody */
	const char *why;
} names[] = {
	{ { .name = SPAN_LIT("ann") }, "ann", NULL },
	{ { .name = SPAN_LIT("J\xc3\xbcrgen M") }, "J\xc3\xbcrgen M", NULL },
	{ { .name = SPAN_LIT("ann"), .mails = { SPAN_LIT("bob@example.org"),
	    SPAN_LIT("carl@example.org") } }, "bob@example.org", NULL },
	{ { .mails = { SPAN_LIT(LONG250 "12345") } }, LONG250 "12345", NULL },
	{ { .name = SPAN_LIT("ann"), .usage = "clientAuth" }, "ann", NULL },
	{ { .name = SPAN_LIT("ann"), .usage = "serverAuth,clientAuth" },
	    "ann", NULL },
	{ { .mails = { SPAN_LIT(LONG250 "123456") } }, NULL, "rfc822Name" },
	{ { .name = SPAN_LIT("ann\0.evil") }, NULL, "commonName" },
	{ { .name = SPAN_LIT("a\nn") }, NULL, "commonName" },
	{ { .name = SPAN_LIT("a\x7f") }, NULL, "commonName" },
	/* a bad address is no reason to look for another name */
	{ { .name = SPAN_LIT("ann"),
	    .mails = { SPAN_LIT("ann@example.org\0.evil") } }, NULL,
	    "rfc822Name" },
	{ { .name = SPAN_LIT("ann"), .mails = { SPAN_LIT("a\r\nb@c") } },
	    NULL, "rfc822Name" },
	{ { .name = SPAN_LIT("ann"), .mails = { SPAN_LIT("\xc3\xbc@c") } },
	    NULL, "rfc822Name" },
	{ { .name = SPAN_LIT("ann"), .mails = { SPAN_LIT("") } }, NULL,
	    "rfc822Name" },
	{ { .name = SPAN_LIT("ann"), .second_name = SPAN_LIT("bob") }, NULL,
	    "several" },
	{ { .usage = "clientAuth" }, NULL, "names nobody" },
	{ { .name = SPAN_LIT("ann"), .has_broken_alt = true }, NULL, "" },
};

Test(tls_clients, names)
{
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const bool is_good = names[i].user != NULL;

		cr_expect_eq(try_spec(&names[i].spec, &root),
		    is_good ? OK : ERR_DENIED, "%zu %s", i, why.text);
		if (is_good)
			cr_expect(is_user(names[i].user), "%zu", i);
		else
			cr_expect(strstr(why.text, names[i].why) != NULL,
			    "%zu %s", i, why.text);
		cr_expect_eq(strlen(found.fingerprint), 64);
	}
}

/* As `openssl x509 -fingerprint -sha256` has it, without colons. */
Test(tls_clients, fingerprint)
{
	const struct made_spec spec = { .name = SPAN_LIT("ann") };
	uint8_t hash[32];
	char digits[65];

	cr_assert_eq(try_spec(&spec, &root), OK);
	cr_assert_eq(X509_digest(client.x, EVP_sha256(), hash, NULL), 1);
	for (size_t i = 0; i < sizeof(hash); i++)
		(void)snprintf(digits + 2 * i, 3, "%02x", hash[i]);
	cr_expect_str_eq(found.fingerprint, digits);
}

/* ---- whom not to believe ---- */

Test(tls_clients, wrong_ones_are_nobody)
{
	static const struct {
		struct made_spec spec;
		int issuer;	/* 0 itself, 1 the root, 2 another, 3 a user */
		const char *why;
	} rows[] = {
		{ { .name = SPAN_LIT("ann") }, 2, "issuer" },
		{ { .name = SPAN_LIT("ann") }, 0, "self" },
		{ { .name = SPAN_LIT("ann"), .is_ca = true }, 0, "self" },
		{ { .name = SPAN_LIT("ann"), .usage = "serverAuth" }, 1,
		    "purpose" },
		{ { .name = SPAN_LIT("ann"), .usage = "emailProtection" }, 1,
		    "purpose" },
		{ { .name = SPAN_LIT("ann"), .from_s = -7200,
		    .until_s = -3600 }, 1, "expired" },
		{ { .name = SPAN_LIT("ann"), .from_s = 3600,
		    .until_s = 7200 }, 1, "not yet" },
		/* one user can't make another */
		{ { .name = SPAN_LIT("ann") }, 3, "CA" },
	};
	const struct made_spec user = { .name = SPAN_LIT("bob") };
	struct made other, bob;

	make_client(&root_spec, NULL, &other);
	make_client(&user, &root, &bob);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct made *issuers[] = { NULL, &root, &other, &bob };

		forget_client();
		make_client(&rows[i].spec, issuers[rows[i].issuer], &client);
		if (rows[i].issuer == 3) {
			X509_up_ref(bob.x);
			EVP_PKEY_up_ref(bob.key);
			chain[chain_n++] = bob;
		}
		cr_expect_eq(try_client(), ERR_DENIED, "%zu", i);
		/* another root has the same name: its signature is wrong */
		cr_expect(strstr(why.text, rows[i].why) != NULL ||
		    rows[i].issuer == 2, "%zu %s", i, why.text);
	}
	made_clear(&other);
	made_clear(&bob);
}

/* ROOT, N in between, and the client, who sends them. */
static enum err
try_depth(size_t n)
{
	const struct made_spec user = { .name = SPAN_LIT("ann") };

	forget_client();
	for (chain_n = 0; chain_n < n; chain_n++) {
		const char name[] = { 'B', (char)('0' + chain_n), '\0' };
		const struct made_spec between = {
			.name = span_str(name), .is_ca = true,
		};

		make_client(&between, chain_n == 0 ? &root
		    : &chain[chain_n - 1], &chain[chain_n]);
	}
	make_client(&user, n == 0 ? &root : &chain[n - 1], &client);
	return try_client();
}

Test(tls_clients, chains)
{
	cr_expect_eq(try_depth(1), OK, "%s", why.text);
	cr_expect(is_user("ann"));
	/* not the whole of it */
	chain_n = 0;
	cr_expect_eq(try_client(), ERR_DENIED);
	chain_n = 1;
	/* a bundle may name what is below a root */
	believe(&chain[0]);
	cr_expect_eq(try_client(), OK, "%s", why.text);
	believe(&root);
	cr_expect_eq(try_depth(TLS_CLIENTS_DEPTH), OK, "%s", why.text);
	cr_expect_eq(try_depth(TLS_CLIENTS_DEPTH + 1), ERR_DENIED);
	cr_expect_eq(try_depth(40), ERR_DENIED);
}

/* More than anybody needs: the one case that ends the handshake. */
Test(tls_clients, a_huge_chain)
{
	cr_expect_eq(try_depth(0), OK);
	for (chain_n = 0; chain_n < CHAIN_MAX; chain_n++)
		make_client(&root_spec, NULL, &chain[chain_n]);
	(void)tls_rig_try(rig.server, showing);
	cr_expect_eq(rig.end, STREAM_FILTER_BROKEN);
	cr_expect_not(tls_filter_is_open(rig.filter));
}

/* ---- resumption ---- */

static void
resuming(SSL *ssl)
{
	showing(ssl);
	if (rig.session != NULL)
		SSL_set_session(ssl, rig.session);
}

static void
resuming_12(SSL *ssl)
{
	tls_rig_only_12(ssl);
	resuming(ssl);
}

static void
forget_session(void)
{
	tls_rig_free_client();
	SSL_SESSION_free(rig.session);
	rig.session = NULL;
}

/* Who has shown one shows it each time, and is verified each time. */
Test(tls_clients, certified_sessions_are_not_resumed)
{
	const struct made_spec spec = { .name = SPAN_LIT("ann") };
	struct made other;

	make_client(&root_spec, NULL, &other);
	cr_assert_eq(try_spec(&spec, &root), OK);
	for (int i = 0; i < 2; i++) {
		forget_session();
		cr_assert(tls_rig_try(rig.server,
		    i == 0 ? showing : showing_12));
		cr_expect_eq(rig.session == NULL, i == 0);
		cr_assert(tls_rig_try(rig.server,
		    i == 0 ? resuming : resuming_12));
		cr_expect_eq(SSL_session_reused(rig.client), 0);
		cr_expect_eq(look(), OK);
		/* the authority is another now */
		believe(&other);
		cr_assert(tls_rig_try(rig.server,
		    i == 0 ? resuming : resuming_12));
		cr_expect_eq(look(), ERR_DENIED);
		believe(&root);
	}
	made_clear(&other);
}

Test(tls_clients, others_are_resumed_as_before)
{
	struct tls_clients *clients = rig.clients;

	for (int i = 0; i < 2; i++) {
		void (*with)(SSL *) = i == 0 ? resuming : resuming_12;

		forget_session();
		cr_assert(tls_rig_try(rig.server, with));
		cr_expect_eq(look(), ERR_NOT_FOUND);
		cr_assert(tls_rig_try(rig.server, with));
		cr_expect_eq(SSL_session_reused(rig.client), 1);
		cr_expect_eq(look(), ERR_NOT_FOUND);
		/* one that was not asked is, when it comes again */
		forget_session();
		rig.clients = NULL;
		cr_assert(tls_rig_try(rig.server, with));
		rig.clients = clients;
		cr_assert(tls_rig_try(rig.server, with));
		cr_expect_eq(SSL_session_reused(rig.client), 0);
	}
}

/* ---- the proof ---- */

/* In TLS 1.2 its flight is not encrypted before its last record: whatever a bit
 * does to certificate, key exchange or signature, nobody is certified. */
Test(tls_clients, flipped_bits_in_the_proof)
{
	const struct made_spec spec = { .name = SPAN_LIT("ann") };
	size_t flight = 0;

	cr_assert_eq(try_spec(&spec, &root), OK);
	for (size_t at = 0; at == 0 || at < flight; at += 5) {
		uint8_t bytes[4096];
		char *p;
		long n;

		tls_rig_start(rig.server, showing_12);
		(void)SSL_do_handshake(rig.client);
		cr_assert(tls_rig_pass_to_server());
		cr_assert(tls_rig_pass_to_client());
		(void)SSL_do_handshake(rig.client);
		n = BIO_get_mem_data(SSL_get_wbio(rig.client), &p);
		cr_assert(n > 0 && (size_t)n <= sizeof(bytes));
		memcpy(bytes, p, (size_t)n);
		/* a signature has not always the same length */
		flight = (size_t)n;
		if (at >= flight)
			break;
		bytes[at] ^= (uint8_t)(1U << at % 8);
		tls_rig_feed(span_of(bytes, flight));
		cr_expect_not(tls_filter_is_open(rig.filter), "%zu", at);
		ERR_clear_error();
	}
}

/* ---- bundles ---- */

static enum err
load(struct span pem)
{
	struct tls_clients *c = NULL;
	enum err e = tls_clients_new(pem, &c, &why);

	cr_expect_eq(e == OK, c != NULL);
	tls_clients_free(&c);
	return e;
}

Test(tls_clients, bundles)
{
	const struct made_spec user = { .name = SPAN_LIT("ann") };
	struct buf pem;

	cr_expect_eq(load(SPAN_NONE), ERR_SYNTAX);
	cr_expect_str_eq(why.text, "no certificate is in it");
	cr_expect_eq(load(SPAN_LIT("hello\n")), ERR_SYNTAX);
	buf_init(&pem, TLS_RIG_BIG);
	made_write(&root, &pem);
	cr_expect_eq(load(buf_span(&pem)), OK);
	/* at every length: whole, or refused */
	for (size_t n = 0; n < pem.n - 1; n += 3)
		cr_expect_eq(load(span_sub(buf_span(&pem), 0, n)),
		    ERR_SYNTAX, "%zu", n);
	make_client(&user, &root, &client);
	made_write(&client, &pem);
	cr_expect_eq(load(buf_span(&pem)), ERR_SYNTAX);
	cr_expect_str_eq(why.text, "certificate 2 is not one of an authority");
	buf_reset(&pem);
	for (int i = 0; i < TLS_CLIENTS_MAX; i++)
		made_write(&root, &pem);
	cr_expect_eq(load(buf_span(&pem)), OK);
	made_write(&root, &pem);
	cr_expect_eq(load(buf_span(&pem)), ERR_RANGE);
	buf_clear(&pem);
}
