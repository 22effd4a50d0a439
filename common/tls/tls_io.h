/*
 * What OpenSSL takes for a socket: bytes that were read already, and a buffer
 * for those to be sent.
 */
#ifndef MTAD_TLS_TLS_IO_H
#define MTAD_TLS_TLS_IO_H

#include "common/base/buf.h"

struct bio_st;

struct tls_io {
	struct span in;			/* what is left of it */
	struct buf *out;		/* NULL: nothing may be sent now */
};

/* Borrows IO, which outlives it.  NULL without memory. */
struct bio_st *tls_io_new(struct tls_io *io);

#endif
