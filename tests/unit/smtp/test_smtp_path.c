#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/smtp/smtp_path.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define L61 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"
#define L64 "x" L63
#define D190 L63 "." L63 "." "abcdefghijklmnopqrstuvwxyz" \
    "abcdefghijklmnopqrstuvwxyzabcdefghij"

static const struct {
	const char *argument;
	unsigned flags;
	enum smtp_path_fault want;
	const char *address;	/* with want OK */
	const char *params;
} to_rows[] = {
	{ "TO:<a@b>", 0, SMTP_PATH_OK, "a@b", "" },
	{ "tO:<a@b>", 0, SMTP_PATH_OK, "a@b", "" },
	{ "TO:<MiXeD@Example>", 0, SMTP_PATH_OK, "MiXeD@Example", "" },
	{ "TO:<a@b> NOTIFY=NEVER  ORCPT=x;y", 0, SMTP_PATH_OK, "a@b",
	    "NOTIFY=NEVER  ORCPT=x;y" },
	{ "TO:<\"a>b\"@c>", 0, SMTP_PATH_OK, "\"a>b\"@c", "" },
	{ "TO:<\"a\\\">b\"@c> X", 0, SMTP_PATH_OK, "\"a\\\">b\"@c", "X" },
	{ "TO:<a@[IPv6:2001:db8::1]>", 0, SMTP_PATH_OK,
	    "a@[IPv6:2001:db8::1]", "" },
	/* S5321-55 */
	{ "TO:<@a,@b:u@served>", 0, SMTP_PATH_OK, "u@served", "" },
	{ "TO:<@a.example:u@[192.0.2.1]>", 0, SMTP_PATH_OK, "u@[192.0.2.1]",
	    "" },
	{ "TO:<@a@b:u@c>", 0, SMTP_PATH_ROUTE, NULL, NULL },
	{ "TO:<@:u@c>", 0, SMTP_PATH_ROUTE, NULL, NULL },
	{ "TO:<@a,b:u@c>", 0, SMTP_PATH_ROUTE, NULL, NULL },
	{ "TO:<@a>", 0, SMTP_PATH_ROUTE, NULL, NULL },
	{ "TO:<@a:>", 0, SMTP_PATH_ADDRESS, NULL, NULL },
	{ "TO:<@a,@b>", 0, SMTP_PATH_ROUTE, NULL, NULL },
	/* form */
	{ "", 0, SMTP_PATH_KEYWORD, NULL, NULL },
	{ "<a@b>", 0, SMTP_PATH_KEYWORD, NULL, NULL },
	{ "TO <a@b>", 0, SMTP_PATH_KEYWORD, NULL, NULL },
	{ "TO :<a@b>", 0, SMTP_PATH_KEYWORD, NULL, NULL },
	{ "FROM:<a@b>", 0, SMTP_PATH_KEYWORD, NULL, NULL },
	{ "TO: <a@b>", 0, SMTP_PATH_BLANK, NULL, NULL },
	{ "TO:  <a@b> X", SMTP_PATH_LENIENT, SMTP_PATH_OK, "a@b", "X" },
	{ "TO:", 0, SMTP_PATH_BRACKETS, NULL, NULL },
	{ "TO:a@b", 0, SMTP_PATH_BRACKETS, NULL, NULL },
	{ "TO:<a@b", 0, SMTP_PATH_BRACKETS, NULL, NULL },
	{ "TO:<a@b>x", 0, SMTP_PATH_BRACKETS, NULL, NULL },
	{ "TO:<a@b>,<c@d>", 0, SMTP_PATH_BRACKETS, NULL, NULL },
	{ "TO:<\"a@b>", 0, SMTP_PATH_BRACKETS, NULL, NULL },
	{ "TO:<>", 0, SMTP_PATH_ADDRESS, NULL, NULL },
	{ "TO:<<a@b>>", 0, SMTP_PATH_BRACKETS, NULL, NULL },
	{ "TO:< a@b>", 0, SMTP_PATH_ADDRESS, NULL, NULL },
	{ "TO:<a@b >", 0, SMTP_PATH_ADDRESS, NULL, NULL },
	{ "TO:<a@b\t>", 0, SMTP_PATH_ADDRESS, NULL, NULL },
	{ "TO:<a@b.>", 0, SMTP_PATH_ADDRESS, NULL, NULL },
	{ "TO:<user>", 0, SMTP_PATH_ADDRESS, NULL, NULL },
	{ "TO:<user>", SMTP_PATH_BARE, SMTP_PATH_OK, "user", "" },
	{ "TO:<a@b_c>", 0, SMTP_PATH_ADDRESS, NULL, NULL },
	{ "TO:<a@b_c>", SMTP_PATH_UNDERSCORE, SMTP_PATH_OK, "a@b_c", "" },
	{ "TO:<\xc3\xa4@b>", 0, SMTP_PATH_8BIT, NULL, NULL },
	{ "TO:<\xc3\xa4@b>", SMTP_PATH_UTF8, SMTP_PATH_OK, "\xc3\xa4@b", "" },
	/* S5321-41 to S5321-43 */
	{ "TO:<" L64 "@b>", 0, SMTP_PATH_OK, L64 "@b", "" },
	{ "TO:<x" L64 "@b>", 0, SMTP_PATH_LONG, NULL, NULL },
	{ "TO:<a@" L63 "." L63 "." L63 "." L63 ">", 0, SMTP_PATH_OK,
	    "a@" L63 "." L63 "." L63 "." L63, "" },
	{ "TO:<a@" L63 "." L63 "." L63 "." L63 ".a>", 0, SMTP_PATH_LONG,
	    NULL, NULL },
	/* the longest domain that leaves room for a local part: 252 octets */
	{ "TO:<a@" D190 "." L61 ">", 0, SMTP_PATH_OK, "a@" D190 "." L61, "" },
	{ "TO:<aa@" D190 "." L61 ">", 0, SMTP_PATH_LONG, NULL, NULL },
	{ "TO:<" L63 "@" D190 ">", 0, SMTP_PATH_OK, L63 "@" D190, "" },
	{ "TO:<" L64 "@" D190 ">", 0, SMTP_PATH_LONG, NULL, NULL },
};

