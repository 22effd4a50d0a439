/*
 * ORCPT's value, `addr-type;address`: RFC 3461 section 4.2, and for the type
 * utf-8 RFC 6533 section 3, where `\x{FC}` may stand for a letter.
 */
#ifndef MTAD_MAIL_ORCPT_H
#define MTAD_MAIL_ORCPT_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"

/* Well formed, and all that it stands for can be shown: no control characters.
 * IS_UTF8: letters beyond ASCII may stand in it as they are. */
bool orcpt_is_valid(struct span s, bool is_utf8);

/* Appends the same in ASCII: what a host without SMTPUTF8 may be told. */
void orcpt_add_ascii(struct span s, struct buf *out);

/* Appends the type, the semicolon and what the rest stands for.  ERR_SYNTAX
 * leaves OUT as it was. */
enum err orcpt_decode(struct span s, struct buf *out);

#endif
