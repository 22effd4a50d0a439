/*
 * Looks up for queued who wants reports about TLS: the TXT records of
 * _smtp._tls.DOMAIN (RFC 8460 3).
 */
#ifndef MTAD_DELIVERD_TLS_RECORD_H
#define MTAD_DELIVERD_TLS_RECORD_H

#include "deliverd/deliverd.h"

/* The answer goes to queued; none when it is away by then. */
void tls_record_ask(struct deliverd *d, const struct msg_tls_record_ask *m);

#endif
