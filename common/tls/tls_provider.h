/*
 * An OpenSSL provider whose private keys are in another process.
 *
 * A key of it is a public key and the name by which keyd knows the private
 * one; signing with it asks keyd (tls_signer.h).  It lives in a library context
 * of its own beside OpenSSL's default provider, which does all else, so that
 * no other key of the process can come to it.
 */
#ifndef MTAD_TLS_TLS_PROVIDER_H
#define MTAD_TLS_TLS_PROVIDER_H

#include "common/base/err.h"
#include "common/tls/tls_signer.h"

struct evp_pkey_st;
struct ossl_lib_ctx_st;
struct x509_st;

/* For all TLS of the process; made once, kept to its end.  NULL: no memory, or
 * OpenSSL can't be used (its words are in its error queue). */
struct ossl_lib_ctx_st *tls_provider_context(void);

/* "prefer OpenSSL's own", for what is fetched in that context */
#define TLS_PROVIDER_DEFAULT "?provider=default"

/*
 * The private key of LEAF as far as it is here.  SIGNER is borrowed for as long
 * as the key lives.  ERR_SYNTAX (a kind of key that isn't known), ERR_NOMEM.
 */
enum err tls_provider_key(struct x509_st *leaf,
    const uint8_t key_id[SIGN_ID_BYTES], struct tls_signer *signer,
    struct evp_pkey_st **out);

#endif
