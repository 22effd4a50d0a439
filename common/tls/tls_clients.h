/*
 * Clients that show a certificate: the authorities which say who is a user
 * (RFC 8446 4.3.2, RFC 5280), and who that is.
 *
 * A client is asked and need not show one, and a wrong one ends no session: it
 * says of nobody that he is there.  Sessions in which one was shown are never
 * resumed, so each has been verified anew, at its time.  Lists of revoked
 * certificates are not looked at.
 */
#ifndef MTAD_TLS_TLS_CLIENTS_H
#define MTAD_TLS_TLS_CLIENTS_H

#include "common/tls/tls_filter.h"
#include "common/tls/tls_identity.h"

#define TLS_CLIENTS_PEM_MAX	((size_t)256 * 1024)
#define TLS_CLIENTS_MAX		64	/* authorities */
#define TLS_CLIENTS_DEPTH	4	/* of those between it and a user */
#define TLS_CLIENTS_CHAIN_MAX	32768	/* octets; more ends the handshake */

struct tls_clients;

/* life: PEM has certificates of authorities only.  ERR_SYNTAX, ERR_RANGE (too
 * many), ERR_NOMEM, with words in WHY. */
enum err tls_clients_new(struct span pem, struct tls_clients **out,
    struct why *why);
void tls_clients_free(struct tls_clients **c);

/* Of a new session of a server: its client will be asked.  ERR_NOMEM. */
enum err tls_clients_ask(const struct tls_clients *c, struct tls_filter *f);

/*
 * Of an open session: who its client is.
 * ERR_NOT_FOUND: it showed no certificate.  ERR_DENIED: one that makes it
 * nobody, WHY says why, OUT has the fingerprint.  ERR_NOMEM.
 */
enum err tls_clients_look(const struct tls_clients *c,
    const struct tls_filter *f, struct tls_identity *out, struct why *why);

#endif
