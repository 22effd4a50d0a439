/*
 * A delivery report: multipart/report with a text for people, a
 * message/delivery-status for programs, and the head of the message that it
 * is about.  RFC 6522, 3464, 3462, 3461 section 6, 3834 for the header.
 *
 * The returned message is opaque: nothing of it is parsed but where its
 * header ends.  Everything of remote origin is made printable and cut to a
 * bounded length.  What is built has CRLF line ends only and no line above
 * 998 octets; the delivery-status is US-ASCII but for addresses that are not.
 */
#ifndef MTAD_MAIL_REPORT_H
#define MTAD_MAIL_REPORT_H

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/mail/status.h"

#define REPORT_RCPTS_TOLD	100	/* in the text for people */
#define REPORT_REPLY_MAX	2048	/* octets kept of a remote reply */

enum report_action {
	REPORT_FAILED,
	REPORT_DELAYED,
	REPORT_RELAYED,		/* RFC 3461 5.2.2: to a host without DSN */
};

struct report_rcpt {
	struct span address;		/* forward-path without <> */
	struct span orcpt;		/* addr-type;xtext, or empty */
	enum report_action action;
	struct status status;		/* class 0: derived from code */
	bool is_expired;		/* given up because of its age */
	bool is_in_doubt;		/* it may have arrived all the same */
	struct span remote_host;	/* empty: no host was reached */
	uint16_t code;			/* its reply code, 0: it said nothing */
	struct span text;		/* its words (without the code), any
					 * bytes, lines parted by \n; or ours
					 * when code is 0 */
	int64_t last_attempt_at;	/* wall ms, 0: none */
};

struct report {
	struct span host;		/* our name */
	struct span queue_id;		/* of the message reported */
	struct span sender;		/* reverse-path: who gets it */
	struct span postmaster;		/* to ask; empty: postmaster@host */
	struct span envid;		/* xtext as given, or empty */
	int64_t arrived_at;		/* wall ms */
	int64_t deliver_by_at;		/* RFC 2852 section 5; 0: none */
	struct span hold_asked;		/* RFC 4865 5.1.2; empty: none */
	int64_t now_at;
	int64_t retry_until_at;		/* of delayed ones; 0: not known */
	int zone_min;
	const struct report_rcpt *rcpts;
	size_t rcpt_count;		/* > 0 */
	struct span message;		/* header and first part of the body */
	uint64_t message_bytes;		/* of the whole message */
	bool is_header_only;		/* return the header alone (RET=HDRS) */
	bool is_utf8;			/* the message came with SMTPUTF8 */
	bool is_7bit;			/* the way back may take nothing else */
	uint64_t random[2];		/* for Message-ID and boundary */
};

/*
 * Appends the whole report, header first, ending in CRLF.  The message is
 * returned as message/rfc822, at a line end when it had to be cut, or as
 * text/rfc822-headers; the latter also when is_7bit forbids the octets of its
 * body, which may not be encoded (RFC 2046 5.2.1).  Returns true when the report has octets above 127
 * (then its Content-Transfer-Encoding is 8bit, or its addressee is UTF-8).
 *
 * What RFC 6533 calls global can be encoded, and is, so that the report takes
 * any way back that its addressee's own address allows.
 */
bool report_build(const struct report *r, struct buf *out);

#endif
