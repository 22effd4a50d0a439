/*
 * Asks keyd for signatures, and waits for them.
 *
 * A handshake can't go on without its signature, and keyd answers in the time
 * that signing takes; so there is no loop here, but a limit: a keyd that does
 * not answer costs one handshake, for the door is closed behind it.
 */
#ifndef MTAD_TLS_TLS_SIGNER_H
#define MTAD_TLS_TLS_SIGNER_H

#include "common/tls/sign_wire.h"

#define TLS_SIGNER_WAIT_MS	2000

struct tls_signer {
	int fd;			/* -1: keyd is away */
};

void tls_signer_init(struct tls_signer *s);

/* A new door: *PEER_FD is to be sent to keyd, and the caller's.  ERR_IO. */
enum err tls_signer_open(struct tls_signer *s, int *peer_fd);
void tls_signer_close(struct tls_signer *s);

/* SIGNATURE has room for SIGN_SIGNATURE_MAX.  ERR_DENIED: there is none, or the
 * text is too long;
 * ERR_PEER: keyd is away, or took too long. */
enum err tls_signer_ask(struct tls_signer *s, const struct sign_question *q,
    uint8_t *signature, size_t *n);

#endif
