#include <criterion/criterion.h>

#include "common/base/utf8.h"
#include "common/base/wire.h"
#include "common/mail/header.h"
#include "tests/unit/mail/report_sample.h"

#include <stdio.h>
#include <stdlib.h>

static struct buf out;

static void
end(void)
{
	buf_clear(&out);
}

TestSuite(report, .fini = end);

static struct span
build(const struct report *r)
{
	buf_clear(&out);
	buf_init(&out, 8 << 20);
	(void)report_build(r, &out);
	cr_assert_not(buf_failed(&out));
	return buf_span(&out);
}

static size_t
find(struct span s, const char *what)
{
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= s.n; i++) {
		if (memcmp(s.p + i, what, n) == 0)
			return i;
	}
	return s.n;
}

static bool
has(struct span s, const char *what)
{
	return find(s, what) < s.n;
}

/* The body of part I, found by the boundary that the header names; a parser
 * that knows nothing of how reports are built. */
static struct span
part(struct span report, unsigned index)
{
	struct span s = span_from(report, find(report, "boundary=\"") + 10);
	struct span boundary = span_sub(s, 0, span_find(s, '"'));
	char delimiter[200];
	size_t n;

	snprintf(delimiter, sizeof(delimiter), "\r\n--%.*s",
	    (int)boundary.n, (const char *)boundary.p);
	n = strlen(delimiter);
	for (unsigned i = 0; i <= index; i++) {
		s = span_from(s, find(s, delimiter) + n);
		cr_assert(span_starts_nocase(s, SPAN_LIT("\r\n")),
		    "part %u is missing", i);
	}
	s = span_from(s, 2);
	return span_sub(s, 0, find(s, delimiter));
}

static struct span
body_of(struct span p)
{
	return span_from(p, header_length(p));
}

/* DSN-31, MSG-01: CRLF only, at most 998 octets a line; DSN-38: no controls
 * but HT and CRLF. */
static void
expect_clean(struct span s)
{
	size_t line = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '\r') {
			cr_assert(i + 1 < s.n && s.p[i + 1] == '\n');
			i++;
			cr_assert_leq(line, 998);
			line = 0;
			continue;
		}
		cr_assert(c >= 0x20 || c == '\t', "%02x at %zu", c, i);
		cr_assert_neq(c, 0x7f);
		line++;
	}
	cr_assert_eq(line, 0, "no CRLF at the end");
}

/* DSN-26, DSN-27, DSN-32, DSN-37 */
Test(report, header_and_parts)
{
	struct report r = report_sample();
	struct span s = build(&r);
	struct span header = span_sub(s, 0, header_length(s));
	static const char *const lines[] = {
		"From: MAILER-DAEMON@mail.example.org (Mail Delivery System)"
		    "\r\n",
		"\r\nTo: <alice@example.org>\r\n",
		"\r\nSubject: Your message could not be delivered\r\n",
		"\r\nDate: Sun, 22 Nov 2026 03:18:20 +0100\r\n",
		"\r\nAuto-Submitted: auto-replied\r\n",
		"\r\nMIME-Version: 1.0\r\n",
		"multipart/report; report-type=delivery-status;",
		"\r\nContent-Transfer-Encoding: 7bit\r\n",
		"\r\nMessage-ID: <0abcdefghjkmn.1234567890abcdef"
		    "fedcba0987654321@mail.example.org>\r\n",
	};

	expect_clean(s);
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		cr_expect(has(header, lines[i]), "%s", lines[i]);
	cr_expect(has(part(s, 0), "Content-Type: text/plain"));
	cr_expect(has(part(s, 1), "Content-Type: message/delivery-status"));
	cr_expect(has(part(s, 2), "Content-Type: message/rfc822"));
	cr_expect(span_equal(body_of(part(s, 2)),
	    SPAN_LIT(REPORT_SAMPLE_MESSAGE)));
}

