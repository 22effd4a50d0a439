/*
 * Where a domain wants reports about TLS, RFC 8460 3: the TXT records of
 * _smtp._tls.DOMAIN.
 */
#ifndef MTAD_QUEUED_TLSRPT_TLSRPT_RECORD_H
#define MTAD_QUEUED_TLSRPT_TLSRPT_RECORD_H

#include "common/mail/address.h"

#define TLSRPT_URIS_MAX		8	/* read of one record */
#define TLSRPT_URI_MAX		1024	/* bytes of one; longer ones are no use */
#define TLSRPT_MAILBOX_SIZE	(ADDRESS_MAX + 1)

struct tlsrpt_record {
	size_t n;			/* one or more */
	struct span uris[TLSRPT_URIS_MAX];	/* mailto: or https:; borrowed */
};

/* One record, its strings joined.  ERR_NOT_FOUND: it is of something else
 * ("v=TLSRPTv1" is missing); ERR_SYNTAX: it has no rua with a URI that we
 * know.  Fields of later versions are skipped. */
enum err tlsrpt_record_parse(struct span txt, struct tlsrpt_record *out);

/* Of all TXT records of the name the one that counts.  ERR_NOT_FOUND: none or
 * several begin so; ERR_SYNTAX. */
enum err tlsrpt_record_pick(const struct span *txts, size_t n,
    struct tlsrpt_record *out);

/* The address of a mailto: URI, percent signs decoded, what follows a `?` left
 * out (RFC 6068 2).  ERR_NOT_FOUND: another kind of URI; ERR_SYNTAX: no
 * address that can be written into a command. */
enum err tlsrpt_record_mailbox(struct span uri,
    char out[TLSRPT_MAILBOX_SIZE]);

#endif
