/*
 * A server that is known by its TLSA records, RFC 6698, 7671, as mail hosts use
 * them, RFC 7672 3.1: DANE-TA(2) and DANE-EE(3).  OpenSSL does the matching.
 *
 * For DANE-EE neither names nor dates of the certificate matter; below DANE-TA
 * both do.
 */
#ifndef MTAD_TLS_TLS_DANE_H
#define MTAD_TLS_TLS_DANE_H

#include "common/base/err.h"
#include "common/dns/dns_tlsa.h"

#define TLS_DANE_NAMES	2
#define TLS_DANE_KEY	65	/* with its NUL */

struct ssl_ctx_st;
struct ssl_st;

struct tls_dane {
	const char *names[TLS_DANE_NAMES];	/* besides the base domain,
						 * for DANE-TA; "": none */
	const struct dns_tlsa *records;
	size_t n;
};

/* Whether there is a certificate or a key in a record that holds one whole;
 * one with a digest is always readable. */
bool tls_dane_is_readable(const struct dns_tlsa *r);

/* For this room: once for a context, then for each session, which asks for
 * BASE and verifies by D alone.  False without memory, or when no record is
 * one that OpenSSL takes. */
bool tls_dane_prepare(struct ssl_ctx_st *ctx);
bool tls_dane_demand(struct ssl_st *ssl, const char *base,
    const struct tls_dane *d);

/* Text that is the same for the same demands only.  False without memory. */
bool tls_dane_key(const struct tls_dane *d, char out[TLS_DANE_KEY]);

#endif