/* RFC 2852 section 5, RFC 4865 5.1.2 */
Test(report, what_was_asked_of_its_time)
{
	struct report r = report_sample();
	struct span s;

	r.deliver_by_at = r.arrived_at - 60000;
	r.hold_asked = SPAN_LIT("until;2026-11-22T02:18:00Z");
	s = body_of(part(build(&r), 1));
	cr_expect(span_starts_nocase(s, SPAN_LIT(
	    "Reporting-MTA: dns; mail.example.org\r\n"
	    "Original-Envelope-Id: QQ+314\r\n"
	    "X-Mtad-Queue-Id: 0abcdefghjkmn\r\n"
	    "Arrival-Date: Sun, 22 Nov 2026 03:17:42 +0100\r\n"
	    "Deliver-By-Date: Sun, 22 Nov 2026 03:16:42 +0100\r\n"
	    "Future-Release-Request: until;2026-11-22T02:18:00Z\r\n"
	    "\r\n")));
}

/* DSN-19 to DSN-25, DSN-28, DSN-35 */
Test(report, delivery_status)
{
	struct report r = report_sample();
	struct span s;

	r.retry_until_at = r.now_at;	/* said of delayed ones only */
	s = body_of(part(build(&r), 1));
	cr_expect(span_starts_nocase(s, SPAN_LIT(
	    "Reporting-MTA: dns; mail.example.org\r\n"
	    "Original-Envelope-Id: QQ+314\r\n"
	    "X-Mtad-Queue-Id: 0abcdefghjkmn\r\n"
	    "Arrival-Date: Sun, 22 Nov 2026 03:17:42 +0100\r\n"
	    "\r\n"
	    "Original-Recipient: rfc822;Robert+x@Example.com\r\n"
	    "Final-Recipient: rfc822; Bob@example.net\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns; mx1.example.net\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 No such user Ask postmaster\r\n"
	    "Last-Attempt-Date: Sun, 22 Nov 2026 03:17:50 +0100\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; \"c d\"@example.com\r\n"
	    "Action: failed\r\n"
	    "Status: 4.4.1\r\n"
	    "Last-Attempt-Date: ")), "%.*s", (int)s.n, s.p);
	cr_expect(has(s, "Status: 5.0.0\r\n"), "of the reply code's class");
	cr_expect_not(has(s, "Will-Retry-Until"));	/* DSN-34 */
}

/* DSN-38, DSN-29: hostile words stay inside their field. */
Test(report, hostile_reply)
{
	struct report r = report_sample();
	struct span s = body_of(part(build(&r), 1));
	unsigned groups = 0;

	for (size_t i = 0; i + 4 <= s.n; i++)
		groups += memcmp(s.p + i, "\r\n\r\n", 4) == 0;
	cr_expect_eq(groups, 3);
	cr_expect_not(has(s, "\r\nAction: delivered"));
	cr_expect_not(has(s, "\r\nX-Evil"));
	cr_expect(has(s, "Diagnostic-Code: smtp; 554 no Action: delivered"));
	for (size_t i = 0; i < s.n; i++)
		cr_assert_lt(s.p[i], 0x80);
}

Test(report, text_for_people)
{
	struct report r = report_sample();
	struct span s = body_of(part(build(&r), 0));
	static const char *const words[] = {
		"mail.example.org", "<Bob@example.net>",
		"The mail server mx1.example.net answered:",
		"550 5.1.1 No such user Ask postmaster",
		"the mailbox does not exist", "typing errors",
		"connection to mx.example.com timed out",
		"<postmaster@example.org>", "0abcdefghjkmn",
		"Your message is attached.",
	};

	for (size_t i = 0; i < COUNT_OF(words); i++)
		cr_expect(has(s, words[i]), "%s", words[i]);
}

/* DSN-34 */
Test(report, delayed)
{
	struct report_rcpt rcpt;
	struct report r = report_sample_delayed(&rcpt);
	struct span s = build(&r);

	expect_clean(s);
	cr_expect(has(s, "\r\nSubject: Your message is delayed\r\n"));
	cr_expect(has(body_of(part(s, 0)), "need not send it again"));
	s = body_of(part(s, 1));
	cr_expect(has(s, "Action: delayed\r\nStatus: 4.4.1\r\n"));
	cr_expect(has(s, "\r\nWill-Retry-Until: Fri, 27 Nov 2026 03:17:42 "
	    "+0100\r\n"), "%.*s", (int)s.n, s.p);
	cr_expect_not(has(s, "Original-Envelope-Id"));	/* DSN-19 */
	cr_expect_not(has(s, "Original-Recipient"));	/* DSN-21 */
	cr_expect_not(has(s, "Remote-MTA"));		/* DSN-25 */
	cr_expect_not(has(s, "Diagnostic-Code"));
}

