/*
 * A session inside TLS: how it gets there, and what is known of it then.
 *
 * A handshake has SESSION_TLS_MS; what the client sends before it is done is
 * never a command.
 */
#ifndef MTAD_SMTPD_SESSION_TLS_H
#define MTAD_SMTPD_SESSION_TLS_H

#include "smtpd/session.h"

#define SESSION_TLS_MS	30000

/* Implicit TLS: for the stream that is to be made.  ERR_AGAIN (no
 * certificate), ERR_NOMEM. */
enum err session_tls_make(struct session *s);

/* Behind the reply to STARTTLS: for the stream that is there. */
enum err session_tls_begin(struct session *s);

/* It is open: what was agreed on is kept, also when the stream has gone. */
void session_tls_note(struct session *s);

/* What ties an exchange to this session, RFC 5056; N is 0 when there is
 * nothing. */
void session_tls_binding(const struct session *s, enum sasl_binding kind,
    uint8_t out[RX_AUTH_BINDING_MAX], size_t *n);

/* inspection */
bool session_tls_is_shaking(const struct session *s);
const char *session_tls_fault(const struct session *s);	/* NULL: none */
struct span session_tls_cipher(const struct session *s);	/* may be empty */

#endif
