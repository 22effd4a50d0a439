/*
 * Replies that we read from a server, however hostile, RFC 5321 4.2.
 *
 * Incremental, with bounded memory: of a line SMTP_RESPONSE_LINE_MAX octets
 * are kept, of a reply SMTP_RESPONSE_LINES_KEPT lines and
 * SMTP_RESPONSE_TEXT_MAX octets; the rest is read and dropped up to the hard
 * limits, behind which it is a protocol error.  A line may end in a bare LF:
 * servers that do so exist, and a reply can't be smuggled past itself.
 */
#ifndef MTAD_SMTP_SMTP_RESPONSE_H
#define MTAD_SMTP_SMTP_RESPONSE_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/mail/status.h"

#define SMTP_RESPONSE_LINE_MAX		4096
#define SMTP_RESPONSE_LINES_KEPT	200
#define SMTP_RESPONSE_TEXT_MAX		32768
#define SMTP_RESPONSE_LINES_MAX		10000	/* more: ERR_PEER */
#define SMTP_RESPONSE_BYTES_MAX		1048576	/* more: ERR_PEER */

/* Owns its text; cleared by smtp_response_clear(). */
struct smtp_response {
	uint16_t code;		/* 200..599, when whole */
	struct status status;	/* class 0: none that agrees with the code */
	uint32_t lines;
	bool is_cut;		/* something was dropped */
	struct buf text;	/* without codes, lines parted by \n; only
				 * printable ASCII, the rest as `?` */
	/* private */
	size_t bytes;		/* of the whole reply */
	size_t line_bytes;
	size_t line_kept;
	uint8_t state;
	char head[4];
};

void smtp_response_init(struct smtp_response *r);
void smtp_response_clear(struct smtp_response *r);

/* Forgets the last reply, to read the next one; keeps the memory. */
void smtp_response_reset(struct smtp_response *r);

/*
 * Reads on in IN, and adds to *CONSUMED what it took.  OK: a reply is whole
 * (what follows in IN belongs to the next); ERR_AGAIN: more input is needed;
 * ERR_PEER: no SMTP reply, different codes in one reply, or beyond a limit;
 * ERR_NOMEM.  After an error only reset makes sense.
 */
enum err smtp_response_feed(struct smtp_response *r, struct span in,
    size_t *consumed);

/* Appends code and text as one line, for logs and reports. */
void smtp_response_line(const struct smtp_response *r, struct buf *out);

#endif
