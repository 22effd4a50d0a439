/*
 * Reports to look at: what the tests in C and in Python build and read.
 */
#ifndef MTAD_TESTS_REPORT_SAMPLE_H
#define MTAD_TESTS_REPORT_SAMPLE_H

#include "common/base/check.h"
#include "common/mail/report.h"

static const struct report_rcpt report_sample_rcpts[] = {
	{
		.address = SPAN_LIT("Bob@example.net"),
		.orcpt = SPAN_LIT("rfc822;Robert+2Bx@Example.com"),
		.action = REPORT_FAILED, .status = { 5, 1, 1 },
		.remote_host = SPAN_LIT("mx1.example.net"), .code = 550,
		.text = SPAN_LIT("5.1.1 No such user\nAsk postmaster"),
		.last_attempt_at = 1795313870000,
	}, {
		.address = SPAN_LIT("\"c d\"@example.com"),
		.action = REPORT_FAILED, .is_expired = true,
		.status = { 4, 4, 1 },
		.text = SPAN_LIT("connection to mx.example.com timed out"),
		.last_attempt_at = 1795313870000,
	}, {
		.address = SPAN_LIT("eve@example.edu"),
		.action = REPORT_FAILED,
		.remote_host = SPAN_LIT("mx.example.edu\r\nX-Evil: 1"),
		.code = 554,
		.text = SPAN_LIT("no\r\nAction: delivered\r\n\r\nFinal-Recipi"
		    "ent: rfc822; x@y\n\x07\xc3\xa4 \x1b[31m --=_report_"),
		.last_attempt_at = 1795313870000,
	},
};

#define REPORT_SAMPLE_MESSAGE \
	"Received: from a ([192.0.2.1])\r\n\tby b with ESMTP id c; date\r\n" \
	"From: Alice <alice@example.org>\r\n" \
	"Subject: Hello\r\n" \
	"Message-ID: <1@example.org>\r\n" \
	"\r\n" \
	"Line one\r\n" \
	".Line two\r\n"

static inline struct report
report_sample(void)
{
	return (struct report){
		.host = SPAN_LIT("mail.example.org"),
		.queue_id = SPAN_LIT("0abcdefghjkmn"),
		.sender = SPAN_LIT("alice@example.org"),
		.postmaster = SPAN_LIT("postmaster@example.org"),
		.envid = SPAN_LIT("QQ+2B314"),
		.arrived_at = 1795313862000, .now_at = 1795313900000,
		.zone_min = 60,
		.rcpts = report_sample_rcpts,
		.rcpt_count = COUNT_OF(report_sample_rcpts),
		.message = SPAN_LIT(REPORT_SAMPLE_MESSAGE),
		.message_bytes = sizeof(REPORT_SAMPLE_MESSAGE) - 1,
		.random = { 0x1234567890abcdef, 0xfedcba0987654321 },
	};
}

static inline struct report
report_sample_delayed(struct report_rcpt *rcpt)
{
	struct report r = report_sample();

	*rcpt = report_sample_rcpts[1];
	rcpt->action = REPORT_DELAYED;
	rcpt->is_expired = false;
	r.rcpts = rcpt;
	r.rcpt_count = 1;
	r.envid = SPAN_NONE;
	r.retry_until_at = 1795745862000;
	return r;
}

#endif