/* DSN-30 */
Test(report, header_only)
{
	struct report r = report_sample();
	struct span s;

	r.is_header_only = true;
	s = part(build(&r), 2);
	cr_expect(has(s, "Content-Type: text/rfc822-headers\r\n"));
	cr_expect(has(s, "\r\nMessage-ID: <1@example.org>\r\n"));
	cr_expect_not(has(s, "Line one"));
	cr_expect(has(body_of(part(buf_span(&out), 0)),
	    "The header of your message is"));
}

Test(report, cut_at_a_line_end)
{
	struct span whole = SPAN_LIT(REPORT_SAMPLE_MESSAGE);
	size_t body = header_length(whole);

	for (size_t n = body; n < whole.n; n++) {
		struct report r = report_sample();
		struct span s, got;

		r.message.n = n;
		s = build(&r);
		expect_clean(s);
		got = body_of(part(s, 2));
		cr_expect_leq(got.n, n);
		cr_expect(span_equal(got, span_sub(whole, 0, got.n)));
		cr_expect_eq(got.n, n >= body + 10 ? body + 10 : body);
		cr_expect(has(body_of(part(s, 0)), "rest of it was cut off"));
	}
}

/* DSN-33: the body holds the boundary that would be the first choice. */
Test(report, boundary_not_in_the_message)
{
	struct report r = report_sample();
	struct span s = build(&r);
	struct span b = span_from(s, find(s, "boundary=\"") + 10);
	struct buf hostile;
	char first[64];

	cr_assert(span_copy(span_sub(b, 0, span_find(b, '"')), first,
	    sizeof(first)));
	buf_init(&hostile, 4096);
	buf_addf(&hostile, "A: b\r\n\r\n--%s--\r\n--%s\r\nx\r\n", first,
	    first);
	r.message = buf_span(&hostile);
	r.message_bytes = r.message.n;
	s = build(&r);
	cr_expect(span_equal(body_of(part(s, 2)), r.message));
	buf_clear(&hostile);
}

/* 8-bit content makes part and report 8bit; the status stays 7bit. */
Test(report, eight_bits)
{
	struct report r = report_sample();
	struct span s;

	r.message = SPAN_LIT("Subject: \xc3\xa4\r\n\r\n\xff\r\n");
	r.message_bytes = r.message.n;
	buf_clear(&out);
	buf_init(&out, 1 << 20);
	cr_expect(report_build(&r, &out));
	s = buf_span(&out);
	cr_expect(has(span_sub(s, 0, header_length(s)),
	    "Content-Transfer-Encoding: 8bit\r\n"));
	cr_expect(has(part(s, 2), "Content-Transfer-Encoding: 8bit\r\n"));
	cr_expect(has(part(s, 1), "Content-Transfer-Encoding: 7bit\r\n"));
	cr_expect(span_equal(body_of(part(s, 2)), r.message));
	r.message = SPAN_LIT("Subject: a\r\n\r\n\xff\r\n");
	r.is_header_only = true;
	buf_reset(&out);
	cr_expect_not(report_build(&r, &out), "only the header is returned");
}

