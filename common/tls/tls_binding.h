/*
 * Channel binding: octets that only the two ends of one TLS session know, for
 * what is said inside to be tied to it (RFC 5056).
 *
 * Here is the server's side.  What a session has depends on its version and on
 * its certificate; the octets are computed when they are asked for.
 */
#ifndef MTAD_TLS_TLS_BINDING_H
#define MTAD_TLS_TLS_BINDING_H

#include "common/tls/tls_filter.h"

#define TLS_BINDING_MAX	64		/* octets */

enum tls_binding {
	/* tls-exporter, RFC 9266: of TLS 1.3, or with the extended master
	 * secret (RFC 7627) */
	TLS_BINDING_EXPORTER,
	/* tls-server-end-point, RFC 5929 section 4: unless the certificate is
	 * signed without a hash of its own (Ed25519) */
	TLS_BINDING_END_POINT,
	/* tls-unique, RFC 5929 section 3: of TLS 1.2 with the extended master
	 * secret, without which two sessions can be made to share it */
	TLS_BINDING_UNIQUE,
	TLS_BINDING_COUNT
};

/* Of an open session: the set of 1U << kind. */
unsigned tls_bindings(const struct tls_filter *f);

/* ERR_NOT_FOUND: it is not in the set, or OpenSSL can't. */
enum err tls_binding(const struct tls_filter *f, enum tls_binding kind,
    uint8_t out[TLS_BINDING_MAX], size_t *n);

struct ssl_st;

/* For the server: puts what the end point's binding is of into the session's
 * ticket, for a resumed session does not know which certificate was shown.
 * False: no memory. */
bool tls_binding_keep(struct ssl_st *ssl);

#endif
