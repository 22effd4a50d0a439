/*
 * Replies that we write, RFC 5321 4.2 and 2034.
 */
#ifndef MTAD_SMTP_SMTP_REPLY_H
#define MTAD_SMTP_SMTP_REPLY_H

#include "common/base/buf.h"
#include "common/base/span.h"

#define SMTP_REPLY_LINE_MAX 512	/* octets with CRLF, RFC 5321 4.5.3.1.5 */

/*
 * Appends a reply.  TEXT may hold several lines, parted by \n: each becomes a
 * line of the reply with the same code and status.  STATUS ("5.1.1") may be
 * NULL.  Whatever isn't printable ASCII becomes `?`; too long a line is cut.
 */
void smtp_reply_add(struct buf *out, unsigned code, const char *status,
    struct span text);

#endif
