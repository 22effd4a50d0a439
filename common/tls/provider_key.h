/*
 * Keys of the provider, and what its two halves share: key management
 * (provider_key.c) and signatures (provider_sign.c).
 */
#ifndef MTAD_TLS_PROVIDER_KEY_H
#define MTAD_TLS_PROVIDER_KEY_H

#include "common/tls/tls_signer.h"

#include <openssl/core.h>
#include <openssl/evp.h>

/* Names of a key's parameters, between us alone. */
#define PROVIDER_PUBLIC	"mtad-public"	/* SubjectPublicKeyInfo, DER */
#define PROVIDER_ID	"mtad-id"
#define PROVIDER_SIGNER	"mtad-signer"	/* a pointer's bytes */

struct provider_key {
	EVP_PKEY *public;		/* of OpenSSL's default provider */
	uint8_t id[SIGN_ID_BYTES];
	struct tls_signer *signer;	/* NULL: only a public key */
};

extern const OSSL_ALGORITHM provider_keys[];
extern const OSSL_ALGORITHM provider_signatures[];

#endif
