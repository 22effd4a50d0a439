/*
 * Domain names as mail writes them: checks, comparison, lower case.
 *
 * Text only; nothing here asks the DNS.  A name with a trailing dot is no
 * mail domain and is refused.  RFC 5321 2.3.5 and 4.1.2, RFC 1034 3.1.
 */
#ifndef MTAD_MAIL_DOMAIN_H
#define MTAD_MAIL_DOMAIN_H

#include "common/base/err.h"
#include "common/base/span.h"

#define DOMAIN_MAX	255	/* octets of a domain, RFC 5321 4.5.3.1.2 */
#define DOMAIN_LABEL_MAX 63

enum domain_flag {
	DOMAIN_UNDERSCORE = 1,	/* also take `_`, which hosts should not use */
	DOMAIN_UTF8 = 2,	/* also take U-labels (valid UTF-8) */
};

/* Labels of letters, digits and inner hyphens, joined by single dots.
 * ERR_SYNTAX, ERR_RANGE (a length), ERR_DENIED (octets above 127 without
 * DOMAIN_UTF8). */
enum err domain_check(struct span s, unsigned flags);

/* Equal but for ASCII case. */
bool domain_equal(struct span a, struct span b);

/* S is below PARENT (a.b.c is below b.c; b.c itself is not). */
bool domain_is_below(struct span s, struct span parent);

/* Copies S in lower case with a NUL; returns the length.  ERR_RANGE when
 * longer than DOMAIN_MAX. */
int domain_lower(struct span s, char out[DOMAIN_MAX + 1]);

#endif
