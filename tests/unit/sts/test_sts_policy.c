/* The policy of MTA-STS, RFC 8461 3.2 and 4.1. */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/sts/sts_policy.h"

#define HEAD "version: STSv1\nmode: enforce\n"

static const struct {
	const char *text;
	enum err e;
	enum sts_mode mode;
	uint32_t max_age_s;
	const char *mx;
} rows[] = {
	/* STS-02: what is required */
	{ "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n"
	  "mx: *.example.net\r\nmx: backup.example.com\r\nmax_age: 604800\r\n",
	  OK, STS_MODE_ENFORCE, 604800,
	  "mail.example.com\n*.example.net\nbackup.example.com\n" },
	{ "mx:A.Example\nmax_age:1\nmode:testing\nversion:STSv1", OK,
	  STS_MODE_TESTING, 1, "a.example\n" },
	{ "version: STSv1\nmode: none\nmax_age: 0\n", OK, STS_MODE_NONE, 0,
	  "" },
	{ "version: STSv1\nmode: none\nmax_age: 86400\nmx: a.example\n", OK,
	  STS_MODE_NONE, 86400, "a.example\n" },
	{ HEAD "max_age: 1\n", ERR_SYNTAX, 0, 0, NULL },
	{ "version: STSv1\nmode: testing\nmax_age: 1\n", ERR_SYNTAX, 0, 0,
	  NULL },
	{ HEAD "mx: a.example\n", ERR_SYNTAX, 0, 0, NULL },
	{ "version: STSv1\nmax_age: 1\nmx: a.example\n", ERR_SYNTAX, 0, 0,
	  NULL },
	{ "mode: enforce\nmax_age: 1\nmx: a.example\n", ERR_SYNTAX, 0, 0,
	  NULL },
	{ "", ERR_SYNTAX, 0, 0, NULL },
	/* STS-02: the first of repeated fields */
	{ HEAD "mode: none\nversion: STSv2\nmax_age: 5\nmax_age: x\n"
	  "mx: a.example\n", OK, STS_MODE_ENFORCE, 5, "a.example\n" },
	{ "version: STSv2\n" HEAD "max_age: 1\nmx: a.example", ERR_SYNTAX, 0, 0,
	  NULL },
	/* unknown ones, white space, empty lines, LF and CRLF mixed */
	{ HEAD "max_age: 1 \t\nnew.field-1_x: any thing; \xc3\xa4\n"
	  "mx:\t a.example \r\n\n \r\n", OK, STS_MODE_ENFORCE, 1,
	  "a.example\n" },
	/* STS-11: a year at most */
	{ HEAD "mx: a.example\nmax_age: 31557600\n", OK, STS_MODE_ENFORCE,
	  31557600, "a.example\n" },
	{ HEAD "mx: a.example\nmax_age: 31557601\n", OK, STS_MODE_ENFORCE,
	  31557600, "a.example\n" },
	{ HEAD "mx: a.example\nmax_age: 9999999999\n", OK, STS_MODE_ENFORCE,
	  31557600, "a.example\n" },
	{ HEAD "mx: a.example\nmax_age: 10000000000\n", ERR_SYNTAX, 0, 0,
	  NULL },
	{ HEAD "mx: a.example\nmax_age: -1\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "mx: a.example\nmax_age: 1 2\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "mx: a.example\nmax_age:\n", ERR_SYNTAX, 0, 0, NULL },
	/* values that are none */
	{ "version: STSv1\nmode: Enforce\nmax_age: 1\nmx: a.example",
	  ERR_SYNTAX, 0, 0, NULL },
	{ "Version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.example",
	  ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "max_age: 1\nmx: *\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "max_age: 1\nmx: *.\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "max_age: 1\nmx: *.*.example\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "max_age: 1\nmx: a*.example\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "max_age: 1\nmx: .example\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "max_age: 1\nmx: a b\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "max_age: 1\nmx: \xc3\xa4.example\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "max_age: 1\nmx: a.example\nno field\n", ERR_SYNTAX, 0, 0,
	  NULL },
	{ HEAD "max_age: 1\nmx: a.example\n: x\n", ERR_SYNTAX, 0, 0, NULL },
	{ HEAD "max_age: 1\nmx: a.example\nx: \r y\n", ERR_SYNTAX, 0, 0,
	  NULL },
	{ HEAD "max_age: 1\nmx: a.example\n-x: y\n", ERR_SYNTAX, 0, 0, NULL },
	{ "<html><body>not found</body></html>", ERR_SYNTAX, 0, 0, NULL },
};

Test(sts_policy, texts)
{
	struct buf mx;

	buf_init(&mx, STS_MX_MAX);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sts_policy p = { STS_MODE_NONE, 77 };
		struct why why = { "" };
		enum err e = sts_policy_parse(span_str(rows[i].text), &p, &mx,
		    &why);

		cr_expect_eq(e, rows[i].e, "row %zu: %s", i, why.text);
		if (e != OK) {
			cr_expect_eq(p.max_age_s, 77, "row %zu", i);
			cr_expect_str_neq(why.text, "", "row %zu", i);
			continue;
		}
		cr_expect_eq(p.mode, rows[i].mode, "row %zu", i);
		cr_expect_eq(p.max_age_s, rows[i].max_age_s, "row %zu", i);
		cr_expect(span_equal(buf_span(&mx), span_str(rows[i].mx)),
		    "row %zu", i);
		cr_expect(sts_mx_is_list(buf_span(&mx)), "row %zu", i);
	}
	buf_clear(&mx);
}

