#include "tests/unit/tls/make_client.h"

#include "common/base/check.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define HOUR	3600L

static void
add_name(X509_NAME *subject, struct span name)
{
	if (name.n > 0)
		MUST(X509_NAME_add_entry_by_NID(subject, NID_commonName,
		    V_ASN1_UTF8STRING, name.p, (int)name.n, -1, 0) == 1);
}

static void
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	MUST(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static void
add_mails(X509 *x, const struct made_spec *spec)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

	for (size_t i = 0; i < 2 && spec->mails[i].p != NULL; i++) {
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();

		MUST(ASN1_STRING_set(text, spec->mails[i].p,
		    (int)spec->mails[i].n) == 1);
		GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
		MUST(sk_GENERAL_NAME_push(names, name) > 0);
	}
	MUST(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1);
	GENERAL_NAMES_free(names);
}

static void
add_broken_alt(X509 *x)
{
	ASN1_OCTET_STRING *bytes = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;

	MUST(ASN1_OCTET_STRING_set(bytes, (const unsigned char *)"\x30\x05x",
	    3) == 1);
	ext = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0,
	    bytes);
	MUST(X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(bytes);
}

static void
add_extensions(X509 *x, X509 *issuer, const struct made_spec *spec)
{
	add_extension(x, issuer, NID_basic_constraints, spec->is_ca
	    ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (spec->usage != NULL)
		add_extension(x, issuer, NID_ext_key_usage, spec->usage);
	if (spec->mails[0].p != NULL)
		add_mails(x, spec);
	if (spec->has_broken_alt)
		add_broken_alt(x);
}

void
make_client(const struct made_spec *spec, const struct made *issuer,
    struct made *out)
{
	static long serial;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	const bool is_usual = spec->from_s == 0 && spec->until_s == 0;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), is_usual ? -HOUR
	    : spec->from_s);
	X509_gmtime_adj(X509_getm_notAfter(x), is_usual ? HOUR
	    : spec->until_s);
	add_name(X509_get_subject_name(x), spec->name);
	add_name(X509_get_subject_name(x), spec->second_name);
	X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL
	    ? issuer->x : x));
	X509_set_pubkey(x, key);
	add_extensions(x, issuer != NULL ? issuer->x : x, spec);
	MUST(X509_sign(x, issuer != NULL ? issuer->key : key, EVP_sha256()) >
	    0);
	*out = (struct made){ x, key };
}

void
made_clear(struct made *m)
{
	X509_free(m->x);
	EVP_PKEY_free(m->key);
	*m = (struct made){ NULL, NULL };
}

void
made_write(const struct made *m, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	MUST(PEM_write_bio_X509(bio, m->x) == 1);
	n = BIO_get_mem_data(bio, &p);
	buf_add(out, p, (size_t)n);
	BIO_free(bio);
}
