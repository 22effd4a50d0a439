/*
 * The text of a report, for the person who sent the message: what happened,
 * what the other server said, what to do, whom to ask.
 */
#ifndef MTAD_MAIL_REPORT_TEXT_H
#define MTAD_MAIL_REPORT_TEXT_H

#include "common/mail/report.h"

/* How much of the message the report returns. */
enum report_text_part {
	REPORT_TEXT_WHOLE, REPORT_TEXT_HEAD, REPORT_TEXT_HEADER,
};

void report_text_build(const struct report *r, enum report_text_part part,
    struct buf *out);

/* "Your message could not be delivered", or the like. */
const char *report_text_subject(const struct report *r);

#endif
