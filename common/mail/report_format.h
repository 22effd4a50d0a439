/*
 * Words of any origin brought into the lines of a report: printable ASCII,
 * wrapped, never able to begin a field or a part of their own.
 */
#ifndef MTAD_MAIL_REPORT_FORMAT_H
#define MTAD_MAIL_REPORT_FORMAT_H

#include "common/base/buf.h"
#include "common/base/span.h"

/* Appends at most MAX octets on one line; line breaks and runs of blanks
 * become one blank, other unprintable octets `?`. */
void report_format_words(struct span s, size_t max, struct buf *out);

/* Appends `Name: value` as one folded field with its CRLF; VALUE is cleaned
 * as above.  An empty value appends nothing. */
void report_format_field(const char *name, struct span value,
    struct buf *out);

/* The same for a date. */
void report_format_date(const char *name, int64_t at_ms, int zone_min,
    struct buf *out);

/* Appends S as a paragraph for people, each line INDENT blanks in. */
void report_format_wrapped(struct span s, unsigned indent, struct buf *out);

#endif
