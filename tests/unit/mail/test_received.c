#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/base/ipaddr.h"
#include "common/mail/header.h"
#include "common/mail/received.h"

static const uint8_t v4[4] = { 192, 0, 2, 1 };
static const uint8_t v6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };

static struct received
sample(const struct ipaddr *client)
{
	return (struct received){
		.helo = SPAN_LIT("client.example"), .client = client,
		.host = SPAN_LIT("mail.example.org"), .with = SPAN_LIT("ESMTP"),
		.only_rcpt = SPAN_LIT("bob@example.net"),
		.at_ms = 1795313862000,
	};
}

static struct span
build(const struct received *r, struct buf *out)
{
	buf_reset(out);
	received_head(r, out);
	buf_add_str(out, "0123456789abc");
	received_tail(r, out);
	return buf_span(out);
}

/* UTF8-13, RFC 3848: without EHLO nothing else can have been */
Test(received, with)
{
	static const char *const words[16] = {
		"SMTP", "ESMTP", "SMTP", "ESMTPS", "SMTP", "ESMTPA", "SMTP",
		"ESMTPSA", "SMTP", "UTF8SMTP", "SMTP", "UTF8SMTPS", "SMTP",
		"UTF8SMTPA", "SMTP", "UTF8SMTPSA",
	};

	for (unsigned i = 0; i < COUNT_OF(words); i++)
		cr_expect(span_equal(received_with(i), span_str(words[i])),
		    "%u", i);
}

/* S5321-63, S5321-64, S5321-66 */
Test(received, form)
{
	struct ipaddr ip = ipaddr_v4(v4);
	struct received r = sample(&ip);
	struct buf out;

	buf_init(&out, 4096);
	cr_expect(span_equal(build(&r, &out), SPAN_LIT("Received: from "
	    "client.example ([192.0.2.1])\r\n"
	    "\tby mail.example.org with ESMTP id 0123456789abc\r\n"
	    "\tfor <bob@example.net>; Sun, 22 Nov 2026 02:17:42 +0000\r\n")));
	r.priority = -3;		/* RFC 6710 section 7 */
	cr_expect(span_equal(build(&r, &out), SPAN_LIT("Received: from "
	    "client.example ([192.0.2.1])\r\n"
	    "\tby mail.example.org with ESMTP id 0123456789abc\r\n"
	    "\tfor <bob@example.net> PRIORITY -3; "
	    "Sun, 22 Nov 2026 02:17:42 +0000\r\n")));
	r.priority = 0;
	ip = ipaddr_v6(v6);
	r.only_rcpt = SPAN_NONE;
	r.zone_min = 60;
	cr_expect(span_equal(build(&r, &out), SPAN_LIT("Received: from "
	    "client.example ([IPv6:2001:db8::1])\r\n"
	    "\tby mail.example.org with ESMTP id 0123456789abc; "
	    "Sun, 22 Nov 2026 03:17:42 +0100\r\n")));
	r.name = SPAN_LIT("mail.example");
	cr_expect(span_starts_nocase(build(&r, &out), SPAN_LIT("Received: "
	    "from client.example (mail.example [IPv6:2001:db8::1])\r\n")));
	r.name = SPAN_LIT("a) x (\r\nb");
	cr_expect(span_starts_nocase(build(&r, &out), SPAN_LIT("Received: "
	    "from client.example (a??x????b [IPv6:2001:db8::1])\r\n")));
	r.client = NULL;
	cr_expect(span_starts_nocase(build(&r, &out),
	    SPAN_LIT("Received: from client.example\r\n\tby ")));
	buf_clear(&out);
}

/* T16, MSG-04, MSG-06: whatever the client says, it stays one field with no
 * empty or over-long line and nothing but printable ASCII. */
static void
expect_harmless(struct span s)
{
	struct header_field f;
	struct span rest = s;
	size_t line = 0;

	cr_assert(header_next(&rest, &f));
	cr_expect_eq(rest.n, 0);
	cr_expect(span_equal(f.name, SPAN_LIT("Received")));
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '\n') {
			cr_expect(i > 0 && s.p[i - 1] == '\r');
			cr_expect(line > 2 && line <= 999, "%zu", line);
			line = 0;
			continue;
		}
		cr_expect(c == '\r' || c == '\t' || (c >= 0x20 && c < 0x7f),
		    "%02x", c);
		line++;
	}
	cr_expect_eq(line, 0);
}

Test(received, hostile_names)
{
	static const char *const names[] = {
		"", " ", "x\r\nBcc: y", "x\ny", "x\r\r\n\r\n", "(", ")",
		"a) (b", "x; Sun, 1 Jan 2000", "\"", "\\", "\x80\xff", "\t",
		"[192.0.2.7]", "[IPv6:::1]", "for <x@y>",
	};
	struct ipaddr ip = ipaddr_v4(v4);
	struct received r = sample(&ip);
	uint8_t big[8192];
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		r.helo = span_str(names[i]);
		expect_harmless(build(&r, &out));
	}
	for (unsigned c = 0; c < 256; c++) {
		memset(big, (int)c, sizeof(big));
		r.helo = span_of(big, sizeof(big));
		expect_harmless(build(&r, &out));
		r.helo = span_of(big, 1);
		r.only_rcpt = span_of(big, 1);
		expect_harmless(build(&r, &out));
		r.only_rcpt = span_of(big, sizeof(big));
		expect_harmless(build(&r, &out));
	}
	buf_clear(&out);
}

Test(received, literals_stay_readable)
{
	struct received r = sample(NULL);
	struct buf out;

	buf_init(&out, 4096);
	r.helo = SPAN_LIT("[IPv6:2001:db8::7]");
	cr_expect(span_starts_nocase(build(&r, &out),
	    SPAN_LIT("Received: from [IPv6:2001:db8::7]\r\n")));
	buf_clear(&out);
}
