/*
 * The copy of the undelivered message inside a report.
 *
 * A message/rfc822 part may not be encoded (RFC 2046 5.2.1), so what no mail
 * may hold has to be mended in the copy: a line above 998 octets is broken (in
 * the header by a fold), a bare CR or LF becomes CRLF, a NUL becomes `?`.
 * All other octets stay as they are.
 */
#ifndef MTAD_MAIL_REPORT_COPY_H
#define MTAD_MAIL_REPORT_COPY_H

#include "common/base/buf.h"
#include "common/base/span.h"

/* The part of MESSAGE that is returned.  IS_CUT: more followed it, so only
 * whole lines are taken. */
struct span report_copy_choose(struct span message, bool is_cut,
    bool is_header_only);

/* Appends it, ending in CRLF (or nothing). */
void report_copy_add(struct span chosen, struct buf *out);

/* The same in quoted-printable, RFC 2045 6.7. */
void report_copy_add_quoted(struct span chosen, struct buf *out);

#endif
