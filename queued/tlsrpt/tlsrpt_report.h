/*
 * The report of a domain's day: the JSON of RFC 8460 4.4, and the mail that
 * carries it (RFC 8460 5.3, RFC 6522).
 */
#ifndef MTAD_QUEUED_TLSRPT_TLSRPT_REPORT_H
#define MTAD_QUEUED_TLSRPT_TLSRPT_REPORT_H

#include "queued/tlsrpt/tlsrpt.h"

#define TLSRPT_ID_SIZE	320		/* of a report, with a NUL */

struct tlsrpt_sender {
	struct span host;		/* our name: organisation, submitter */
	struct span contact;		/* an address */
};

/* Unique among those of HOST; the same each time it is asked for. */
void tlsrpt_report_id(const struct tlsrpt_day *day, struct span host,
    char out[TLSRPT_ID_SIZE]);

/* Appends the JSON, in one line.  ERR_NOMEM. */
enum err tlsrpt_report_json(const struct tlsrpt_day *day,
    const struct tlsrpt_sender *sender, struct buf *out);

/* Appends the message, without trace header, CRLF at its line ends, 7 bit.
 * JSON is what it is about, TO an address that was checked. */
void tlsrpt_report_mail(const struct tlsrpt_day *day,
    const struct tlsrpt_sender *sender, struct span to, struct span json,
    int64_t now, struct buf *out);

#endif
