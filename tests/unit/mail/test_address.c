#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/base/ipaddr.h"
#include "common/mail/address.h"

#include <stdio.h>

#define L64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"
#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const struct {
	const char *text;
	unsigned flags;
	enum err want;
} rows[] = {
	{ "a@b", 0, OK },
	{ "MiXeD@Example.ORG", 0, OK },
	{ "a.b.c@example.org", 0, OK },
	{ "!#$%&'*+-/=?^_`{|}~@example.org", 0, OK },
	{ "user%other@example.org", 0, OK },	/* T14: policy's matter */
	{ "host!user@example.org", 0, OK },
	{ "\"a b\"@example.org", 0, OK },
	{ "\"a@b\"@example.org", 0, OK },
	{ "\"\\\"\"@example.org", 0, OK },
	{ "\"\"@example.org", 0, OK },
	{ L64 "@example.org", 0, OK },		/* S5321-41 */
	{ "x" L64 "@example.org", 0, ERR_RANGE },
	{ "a@" L63 "." L63 "." L63 "." L63, 0, OK },	/* S5321-42 */
	{ "a@" L63 "." L63 "." L63 "." L63 ".b", 0, ERR_RANGE },
	/* S5321-54 */
	{ "a@[192.0.2.1]", 0, OK },
	{ "a@[IPv6:2001:db8::1]", 0, OK },
	{ "a@[ipv6:::1]", 0, OK },
	{ "a@[1.2.3]", 0, ERR_SYNTAX },
	{ "a@[256.1.1.1]", 0, ERR_SYNTAX },
	{ "a@[127.1]", 0, ERR_SYNTAX },		/* T15 */
	{ "a@[0x7f.0.0.1]", 0, ERR_SYNTAX },
	{ "a@[0177.0.0.1]", 0, ERR_SYNTAX },
	{ "a@[IPv6:zz]", 0, ERR_SYNTAX },
	{ "a@[2001:db8::1]", 0, ERR_SYNTAX },	/* without its tag */
	{ "a@[IPv6:192.0.2.1]", 0, ERR_SYNTAX },
	{ "a@[IPv6:fe80::1%eth0]", 0, ERR_SYNTAX },
	{ "a@[x:y]", 0, ERR_SYNTAX },
	{ "a@[]", 0, ERR_SYNTAX },
	{ "a@[", 0, ERR_SYNTAX },
	{ "a@[192.0.2.1", 0, ERR_SYNTAX },
	{ "a@[192.0.2.1]x", 0, ERR_SYNTAX },
	/* malformed */
	{ "", 0, ERR_SYNTAX },
	{ "@", 0, ERR_SYNTAX },
	{ "a@", 0, ERR_SYNTAX },
	{ "@b", 0, ERR_SYNTAX },
	{ ".a@b", 0, ERR_SYNTAX },
	{ "a.@b", 0, ERR_SYNTAX },
	{ "a..b@c", 0, ERR_SYNTAX },
	{ "a b@c", 0, ERR_SYNTAX },
	{ "a@b@c", 0, ERR_SYNTAX },		/* T14: double @ */
	{ "a@b.", 0, ERR_SYNTAX },		/* T14: trailing dot */
	{ "a@b,c", 0, ERR_SYNTAX },
	{ "a,b@c", 0, ERR_SYNTAX },
	{ "a<b@c", 0, ERR_SYNTAX },
	{ "a@b_c", 0, ERR_SYNTAX },
	{ "a@b_c", ADDRESS_UNDERSCORE, OK },
	{ "\"a@b", 0, ERR_SYNTAX },
	{ "\"a\"b@c", 0, ERR_SYNTAX },
	{ "\"a\\", 0, ERR_SYNTAX },
	{ "\"a\tb\"@c", 0, ERR_SYNTAX },
	{ "\"a\\\tb\"@c", 0, ERR_SYNTAX },
	/* bare local parts */
	{ "root", 0, ERR_SYNTAX },
	{ "root", ADDRESS_BARE, OK },
	{ "\"a b\"", ADDRESS_BARE, OK },
	{ "root@", ADDRESS_BARE, ERR_SYNTAX },
	/* S5321-51, UTF8-04 */
	{ "\xc3\xa4@b", 0, ERR_DENIED },
	{ "a@\xc3\xa4", 0, ERR_DENIED },
	{ "\"\xc3\xa4\"@b", 0, ERR_DENIED },
	{ "\xc3\xa4@\xc3\xa4.example", ADDRESS_UTF8, OK },
	{ "\"\xc3\xa4 x\"@b", ADDRESS_UTF8, OK },
	{ "\xff@b", ADDRESS_UTF8, ERR_SYNTAX },
	{ "\xc0\xaf@b", ADDRESS_UTF8, ERR_SYNTAX },
	{ "\xed\xa0\x80@b", ADDRESS_UTF8, ERR_SYNTAX },
};

