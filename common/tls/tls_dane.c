/*
 * The demands become a key for the cache of sessions by a digest of all of
 * them: a session that was verified under other records is none under these.
 */
#include "common/tls/tls_dane.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

bool
tls_dane_is_readable(const struct dns_tlsa *r)
{
	const unsigned char *p = r->data.p;
	bool is_good;

	if (r->matching != DNS_TLSA_FULL)
		return true;
	if (r->selector == 0) {
		X509 *x = d2i_X509(NULL, &p, (long)r->data.n);

		is_good = x != NULL;
		X509_free(x);
	} else {
		EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)r->data.n);

		is_good = key != NULL;
		EVP_PKEY_free(key);
	}
	ERR_clear_error();
	return is_good && p == r->data.p + r->data.n;
}

bool
tls_dane_prepare(struct ssl_ctx_st *ctx)
{
	return SSL_CTX_dane_enable(ctx) > 0;
}

/* Those that OpenSSL can't use are left out; some must be left. */
static bool
add_records(SSL *ssl, const struct tls_dane *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct dns_tlsa *r = &d->records[i];
		int added = SSL_dane_tlsa_add(ssl, r->usage, r->selector,
		    r->matching, r->data.p, r->data.n);

		if (added < 0)
			return false;
		n += added > 0;
	}
	return n > 0;
}

bool
tls_dane_demand(struct ssl_st *ssl, const char *base,
    const struct tls_dane *d)
{
	if (SSL_dane_enable(ssl, base) <= 0 || !add_records(ssl, d))
		return false;
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < TLS_DANE_NAMES; i++)
		if (d->names[i] != NULL && d->names[i][0] != '\0' &&
		    SSL_add1_host(ssl, d->names[i]) != 1)
			return false;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	return true;
}

/* Each part with its length, so that no two lists run into one text. */
static bool
add_part(EVP_MD_CTX *md, struct span part)
{
	const uint32_t n = (uint32_t)part.n;

	return EVP_DigestUpdate(md, &n, sizeof(n)) == 1 &&
	    (n == 0 || EVP_DigestUpdate(md, part.p, n) == 1);
}

static bool
add_parts(EVP_MD_CTX *md, const struct tls_dane *d)
{
	for (size_t i = 0; i < TLS_DANE_NAMES; i++)
		if (!add_part(md, d->names[i] == NULL ? SPAN_NONE :
		    span_str(d->names[i])))
			return false;
	for (size_t i = 0; i < d->n; i++) {
		const struct dns_tlsa *r = &d->records[i];
		const uint8_t head[] = { r->usage, r->selector, r->matching };

		if (!add_part(md, span_of(head, sizeof(head))) ||
		    !add_part(md, r->data))
			return false;
	}
	return true;
}

bool
tls_dane_key(const struct tls_dane *d, char out[TLS_DANE_KEY])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned n = 0;
	bool is_good = md != NULL &&
	    EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    add_parts(md, d) && EVP_DigestFinal_ex(md, digest, &n) == 1;

	EVP_MD_CTX_free(md);
	if (!is_good)
		return false;
	for (unsigned i = 0; i < n; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * n] = '\0';
	return true;
}
