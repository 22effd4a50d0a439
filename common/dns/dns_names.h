/*
 * Domain names in DNS packets, RFC 1035 3.1 and 4.1.4: compression is
 * followed, loops and runaway lengths are not.
 */
#ifndef MTAD_DNS_DNS_NAMES_H
#define MTAD_DNS_DNS_NAMES_H

#include "common/base/err.h"
#include "common/base/span.h"

#define DNS_NAME_WIRE_MAX 255
#define DNS_NAME_SIZE	256	/* text with a NUL; the root is "" */

/* Steps over the name at *AT.  ERR_SYNTAX leaves *AT as it was. */
enum err dns_names_skip(struct span packet, size_t *at);

/*
 * The name at *AT as lower-case text without a trailing dot; *AT moves behind
 * it.  ERR_SYNTAX: malformed.  ERR_RANGE: well formed, but a label holds
 * something that host names can't (a dot, blanks, controls, octets above
 * 127): *AT has moved, OUT is untouched.
 */
enum err dns_names_decode(struct span packet, size_t *at,
    char out[DNS_NAME_SIZE]);

/* Text (with or without a trailing dot) to uncompressed wire form; returns
 * its length.  ERR_SYNTAX, ERR_RANGE. */
int dns_names_encode(struct span text, uint8_t out[DNS_NAME_WIRE_MAX]);

/* Equal but for ASCII case and a trailing dot. */
bool dns_names_equal(struct span a, struct span b);

#endif
