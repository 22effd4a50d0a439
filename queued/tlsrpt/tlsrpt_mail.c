/*
 * Nothing that came from another host stands in the header or in the text: the
 * domain is the key it was counted under, what hosts said is inside the JSON.
 */
#include <stdio.h>

#include "common/base/base64.h"
#include "common/base/mtime.h"
#include "common/base/text.h"
#include "common/mail/mail_date.h"
#include "queued/tlsrpt/tlsrpt_impl.h"
#include "queued/tlsrpt/tlsrpt_report.h"

#define LINE_BYTES 57			/* 76 characters of base64 */

/* Of a domain only what may stand in a header field. */
static void
put_name(struct buf *out, struct span name)
{
	text_escape_to(out, name, "\"\\;", 400);
}

static void
put_header(const struct tlsrpt_sender *sender, struct span domain,
    struct span to, const char *id, int64_t now, struct buf *out)
{
	char date[MAIL_DATE_SIZE];

	(void)mail_date_format(now, 0, date);
	buf_add_str(out, "From: <");
	buf_add_span(out, sender->contact);
	buf_add_str(out, ">\r\nTo: <");
	buf_add_span(out, to);
	buf_addf(out, ">\r\nDate: %s\r\n", date);
	buf_addf(out, "Message-ID: <tlsrpt.%s>\r\n", id);
	/* RFC 8460 5.3: its form is given; folded, for names may be long */
	buf_add_str(out, "Subject: Report Domain: ");
	put_name(out, domain);
	buf_add_str(out, "\r\n Submitter: ");
	put_name(out, sender->host);
	buf_addf(out, "\r\n Report-ID: <%s>\r\n", id);
	buf_add_str(out, "TLS-Report-Domain: ");
	put_name(out, domain);
	buf_add_str(out, "\r\nTLS-Report-Submitter: ");
	put_name(out, sender->host);
	buf_add_str(out, "\r\nTLS-Required: No\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
}

static void
put_text(const struct tlsrpt_day *day, const struct tlsrpt_sender *sender,
    struct buf *out)
{
	char text[MTIME_UTC_SIZE];

	mtime_format_utc(tlsrpt_day_begin(day), text);
	buf_add_str(out, "This is a report about TLS on connections from ");
	put_name(out, sender->host);
	buf_add_str(out, "\r\nto the mail servers of ");
	put_name(out, tlsrpt_day_domain(day));
	buf_addf(out, "\r\non %.10s (UTC), as the domain asks for by its record\r\n"
	    "_smtp._tls in the DNS (RFC 8460).  The figures are attached.\r\n",
	    text);
}

/* RFC 8460 5.1: submitter!domain!begin!end.json, times in seconds. */
static void
put_file_name(const struct tlsrpt_day *day,
    const struct tlsrpt_sender *sender, struct buf *out)
{
	int64_t begin = tlsrpt_day_begin(day) / 1000;

	buf_add_str(out, "Content-Disposition: attachment;\r\n filename=\"");
	put_name(out, sender->host);
	buf_add_byte(out, '!');
	put_name(out, tlsrpt_day_domain(day));
	buf_addf(out, "!%lld!%lld.json\"\r\n", (long long)begin,
	    (long long)(begin + TLSRPT_DAY_MS / 1000 - 1));
}

static void
put_base64(struct span s, struct buf *out)
{
	while (s.n > 0) {
		base64_encode(out, span_sub(s, 0, LINE_BYTES));
		buf_add_str(out, "\r\n");
		s = span_from(s, LINE_BYTES);
	}
}

void
tlsrpt_report_mail(const struct tlsrpt_day *day,
    const struct tlsrpt_sender *sender, struct span to, struct span json,
    int64_t now, struct buf *out)
{
	/* no line of text, and none of base64, begins with two hyphens */
	static const char boundary[] = "tlsrpt-part";
	char id[TLSRPT_ID_SIZE];

	tlsrpt_report_id(day, sender->host, id);
	put_header(sender, tlsrpt_day_domain(day), to, id, now, out);
	buf_addf(out, "Content-Type: multipart/report; report-type=\"tlsrpt\";"
	    "\r\n boundary=\"%s\"\r\n\r\n--%s\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n", boundary,
	    boundary);
	put_text(day, sender, out);
	buf_addf(out, "\r\n--%s\r\nContent-Type: application/tlsrpt+json\r\n"
	    "Content-Transfer-Encoding: base64\r\n", boundary);
	put_file_name(day, sender, out);
	buf_add_str(out, "\r\n");
	put_base64(json, out);
	buf_addf(out, "--%s--\r\n", boundary);
}
