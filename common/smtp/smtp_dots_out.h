/*
 * Message content on its way out behind DATA, RFC 5321 4.5.2.
 *
 * Takes content in pieces of any size, stuffs dots, and closes with the final
 * dot.  A bare CR or LF never gets out: it becomes CRLF and is counted, the
 * last line of defence behind whoever let it in.
 */
#ifndef MTAD_SMTP_SMTP_DOTS_OUT_H
#define MTAD_SMTP_SMTP_DOTS_OUT_H

#include "common/base/buf.h"
#include "common/base/span.h"

struct smtp_dots_out {
	uint64_t repaired;	/* bare CRs and LFs made CRLF */
	uint8_t state;		/* private */
};

void smtp_dots_out_init(struct smtp_dots_out *d);

/* Appends the next bytes of content as they go onto the wire. */
void smtp_dots_out_feed(struct smtp_dots_out *d, struct span in,
    struct buf *out);

/* Appends CRLF when the content lacks it, then the final dot.  Returns
 * whether it was lacking. */
bool smtp_dots_out_end(struct smtp_dots_out *d, struct buf *out);

#endif
