/*
 * A server that is known by its TLSA records, both ends in memory: DANE-05,
 * DANE-06, DANE-07.
 */
#include "common/base/check.h"
#include "common/tls/tls_client.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define HOUR 3600L

/* ---- certificates ---- */

struct cert {
	X509 *x;
	EVP_PKEY *key;
};

static void
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	cr_assert_not_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* For NAME, for an hour to UNTIL_S from now; of ISSUER, or of itself.  A CA
 * when NAME begins with "ca". */
static struct cert
make(const char *name, long until_s, const struct cert *issuer)
{
	struct cert c = { X509_new(), EVP_EC_gen("P-256") };
	char alt[300];
	X509_NAME *subject = X509_get_subject_name(c.x);
	static long serial;

	if (issuer == NULL)
		issuer = &c;
	X509_set_version(c.x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c.x), until_s - 2 * HOUR);
	X509_gmtime_adj(X509_getm_notAfter(c.x), until_s);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(c.x, X509_get_subject_name(issuer->x));
	X509_set_pubkey(c.x, c.key);
	if (strncmp(name, "ca", 2) == 0) {
		add_extension(c.x, NID_basic_constraints, "critical,CA:TRUE");
	} else {
		(void)snprintf(alt, sizeof(alt), "DNS:%s", name);
		add_extension(c.x, NID_subject_alt_name, alt);
	}
	cr_assert_gt(X509_sign(c.x, issuer->key, EVP_sha256()), 0);
	return c;
}

static void
drop(struct cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
}

/* ---- records ---- */

/* Of C: its octets, or a digest of them. */
static struct dns_tlsa
record(const struct cert *c, uint8_t usage, uint8_t selector,
    uint8_t matching)
{
	static uint8_t place[32][2048];
	static unsigned used;
	uint8_t *p = place[used++ % 32], *der = NULL;
	int n = selector == 0 ? i2d_X509(c->x, &der) :
	    i2d_PUBKEY(c->key, &der);
	unsigned size = (unsigned)n;

	cr_assert(n > 0 && n <= 2048);
	if (matching == DNS_TLSA_FULL)
		memcpy(p, der, size);
	else
		cr_assert_eq(EVP_Digest(der, (size_t)n, p, &size,
		    matching == DNS_TLSA_SHA256 ? EVP_sha256() : EVP_sha512(),
		    NULL), 1);
	OPENSSL_free(der);
	return (struct dns_tlsa){ usage, selector, matching,
	    span_of(p, size) };
}

/* ---- both ends ---- */

static struct tls_client *client;
static SSL_CTX *server_ctx;
static SSL *server;
static struct tls_filter *filter;
static char asked[256];		/* for which name */

static void
begin(void)
{
	cr_assert_eq(tls_client_new(SPAN_NONE, &client), OK);
}

/* In good order, else the session counts as spoilt. */
static void
hang_up(void)
{
	struct buf out;

	buf_init(&out, 1000);
	if (filter != NULL)
		tls_filter_base(filter)->ops->end(tls_filter_base(filter),
		    &out);
	buf_clear(&out);
	tls_filter_free(&filter);
	if (server != NULL)
		SSL_set_shutdown(server, SSL_SENT_SHUTDOWN);
	SSL_free(server);
	server = NULL;
}

static void
end(void)
{
	hang_up();
	SSL_CTX_free(server_ctx);
	tls_client_free(&client);
}

TestSuite(tls_dane, .init = begin, .fini = end);

static void
serve(const struct cert *leaf, const struct cert *issuer)
{
	SSL_CTX_free(server_ctx);
	server_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(server_ctx, leaf->x);
	SSL_CTX_use_PrivateKey(server_ctx, leaf->key);
	if (issuer != NULL)
		SSL_CTX_add1_chain_cert(server_ctx, issuer->x);
}

/* To the client, when there is something; what it says goes to the server. */
static bool
pass(void)
{
	struct stream_filter *base = tls_filter_base(filter);
	static uint8_t place[100000];
	struct buf out;
	char *p;
	size_t got;
	long n = BIO_get_mem_data(SSL_get_wbio(server), &p);

	buf_init(&out, 100000);
	if (n > 0)
		(void)base->ops->read(base, span_of(p, (size_t)n), place,
		    &got, &out);
	(void)BIO_reset(SSL_get_wbio(server));
	BIO_write(SSL_get_rbio(server), out.p, (int)out.n);
	buf_clear(&out);
	return n > 0;
}

