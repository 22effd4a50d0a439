/*
 * The header by which a proxy tells for whom it connects: HAProxy's PROXY
 * protocol, versions 1 (a line) and 2 (binary).
 *
 * Pure and without state: all octets so far are given each time, and as long
 * as more are needed all of them belong to the header, so that nothing behind
 * it is ever taken by mistake.
 */
#ifndef MTAD_BASE_PROXY_HEADER_H
#define MTAD_BASE_PROXY_HEADER_H

#include "common/base/endpoint.h"

#define PROXY_HEADER_LINE_MAX	107	/* version 1, with CR LF */
/* Version 2, with addresses and all its TLVs; the protocol allows 64 KiB and
 * asks senders for 536. */
#define PROXY_HEADER_MAX	4096

enum proxy_header_state {
	PROXY_HEADER_MORE,	/* it goes on; IN is no longer than it */
	PROXY_HEADER_WHOLE,
	PROXY_HEADER_BAD,
};

struct proxy_header {
	size_t bytes;		/* of IN that are the header */
	bool has_client;	/* else LOCAL, UNKNOWN or another family: what
				 * connects is the proxy itself */
	struct endpoint client;	/* whose port may be 0 */
	struct endpoint server;	/* where it had connected to */
	const char *why;	/* of BAD, for the log */
};

/*
 * OUT is filled at WHOLE; at BAD only its `why' is.  Never needs more than
 * PROXY_HEADER_MAX octets.  A checksum (PP2_TYPE_CRC32C) is verified, other
 * TLVs are stepped over.
 */
enum proxy_header_state proxy_header_parse(struct span in,
    struct proxy_header *out);

#endif