Test(address, table)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span s = span_str(rows[i].text);
		struct address a = { .text = SPAN_LIT("untouched") };
		enum err e = address_parse(s, rows[i].flags, &a);

		cr_expect_eq(e, rows[i].want, "%s: %d", rows[i].text, e);
		cr_expect(span_equal(a.text, e == OK ? s :
		    SPAN_LIT("untouched")), "%s", rows[i].text);
	}
}

/* S5321-50: no control character anywhere, in whatever quoting. */
Test(address, no_control_characters)
{
	static const char *const forms[] = {
		"a%cb@example.org", "%ca@example.org", "a@exam%cple.org",
		"a@example.org%c", "\"a%cb\"@example.org",
		"\"a\\%cb\"@example.org",
	};

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		for (int c = 0; c < 0x80; c++) {
			char text[64];
			struct address a;
			int n;

			if (c == 0x20)
				c = 0x7f;
			n = snprintf(text, sizeof(text), forms[i], c);
			cr_expect_neq(address_parse(span_of(text, (size_t)n),
			    ADDRESS_UTF8 | ADDRESS_UNDERSCORE, &a), OK,
			    "%s with %02x", forms[i], (unsigned)c);
		}
	}
}

Test(address, parts)
{
	struct address a;

	cr_assert_eq(address_parse(SPAN_LIT("\"a\\@b\"@[192.0.2.1]"), 0, &a),
	    OK);
	cr_expect(span_equal(a.local, SPAN_LIT("\"a\\@b\"")));
	cr_expect(span_equal(a.domain, SPAN_LIT("[192.0.2.1]")));
	cr_expect(a.is_quoted && a.is_literal && !a.has_8bit);
	cr_assert_eq(address_parse(SPAN_LIT("root"), ADDRESS_BARE, &a), OK);
	cr_expect(a.domain.n == 0 && span_equal(a.local, SPAN_LIT("root")));
}

/* S5321-53: equivalent spellings are one address; S5321-13: case is kept. */
Test(address, canonical)
{
	static const struct {
		const char *from, *to;
	} forms[] = {
		{ "a.b@d", "a.b@d" },
		{ "\"a.b\"@D", "a.b@d" },
		{ "\"a\\b\"@d", "ab@d" },
		{ "\"\\a\\.\\b\"@d", "a.b@d" },
		{ "\"a b\"@d", "\"a b\"@d" },
		{ "\"a\\ b\"@d", "\"a b\"@d" },
		{ "\"a\\\"b\"@d", "\"a\\\"b\"@d" },
		{ "\"a\\\\b\"@d", "\"a\\\\b\"@d" },
		{ "\".a\"@d", "\".a\"@d" },
		{ "\"\"@d", "\"\"@d" },
		{ "\"a@b\"@d", "\"a@b\"@d" },
		{ "MiXeD@Example.ORG", "MiXeD@example.org" },
		{ "a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]" },
		{ "Root", "Root" },
	};
	struct buf out;

	buf_init(&out, 1024);
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct address a;

		buf_reset(&out);
		cr_assert_eq(address_parse(span_str(forms[i].from),
		    ADDRESS_BARE, &a), OK, "%s", forms[i].from);
		address_canonical(&a, &out);
		cr_expect(span_equal(buf_span(&out), span_str(forms[i].to)),
		    "%s: %.*s", forms[i].from, (int)out.n, out.p);
	}
	buf_clear(&out);
}

Test(address, literal)
{
	struct ipaddr ip;
	char text[IPADDR_TEXT_SIZE];

	cr_assert_eq(address_literal(SPAN_LIT("[IPv6:2001:db8::1]"), &ip), OK);
	ipaddr_format(&ip, text);
	cr_expect_str_eq(text, "2001:db8::1");
	/* a mapped address is the IPv4 address, whatever its spelling (T15) */
	cr_assert_eq(address_literal(SPAN_LIT("[IPv6:::ffff:192.0.2.1]"),
	    &ip), OK);
	ipaddr_format(&ip, text);
	cr_expect_str_eq(text, "192.0.2.1");
	cr_expect_eq(address_literal(SPAN_LIT("192.0.2.1"), &ip), ERR_SYNTAX);
}

/* S5321-56 */
Test(address, postmaster)
{
	static const struct {
		const char *text;
		bool want;
	} forms[] = {
		{ "Postmaster", true }, { "POSTMASTER@x", true },
		{ "\"postmaster\"@x", true }, { "\"post\\master\"@x", true },
		{ "postmasters@x", false }, { "a@postmaster", false },
	};

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct address a;

		cr_assert_eq(address_parse(span_str(forms[i].text),
		    ADDRESS_BARE, &a), OK);
		cr_expect_eq(address_is_postmaster(&a), forms[i].want, "%s",
		    forms[i].text);
	}
}

Test(address, local_plain)
{
	struct address a;
	struct buf out;

	buf_init(&out, 100);
	cr_assert_eq(address_parse(SPAN_LIT("\"a\\\" b\"@c"), 0, &a), OK);
	address_local_plain(&a, &out);
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("a\" b")));
	buf_clear(&out);
}