static void
say_hello(void)
{
	struct stream_filter *base = tls_filter_base(filter);
	struct buf out;

	buf_init(&out, 100000);
	base->ops->begin(base, &out);
	BIO_write(SSL_get_rbio(server), out.p, (int)out.n);
	buf_clear(&out);
}

/* A handshake with what is shown to HOST by TLSA; whether it is open. */
static bool
connect_to(const char *host, const struct tls_dane *dane)
{
	const struct tls_client_peer peer = {
		.host = host, .port = 25, .dane = dane,
	};
	const char *name;

	hang_up();
	cr_assert_eq(tls_client_connect(client, &peer, &filter), OK);
	server = SSL_new(server_ctx);
	SSL_set_bio(server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(server);
	say_hello();
	do {
		if (SSL_is_init_finished(server)) {
			char byte;

			(void)SSL_read(server, &byte, 1);
		} else {
			(void)SSL_do_handshake(server);
		}
	} while (pass());
	ERR_clear_error();
	name = SSL_get_servername(server, TLSEXT_NAMETYPE_host_name);
	(void)snprintf(asked, sizeof(asked), "%s", name != NULL ? name : "");
	return tls_filter_is_open(filter);
}

static bool
is_good(const struct dns_tlsa *records, size_t n)
{
	const struct tls_dane dane = { .records = records, .n = n };

	return connect_to("mx.example", &dane);
}

/* ---- the tests ---- */

Test(tls_dane, every_form)
{
	struct cert ca = make("ca", HOUR, NULL);
	struct cert leaf = make("mx.example", HOUR, &ca);
	struct cert other = make("mx.example", HOUR, NULL);

	serve(&leaf, &ca);
	for (uint8_t selector = 0; selector < 2; selector++)
		for (uint8_t matching = 0; matching < 3; matching++) {
			struct dns_tlsa r = record(&leaf, 3, selector,
			    matching);

			cr_expect(is_good(&r, 1), "3 %u %u", selector,
			    matching);
			r = record(&ca, 2, selector, matching);
			cr_expect(is_good(&r, 1), "2 %u %u", selector,
			    matching);
			r = record(&other, 3, selector, matching);
			cr_expect_not(is_good(&r, 1), "3 %u %u", selector,
			    matching);
			cr_expect_neq(strstr(tls_filter_fault(filter),
			    "TLSA"), NULL, "%s", tls_filter_fault(filter));
			r = record(&other, 2, selector, matching);
			cr_expect_not(is_good(&r, 1), "2 %u %u", selector,
			    matching);
			/* a server is no authority, nor the reverse */
			r = record(&ca, 3, selector, matching);
			cr_expect_not(is_good(&r, 1));
		}
	drop(&ca);
	drop(&leaf);
	drop(&other);
}

/* DANE-05: neither names nor dates matter where the key itself is named. */
Test(tls_dane, end_entity)
{
	struct cert old = make("elsewhere.example", -HOUR, NULL);
	struct dns_tlsa r = record(&old, 3, 1, 1);

	serve(&old, NULL);
	cr_expect(is_good(&r, 1));
	drop(&old);
}

/* DANE-06: below an authority both do. */
Test(tls_dane, trust_anchor)
{
	struct cert ca = make("ca", HOUR, NULL);
	struct cert mx = make("mx.example", HOUR, &ca);
	struct cert domain = make("d.example", HOUR, &ca);
	struct cert old = make("mx.example", -HOUR, &ca);
	struct dns_tlsa r = record(&ca, 2, 1, 1);
	struct tls_dane dane = { .records = &r, .n = 1 };

	serve(&mx, &ca);
	cr_expect(is_good(&r, 1));
	serve(&domain, &ca);
	cr_expect_not(is_good(&r, 1));
	cr_expect_neq(strstr(tls_filter_fault(filter), "ostname"), NULL,
	    "%s", tls_filter_fault(filter));
	/* unless the domain is one that the mail is for, RFC 7672 3.2.2 */
	dane.names[0] = "other.example";
	dane.names[1] = "d.example";
	cr_expect(connect_to("mx.example", &dane));
	serve(&old, &ca);
	cr_expect_not(is_good(&r, 1));
	/* an authority that isn't shown can't be known by its digest */
	serve(&mx, NULL);
	cr_expect_not(is_good(&r, 1));
	drop(&ca);
	drop(&mx);
	drop(&domain);
	drop(&old);
}

/* One that matches is enough, wherever it stands. */
Test(tls_dane, roll_over)
{
	struct cert now = make("mx.example", HOUR, NULL);
	struct cert next = make("mx.example", HOUR, NULL);
	struct dns_tlsa both[] = { record(&next, 3, 1, 1),
	    record(&now, 3, 1, 1) };

	serve(&now, NULL);
	cr_expect(is_good(both, 2));
	serve(&next, NULL);
	cr_expect(is_good(both, 2));
	cr_expect_not(is_good(&both[1], 1));
	drop(&now);
	drop(&next);
}

/* DANE-07: by the name that the records are at. */
Test(tls_dane, server_name)
{
	struct cert c = make("mx.example", HOUR, NULL);
	struct dns_tlsa r = record(&c, 3, 1, 1);
	const struct tls_dane dane = { .names = { "d.example", "" },
	    .records = &r, .n = 1 };

	serve(&c, NULL);
	cr_expect(connect_to("base.example", &dane));
	cr_expect_str_eq(asked, "base.example");
	drop(&c);
}

static bool
is_resumed(void)
{
	struct tls_facts facts;

	tls_filter_facts(filter, &facts);
	return facts.is_resumed;
}

/* What was proved under other records proves nothing under these. */
Test(tls_dane, sessions)
{
	struct cert ca = make("ca", HOUR, NULL);
	struct cert c = make("mx.example", HOUR, &ca);
	struct dns_tlsa first = record(&c, 3, 1, 1);
	struct dns_tlsa second = record(&c, 3, 1, 2);
	struct dns_tlsa wrong = record(&ca, 3, 1, 1);
	struct dns_tlsa anchor = record(&ca, 2, 1, 1);
	struct tls_dane dane = { .records = &anchor, .n = 1 };

	serve(&c, &ca);
	cr_expect(is_good(&first, 1));
	cr_expect_not(is_resumed());
	cr_expect(is_good(&first, 1));
	cr_expect(is_resumed());
	cr_expect(is_good(&second, 1));
	cr_expect_not(is_resumed());
	cr_expect_not(is_good(&wrong, 1));
	/* nor under other names */
	cr_expect(connect_to("mx.example", &dane));
	dane.names[0] = "d.example";
	cr_expect(connect_to("mx.example", &dane));
	cr_expect_not(is_resumed());
	cr_expect(connect_to("mx.example", NULL));
	cr_expect_not(is_resumed());
	drop(&ca);
	drop(&c);
}

/* DANE-03, DANE-09: what is no certificate and no key proves nothing. */
Test(tls_dane, unreadable_records)
{
	struct cert c = make("mx.example", HOUR, NULL);
	struct dns_tlsa good = record(&c, 3, 0, 0);
	struct dns_tlsa junk = { 3, 0, 0, SPAN_LIT("no certificate") };
	struct dns_tlsa more = { 3, 0, 0, good.data };
	const struct tls_dane dane = { .records = &junk, .n = 1 };
	const struct tls_client_peer peer = {
		.host = "mx.example", .port = 25, .dane = &dane,
	};

	cr_expect(tls_dane_is_readable(&good));
	for (size_t n = 0; n < good.data.n; n++) {
		more.data.n = n;
		cr_expect_not(tls_dane_is_readable(&more), "%zu octets", n);
	}
	more.selector = 1;
	more.data = good.data;
	cr_expect_not(tls_dane_is_readable(&more));
	good = record(&c, 3, 1, 0);
	cr_expect(tls_dane_is_readable(&good));
	cr_expect_not(tls_dane_is_readable(&junk));
	junk.matching = 1;
	cr_expect(tls_dane_is_readable(&junk));
	junk.matching = 0;
	/* it never means that any certificate will do */
	cr_expect_eq(tls_client_connect(client, &peer, &filter), ERR_RANGE);
	serve(&c, NULL);
	{
		struct dns_tlsa both[] = { junk, record(&c, 3, 1, 1) };

		cr_expect(is_good(both, 2));
	}
	drop(&c);
}
