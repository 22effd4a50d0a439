/*
 * Key management: what OpenSSL must know of a key to choose a certificate for
 * a client (size, strength, curve) is asked of its public half, which is an
 * ordinary key.  The private half claims to be there and can't be exported.
 */
#include "common/tls/provider_key.h"

#include "common/base/check.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_NAME_MAX	64

static void *
key_new(void *provider)
{
	(void)provider;
	return calloc(1, sizeof(struct provider_key));
}

static void
key_free(void *data)
{
	struct provider_key *key = data;

	if (key != NULL)
		EVP_PKEY_free(key->public);
	free(key);
}

static int
key_has(const void *data, int selection)
{
	const struct provider_key *key = data;

	if (key == NULL || key->public == NULL)
		return 0;
	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 ||
	    key->signer != NULL;
}

static int
key_match(const void *one, const void *two, int selection)
{
	const struct provider_key *a = one, *b = two;

	(void)selection;
	return a->public != NULL && b->public != NULL &&
	    EVP_PKEY_eq(a->public, b->public) == 1;
}

/* ---- in ---- */

/* Ours: made by tls_provider_key(). */
static int
import_ours(struct provider_key *key, const OSSL_PARAM *der,
    const OSSL_PARAM params[])
{
	const OSSL_PARAM *id = OSSL_PARAM_locate_const(params, PROVIDER_ID);
	const OSSL_PARAM *signer = OSSL_PARAM_locate_const(params,
	    PROVIDER_SIGNER);
	const unsigned char *p = der->data;

	if (id == NULL || id->data_size != SIGN_ID_BYTES || signer == NULL ||
	    signer->data_size != sizeof(key->signer))
		return 0;
	key->public = d2i_PUBKEY(NULL, &p, (long)der->data_size);
	memcpy(key->id, id->data, SIGN_ID_BYTES);
	memcpy(&key->signer, signer->data, sizeof(key->signer));
	return key->public != NULL;
}

/* A certificate's key, which is to be compared with one of ours. */
static int
import_public(struct provider_key *key, const char *kind,
    const OSSL_PARAM params[])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	OSSL_PARAM *copy = OSSL_PARAM_dup(params);
	int is_done = ctx != NULL && copy != NULL &&
	    EVP_PKEY_fromdata_init(ctx) > 0 &&
	    EVP_PKEY_fromdata(ctx, &key->public, EVP_PKEY_PUBLIC_KEY,
	    copy) > 0;

	OSSL_PARAM_free(copy);
	EVP_PKEY_CTX_free(ctx);
	return is_done;
}

static int
import(void *data, const char *kind, const OSSL_PARAM params[])
{
	const OSSL_PARAM *der = OSSL_PARAM_locate_const(params,
	    PROVIDER_PUBLIC);

	return der != NULL ? import_ours(data, der, params)
	    : import_public(data, kind, params);
}

static int
import_rsa(void *data, int selection, const OSSL_PARAM params[])
{
	(void)selection;
	return import(data, "RSA", params);
}

static int
import_ec(void *data, int selection, const OSSL_PARAM params[])
{
	(void)selection;
	return import(data, "EC", params);
}

static int
import_ed25519(void *data, int selection, const OSSL_PARAM params[])
{
	(void)selection;
	return import(data, "ED25519", params);
}

static const OSSL_PARAM *
import_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_octet_string(PROVIDER_PUBLIC, NULL, 0),
		OSSL_PARAM_octet_string(PROVIDER_ID, NULL, 0),
		OSSL_PARAM_octet_string(PROVIDER_SIGNER, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)selection;
	return types;
}

/* ---- out ---- */

/* Whoever wants the whole key gets nothing: that is what makes OpenSSL come to
 * this provider for a signature. */