/* Cut and flipped, it is a policy or none, read within its bounds. */
Test(sts_policy, damaged)
{
	struct span whole = span_str(rows[0].text);
	struct buf mx;

	buf_init(&mx, STS_MX_MAX);
	for (size_t bit = 0; bit < whole.n * 8; bit++) {
		uint8_t *p = malloc(bit / 8 + 1), *q = malloc(whole.n);
		struct sts_policy policy;

		memcpy(p, whole.p, bit / 8);
		memcpy(q, whole.p, whole.n);
		q[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (sts_policy_parse(span_of(p, bit / 8), &policy, &mx, NULL)
		    == OK)
			cr_assert(sts_mx_is_list(buf_span(&mx)));
		if (sts_policy_parse(span_of(q, whole.n), &policy, &mx, NULL)
		    == OK)
			cr_assert(sts_mx_is_list(buf_span(&mx)));
		free(p);
		free(q);
	}
	buf_clear(&mx);
}

Test(sts_policy, limits)
{
	struct sts_policy p;
	struct buf text, mx;

	buf_init(&text, 2 * STS_POLICY_MAX);
	buf_init(&mx, STS_MX_MAX);
	buf_add_str(&text, HEAD "max_age: 1\n");
	for (unsigned i = 0; i < 512; i++)
		buf_addf(&text, "mx: %03x.one-example1\n", i);
	/* 512 patterns of 16 and their LF */
	cr_assert_eq(sts_policy_parse(buf_span(&text), &p, &mx, NULL),
	    ERR_RANGE);
	buf_reset(&text);
	buf_add_str(&text, HEAD "max_age: 1\n");
	for (unsigned i = 0; i < 512; i++)
		buf_addf(&text, "mx: %03x.one-example\n", i);
	cr_assert_eq(sts_policy_parse(buf_span(&text), &p, &mx, NULL), OK);
	cr_assert_eq(mx.n, STS_MX_MAX);
	while (text.n < STS_POLICY_MAX)
		buf_add_str(&text, "\n");
	cr_assert_eq(sts_policy_parse(buf_span(&text), &p, &mx, NULL), OK);
	buf_add_str(&text, "\n");
	cr_assert_eq(sts_policy_parse(buf_span(&text), &p, &mx, NULL),
	    ERR_SYNTAX);
	buf_clear(&text);
	buf_clear(&mx);
}

/* STS-04: `*.` is exactly one label, the left-most. */
Test(sts_policy, hosts)
{
	static const struct {
		const char *mx;
		const char *host;
		bool is_in;
	} cases[] = {
		{ "mail.example.com\n", "mail.example.com", true },
		{ "mail.example.com\n", "MAIL.Example.COM", true },
		{ "mail.example.com\n", "mail2.example.com", false },
		{ "mail.example.com\n", "a.mail.example.com", false },
		{ "mail.example.com\n", "example.com", false },
		{ "*.example.com\n", "mail.example.com", true },
		{ "*.example.com\n", "x.EXAMPLE.com", true },
		{ "*.example.com\n", "a.b.example.com", false },
		{ "*.example.com\n", "example.com", false },
		{ "*.example.com\n", ".example.com", false },
		{ "*.example.com\n", "xexample.com", false },
		{ "*.example.com\n", "mail.example.com.evil", false },
		{ "a.example\n*.example.com\nb.example\n", "b.example", true },
		{ "a.example\n*.example.com\nb.example\n", "c.example.com",
		  true },
		{ "a.example\n*.example.com\nb.example\n", "c.example",
		  false },
		{ "a.example\n", "", false }, { "", "a.example", false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		cr_expect_eq(sts_mx_has(span_str(cases[i].mx),
		    span_str(cases[i].host)), cases[i].is_in, "case %zu", i);
}

/* STS-03: which type counts. */
Test(sts_policy, types)
{
	static const char *const good[] = { "text/plain", "TEXT/Plain",
	    "text/plain; charset=utf-8", "text/plain ;x=y", " text/plain" };
	static const char *const bad[] = { "", "text/html", "text/plainer",
	    "text", "application/octet-stream", "x; text/plain" };

	for (size_t i = 0; i < COUNT_OF(good); i++)
		cr_expect(sts_is_plain_text(span_str(good[i])), "%s", good[i]);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_expect_not(sts_is_plain_text(span_str(bad[i])), "%s",
		    bad[i]);
}

Test(sts_policy, lists_from_elsewhere)
{
	static const char *const bad[] = { "a.example", "\n", "a.example\n\n",
	    "a b\n", "*.\n", "a.example\nb" };

	cr_expect(sts_mx_is_list(SPAN_NONE));
	cr_expect(sts_mx_is_list(SPAN_LIT("a.example\n*.b.example\n")));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_expect_not(sts_mx_is_list(span_str(bad[i])), "%zu", i);
}
