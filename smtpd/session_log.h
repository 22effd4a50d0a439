/*
 * What a session logs.
 */
#ifndef MTAD_SMTPD_SESSION_LOG_H
#define MTAD_SMTPD_SESSION_LOG_H

#include "common/log/log.h"
#include "smtpd/session.h"

void session_log_connected(const struct session *s);
void session_log_xclient(const struct session *s);
void session_log_gone(const struct session *s, const char *how);
void session_log_certificate(const struct session *s,
    const struct tls_identity *shown, const char *why);
void session_log_tls_failed(const struct session *s);
void session_log_auth(const struct session *s, const struct rx_question *q,
    const char *outcome);
void session_log_accepted(const struct session *s, uint64_t id);

/* A recipient, sender or message that was refused, with all that tells who
 * wanted what (RFC 2505 2.4); typing errors at debug level only. */
void session_log_call(const struct session *s, struct span domain);
void session_log_refusal(const struct session *s);

/* A message that queued did not take. */
void session_log_not_stored(const struct session *s,
    enum submit_result result);

#endif
