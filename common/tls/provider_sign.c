/*
 * Signatures of the provider: hashed here, signed by keyd.  Only what TLS 1.2
 * and 1.3 sign with (RFC 8446 4.2.3); all in one call, as libssl does it.
 */
#include "common/tls/provider_key.h"

#include "common/base/check.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

struct sign_ctx {
	const struct provider_key *key;	/* the caller keeps it */
	uint8_t scheme;			/* enum sign_scheme */
	uint8_t digest;			/* enum sign_digest */
	bool is_pss;
};

static const struct {
	const char *name;
	const char *alias;
	uint8_t digest;
} digests[] = {
	{ "SHA256", "SHA2-256", SIGN_SHA256 },
	{ "SHA384", "SHA2-384", SIGN_SHA384 },
	{ "SHA512", "SHA2-512", SIGN_SHA512 },
};

static void *
sign_new(void *provider, const char *properties)
{
	(void)provider;
	(void)properties;
	return calloc(1, sizeof(struct sign_ctx));
}

static void
sign_free(void *data)
{
	free(data);
}

static uint8_t
find_digest(const char *name)
{
	for (size_t i = 0; name != NULL && i < COUNT_OF(digests); i++) {
		if (strcasecmp(name, digests[i].name) == 0 ||
		    strcasecmp(name, digests[i].alias) == 0)
			return digests[i].digest;
	}
	return SIGN_NO_DIGEST;
}

/* The padding of RSA: OpenSSL says it as a number or as a word. */
static int
set_params(void *data, const OSSL_PARAM params[])
{
	struct sign_ctx *ctx = data;
	const OSSL_PARAM *p = params == NULL ? NULL :
	    OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	int mode = RSA_PKCS1_PADDING;

	if (p == NULL)
		return 1;
	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		ctx->is_pss = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		return 1;
	}
	if (!OSSL_PARAM_get_int(p, &mode))
		return 0;
	ctx->is_pss = mode == RSA_PKCS1_PSS_PADDING;
	return ctx->is_pss || mode == RSA_PKCS1_PADDING;
}

/* The salt's length and MGF1's digest are set, too, and are what keyd takes
 * anyway: as the digest. */
static const OSSL_PARAM *
settable_params(void *data, void *provider)
{
	static const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL,
		    0),
		OSSL_PARAM_END,
	};

	(void)data;
	(void)provider;
	return params;
}

static int
begin(struct sign_ctx *ctx, void *key, uint8_t scheme, const char *digest,
    const OSSL_PARAM params[])
{
	if (key != NULL)
		ctx->key = key;
	ctx->scheme = scheme;
	ctx->digest = scheme == SIGN_ED25519 ? SIGN_NO_DIGEST
	    : find_digest(digest);
	return ctx->key != NULL && ctx->key->signer != NULL &&
	    set_params(ctx, params);
}

static int
init_rsa(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
	return begin(data, key, SIGN_RSA_PKCS1, digest, params);
}

static int
init_ecdsa(void *data, const char *digest, void *key,
    const OSSL_PARAM params[])
{
	return begin(data, key, SIGN_ECDSA, digest, params);
}

static int
init_ed25519(void *data, const char *digest, void *key,
    const OSSL_PARAM params[])
{
	return begin(data, key, SIGN_ED25519, digest, params);
}

static const EVP_MD *
md_of(uint8_t digest)
{
	return digest == SIGN_SHA256 ? EVP_sha256()
	    : digest == SIGN_SHA384 ? EVP_sha384() : EVP_sha512();
}

static int
ask(const struct sign_ctx *ctx, struct span text, uint8_t *out, size_t *n)
{
	struct sign_question q = {
		.scheme = ctx->is_pss ? SIGN_RSA_PSS : ctx->scheme,
		.digest = ctx->digest,
	};
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned hash_n = 0;

	memcpy(q.key_id, ctx->key->id, SIGN_ID_BYTES);
	q.text = text;
	if (ctx->scheme != SIGN_ED25519) {
		if (ctx->digest == SIGN_NO_DIGEST ||
		    EVP_Digest(text.p, text.n, hash, &hash_n,
		    md_of(ctx->digest), NULL) != 1)
			return 0;
		q.text = span_of(hash, hash_n);
	}
	return tls_signer_ask(ctx->key->signer, &q, out, n) == OK;
}

/* OUT NULL asks for the length that is enough. */
static int
sign(void *data, unsigned char *out, size_t *n, size_t size,
    const unsigned char *text, size_t text_n)
{
	const struct sign_ctx *ctx = data;
	uint8_t signature[SIGN_SIGNATURE_MAX];
	size_t got;

	if (out == NULL) {
		*n = (size_t)EVP_PKEY_get_size(ctx->key->public);
		return 1;
	}
	if (!ask(ctx, span_of(text, text_n), signature, &got) || got > size)
		return 0;
	memcpy(out, signature, got);
	*n = got;
	return 1;
}

typedef void (*function)(void);

#define SIGN_FUNCTIONS(init_fn)						\
	{ OSSL_FUNC_SIGNATURE_NEWCTX, (function)sign_new },		\
	{ OSSL_FUNC_SIGNATURE_FREECTX, (function)sign_free },		\
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (function)(init_fn) },	\
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (function)sign },		\
	{ OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (function)set_params },	\
	{ OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS,			\
	    (function)settable_params }

static const OSSL_DISPATCH rsa[] = { SIGN_FUNCTIONS(init_rsa), { 0, NULL } };
static const OSSL_DISPATCH ecdsa[] = {
	SIGN_FUNCTIONS(init_ecdsa), { 0, NULL },
};
static const OSSL_DISPATCH ed25519[] = {
	SIGN_FUNCTIONS(init_ed25519), { 0, NULL },
};

const OSSL_ALGORITHM provider_signatures[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=mtad", rsa,
	    NULL },
	{ "ECDSA", "provider=mtad", ecdsa, NULL },
	{ "ED25519:1.3.101.112", "provider=mtad", ed25519, NULL },
	{ NULL, NULL, NULL, NULL },
};