static int
key_export(void *data, int selection, OSSL_CALLBACK *take, void *ctx)
{
	const struct provider_key *key = data;
	OSSL_PARAM *params = NULL;
	int is_taken;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
	    key->public == NULL ||
	    EVP_PKEY_todata(key->public, EVP_PKEY_PUBLIC_KEY, &params) <= 0)
		return 0;
	is_taken = take(params, ctx);
	OSSL_PARAM_free(params);
	return is_taken;
}

static int
set_number(OSSL_PARAM params[], const char *name, int value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_int(p, value);
}

static int
set_group(OSSL_PARAM params[], const EVP_PKEY *key)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_GROUP_NAME);
	char name[GROUP_NAME_MAX];

	if (p == NULL || !EVP_PKEY_is_a(key, "EC"))
		return 1;
	return EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) > 0 &&
	    OSSL_PARAM_set_utf8_string(p, name);
}

/* Ed25519 hashes by itself, and must say so. */
static int
set_digest(OSSL_PARAM params[], const EVP_PKEY *key)
{
	const bool is_ed = EVP_PKEY_is_a(key, "ED25519");
	OSSL_PARAM *p = OSSL_PARAM_locate(params, is_ed
	    ? OSSL_PKEY_PARAM_MANDATORY_DIGEST
	    : OSSL_PKEY_PARAM_DEFAULT_DIGEST);

	return p == NULL || OSSL_PARAM_set_utf8_string(p, is_ed ? ""
	    : "SHA256");
}

static int
get_params(void *data, OSSL_PARAM params[])
{
	const EVP_PKEY *key = ((struct provider_key *)data)->public;

	return key != NULL &&
	    set_number(params, OSSL_PKEY_PARAM_BITS,
	    EVP_PKEY_get_bits(key)) &&
	    set_number(params, OSSL_PKEY_PARAM_SECURITY_BITS,
	    EVP_PKEY_get_security_bits(key)) &&
	    set_number(params, OSSL_PKEY_PARAM_MAX_SIZE,
	    EVP_PKEY_get_size(key)) &&
	    set_group(params, key) && set_digest(params, key);
}

static const OSSL_PARAM *
gettable_params(void *provider)
{
	static const OSSL_PARAM params[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST,
		    NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return params;
}

static const char *
ec_operation(int id)
{
	return id == OSSL_OP_SIGNATURE ? "ECDSA" : "EC";
}

/* ---- the tables ---- */

typedef void (*function)(void);

#define KEY_FUNCTIONS(import_fn)					\
	{ OSSL_FUNC_KEYMGMT_NEW, (function)key_new },			\
	{ OSSL_FUNC_KEYMGMT_FREE, (function)key_free },			\
	{ OSSL_FUNC_KEYMGMT_HAS, (function)key_has },			\
	{ OSSL_FUNC_KEYMGMT_MATCH, (function)key_match },		\
	{ OSSL_FUNC_KEYMGMT_IMPORT, (function)(import_fn) },		\
	{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (function)import_types },	\
	{ OSSL_FUNC_KEYMGMT_EXPORT, (function)key_export },		\
	{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (function)import_types },	\
	{ OSSL_FUNC_KEYMGMT_GET_PARAMS, (function)get_params },		\
	{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (function)gettable_params }

static const OSSL_DISPATCH rsa[] = { KEY_FUNCTIONS(import_rsa), { 0, NULL } };
static const OSSL_DISPATCH ec[] = {
	KEY_FUNCTIONS(import_ec),
	{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (function)ec_operation },
	{ 0, NULL },
};
static const OSSL_DISPATCH ed25519[] = {
	KEY_FUNCTIONS(import_ed25519), { 0, NULL },
};

/* The names are OpenSSL's own for these kinds. */
const OSSL_ALGORITHM provider_keys[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=mtad", rsa,
	    NULL },
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=mtad", ec, NULL },
	{ "ED25519:1.3.101.112", "provider=mtad", ed25519, NULL },
	{ NULL, NULL, NULL, NULL },
};
