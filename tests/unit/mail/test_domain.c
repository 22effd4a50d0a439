#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/mail/domain.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const struct {
	const char *text;
	unsigned flags;
	enum err want;
} checks[] = {
	{ "example.org", 0, OK },
	{ "EXAMPLE.org", 0, OK },
	{ "localhost", 0, OK },
	{ "a-b.c--d.e1", 0, OK },
	{ "1.2.3.4", 0, OK },		/* all digits: still letter-digit */
	{ L63 ".org", 0, OK },
	{ L63 "." L63 "." L63 "." L63, 0, OK },	/* S5321-42: 255 */
	{ "x" L63 ".org", 0, ERR_RANGE },
	{ L63 "." L63 "." L63 "." L63 ".a", 0, ERR_RANGE },
	{ "", 0, ERR_SYNTAX },
	{ ".", 0, ERR_SYNTAX },
	/* S5321-52 */
	{ ".example.org", 0, ERR_SYNTAX },
	{ "example.org.", 0, ERR_SYNTAX },
	{ "example..org", 0, ERR_SYNTAX },
	{ "-example.org", 0, ERR_SYNTAX },
	{ "example-.org", 0, ERR_SYNTAX },
	{ "exa mple.org", 0, ERR_SYNTAX },
	{ "exa\tmple.org", 0, ERR_SYNTAX },
	{ "exa_mple.org", 0, ERR_SYNTAX },
	{ "exa_mple.org", DOMAIN_UNDERSCORE, OK },
	{ "_dmarc.example.org", DOMAIN_UNDERSCORE, OK },
	{ "exa@mple.org", 0, ERR_SYNTAX },
	{ "b\xc3\xbc" "cher.example", 0, ERR_DENIED },
	{ "b\xc3\xbc" "cher.example", DOMAIN_UTF8, OK },
	{ "b\xc3.example", DOMAIN_UTF8, ERR_SYNTAX },
};

Test(domain, check)
{
	for (size_t i = 0; i < COUNT_OF(checks); i++)
		cr_expect_eq(domain_check(span_str(checks[i].text),
		    checks[i].flags), checks[i].want, "%s", checks[i].text);
	cr_expect_eq(domain_check(span_of("a\0b", 3), 0), ERR_SYNTAX);
}

Test(domain, below_is_whole_labels)
{
	static const struct {
		const char *child, *parent;
		bool want;
	} rows[] = {
		{ "a.example.org", "example.org", true },
		{ "A.EXAMPLE.ORG", "example.org", true },
		{ "a.b.example.org", "example.org", true },
		{ "example.org", "example.org", false },
		{ "badexample.org", "example.org", false },
		{ ".example.org", "example.org", false },
		{ "org", "example.org", false },
		{ "a.example.org", "", false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		cr_expect_eq(domain_is_below(span_str(rows[i].child),
		    span_str(rows[i].parent)), rows[i].want, "%s %s",
		    rows[i].child, rows[i].parent);
}

Test(domain, lower)
{
	char out[DOMAIN_MAX + 1];
	char long_name[DOMAIN_MAX + 2];

	cr_assert_eq(domain_lower(SPAN_LIT("Mail.EXAMPLE.Org"), out), 16);
	cr_assert_str_eq(out, "mail.example.org");
	memset(long_name, 'A', sizeof(long_name));
	cr_assert_eq(domain_lower(span_of(long_name, DOMAIN_MAX), out),
	    DOMAIN_MAX);
	cr_assert_eq(domain_lower(span_of(long_name, DOMAIN_MAX + 1), out),
	    ERR_RANGE);
	cr_expect(domain_equal(SPAN_LIT("a.B"), SPAN_LIT("A.b")));
	cr_expect_not(domain_equal(SPAN_LIT("a.b"), SPAN_LIT("a.b.")));
}
