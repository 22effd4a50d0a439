/*
 * Whom a certificate names, if it is one that names a user (RFC 5280 4.2.1.6).
 * Whether it is to be believed is said elsewhere (tls_clients.h).
 */
#ifndef MTAD_TLS_TLS_IDENTITY_H
#define MTAD_TLS_TLS_IDENTITY_H

#include "common/base/err.h"

#include <stddef.h>

#define TLS_IDENTITY_USER_MAX	255

struct x509_st;

struct tls_identity {
	char user[TLS_IDENTITY_USER_MAX];	/* UTF-8, no controls */
	size_t user_n;
	char fingerprint[2 * 32 + 1];	/* SHA-256 of it, in hex */
};

/* Of any certificate; there is no user yet then.  ERR_NOMEM. */
enum err tls_identity_fingerprint(struct x509_st *x,
    struct tls_identity *out);

/* The first rfc822Name of its subjectAltName; when there is none, its one
 * commonName.  ERR_DENIED: nobody, WHY says why. */
enum err tls_identity_user(struct x509_st *x, struct tls_identity *out,
    struct why *why);

#endif
