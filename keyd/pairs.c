/*
 * OpenSSL reads the PEM; all else is looking whether a TLS client would be
 * content: that the key is the certificate's, is long enough, and that the
 * dates fit.
 */
#include "keyd/pairs.h"

#include "common/ipc/messages.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#define NAME_MAX_BYTES	((size_t)4096)
#define CHAIN_MAX	((size_t)64 * 1024)
#define STAPLE_MAX	((size_t)16 * 1024)
#define DAY_S		86400

/* In the words of the configuration. */
static const char *const keys[] = {
	[PAIRS_SERVER] = "tls.key", [PAIRS_CLIENT] = "routes[].tls_key",
};

/* What OpenSSL complained about, in its words. */
static const char *
reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text != NULL ? text : "unreadable";
}

static void
complain(struct buf *text, struct span name, const char *what,
    const char *why)
{
	buf_addf(text, "%.*s: %s%s%s\n", (int)name.n, (const char *)name.p,
	    what, why != NULL ? ": " : "", why != NULL ? why : "");
}

static BIO *
bio_of(struct span s)
{
	return BIO_new_mem_buf(s.p, (int)s.n);
}

/* Nobody is there to be asked for a passphrase. */
static int
no_passphrase(char *out, int size, int is_writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)is_writing;
	(void)ctx;
	return -1;
}

/* Every certificate of the chain, so that one that is cut is found here; the
 * first is given. */
static X509 *
read_chain(struct span pem)
{
	BIO *bio = bio_of(pem);
	X509 *leaf = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_passphrase,
	    NULL) : NULL;
	X509 *more;

	if (leaf == NULL) {
		BIO_free(bio);
		return NULL;
	}
	while ((more = PEM_read_bio_X509(bio, NULL, no_passphrase,
	    NULL)) != NULL)
		X509_free(more);
	BIO_free(bio);
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		X509_free(leaf);
		return NULL;
	}
	ERR_clear_error();
	return leaf;
}

static EVP_PKEY *
read_key(struct span pem)
{
	BIO *bio = bio_of(pem);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL,
	    no_passphrase, NULL) : NULL;

	BIO_free(bio);
	return key;
}

/* Kinds that clients of TLS 1.2 and 1.3 know. */
static bool
is_usable(const EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= PAIRS_RSA_BITS_MIN &&
		    EVP_PKEY_get_size(key) <= SIGN_SIGNATURE_MAX;
	return EVP_PKEY_is_a(key, "EC") || EVP_PKEY_is_a(key, "ED25519");
}

/* A date is no reason to refuse: mail that is encrypted for a name whose
 * certificate ended yesterday is better than mail in clear. */
static void
look_at_dates(X509 *leaf, struct span name, int64_t now_s, struct buf *text)
{
	time_t now = (time_t)now_s;
	time_t soon = (time_t)(now_s + (int64_t)PAIRS_EXPIRY_DAYS * DAY_S);

	if (X509_cmp_time(X509_get0_notAfter(leaf), &now) < 0)
		complain(text, name, "the certificate has expired; renew it",
		    NULL);
	else if (X509_cmp_time(X509_get0_notAfter(leaf), &soon) < 0)
		buf_addf(text, "%.*s: the certificate expires within %d "
		    "days; renew it\n", (int)name.n, (const char *)name.p,
		    PAIRS_EXPIRY_DAYS);
	if (X509_cmp_time(X509_get0_notBefore(leaf), &now) > 0)
		complain(text, name, "the certificate is not valid yet: see "
		    "the clock", NULL);
}

/* RFC 5280 4.2.1.12: authorities of the Web make no others any more.  A host
 * that doesn't look takes it all the same. */
static void
look_at_usage(X509 *leaf, struct span name, struct buf *text)
{
	if (X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1)
		complain(text, name, "the certificate is not one for clients "
		    "(extendedKeyUsage clientAuth): hosts may refuse it",
		    NULL);
}

static bool
is_staple(struct span der)
{
	const unsigned char *p = der.p;
	OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
	bool is_good = r != NULL && p == der.p + der.n &&
	    OCSP_response_status(r) == OCSP_RESPONSE_STATUS_SUCCESSFUL;

	OCSP_RESPONSE_free(r);
	return is_good;
}

