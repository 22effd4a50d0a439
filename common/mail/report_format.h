/*
 * Words of any origin brought into the lines of a report: printable, wrapped,
 * never able to begin a field or a part of their own.  All of them are ASCII
 * but addresses, which may be UTF-8 (RFC 6533).
 */
#ifndef MTAD_MAIL_REPORT_FORMAT_H
#define MTAD_MAIL_REPORT_FORMAT_H

#include "common/base/buf.h"
#include "common/base/span.h"

/* Appends at most MAX octets on one line; line breaks and runs of blanks
 * become one blank, other unprintable octets `?`. */
void report_format_words(struct span s, size_t max, struct buf *out);

/* The same of an address: letters beyond ASCII stay. */
void report_format_address(struct span s, size_t max, struct buf *out);

/* Appends `Name: value` as one folded field with its CRLF; VALUE, which
 * may hold an address, is cleaned as above.  An empty value appends nothing. */
void report_format_field(const char *name, struct span value,
    struct buf *out);

/* The same for a date. */
void report_format_date(const char *name, int64_t at_ms, int zone_min,
    struct buf *out);

/* Appends S as a paragraph for people, each line INDENT blanks in; the second
 * one of words that were cleaned. */
void report_format_wrapped(struct span s, unsigned indent, struct buf *out);
void report_format_cleaned(struct span s, unsigned indent, struct buf *out);

#endif
