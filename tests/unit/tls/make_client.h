/*
 * Certificates of clients and of their authorities, good and bad; for tests.
 */
#ifndef MTAD_TESTS_MAKE_CLIENT_H
#define MTAD_TESTS_MAKE_CLIENT_H

#include "common/base/buf.h"

#include <openssl/x509.h>

struct made {
	X509 *x;
	EVP_PKEY *key;
};

struct made_spec {
	struct span name;		/* commonName; empty: none */
	struct span second_name;	/* another one */
	struct span mails[2];		/* rfc822Names; with NULL: none */
	const char *usage;		/* extendedKeyUsage, or NULL */
	bool is_ca;
	bool has_broken_alt;		/* a subjectAltName that is no list */
	long from_s, until_s;		/* from now; 0 and 0: an hour each way */
};

/* Signed by ISSUER, or by itself when that is NULL. */
void make_client(const struct made_spec *spec, const struct made *issuer,
    struct made *out);
void made_clear(struct made *m);

/* Appends it as PEM. */
void made_write(const struct made *m, struct buf *out);

#endif
