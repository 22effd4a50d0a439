/*
 * What became of TLS on a connection is told to queued, which counts it for the
 * receiver's domain (RFC 8460), where reports.tls says so.
 */
#ifndef MTAD_DELIVERD_SESSION_REPORT_H
#define MTAD_DELIVERD_SESSION_REPORT_H

#include "common/base/span.h"

struct session;
struct tx_finding;

/* The dialogue has come to where mails are taken. */
void session_report_up(struct session *s);

/* The way there ended, for WHY; nothing when that has not to do with TLS. */
void session_report_failed(struct session *s, const struct tx_finding *why);

/* The policy kept us from connecting, for WHY. */
void session_report_skipped(struct session *s, struct span why);

#endif
