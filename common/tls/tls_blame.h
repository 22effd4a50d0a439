/*
 * What a server's certificate lacks, when a session with it was refused or
 * would have been.
 */
#ifndef MTAD_TLS_TLS_BLAME_H
#define MTAD_TLS_TLS_BLAME_H

#include "common/tls/tls_filter.h"

enum tls_blame {
	TLS_BLAME_NOTHING,	/* the certificate is not at fault, or was not
				 * looked at */
	TLS_BLAME_NAME,		/* it is for another host */
	TLS_BLAME_TIME,		/* it is over, or not yet valid */
	TLS_BLAME_TRUST,	/* nobody vouches for it */
};

enum tls_blame tls_blame(const struct tls_filter *f);

#endif
