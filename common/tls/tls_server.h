/*
 * The server's side of TLS for one service: certificates, and what is agreed
 * on with clients (RFC 8446, 5246, 9325).
 *
 * TLS 1.2 and 1.3, forward secrecy only, no renegotiation, no early data.  A
 * session ticket is good for the service that gave it, and as long as the
 * secret it was made with.  A client that offers protocols by ALPN must offer
 * `smtp`; one that names a host gets the certificate for it, others the first.
 * Sessions keep what they began with: a new struct tls_server takes nothing
 * from them.
 */
#ifndef MTAD_TLS_TLS_SERVER_H
#define MTAD_TLS_TLS_SERVER_H

#include "common/tls/tls_filter.h"
#include "common/tls/tls_signer.h"

#define TLS_SERVER_CHAINS_MAX	8
#define TLS_SERVER_TICKETS_BYTES 64
#define TLS_SERVER_TICKET_LIFE_S 7200

struct tls_chain {
	struct span key_id;		/* SIGN_ID_BYTES */
	struct span chain;		/* PEM, the leaf first */
	struct span staple;		/* OCSP response, DER; may be empty */
};

struct tls_server_setup {
	const char *service;		/* "mx": tickets are bound to it */
	struct span tickets;		/* TLS_SERVER_TICKETS_BYTES, secret */
	const struct tls_chain *chains;
	size_t n;			/* 1 … TLS_SERVER_CHAINS_MAX */
	struct tls_signer *signer;	/* borrowed for the process's life */
};

struct tls_server;

/* ERR_SYNTAX (a chain can't be used), ERR_NOMEM, with words in WHY. */
enum err tls_server_new(const struct tls_server_setup *setup,
    struct tls_server **out, struct why *why);
void tls_server_free(struct tls_server **s);

/* A session that waits for its client's hello.  ERR_NOMEM. */
enum err tls_server_accept(struct tls_server *s, struct tls_filter **out);

#endif
