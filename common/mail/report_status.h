/*
 * The message/delivery-status of a report, RFC 3464: what programs read.
 */
#ifndef MTAD_MAIL_REPORT_STATUS_H
#define MTAD_MAIL_REPORT_STATUS_H

#include "common/mail/report.h"

/* Appends the fields about the message, then a group for each recipient. */
void report_status_build(const struct report *r, struct buf *out);

/* The recipient's status: as given, else x.0.0 of the reply code's class,
 * else of the action's. */
struct status report_status_of(const struct report_rcpt *rcpt);

#endif
