#include "common/base/check.h"
#include "common/base/err.h"
#include "common/base/span.h"

#include <criterion/criterion.h>

Test(err, names_every_failure)
{
	for (int e = ERR_VERSION; e <= OK; e++)
		cr_expect_str_neq(err_text((enum err)e), "unknown error",
		    "%d", e);
	cr_expect_str_eq(err_text((enum err)1), "unknown error");
	cr_expect_str_eq(err_text((enum err)(ERR_VERSION - 1)),
	    "unknown error");
}

Test(err, why_is_cut_and_may_be_missing)
{
	char longer[600];
	struct why why;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cr_expect_eq(why_set(NULL, ERR_FULL, "%s", "unread"), ERR_FULL);
	cr_expect_eq(why_set(&why, ERR_IO, "%s", longer), ERR_IO);
	cr_expect_eq(strlen(why.text), sizeof(why.text) - 1);
}

Test(span, sub_is_clipped)
{
	static const struct {
		size_t at, len;
		const char *expect;
	} cases[] = {
		{ 0, 3, "abc" }, { 2, 9, "cde" }, { 5, 1, "" }, { 9, 9, "" },
		{ 4, SIZE_MAX, "e" }, { SIZE_MAX, SIZE_MAX, "" }, { 1, 0, "" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span part = span_sub(SPAN_LIT("abcde"), cases[i].at,
		    cases[i].len);

		cr_expect(span_equal(part, span_str(cases[i].expect)),
		    "case %zu", i);
	}
	cr_expect_eq(span_sub(SPAN_NONE, 3, 3).n, 0);
}

Test(span, compares)
{
	static const struct {
		const char *a, *b;
		int order;
		bool is_equal_nocase, starts;
	} cases[] = {
		{ "", "", 0, true, true },
		{ "a", "", 1, false, true },
		{ "", "a", -1, false, false },
		{ "abc", "ABC", 1, true, true },
		{ "abc", "AB", 1, false, true },
		{ "abc", "abd", -1, false, false },
		{ "[", "{", -1, false, false },	/* differ in one bit only */
		{ "@", "`", -1, false, false },
		{ "\xc4", "\xe4", -1, false, false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span a = span_str(cases[i].a);
		struct span b = span_str(cases[i].b);
		int order = span_compare(a, b);

		cr_expect_eq((order > 0) - (order < 0), cases[i].order,
		    "case %zu", i);
		cr_expect_eq(span_equal_nocase(a, b),
		    cases[i].is_equal_nocase, "case %zu", i);
		cr_expect_eq(span_starts_nocase(a, b), cases[i].starts,
		    "case %zu", i);
	}
}

Test(span, finds_and_copies)
{
	char out[4] = "zzz";

	cr_expect_eq(span_find(SPAN_LIT("a.b.c"), '.'), 1);
	cr_expect_eq(span_find(SPAN_LIT("abc"), '.'), 3);
	cr_expect_eq(span_find(SPAN_NONE, '.'), 0);
	cr_expect(span_copy(SPAN_LIT("abc"), out, sizeof(out)));
	cr_expect_str_eq(out, "abc");
	cr_expect_not(span_copy(SPAN_LIT("abcd"), out, sizeof(out)));
	cr_expect_str_eq(out, "abc");
	cr_expect_not(span_copy(SPAN_LIT("a\0c"), out, sizeof(out)));
	cr_expect(span_copy(SPAN_NONE, out, sizeof(out)));
	cr_expect_str_eq(out, "");
	cr_expect_not(span_copy(SPAN_NONE, out, 0));
}
