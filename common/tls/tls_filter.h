/*
 * A TLS session as the filter of a stream (stream_filter.h), either side.
 *
 * The handshake goes on by itself as bytes come; renegotiation, early data and
 * versions below 1.2 are not spoken.
 */
#ifndef MTAD_TLS_TLS_FILTER_H
#define MTAD_TLS_TLS_FILTER_H

#include "common/loop/stream_filter.h"

struct ssl_st;
struct tls_filter;

/* What was agreed on; static or borrowed for the filter's life. */
struct tls_facts {
	const char *version;		/* "TLSv1.3" */
	const char *cipher;
	const char *server_name;	/* asked for by the client; may be NULL */
	bool is_resumed;
	bool is_verified;		/* of a client: the server was */
	bool is_trusted;		/* or might have been, if watched */
};

/* Takes SSL, in accept or connect state, in any case.  RELEASE(CTX), which may
 * be NULL, is called when the filter goes.  ERR_NOMEM. */
enum err tls_filter_new(struct ssl_st *ssl, void (*release)(void *ctx),
    void *ctx, struct tls_filter **out);
void tls_filter_free(struct tls_filter **f);

/* For stream_set_filter(), which then owns it. */
struct stream_filter *tls_filter_base(struct tls_filter *f);

/* inspection: facts when it is open; the fault, for the log, when broken */
bool tls_filter_is_open(const struct tls_filter *f);
void tls_filter_facts(const struct tls_filter *f, struct tls_facts *out);
const char *tls_filter_fault(const struct tls_filter *f);

/* For this room: OpenSSL's session, borrowed. */
struct ssl_st *tls_filter_ssl(const struct tls_filter *f);

#endif
