/* XCLIENT's argument.  XCL-02 to -05, T16 */
#include "common/base/check.h"
#include "common/smtp/smtp_xclient.h"

#include <criterion/criterion.h>
#include <string.h>

#define ALL "NAME=spike.example ADDR=192.0.2.1 PORT=40000 PROTO=ESMTP " \
	"HELO=a+20b LOGIN=u@d DESTADDR=IPV6:2001:db8::1 DESTPORT=25"

static struct span
text_of(const struct smtp_xclient_text *t)
{
	return span_of(t->text, t->n);
}

static void
expect_addr(const struct ipaddr *addr, const char *text)
{
	char is[IPADDR_TEXT_SIZE];

	ipaddr_format(addr, is);
	cr_expect_str_eq(is, text);
}

Test(smtp_xclient, all_of_them)
{
	struct smtp_xclient x = { 0 };
	const char *why = NULL;

	cr_assert_eq(smtp_xclient_parse(SPAN_LIT(ALL), &x, &why), OK);
	cr_expect_eq(x.given, (1U << SMTP_XCLIENT_COUNT) - 1);
	cr_expect_eq(x.unknown, 0);
	cr_expect(span_equal(text_of(&x.name), SPAN_LIT("spike.example")));
	cr_expect(span_equal(text_of(&x.helo), SPAN_LIT("a b")));
	cr_expect(span_equal(text_of(&x.login), SPAN_LIT("u@d")));
	expect_addr(&x.client.addr, "192.0.2.1");
	expect_addr(&x.server.addr, "2001:db8::1");
	cr_expect_eq(x.client.port, 40000);
	cr_expect_eq(x.server.port, 25);
	cr_expect(x.is_esmtp);
}

static const struct {
	const char *text;
	unsigned given, unknown;	/* given 0: refused */
} rows[] = {
	{ "NAME=x", 1U << SMTP_XCLIENT_NAME, 0 },
	{ "name=x proto=smtp", 1U << SMTP_XCLIENT_NAME |
	    1U << SMTP_XCLIENT_PROTO, 0 },
	{ "ADDR=IPV6:::ffff:192.0.2.1", 1U << SMTP_XCLIENT_ADDR, 0 },
	{ "addr=ipv6:::1", 1U << SMTP_XCLIENT_ADDR, 0 },
	{ "PORT=0", 1U << SMTP_XCLIENT_PORT, 0 },
	{ "NAME=[UNAVAILABLE]", 1U << SMTP_XCLIENT_NAME,
	    1U << SMTP_XCLIENT_NAME },
	{ "ADDR=[unavailable]  PORT=[TEMPUNAVAIL]", 1U << SMTP_XCLIENT_ADDR |
	    1U << SMTP_XCLIENT_PORT, 1U << SMTP_XCLIENT_ADDR |
	    1U << SMTP_XCLIENT_PORT },
	{ "", 0, 0 },
	{ "NAME", 0, 0 },
	{ "NAME=", 0, 0 },
	{ "=x", 0, 0 },
	{ "FOO=x", 0, 0 },
	{ "NAMES=x", 0, 0 },
	{ "NAME=x NAME=y", 0, 0 },
	{ "NAME=a+20b", 0, 0 },
	{ "NAME=a+0D+0Ab", 0, 0 },
	{ "HELO=a+0Ab", 0, 0 },
	{ "LOGIN=a+00b", 0, 0 },
	{ "LOGIN=\xc3\xa4", 0, 0 },
	{ "NAME=+4", 0, 0 },
	{ "NAME=+4x", 0, 0 },
	{ "ADDR=::1", 0, 0 },
	{ "ADDR=IPV6:192.0.2.1", 0, 0 },
	{ "ADDR=192.0.2.256", 0, 0 },
	{ "ADDR=host.example", 0, 0 },
	{ "PORT=65536", 0, 0 },
	{ "PORT=-1", 0, 0 },
	{ "PROTO=LMTP", 0, 0 },
	{ "PROTO=ESMTPS", 0, 0 },
};

Test(smtp_xclient, one_by_one)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct smtp_xclient x = { 0 }, none = { 0 };
		const char *why = NULL;
		enum err e = smtp_xclient_parse(span_str(rows[i].text), &x,
		    &why);

		cr_expect_eq(e == OK, rows[i].given != 0, "%s", rows[i].text);
		cr_expect_eq(x.given, rows[i].given, "%s", rows[i].text);
		cr_expect_eq(x.unknown, rows[i].unknown, "%s", rows[i].text);
		if (e != OK) {
			cr_expect_not_null(why);
			cr_expect_eq(memcmp(&x, &none, sizeof(x)), 0);
		}
	}
}

/* Cut off anywhere, and with any bit wrong: taken or not, never half. */
Test(smtp_xclient, cut_and_flipped)
{
	char text[] = ALL;
	const size_t n = sizeof(text) - 1;

	for (size_t i = 0; i <= n; i++) {
		struct smtp_xclient x = { 0 };
		const char *why = NULL;

		if (smtp_xclient_parse(span_of(text, i), &x, &why) != OK)
			cr_expect_eq(x.given, 0);
	}
	for (size_t bit = 0; bit < 8 * n; bit++) {
		struct smtp_xclient x = { 0 };
		const char *why = NULL;

		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		if (smtp_xclient_parse(span_of(text, n), &x, &why) == OK)
			for (unsigned k = 0; k < x.name.n; k++)
				cr_expect(x.name.text[k] > ' ' &&
				    x.name.text[k] < 127);
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
	}
}

Test(smtp_xclient, texts_are_bounded)
{
	char text[600] = "NAME=";
	struct smtp_xclient x = { 0 };
	const char *why;

	memset(text + 5, 'n', SMTP_XCLIENT_TEXT_MAX);
	cr_expect_eq(smtp_xclient_parse(span_str(text), &x, &why), OK);
	cr_expect_eq(x.name.n, SMTP_XCLIENT_TEXT_MAX);
	text[5 + SMTP_XCLIENT_TEXT_MAX] = 'n';
	cr_expect_eq(smtp_xclient_parse(span_str(text), &x, &why), ERR_SYNTAX);
}

/* What a second one does not say stays as the first has said. */
Test(smtp_xclient, merges)
{
	struct smtp_xclient x = { 0 }, more;
	const char *why;

	cr_assert_eq(smtp_xclient_parse(SPAN_LIT(ALL), &more, &why), OK);
	smtp_xclient_merge(&x, &more);
	cr_assert_eq(smtp_xclient_parse(SPAN_LIT("ADDR=192.0.2.9 "
	    "NAME=[UNAVAILABLE]"), &more, &why), OK);
	smtp_xclient_merge(&x, &more);
	expect_addr(&x.client.addr, "192.0.2.9");
	cr_expect_eq(x.client.port, 40000);
	cr_expect_not(smtp_xclient_has(&x, SMTP_XCLIENT_NAME));
	cr_expect(smtp_xclient_has(&x, SMTP_XCLIENT_LOGIN));
	cr_assert_eq(smtp_xclient_parse(SPAN_LIT("NAME=n"), &more, &why), OK);
	smtp_xclient_merge(&x, &more);
	cr_expect(smtp_xclient_has(&x, SMTP_XCLIENT_NAME));
	expect_addr(&x.client.addr, "192.0.2.9");
}
