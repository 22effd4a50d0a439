/*
 * The server's TLS and a client of OpenSSL's own, in memory; for tests.
 */
#ifndef MTAD_TESTS_TLS_RIG_H
#define MTAD_TESTS_TLS_RIG_H

#include "common/tls/tls_clients.h"
#include "common/tls/tls_server.h"
#include "keyd/pairs.h"

#include <openssl/ssl.h>

#define TLS_RIG_BIG	((size_t)4 * 1024 * 1024)

struct pair_names {
	const char *kind;		/* as make_pair() has it */
	const char *name;
};

struct tls_rig {
	struct pairs pairs;
	struct tls_signer signer;
	bool has_signer;
	struct tls_chain chains[PAIRS_MAX];
	struct tls_server *server;
	struct tls_filter *filter;
	struct tls_clients *clients;	/* asked for, unless NULL */
	SSL_CTX *client_ctx;
	SSL *client;
	SSL_SESSION *session;		/* the last ticket */
	struct buf to_client;
	struct buf text;		/* read by the server */
	enum stream_filter_end end;
	size_t piece;			/* bytes at a time to the server */
};

extern struct tls_rig rig;

/* life: of a test */
void tls_rig_begin(void);
void tls_rig_end(void);

/* A server for "mx" with new certificates. */
void tls_rig_serve(const struct pair_names *names, size_t n);
void tls_rig_make_pairs(const struct pair_names *names, size_t n);
struct tls_server *tls_rig_make_server(const char *service, uint8_t secret);
void tls_rig_open_signer(void);
void tls_rig_close_signer(void);

/* A new connection; SET_UP (or NULL) changes the client before.  Whether both
 * ends are open then. */
bool tls_rig_try(struct tls_server *server, void (*set_up)(SSL *client));
void tls_rig_only_12(SSL *client);	/* for SET_UP */

/* The same, before anything is said. */
void tls_rig_start(struct tls_server *server, void (*set_up)(SSL *client));

/* in pieces: what the client says, and what it is told */
void tls_rig_new_client(void);
void tls_rig_free_client(void);
void tls_rig_feed(struct span raw);
bool tls_rig_pass_to_server(void);
bool tls_rig_pass_to_client(void);

#endif
