#include "common/tls/tls_provider.h"

#include "common/base/check.h"
#include "common/tls/provider_key.h"

#include <openssl/core_dispatch.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <pthread.h>

static OSSL_LIB_CTX *context;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const OSSL_ALGORITHM *
query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT:
		return provider_keys;
	case OSSL_OP_SIGNATURE:
		return provider_signatures;
	default:
		return NULL;
	}
}

static void
tear_down(void *provider)
{
	(void)provider;
}

/* It needs nothing of OpenSSL's core, and no state. */
static int
init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
	typedef void (*function)(void);
	static const OSSL_DISPATCH table[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (function)query },
		{ OSSL_FUNC_PROVIDER_TEARDOWN, (function)tear_down },
		{ 0, NULL },
	};
	static int state;

	(void)handle;
	(void)in;
	*out = table;
	*provider = &state;
	return 1;
}

/* No configuration file is read: there is none in an empty root, and the
 * environment must not choose one. */
static void
make_context(void)
{
	OSSL_LIB_CTX *c = OSSL_LIB_CTX_new();

	if (c == NULL)
		return;
	if (OSSL_PROVIDER_load(c, "default") == NULL ||
	    !OSSL_PROVIDER_add_builtin(c, "mtad", init) ||
	    OSSL_PROVIDER_load(c, "mtad") == NULL) {
		OSSL_LIB_CTX_free(c);
		return;
	}
	context = c;
}

OSSL_LIB_CTX *
tls_provider_context(void)
{
	(void)pthread_once(&once, make_context);
	return context;
}

static const char *
kind_of(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "RSA") ? "RSA"
	    : EVP_PKEY_is_a(key, "EC") ? "EC"
	    : EVP_PKEY_is_a(key, "ED25519") ? "ED25519" : NULL;
}

static enum err
make(const char *kind, OSSL_PARAM params[], EVP_PKEY **out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
	    tls_provider_context(), kind, "provider=mtad");
	enum err e = ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0 &&
	    EVP_PKEY_fromdata(ctx, out, EVP_PKEY_KEYPAIR, params) > 0 ? OK
	    : ERR_NOMEM;

	EVP_PKEY_CTX_free(ctx);
	return e;
}

enum err
tls_provider_key(X509 *leaf, const uint8_t key_id[SIGN_ID_BYTES],
    struct tls_signer *signer, EVP_PKEY **out)
{
	const EVP_PKEY *public = X509_get0_pubkey(leaf);
	const char *kind = public != NULL ? kind_of(public) : NULL;
	uint8_t id[SIGN_ID_BYTES];
	unsigned char *der = NULL;
	OSSL_PARAM params[4];
	int n;
	enum err e;

	if (kind == NULL)
		return ERR_SYNTAX;
	n = i2d_PUBKEY(public, &der);
	if (n <= 0)
		return ERR_NOMEM;
	memcpy(id, key_id, sizeof(id));
	params[0] = OSSL_PARAM_construct_octet_string(PROVIDER_PUBLIC, der,
	    (size_t)n);
	params[1] = OSSL_PARAM_construct_octet_string(PROVIDER_ID, id,
	    sizeof(id));
	params[2] = OSSL_PARAM_construct_octet_string(PROVIDER_SIGNER,
	    &signer, sizeof(signer));
	params[3] = OSSL_PARAM_construct_end();
	e = make(kind, params, out);
	OPENSSL_free(der);
	return e;
}
