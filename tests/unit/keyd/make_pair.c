#include "tests/unit/keyd/make_pair.h"

#include "common/base/check.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static EVP_PKEY *
make_key(const char *kind)
{
	if (strcmp(kind, "RSA2048") == 0)
		return EVP_RSA_gen(2048);
	if (strcmp(kind, "RSA1024") == 0)
		return EVP_RSA_gen(1024);
	if (strcmp(kind, "ED25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_EC_gen(kind);
}

static X509 *
make_certificate(EVP_PKEY *key, const char *name, long from_s, long until_s)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	char alt[300];
	X509_EXTENSION *ext;
	const EVP_MD *md = EVP_PKEY_is_a(key, "ED25519") ? NULL
	    : EVP_sha256();

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(x), until_s);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, subject);
	X509_set_pubkey(x, key);
	(void)snprintf(alt, sizeof(alt), "DNS:%s", name);
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	MUST(X509_sign(x, key, md) > 0);
	return x;
}

static void
take(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_add(out, p, (size_t)n);
	BIO_free(bio);
}

void
make_pair(const char *kind, const char *name, long from_s, long until_s,
    struct buf *chain, struct buf *key)
{
	EVP_PKEY *k = make_key(kind);
	X509 *x = make_certificate(k, name, from_s, until_s);
	BIO *bio = BIO_new(BIO_s_mem());

	MUST(PEM_write_bio_X509(bio, x));
	take(bio, chain);
	bio = BIO_new(BIO_s_mem());
	MUST(PEM_write_bio_PrivateKey(bio, k, NULL, NULL, 0, NULL, NULL));
	take(bio, key);
	X509_free(x);
	EVP_PKEY_free(k);
}
