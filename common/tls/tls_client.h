/*
 * The client's side of TLS, for all next hops.
 *
 * TLS 1.2 and 1.3.  Without authentication any certificate is good (RFC 7435);
 * with it the chain must lead to an authority that was given, and the
 * certificate must be for the host (RFC 9525), or be one that the host's TLSA
 * records are for (RFC 7672).  Sessions are resumed with the host that gave
 * them, and only for the same demands.
 */
#ifndef MTAD_TLS_TLS_CLIENT_H
#define MTAD_TLS_TLS_CLIENT_H

#include "common/base/span.h"
#include "common/tls/tls_dane.h"
#include "common/tls/tls_filter.h"
#include "common/tls/tls_shown.h"

#define TLS_CLIENT_SESSIONS	256	/* kept for later connections */

struct tls_client;

struct tls_client_peer {
	const char *host;		/* name, or address as text */
	bool is_address;
	bool is_verified;		/* else any certificate will do */
	bool is_watched;		/* … but the facts say if it would */
	const struct tls_dane *dane;	/* NULL, or by what alone: HOST is the
					 * TLSA base domain; borrowed for the
					 * call */
	uint16_t port;			/* sessions belong to a port, too */
	const struct tls_shown *shown;	/* when it asks who we are; or NULL */
};

/* AUTHORITIES: certificates in PEM; empty: nobody can be verified.
 * ERR_SYNTAX (none of them can be read), ERR_NOMEM. */
enum err tls_client_new(struct span authorities, struct tls_client **out);
void tls_client_free(struct tls_client **c);

/* A session whose stream will say hello.  ERR_NOMEM, ERR_RANGE (a host name
 * that can't be asked for, or no TLSA record that can be used). */
enum err tls_client_connect(struct tls_client *c,
    const struct tls_client_peer *peer, struct tls_filter **out);

#endif
