#include "keyd/sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static const EVP_MD *
digest_of(uint8_t digest)
{
	switch (digest) {
	case SIGN_SHA256:
		return EVP_sha256();
	case SIGN_SHA384:
		return EVP_sha384();
	case SIGN_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static bool
fits(const EVP_PKEY *key, uint8_t scheme)
{
	switch (scheme) {
	case SIGN_RSA_PKCS1:
	case SIGN_RSA_PSS:
		return EVP_PKEY_is_a(key, "RSA");
	case SIGN_ECDSA:
		return EVP_PKEY_is_a(key, "EC");
	default:
		return false;
	}
}

/* RFC 8446 4.2.3: the salt is as long as the digest. */
static bool
set_padding(EVP_PKEY_CTX *ctx, uint8_t scheme)
{
	if (scheme == SIGN_RSA_PKCS1)
		return EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PADDING) > 0;
	if (scheme == SIGN_RSA_PSS)
		return EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PSS_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
		    RSA_PSS_SALTLEN_DIGEST) > 0;
	return true;
}

static bool
sign_digest(EVP_PKEY *key, const struct sign_question *q, uint8_t *out,
    size_t *n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool is_done = ctx != NULL && EVP_PKEY_sign_init(ctx) > 0 &&
	    set_padding(ctx, q->scheme) &&
	    EVP_PKEY_CTX_set_signature_md(ctx, digest_of(q->digest)) > 0 &&
	    EVP_PKEY_sign(ctx, out, n, q->text.p, q->text.n) > 0;

	EVP_PKEY_CTX_free(ctx);
	return is_done;
}

static bool
sign_text(EVP_PKEY *key, const struct sign_question *q, uint8_t *out,
    size_t *n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_done = ctx != NULL && EVP_PKEY_is_a(key, "ED25519") &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) > 0 &&
	    EVP_DigestSign(ctx, out, n, q->text.p, q->text.n) > 0;

	EVP_MD_CTX_free(ctx);
	return is_done;
}

static bool
sign(EVP_PKEY *key, const struct sign_question *q, uint8_t *out, size_t *n)
{
	if (q->scheme == SIGN_ED25519)
		return sign_text(key, q, out, n);
	return fits(key, q->scheme) && sign_digest(key, q, out, n);
}

enum err
sign_answer(const struct pairs *pairs, struct span packet, struct buf *out)
{
	uint8_t signature[SIGN_SIGNATURE_MAX];
	size_t n = sizeof(signature);
	struct sign_question q;
	const struct pair *pair;

	if (sign_get_question(packet, &q) != OK)
		return ERR_SYNTAX;
	pair = pairs_find(pairs, q.key_id);
	if (pair == NULL || !sign(pair->key, &q, signature, &n))
		n = 0;
	/* a failure must not lie in the queue of the next one */
	ERR_clear_error();
	sign_put_answer(span_of(signature, n), out);
	return OK;
}
