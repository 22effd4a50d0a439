/*
 * Enhanced status codes such as 5.1.1, RFC 3463 and 2034.
 */
#ifndef MTAD_MAIL_STATUS_H
#define MTAD_MAIL_STATUS_H

#include "common/base/err.h"
#include "common/base/span.h"

#define STATUS_SIZE 12		/* "5.999.999" and a NUL, with room */

struct status {
	uint8_t class;		/* 2, 4 or 5; 0: none */
	uint16_t subject;	/* 0..999 */
	uint16_t detail;	/* 0..999 */
};

#define STATUS(c, s, d) ((struct status){ (c), (s), (d) })

/* All of S; no leading zeros, RFC 3464 2.3.4.  ERR_SYNTAX. */
enum err status_parse(struct span s, struct status *out);

/*
 * The code at the beginning of a reply's text: followed by a blank or the
 * end, and of the class that the reply code has (RFC 2034 4).  Returns how
 * many octets it and its blank take; 0 when there is none to be trusted.
 */
size_t status_take(struct span text, unsigned reply_code, struct status *out);

/* Does the class agree with a reply code such as 550? */
bool status_agrees(struct status s, unsigned reply_code);

/* x.0.0 of the reply code's class; class 0 when it has none. */
struct status status_of_code(unsigned reply_code);

/* Writes the text and a NUL; returns the length. */
size_t status_format(struct status s, char out[STATUS_SIZE]);

/* What the code means, as a short English phrase for people ("the mailbox is
 * full"); by its subject when the detail is unknown.  Never NULL. */
const char *status_text(struct status s);

#endif
