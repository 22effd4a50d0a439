/*
 * Message content on its way in behind DATA, RFC 5321 4.1.1.4 and 4.5.2, or in
 * chunks behind BDAT, RFC 3030 section 2, where no dot is stuffed and none ends
 * it.
 *
 * Takes the stream in pieces of any size, removes stuffed dots, finds the end
 * and tells what the content is like.  Only CRLF.CRLF (or .CRLF as the very
 * first line) ends it: no other mixture of CR, LF, NUL and dot does, wherever
 * the pieces are cut.
 */
#ifndef MTAD_SMTP_SMTP_DOTS_IN_H
#define MTAD_SMTP_SMTP_DOTS_IN_H

#include "common/base/buf.h"
#include "common/base/span.h"

struct smtp_dots_in {
	uint64_t bytes;		/* of content: CRLFs count, stuffing doesn't */
	uint64_t lines;		/* CRLFs of the content */
	uint64_t longest_line;	/* octets without CRLF, as it came */
	bool is_end;		/* the final dot was seen */
	bool has_bare_cr;
	bool has_bare_lf;
	bool has_nul;
	bool has_8bit;
	bool has_dots;		/* some line of content begins with a dot */
	/* private */
	bool is_normalising;
	bool is_in_chunks;
	uint8_t state;
	uint64_t line_bytes;
};

/* IS_NORMALISING: a bare CR and a bare LF become CRLF each.  Else they are
 * passed as they are, for the caller to refuse the message at its end. */
void smtp_dots_in_init(struct smtp_dots_in *d, bool is_normalising);

/* The same for chunks, and their end: a last line without CRLF gets it.  Binary
 * content (RFC 3030 section 3) is not normalised and has no such end. */
void smtp_dots_in_init_chunks(struct smtp_dots_in *d, bool is_normalising);
void smtp_dots_in_end_chunks(struct smtp_dots_in *d, struct buf *out);

/* Of binary content: whether there is some, and no CRLF at its end. */
bool smtp_dots_in_is_open(const struct smtp_dots_in *d);

/*
 * Takes IN up to and including the final dot; returns how many octets it took
 * (all of them when the end isn't there yet).  Appends content to OUT, which
 * is NULL when nobody wants it any more.
 */
size_t smtp_dots_in_feed(struct smtp_dots_in *d, struct span in,
    struct buf *out);

#endif
