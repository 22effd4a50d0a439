/*
 * A certificate that we show as a client, whose private key is keyd's: a host
 * that asks for one (RFC 8446 4.3.2) knows us by it.
 *
 * The signature is good for its handshake alone, so a host that is not the one
 * we meant gains nothing by it.
 */
#ifndef MTAD_TLS_TLS_SHOWN_H
#define MTAD_TLS_TLS_SHOWN_H

#include "common/base/err.h"
#include "common/base/span.h"
#include "common/tls/tls_signer.h"

#define TLS_SHOWN_PRINT_SIZE	33	/* with the NUL */

struct ssl_st;
struct tls_shown;

/* CHAIN in PEM, the leaf first; SIGNER is borrowed for the life of the process.
 * ERR_SYNTAX, ERR_NOMEM, with words in WHY. */
enum err tls_shown_new(struct span chain, struct span key_id,
    struct tls_signer *signer, struct tls_shown **out, struct why *why);
void tls_shown_free(struct tls_shown **s);

/* Sessions with other certificates are other sessions: a part of the leaf's
 * SHA-256 in hex. */
const char *tls_shown_print(const struct tls_shown *s);

/* Of a new session of a client, made in the provider's context; it keeps its
 * own references.  ERR_NOMEM. */
enum err tls_shown_use(const struct tls_shown *s, struct ssl_st *ssl);

#endif
