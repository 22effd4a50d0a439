/* UTF8-10: RFC 6533 section 3, and RFC 3461 4.2 for the other types. */
#include "common/mail/orcpt.h"

#include <criterion/criterion.h>

#include "common/base/check.h"

static const struct {
	const char *text;
	bool is_valid, is_valid_utf8;
	const char *plain, *ascii;
} rows[] = {
	{ "rfc822;a@b.example", true, true, "rfc822;a@b.example", NULL },
	{ "rfc822;a+2Bb@c", true, true, "rfc822;a+b@c", NULL },
	{ "X-y1;z", true, true, "X-y1;z", NULL },
	/* the coding of utf-8 is no other type's */
	{ "rfc822;\\x{FC}@b", true, true, "rfc822;\\x{FC}@b", NULL },
	{ "rfc822;\xc3\xbc@b", false, false, NULL, NULL },
	{ "rfc822;a+0A", false, false, NULL, NULL },
	{ "rf_c;a", false, false, NULL, NULL },
	{ ";a", false, false, NULL, NULL },
	{ "rfc822;", false, false, NULL, NULL },
	{ "rfc822", false, false, NULL, NULL },
	{ "utf-8;\\x{FC}ber@b.example", true, true,
	    "utf-8;\xc3\xbc""ber@b.example", NULL },
	{ "UTF-8;\\x{1F600}", true, true, "UTF-8;\xf0\x9f\x98\x80", NULL },
	{ "utf-8;\\x{4F8B}\\x{2B}\\x{5C}", true, true,
	    "utf-8;\xe4\xbe\x8b+\\", NULL },
	{ "utf-8;\xc3\xbc@b", false, true, "utf-8;\xc3\xbc@b",
	    "utf-8;\\x{FC}@b" },
	{ "utf-8;\xe4\xbe\x8b\xf0\x9f\x98\x80", false, true,
	    "utf-8;\xe4\xbe\x8b\xf0\x9f\x98\x80",
	    "utf-8;\\x{4F8B}\\x{1F600}" },
	{ "utf-8;\xc3", false, false, NULL, NULL },
	{ "utf-8;\\x{fc}", false, false, NULL, NULL },
	{ "utf-8;\\x{0A}", false, false, NULL, NULL },
	{ "utf-8;\\x{9B}", false, false, NULL, NULL },
	{ "utf-8;\xc2\x9b", false, false, NULL, NULL },
	{ "utf-8;\\x{D800}", false, false, NULL, NULL },
	{ "utf-8;\\x{110000}", false, false, NULL, NULL },
	{ "utf-8;\\x{00000041}", false, false, NULL, NULL },
	{ "utf-8;\\x{}", false, false, NULL, NULL },
	{ "utf-8;\\x{FC", false, false, NULL, NULL },
	{ "utf-8;\\", false, false, NULL, NULL },
	{ "utf-8;\\xFC", false, false, NULL, NULL },
	{ "utf-8;a+2B", false, false, NULL, NULL },
	{ "utf-8;a=b", false, false, NULL, NULL },
	{ "utf-8;a b", false, false, NULL, NULL },
};

Test(mail_orcpt, rows)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span s = span_str(rows[i].text);
		struct buf out;

		buf_init(&out, 4096);
		cr_expect_eq(orcpt_is_valid(s, false), rows[i].is_valid, "%s",
		    rows[i].text);
		cr_expect_eq(orcpt_is_valid(s, true), rows[i].is_valid_utf8,
		    "%s", rows[i].text);
		cr_expect_eq(orcpt_decode(s, &out), rows[i].plain != NULL ?
		    OK : ERR_SYNTAX, "%s", rows[i].text);
		cr_expect(span_equal(buf_span(&out), span_str(
		    rows[i].plain != NULL ? rows[i].plain : "")), "%s",
		    rows[i].text);
		buf_reset(&out);
		orcpt_add_ascii(s, &out);
		if (rows[i].plain != NULL)
			cr_expect(span_equal(buf_span(&out), span_str(
			    rows[i].ascii != NULL ? rows[i].ascii :
			    rows[i].text)), "%s", rows[i].text);
		if (rows[i].is_valid_utf8)
			cr_expect(orcpt_is_valid(buf_span(&out), false));
		buf_clear(&out);
	}
}

/* All single bytes flipped: never read beyond, and what is valid decodes. */
Test(mail_orcpt, flips)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t n = strlen(rows[i].text);
		char text[64];
		struct buf out;

		buf_init(&out, 4096);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			char *exact;
			bool is_valid;

			memcpy(text, rows[i].text, n);
			text[bit / 8] ^= (char)(1 << bit % 8);
			exact = malloc(n);
			cr_assert_not_null(exact);
			memcpy(exact, text, n);
			is_valid = orcpt_is_valid(span_of(exact, n), true);
			buf_reset(&out);
			cr_expect_eq(orcpt_decode(span_of(exact, n), &out),
			    is_valid ? OK : ERR_SYNTAX);
			for (size_t k = 0; k < out.n; k++)
				cr_expect(out.p[k] >= 0x20);
			free(exact);
		}
		buf_clear(&out);
	}
}
