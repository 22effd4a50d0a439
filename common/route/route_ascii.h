/*
 * The ASCII name of an address of which only the domain is beyond that: with
 * A-labels it is the same mailbox, and any host takes it (RFC 5890 2.3.2.1).
 */
#ifndef MTAD_ROUTE_ROUTE_ASCII_H
#define MTAD_ROUTE_ROUTE_ASCII_H

#include "common/base/err.h"
#include "common/base/span.h"

#define ROUTE_ASCII_SIZE 320	/* local part, @, domain: RFC 5321 4.5.3.1 */

/* Without angle brackets; in ROOM, or ADDRESS itself where it is ASCII as it
 * stands, whatever that is.  ERR_SYNTAX: it has no such name.  ERR_NOMEM. */
enum err route_ascii(struct span address, char room[ROUTE_ASCII_SIZE],
    struct span *out);

#endif