/* The name by which askers know the key: it changes with the key only. */
static bool
make_id(X509 *leaf, uint8_t out[SIGN_ID_BYTES])
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);

	if (n <= 0)
		return false;
	(void)SHA256(der, (size_t)n, out);
	OPENSSL_free(der);
	return true;
}

static void
complain_of_key(struct buf *text, struct span name, enum pairs_side side,
    const char *what, const char *why)
{
	buf_addf(text, "%.*s: its key in %s is %s%s%s\n", (int)name.n,
	    (const char *)name.p, keys[side], what, why != NULL ? ": " : "",
	    why != NULL ? why : "");
}

/* All that can be said of one row; false when it can't be used. */
static bool
judge(const struct msg_tls_pair *row, X509 *leaf, EVP_PKEY *key,
    enum pairs_side side, int64_t now_s, struct buf *text)
{
	if (leaf == NULL) {
		complain(text, row->name, "is no certificate chain in PEM",
		    reason());
		return false;
	}
	if (key == NULL) {
		complain_of_key(text, row->name, side, "no private key in PEM "
		    "without passphrase", reason());
		return false;
	}
	if (X509_check_private_key(leaf, key) != 1) {
		complain_of_key(text, row->name, side, "that of another "
		    "certificate", NULL);
		return false;
	}
	if (!is_usable(key)) {
		complain(text, row->name, "the key must be RSA of 2048 to "
		    "8192 bits, ECDSA or Ed25519", NULL);
		return false;
	}
	if (row->staple.n > 0 && !is_staple(row->staple)) {
		complain(text, row->name, "its file in tls.ocsp is no "
		    "successful OCSP response in DER", NULL);
		return false;
	}
	look_at_dates(leaf, row->name, now_s, text);
	if (side == PAIRS_CLIENT)
		look_at_usage(leaf, row->name, text);
	return true;
}

/* The parts of one that was found good, but for its key. */
static enum err
keep(const struct msg_tls_pair *row, X509 *leaf, struct pair *out)
{
	buf_init(&out->name, NAME_MAX_BYTES);
	buf_init(&out->chain, CHAIN_MAX);
	buf_init(&out->staple, STAPLE_MAX);
	buf_add_span(&out->name, row->name);
	buf_add_span(&out->chain, row->chain);
	buf_add_span(&out->staple, row->staple);
	return make_id(leaf, out->key_id) && !buf_failed(&out->name) &&
	    !buf_failed(&out->chain) && !buf_failed(&out->staple) ? OK :
	    ERR_NOMEM;
}

static enum err
take(const struct msg_tls_pair *row, enum pairs_side side, int64_t now_s,
    struct pair *out, struct buf *text)
{
	X509 *leaf;
	EVP_PKEY *key;
	enum err e = ERR_SYNTAX;

	ERR_clear_error();
	leaf = read_chain(row->chain);
	key = leaf != NULL ? read_key(row->key) : NULL;
	if (judge(row, leaf, key, side, now_s, text)) {
		e = keep(row, leaf, out);
		out->key = key;
		key = NULL;
	}
	X509_free(leaf);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return e;
}

void
pairs_clear(struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		EVP_PKEY_free(p->v[i].key);
		buf_clear(&p->v[i].name);
		buf_clear(&p->v[i].chain);
		buf_clear(&p->v[i].staple);
	}
	*p = (struct pairs){ .n = 0 };
}

/* Each row is looked at, so that all that is wrong is told at once. */
enum err
pairs_load(const struct msg_list *rows, enum pairs_side side, int64_t now_s,
    struct pairs *out, struct buf *text)
{
	struct msg_list left = *rows;
	struct msg_tls_pair row;
	struct pairs p = { .n = 0 };
	enum err e = OK;

	while (p.n < PAIRS_MAX && msg_next_tls_pair(&left, &row)) {
		enum err one = take(&row, side, now_s, &p.v[p.n], text);

		if (p.v[p.n].key != NULL)
			p.n++;
		if (e == OK)
			e = one;
	}
	if (e != OK)
		pairs_clear(&p);
	else
		*out = p;
	return e;
}

const struct pair *
pairs_find(const struct pairs *p, const uint8_t key_id[SIGN_ID_BYTES])
{
	for (size_t i = 0; i < p->n; i++) {
		if (memcmp(p->v[i].key_id, key_id, SIGN_ID_BYTES) == 0)
			return &p->v[i];
	}
	return NULL;
}
