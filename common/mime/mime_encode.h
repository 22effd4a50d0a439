/*
 * Octets as quoted-printable (RFC 2045 6.7) or base64 (6.8), as they stream by:
 * lines of at most 76 octets, nothing but CRLF as their end.
 *
 * In quoted-printable a CRLF is a line's end, a CR or LF alone an octet like
 * others; what is decoded is what was put in, in both.  No line begins with a
 * hyphen, so none is a boundary.
 */
#ifndef MTAD_MIME_MIME_ENCODE_H
#define MTAD_MIME_MIME_ENCODE_H

#include "common/base/buf.h"

#define MIME_LINE_OCTETS 76	/* of an encoded line, without its CRLF */

struct mime_encode {
	/* private */
	bool is_base64;
	bool has_cr;		/* read, not written */
	uint8_t blank;		/* the same: how it ends decides; 0: none */
	uint8_t column;
	uint8_t n;		/* of base64's line */
	uint8_t line[57];
	bool has_line;		/* of base64, before this one */
};

void mime_encode_init(struct mime_encode *e, bool is_base64);
void mime_encode_feed(struct mime_encode *e, struct span in, struct buf *out);

/* With IS_LAST nothing follows that would end the last line, so CRLF does. */
void mime_encode_end(struct mime_encode *e, bool is_last, struct buf *out);

/* Octets that N of them become in base64. */
uint64_t mime_encode_base64_bytes(uint64_t n, bool is_last);

#endif
