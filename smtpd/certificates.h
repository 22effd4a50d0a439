/*
 * The TLS of this process: what keyd told it to show, the way to keyd's
 * signatures, and which certificates of clients make them users.
 *
 * The last certificates stay in use while keyd is away: sessions that are
 * resumed need no signature, others are asked to wait (454).
 */
#ifndef MTAD_SMTPD_CERTIFICATES_H
#define MTAD_SMTPD_CERTIFICATES_H

#include "common/conf/conf_types.h"
#include "common/tls/tls_clients.h"
#include "common/tls/tls_server.h"

#define CERTIFICATES_SERVICES 2	/* enum conf_service */

struct channel;
struct log;
struct msg_tls_chains;

struct certificates {
	struct log *log;
	struct channel *keyd;		/* NULL: away */
	struct tls_signer signer;
	struct tls_server *servers[CERTIFICATES_SERVICES]; /* NULL: none */
	bool has_come;			/* keyd has said, if only "none" */
	struct tls_clients *clients;	/* NULL: they are not asked */
};

void certificates_init(struct certificates *c, struct log *log);
void certificates_clear(struct certificates *c);

/* keyd is there, or gone. */
void certificates_attach(struct certificates *c, struct channel *keyd);
void certificates_detach(struct certificates *c);

/* The way to signatures closes when an answer is late.  Opens it again. */
void certificates_open_signer(struct certificates *c);

/* What it says; when it can't be used the old ones stay. */
void certificates_take(struct certificates *c,
    const struct msg_tls_chains *m);

/* Whom to believe about clients; sessions ask for what is in force at their
 * beginning, and judge by what is at the end of their handshake. */
void certificates_take_client_ca(struct certificates *c, bool is_wanted,
    struct span pem);

/* inspection */
bool certificates_are_there(const struct certificates *c,
    enum conf_service service);
bool certificates_can_sign(const struct certificates *c);

/* A session of a service that has some.  ERR_NOMEM. */
enum err certificates_accept(struct certificates *c,
    enum conf_service service, struct tls_filter **out);

#endif