Test(smtp_path, rcpt)
{
	cr_assert_eq(sizeof("<" L63 "@" D190 ">") - 1, SMTP_PATH_MAX);
	for (size_t i = 0; i < COUNT_OF(to_rows); i++) {
		struct smtp_path p = { .has_route = true };
		enum smtp_path_fault got = smtp_path_to(
		    span_str(to_rows[i].argument), to_rows[i].flags, &p);

		cr_expect_eq(got, to_rows[i].want, "%s: %s",
		    to_rows[i].argument, smtp_path_text(got));
		if (got != SMTP_PATH_OK) {
			cr_expect(p.has_route, "touched");
			continue;
		}
		cr_expect(span_equal(p.address.text,
		    span_str(to_rows[i].address)), "%s", to_rows[i].argument);
		cr_expect(span_equal(p.params, span_str(to_rows[i].params)),
		    "%s", to_rows[i].argument);
	}
}

/* S5321-56 */
Test(smtp_path, postmaster_without_domain)
{
	static const char *const forms[] = {
		"TO:<Postmaster>", "TO:<POSTMASTER>", "TO:<\"postmaster\">",
		"TO:<@a:postmaster>",
	};
	struct smtp_path p;

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		cr_expect_eq(smtp_path_to(span_str(forms[i]), 0, &p),
		    SMTP_PATH_OK, "%s", forms[i]);
		cr_expect(p.is_postmaster);
	}
	cr_assert_eq(smtp_path_to(SPAN_LIT("TO:<postmaster@b>"), 0, &p),
	    SMTP_PATH_OK);
	cr_expect_not(p.is_postmaster);
	cr_expect_eq(smtp_path_from(SPAN_LIT("FROM:<postmaster>"), 0, &p),
	    SMTP_PATH_ADDRESS);
}

Test(smtp_path, mail)
{
	struct smtp_path p;

	cr_assert_eq(smtp_path_from(SPAN_LIT("FROM:<>"), 0, &p),
	    SMTP_PATH_OK);
	cr_expect(p.is_null && p.address.text.n == 0);
	cr_assert_eq(smtp_path_from(SPAN_LIT("from:<> SIZE=1"), 0, &p),
	    SMTP_PATH_OK);
	cr_expect(p.is_null && span_equal(p.params, SPAN_LIT("SIZE=1")));
	cr_assert_eq(smtp_path_from(SPAN_LIT("FROM:<a@b>"), 0, &p),
	    SMTP_PATH_OK);
	cr_expect(!p.is_null && !p.has_route);
	cr_assert_eq(smtp_path_from(SPAN_LIT("FROM:<@x:a@b>"), 0, &p),
	    SMTP_PATH_OK);
	cr_expect(p.has_route);
	/* S5321-22 */
	cr_expect_eq(smtp_path_from(SPAN_LIT("FROM:<a@"), 0, &p),
	    SMTP_PATH_BRACKETS);
	cr_expect_eq(smtp_path_from(SPAN_LIT("FROM:<a@>"), 0, &p),
	    SMTP_PATH_ADDRESS);
	cr_expect_eq(smtp_path_from(SPAN_LIT("TO:<a@b>"), 0, &p),
	    SMTP_PATH_KEYWORD);
}

/* S5321-50: each control character, NUL too. */
Test(smtp_path, control_characters)
{
	for (int c = 0; c <= 0x7f; c++) {
		uint8_t text[] = "TO:<a?b@c.example>";
		struct smtp_path p;

		if (c == 0x20)
			c = 0x7f;
		text[5] = (uint8_t)c;
		cr_expect_neq(smtp_path_to(span_of(text, sizeof(text) - 1),
		    SMTP_PATH_UTF8 | SMTP_PATH_LENIENT, &p), SMTP_PATH_OK,
		    "%02x", (unsigned)c);
	}
}

Test(smtp_path, hello_names)
{
	static const struct {
		const char *name;
		bool want;
	} names[] = {
		{ "client.example", true }, { "localhost", true },
		{ "my_printer", true }, { "[127.0.0.1]", true },
		{ "[IPv6:::1]", true }, { "", false }, { "a b", false },
		{ "127.0.0.1]", false }, { "x\x01", false }, { "a..b", false },
	};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		cr_expect_eq(smtp_path_is_hello_name(span_str(names[i].name)),
		    names[i].want, "%s", names[i].name);
}

Test(smtp_path, every_fault_has_a_text)
{
	for (int f = 0; f < SMTP_PATH_FAULT_COUNT; f++)
		cr_expect_gt(strlen(smtp_path_text((enum smtp_path_fault)f)),
		    10);
}