/* What a host that takes no 8-bit text can carry. */
Test(report, seven_bits_only)
{
	struct report r = report_sample();
	struct span s;

	r.is_7bit = true;
	r.message = SPAN_LIT("Subject: \xc3\xa4 =\t\r\nTo: aaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "\r\n\r\n\xff\r\n");
	r.message_bytes = r.message.n;
	s = part(build(&r), 2);
	cr_expect(has(s, "Content-Type: text/rfc822-headers\r\n"));
	cr_expect(has(s, "Content-Transfer-Encoding: quoted-printable\r\n"));
	s = body_of(s);
	cr_expect(span_equal(s, SPAN_LIT("Subject: =C3=A4 =3D=09\r\nTo: "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaa=\r\naaaaaaaaa\r\n")), "%.*s", (int)s.n, s.p);
	expect_clean(buf_span(&out));
	cr_expect(utf8_is_ascii(buf_span(&out)));
	r.message = SPAN_LIT("Subject: a\r\n\r\nb\r\n");
	r.message_bytes = r.message.n;
	s = part(build(&r), 2);
	cr_expect(span_equal(body_of(s), r.message), "7-bit text stays whole");
}

/* What is not known is not told as if it were. */
Test(report, in_doubt)
{
	struct report r = report_sample();
	struct report_rcpt rcpt = r.rcpts[0];
	struct span s;

	r.rcpts = &rcpt;
	r.rcpt_count = 1;
	cr_expect(has(part(build(&r), 0), "will not receive it"));
	rcpt.is_in_doubt = true;
	rcpt.code = 0;
	s = part(build(&r), 0);
	cr_expect(has(s, "may not receive it"));
	cr_expect(has(s, "At the mail server mx1.example.net:\r\n"));
	cr_expect_not(has(s, "will not"));
}

/* RFC 3464 2.1.2: an address is no domain name. */
Test(report, remote_address)
{
	struct report r = report_sample();
	struct report_rcpt rcpt = r.rcpts[0];

	r.rcpts = &rcpt;
	r.rcpt_count = 1;
	rcpt.remote_host = SPAN_LIT("192.0.2.1");
	cr_expect(has(build(&r), "Remote-MTA: dns; [192.0.2.1]\r\n"));
	rcpt.remote_host = SPAN_LIT("2001:db8::1");
	cr_expect(has(build(&r), "Remote-MTA: dns; [IPv6:2001:db8::1]\r\n"));
}

/* DSN-31 with an original that no mail may be. */
Test(report, illegal_original)
{
	static const char *const units[] = {
		"x", "x\n", "x\r", "\r\r\n", "\0", ".\r\n", "Subject:\n\n",
	};

	for (size_t u = 0; u < COUNT_OF(units); u++) {
		size_t unit = u == 4 ? 1 : strlen(units[u]);
		struct report r = report_sample();
		uint8_t message[5000];

		for (size_t i = 0; i < sizeof(message); i++)
			message[i] = (uint8_t)units[u][i % unit];
		r.message = span_of(message, sizeof(message));
		for (size_t n = 4900; n < 5000; n += 33) {
			r.message.n = n;
			r.message_bytes = n;
			r.is_header_only = n % 2 != 0;
			expect_clean(build(&r));
		}
	}
}

Test(report, long_words_everywhere)
{
	static uint8_t big[5000];
	struct report r = report_sample();
	struct report_rcpt rcpt = report_sample_rcpts[0];

	for (int c = 0; c < 256; c += 5) {
		memset(big, c, sizeof(big));
		rcpt.text = rcpt.remote_host = span_of(big, sizeof(big));
		r.rcpts = &rcpt;
		r.rcpt_count = 1;
		r.host = r.postmaster = r.sender = span_of(big, 250);
		expect_clean(build(&r));
	}
}

Test(report, many_recipients)
{
	const size_t n = 5000;
	struct report_rcpt *many = calloc(n, sizeof(*many));
	struct report r = report_sample();
	struct span s;
	size_t groups = 0;

	cr_assert_not_null(many);
	for (size_t i = 0; i < n; i++)
		many[i] = report_sample_rcpts[0];
	r.rcpts = many;
	r.rcpt_count = n;
	s = build(&r);
	expect_clean(s);
	cr_expect(has(body_of(part(s, 0)), "and 4900 more"));
	s = body_of(part(s, 1));
	for (size_t i = 0; i + 16 <= s.n; i++)
		groups += memcmp(s.p + i, "Final-Recipient:", 16) == 0;
	cr_expect_eq(groups, n);
	free(many);
}

Test(report, no_memory)
{
	struct report r = report_sample();
	size_t whole = build(&r).n;

	for (size_t max = 0; max < whole; max += 97) {
		struct buf small;

		buf_init(&small, max);
		(void)report_build(&r, &small);
		cr_expect(buf_failed(&small));
		buf_clear(&small);
	}
}

/* DSN-36: what the message says of itself changes nothing. */
Test(report, content_does_not_matter)
{
	struct report r = report_sample();
	struct span s;

	r.message = SPAN_LIT("Content-Type: multipart/report\r\n"
	    "Auto-Submitted: auto-replied\r\n\r\nmultipart/report\r\n");
	r.message_bytes = r.message.n;
	s = build(&r);
	cr_expect(span_equal(body_of(part(s, 2)), r.message));
}
