/*
 * Domain names with letters beyond ASCII, as the DNS and rules know them:
 * U-labels become A-labels (IDNA2008, RFC 5891; RFC 6531 3.2).
 *
 * Pure: text in, text out.  The only room that knows libidn2.
 */
#ifndef MTAD_IDN_IDN_H
#define MTAD_IDN_IDN_H

#include "common/base/err.h"
#include "common/base/span.h"

#define IDN_ASCII_MAX 255	/* octets of a domain, RFC 5321 4.5.3.1.2 */

/*
 * The ASCII form of DOMAIN, in OUT or, when it is ASCII as it stands, in
 * DOMAIN itself, whatever that is.  ERR_SYNTAX: it is no UTF-8, or no domain
 * that IDNA2008 knows.  ERR_RANGE: longer than IDN_ASCII_MAX.  ERR_NOMEM.
 */
enum err idn_to_ascii(struct span domain, char out[IDN_ASCII_MAX + 1],
    struct span *ascii);

#endif
