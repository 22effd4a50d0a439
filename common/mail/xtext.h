/*
 * xtext: printable text with `+XX` for the rest, RFC 3461 section 4.
 */
#ifndef MTAD_MAIL_XTEXT_H
#define MTAD_MAIL_XTEXT_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"

/* Well formed, and every octet that it stands for is printable US-ASCII
 * (what ENVID and ORCPT demand; `+00` and `+0A` are refused). */
bool xtext_is_printable(struct span s);

/* Appends what S stands for.  ERR_SYNTAX leaves OUT as it was. */
enum err xtext_decode(struct span s, struct buf *out);

void xtext_encode(struct span s, struct buf *out);

#endif
