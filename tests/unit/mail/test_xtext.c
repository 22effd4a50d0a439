#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/mail/xtext.h"

Test(xtext, table)
{
	static const struct {
		const char *text;
		const char *plain;	/* NULL: malformed */
		bool is_printable;
	} rows[] = {
		{ "", "", true },
		{ "QQ314159", "QQ314159", true },
		{ "a+2Bb+3Dc", "a+b=c", true },
		{ "a+20b", "a b", true },
		{ "a+0D+0Ab", "a\r\nb", false },	/* T16 */
		{ "a+80", "a\x80", false },
		/* DSN-04 */
		{ "a+0Gb", NULL, false },
		{ "+", NULL, false },
		{ "+4", NULL, false },
		{ "a+4a", NULL, false },	/* small hexadecimal digit */
		{ "a=b", NULL, false },
		{ "a b", NULL, false },
		{ "a\x7f", NULL, false },
		{ "\xc3\xa4", NULL, false },
	};
	struct buf out;

	buf_init(&out, 100);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span s = span_str(rows[i].text);
		enum err e;

		buf_reset(&out);
		e = xtext_decode(s, &out);
		cr_expect_eq(e, rows[i].plain == NULL ? ERR_SYNTAX : OK, "%s",
		    rows[i].text);
		cr_expect(span_equal(buf_span(&out), span_str(rows[i].plain)),
		    "%s", rows[i].text);
		cr_expect_eq(xtext_is_printable(s), rows[i].is_printable,
		    "%s", rows[i].text);
	}
	buf_clear(&out);
}

/* DSN-04: +00 stands for a NUL, which no ENVID may hold. */
Test(xtext, nul)
{
	cr_expect_not(xtext_is_printable(SPAN_LIT("+00")));
	cr_expect_not(xtext_is_printable(span_of("a\0", 2)));
}

Test(xtext, cut_in_the_middle)
{
	struct buf out;

	buf_init(&out, 100);
	for (size_t n = 1; n < 3; n++)
		cr_expect_eq(xtext_decode(span_sub(SPAN_LIT("+41"), 0, n),
		    &out), ERR_SYNTAX);
	cr_expect_eq(out.n, 0);
	buf_clear(&out);
}

Test(xtext, every_octet_returns)
{
	uint8_t all[256];
	struct buf coded, plain;

	buf_init(&coded, 1024);
	buf_init(&plain, 1024);
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	xtext_encode(span_of(all, sizeof(all)), &coded);
	cr_assert_eq(xtext_decode(buf_span(&coded), &plain), OK);
	cr_expect(span_equal(buf_span(&plain), span_of(all, sizeof(all))));
	buf_clear(&coded);
	buf_clear(&plain);
}
