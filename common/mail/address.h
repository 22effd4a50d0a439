/*
 * A Mailbox of RFC 5321 4.1.2: `local@domain`, as it stands in an envelope.
 *
 * Not for header fields (no display names, comments or groups).  The parsed
 * address borrows the text that it was parsed from.  Limits: local part 64
 * octets, domain 255; the 256 of a whole path are smtp_path's business.
 */
#ifndef MTAD_MAIL_ADDRESS_H
#define MTAD_MAIL_ADDRESS_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/mail/domain.h"

struct ipaddr;

#define ADDRESS_LOCAL_MAX 64
#define ADDRESS_MAX	(ADDRESS_LOCAL_MAX + 1 + DOMAIN_MAX)

enum address_flag {
	ADDRESS_UNDERSCORE = 1,	/* `_` in domains */
	ADDRESS_UTF8 = 2,	/* RFC 6531: UTF-8 in both parts */
	ADDRESS_LONG = 8,	/* a local part of any length; RFC 5321
				 * 4.5.3.1.1 wants no more than 64 taken */
	ADDRESS_BARE = 4,	/* also a local part without `@domain` */
};

struct address {
	struct span text;	/* all of it, as given */
	struct span local;	/* as given, quotes included */
	struct span domain;	/* empty when bare; brackets included */
	bool is_quoted;		/* the local part is a quoted string */
	bool is_literal;	/* the domain is an address literal */
	bool has_8bit;
};

/*
 * All of S must be one mailbox.  ERR_SYNTAX; ERR_RANGE when a part exceeds
 * its limit; ERR_DENIED for octets above 127 without ADDRESS_UTF8.  Control
 * characters are never accepted.  Only IPv4 and IPv6 literals are known.
 */
enum err address_parse(struct span s, unsigned flags, struct address *out);

/* The address of a domain literal such as [192.0.2.1] or [IPv6:2001:db8::1],
 * brackets included.  ERR_SYNTAX. */
enum err address_literal(struct span domain, struct ipaddr *out);

/*
 * Appends the one form that all equivalent spellings share, for comparing
 * and counting: quotes only where needed ("a.b"@D is a.b@d), the domain in
 * lower case, the case of the local part kept (RFC 5321 2.4).
 */
void address_canonical(const struct address *a, struct buf *out);

/* Appends LOCAL, which is unquoted, with quotes where it needs them, and `@`
 * DOMAIN. */
void address_put(struct span local, struct span domain, struct buf *out);

/* Appends the local part as its owner means it: unquoted. */
void address_local_plain(const struct address *a, struct buf *out);

/* `postmaster` in any case, quoted or not, RFC 5321 4.5.1. */
bool address_is_postmaster(const struct address *a);

#endif
