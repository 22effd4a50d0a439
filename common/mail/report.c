/*
 * A report is built in one go into the caller's buffer: header, text for
 * people, fields for programs, copy.  What of the message is returned is
 * decided first, because both the boundary and the transfer encoding depend on
 * its bytes; the text for people says which part it is.
 *
 * Failure sticks to the buffer.  Buffers of the parts pass theirs on, so a
 * report is whole or known to be none.
 */
#include "common/mail/report.h"

#include "common/base/check.h"
#include "common/base/utf8.h"
#include "common/mail/report_copy.h"
#include "common/mail/report_format.h"
#include "common/mail/report_status.h"
#include "common/mail/report_text.h"

#define BOUNDARY_SIZE 48

/*
 * `=_` can't stand in quoted-printable text, so no honest message has it; a
 * hostile one would have to guess 128 bits.
 */
static void
make_boundary(const uint64_t random[2], uint64_t turn, char out[BOUNDARY_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t v[2] = { random[0] + turn, random[1] };
	size_t n = 0;

	memcpy(out, "=_report_", 9);
	for (n = 9; n < 9 + 32; n++) {
		unsigned shift = (unsigned)(60 - 4 * ((n - 9) % 16));

		out[n] = digits[v[(n - 9) / 16] >> shift & 15];
	}
	out[n] = '\0';
}

/* Is WHAT, which isn't empty, somewhere in S? */
static bool
holds(struct span s, struct span what)
{
	while (s.n >= what.n) {
		s = span_from(s, span_find(s, what.p[0]));
		if (s.n < what.n)
			break;
		if (memcmp(s.p, what.p, what.n) == 0)
			return true;
		s = span_from(s, 1);
	}
	return false;
}

/* One that the returned message does not hold.  It can't hold all that are
 * tried: each of them takes more octets than there would be room for. */
static void
choose_boundary(const struct report *r, struct span copy,
    char out[BOUNDARY_SIZE])
{
	for (uint64_t turn = 0;; turn++) {
		make_boundary(r->random, turn, out);
		if (!holds(copy, span_str(out)))
			return;
	}
}

/* The random part is new for each report, so that a queue id that reports
 * several times makes several (RFC 5322 3.6.4). */
static void
add_message_id(const struct report *r, struct buf *out)
{
	char unique[BOUNDARY_SIZE];

	make_boundary(r->random, 0, unique);
	buf_add_str(out, "Message-ID: <");
	report_format_words(r->queue_id, 64, out);
	buf_addf(out, ".%s@", unique + 9);
	report_format_words(r->host, 255, out);
	buf_add_str(out, ">\r\n");
}

/* Auto-Submitted keeps vacation programs and our like quiet (RFC 3834 5). */
static void
add_header(const struct report *r, const char *boundary, bool is_8bit,
    struct buf *out)
{
	buf_add_str(out, "From: MAILER-DAEMON@");
	report_format_words(r->host, 255, out);
	buf_add_str(out, " (Mail Delivery System)\r\nTo: <");
	report_format_address(r->sender, 512, out);
	buf_add_str(out, ">\r\n");
	report_format_field("Subject", span_str(report_text_subject(r)), out);
	report_format_date("Date", r->now_at, r->zone_min, out);
	add_message_id(r, out);
	buf_addf(out, "MIME-Version: 1.0\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "\r\n"
	    "This is a delivery report in MIME format.\r\n",
	    boundary, is_8bit ? "8bit" : "7bit");
}

/* CRLF, the delimiter and the header of a part. */
static void
begin_part(const char *boundary, const char *type, const char *description,
    const char *encoding, struct buf *out)
{
	buf_addf(out, "\r\n--%s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "Content-Description: %s\r\n"
	    "\r\n", boundary, type, encoding, description);
}

/* A part of ours; of UTF-8 it is quoted-printable.  Empties PART. */
static void
add_part(const char *boundary, const char *type, const char *global_type,
    const char *description, struct buf *part, struct buf *out)
{
	bool is_ascii = utf8_is_ascii(buf_span(part));

	begin_part(boundary, is_ascii ? type : global_type, description,
	    is_ascii ? "7bit" : "quoted-printable", out);
	if (is_ascii)
		buf_add_span(out, buf_span(part));
	else
		report_copy_add_quoted(buf_span(part), out);
	if (buf_failed(part))
		out->is_failed = true;
	buf_reset(part);
}

/* What of the message is returned, and how. */
struct returned {
	struct span bytes;
	enum report_text_part part;
	bool is_8bit;
	bool is_quoted;
	bool is_global;		/* RFC 6533: its header is UTF-8 */
};

/*
 * The whole copy, as much of it as fits; where the way back is 7bit and the
 * copy isn't, the header alone, in quoted-printable when even that is needed.
 */
static struct returned
choose_returned(const struct report *r)
{
	bool is_cut = r->message.n < r->message_bytes;
	struct returned c = { .part = r->is_header_only ? REPORT_TEXT_HEADER :
	    is_cut ? REPORT_TEXT_HEAD : REPORT_TEXT_WHOLE };

	c.bytes = report_copy_choose(r->message, is_cut, r->is_header_only);
	c.is_8bit = !utf8_is_ascii(c.bytes);
	c.is_global = r->is_utf8 && c.is_8bit && !utf8_is_ascii(
	    report_copy_choose(r->message, is_cut, true));
	if (c.is_global) {
		c.is_quoted = true;
		c.is_8bit = false;
		return c;
	}
	if (!c.is_8bit || !r->is_7bit)
		return c;
	c.part = REPORT_TEXT_HEADER;
	c.bytes = report_copy_choose(r->message, is_cut, true);
	c.is_quoted = !utf8_is_ascii(c.bytes);
	c.is_8bit = false;
	return c;
}

static void
add_returned(const struct returned *c, const char *boundary, struct buf *out)
{
	static const char *const types[2][2] = {
		{ "message/rfc822", "text/rfc822-headers" },
		{ "message/global", "message/global-headers" },
	};
	bool is_header = c->part == REPORT_TEXT_HEADER;

	begin_part(boundary, types[c->is_global][is_header], is_header ?
	    "Header of the message" : "Undelivered message", c->is_quoted ?
	    "quoted-printable" : c->is_8bit ? "8bit" : "7bit", out);
	if (c->is_quoted)
		report_copy_add_quoted(c->bytes, out);
	else
		report_copy_add(c->bytes, out);
}

bool
report_build(const struct report *r, struct buf *out)
{
	struct returned returned = choose_returned(r);
	char boundary[BOUNDARY_SIZE];
	struct buf part;

	/* RFC 3464 2.1 wants one group of recipient fields at least */
	MUST(r->rcpt_count > 0);
	buf_init(&part, out->max);
	choose_boundary(r, returned.bytes, boundary);
	add_header(r, boundary, returned.is_8bit, out);
	report_text_build(r, returned.part, &part);
	add_part(boundary, "text/plain; charset=us-ascii",
	    "text/plain; charset=utf-8", "Notification", &part, out);
	report_status_build(r, &part);
	add_part(boundary, "message/delivery-status",
	    "message/global-delivery-status", "Delivery status", &part, out);
	add_returned(&returned, boundary, out);
	buf_addf(out, "\r\n--%s--\r\n", boundary);
	buf_clear(&part);
	return returned.is_8bit || !utf8_is_ascii(r->sender);
}
