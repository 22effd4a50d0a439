/*
 * The certificates that routes show to their hosts, as keyd told them, and the
 * way to its signatures.
 *
 * The last ones stay while keyd is away; nobody can be shown one meanwhile.
 */
#ifndef MTAD_DELIVERD_CERTIFICATES_H
#define MTAD_DELIVERD_CERTIFICATES_H

#include "common/tls/tls_shown.h"

#define CERTIFICATES_MAX 64		/* as in messages.def */

struct channel;
struct log;
struct msg_hop_chains;

struct certificates {
	struct channel *keyd;		/* NULL: away */
	struct tls_signer signer;
	struct certificate {
		char *name;		/* of its file */
		struct tls_shown *shown;
	} v[CERTIFICATES_MAX];
	size_t n;
};

void certificates_init(struct certificates *c);
void certificates_clear(struct certificates *c);

/* keyd is there, or gone. */
void certificates_attach(struct certificates *c, struct channel *keyd);
void certificates_detach(struct certificates *c);

/* What it says; one that can't be used is left out, and LOG (or NULL) told. */
void certificates_take(struct certificates *c, struct log *log,
    const struct msg_hop_chains *m);

/* That of the file NAME, if it can be shown now; else NULL.  Borrowed until the
 * next certificates_take(). */
const struct tls_shown *certificates_find(struct certificates *c,
    const char *name);

#endif
