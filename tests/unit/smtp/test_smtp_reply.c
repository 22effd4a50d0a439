#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/smtp/smtp_reply.h"

static const struct {
	unsigned code;
	const char *status, *text, *want;
} rows[] = {
	{ 250, "2.0.0", "ok", "250 2.0.0 ok\r\n" },
	{ 220, NULL, "mail.example.org ESMTP",
	    "220 mail.example.org ESMTP\r\n" },
	{ 250, NULL, "", "250 \r\n" },
	{ 250, "2.0.0", "", "250 2.0.0\r\n" },
	/* S5321-38, ESC-03 */
	{ 250, NULL, "host\nPIPELINING\nSIZE 1",
	    "250-host\r\n250-PIPELINING\r\n250 SIZE 1\r\n" },
	{ 550, "5.1.1", "a\nb", "550-5.1.1 a\r\n550 5.1.1 b\r\n" },
	/* UTF8-09, T16 */
	{ 501, "5.1.3", "<\xc3\xa4\r\x07>", "501 5.1.3 <?" "?" "?" "?>\r\n" },
};

Test(smtp_reply, table)
{
	struct buf out;

	buf_init(&out, 65536);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		buf_reset(&out);
		smtp_reply_add(&out, rows[i].code, rows[i].status,
		    span_str(rows[i].text));
		cr_expect(span_equal(buf_span(&out), span_str(rows[i].want)),
		    "%.*s", (int)out.n, out.p);
	}
	buf_clear(&out);
}

/* S5321-40: at most 512 octets a line, whatever is echoed. */
Test(smtp_reply, long_lines_are_cut)
{
	static uint8_t text[2000];
	struct buf out;

	buf_init(&out, 65536);
	for (size_t n = 480; n < sizeof(text); n++) {
		memset(text, 'x', n);
		text[n / 2 + 300] = '\n';
		buf_reset(&out);
		smtp_reply_add(&out, 550, "5.5.2", span_of(text, n));
		for (size_t at = 0; at < out.n;) {
			struct span rest = span_from(buf_span(&out), at);
			size_t line = span_find(rest, '\n') + 1;

			cr_assert_leq(line, SMTP_REPLY_LINE_MAX);
			cr_assert_eq(rest.p[line - 2], '\r');
			at += line;
		}
	}
	buf_clear(&out);
}
