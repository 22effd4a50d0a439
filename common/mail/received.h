/*
 * The Received field that we prepend, RFC 5321 4.4.
 *
 *	Received: from HELO (NAME [192.0.2.1])
 *		by HOST with ESMTP id ID
 *		for <rcpt> tls CIPHER PRIORITY 3; Sun, 22 Nov 2026 02:17:42 +0000
 *
 * It is made in two parts, because the id is given by whoever stores the
 * message: head, id text, tail.  Whatever the client called itself is limited
 * to 255 harmless characters, so that no line, comment or field of its own
 * can come in.  No line is longer than 998 octets.
 */
#ifndef MTAD_MAIL_RECEIVED_H
#define MTAD_MAIL_RECEIVED_H

#include "common/base/buf.h"
#include "common/base/span.h"

struct ipaddr;

enum received_flag {		/* of the session */
	RECEIVED_ESMTP = 1, RECEIVED_TLS = 2, RECEIVED_AUTH = 4,
	RECEIVED_UTF8 = 8,
};

struct received {
	struct span helo;		/* as the client said; may be hostile */
	const struct ipaddr *client;	/* NULL: local, no network address */
	struct span name;		/* of that address, verified, or
					 * "unknown"; empty: not asked */
	struct span host;		/* our name */
	struct span with;		/* received_with() */
	struct span only_rcpt;		/* the one recipient, else empty */
	struct span tls;		/* cipher (RFC 8314 4.3), or empty */
	int priority;			/* RFC 6710 section 7; 0: not told */
	int64_t at_ms;			/* wall clock */
	int zone_min;			/* east of UTC */
};

/* "SMTP", "ESMTPSA", "UTF8SMTPS", …: RFC 3848, RFC 6531 4.3. */
struct span received_with(unsigned flags);

/* Appends all before the id, and all behind it with the final CRLF. */
void received_head(const struct received *r, struct buf *out);
void received_tail(const struct received *r, struct buf *out);

#endif
