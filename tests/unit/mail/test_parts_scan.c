/* UTF8-08: what of a message needs SMTPUTF8 is known, whole and byte by byte. */
#include "common/mail/parts_scan.h"

#include <criterion/criterion.h>

#include "common/base/check.h"

#define U "\xc3\xbc"
#define MULTI "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

static const struct {
	const char *text;
	bool has_8bit;
} rows[] = {
	{ "", false },
	{ "\r\n" U "\r\n", false },
	{ "Subject: x\r\n\r\n" U "\r\n", false },
	{ "Subject: " U "\r\n\r\nx\r\n", true },
	{ "Subject: x\r\n " U "\r\n\r\nx\r\n", true },
	/* one part: what looks like a boundary is text */
	{ "Subject: x\r\n\r\n--b\r\n" U "\r\n\r\n", false },
	{ MULTI "preamble " U "\r\n--b\r\nX: y\r\n\r\n" U "\r\n--b--\r\n",
	    false },
	{ MULTI "--b\r\nContent-Disposition: attachment; filename=" U
	    "\r\n\r\nx\r\n--b--\r\n", true },
	{ "content-TYPE:\r\n\tMultiPart/mixed;\r\n boundary=b\r\n\r\n"
	    "--b\r\nX: " U "\r\n\r\n", true },
	{ "X-Content-Type: multipart/mixed\r\n\r\n--b\r\nX: " U "\r\n\r\n",
	    false },
	/* a signature and a rule are no boundaries */
	{ MULTI "-- \r\n" U "\r\n-" U "\r\n--\r\n" U "\r\n", false },
	/* a multipart in a part */
	{ MULTI "--b\r\n" MULTI "--c\r\nX: y\r\n\r\n--c\r\nX: " U
	    "\r\n\r\n", true },
	/* messages within it */
	{ "Content-Type: message/rfc822\r\n\r\nSubject: " U "\r\n\r\n", true },
	{ "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n" U "\r\n",
	    false },
	{ MULTI "--b\r\nContent-Type: message/global\r\n\r\nSubject: " U
	    "\r\n\r\n", true },
	{ MULTI "--b\r\nContent-Type: text/plain\r\n\r\nSubject: " U
	    "\r\n\r\n", false },
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
	    "Subject: " U "\r\n\r\n", true },
	{ "Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822"
	    "\r\n\r\nX: " U "\r\n", true },
	/* the octet stands in the last line of the header */
	{ "Subject: " U, true },
};

Test(mail_parts_scan, whole_and_in_pieces)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span s = span_str(rows[i].text);

		for (size_t piece = 1; piece <= s.n + 1; piece++) {
			struct parts_scan p;

			parts_scan_init(&p);
			for (size_t at = 0; at < s.n; at += piece)
				parts_scan_feed(&p, span_sub(s, at, piece));
			cr_expect_eq(p.has_8bit, rows[i].has_8bit,
			    "%zu in pieces of %zu", i, piece);
		}
	}
}
