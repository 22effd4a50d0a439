#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/smtp/smtp_params.h"

/* What the iteration ends with, and how many parameters it gave before. */
static enum err
walk(const char *text, unsigned *n)
{
	struct smtp_params p;
	struct smtp_param one;
	enum err e;

	*n = 0;
	smtp_params_init(&p, span_str(text));
	while ((e = smtp_params_next(&p, &one)) == OK)
		++*n;
	cr_expect_eq(smtp_params_next(&p, &one), ERR_NOT_FOUND);
	return e;
}

Test(smtp_params, walk)
{
	static const struct {
		const char *text;
		enum err want;
		unsigned n;
	} rows[] = {
		{ "", ERR_NOT_FOUND, 0 },
		{ "SIZE=1", ERR_NOT_FOUND, 1 },
		{ "SIZE=1 BODY=8BITMIME", ERR_NOT_FOUND, 2 },
		{ "size=1   XFOO", ERR_NOT_FOUND, 2 },
		{ "XNOPE=1 XNOPE=2", ERR_NOT_FOUND, 2 },
		/* DSN-01 */
		{ "SIZE=1 SIZE=1", ERR_EXISTS, 1 },
		{ "RET=FULL ret=HDRS", ERR_EXISTS, 1 },
		/* S5321-35 */
		{ "SIZE=", ERR_SYNTAX, 0 },
		{ "=1", ERR_SYNTAX, 0 },
		{ "-X=1", ERR_SYNTAX, 0 },
		{ "S_IZE=1", ERR_SYNTAX, 0 },
		{ "SIZE=1=2", ERR_SYNTAX, 0 },
		{ "SIZE=\x01", ERR_SYNTAX, 0 },
		/* RFC 6531 3.3 */
		{ "SIZE=\xc3\xa4", ERR_NOT_FOUND, 1 },
		{ "SIZE=\xc3", ERR_SYNTAX, 0 },
		{ "SIZE\xc3\xa4=1", ERR_SYNTAX, 0 },
		{ "SIZE=1\tBODY=7BIT", ERR_SYNTAX, 0 },
		{ "X-1=a+b;c", ERR_NOT_FOUND, 1 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unsigned n;

		cr_expect_eq(walk(rows[i].text, &n), rows[i].want, "%s",
		    rows[i].text);
		cr_expect_eq(n, rows[i].n, "%s", rows[i].text);
	}
}

Test(smtp_params, parts)
{
	struct smtp_params p;
	struct smtp_param one;

	smtp_params_init(&p, SPAN_LIT("sMtPuTf8 Body=x XFOO=bar"));
	cr_assert_eq(smtp_params_next(&p, &one), OK);
	cr_expect_eq(one.id, SMTP_PARAM_SMTPUTF8);
	cr_expect(!one.has_value && one.value.n == 0);
	cr_assert_eq(smtp_params_next(&p, &one), OK);
	cr_expect_eq(one.id, SMTP_PARAM_BODY);
	cr_expect(one.has_value && span_equal(one.value, SPAN_LIT("x")));
	cr_assert_eq(smtp_params_next(&p, &one), OK);
	cr_expect_eq(one.id, SMTP_PARAM_UNKNOWN);
	cr_expect(span_equal(one.keyword, SPAN_LIT("XFOO")));
}

static struct smtp_param
one_of(const char *text)
{
	struct smtp_params p;
	struct smtp_param one;

	smtp_params_init(&p, span_str(text));
	cr_assert_eq(smtp_params_next(&p, &one), OK);
	return one;
}

/* SIZE-07: numbers beyond 64 bits are larger than any limit, not small. */
Test(smtp_params, size)
{
	static const struct {
		const char *text;
		enum err want;
		uint64_t size;
	} rows[] = {
		{ "SIZE=0", OK, 0 }, { "SIZE=52428800", OK, 52428800 },
		{ "SIZE=0000000000000000000000001", OK, 1 },
		{ "SIZE=18446744073709551615", OK, UINT64_MAX },
		{ "SIZE=18446744073709551616", OK, UINT64_MAX },
		{ "SIZE=18446744073709551617", OK, UINT64_MAX },
		{ "SIZE=99999999999999999999999999", OK, UINT64_MAX },
		{ "SIZE=abc", ERR_SYNTAX, 7 }, { "SIZE=-1", ERR_SYNTAX, 7 },
		{ "SIZE=1k", ERR_SYNTAX, 7 }, { "SIZE", ERR_SYNTAX, 7 },
		{ "SIZE=99999999999999999999999x", ERR_SYNTAX, 7 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct smtp_param one = one_of(rows[i].text);
		uint64_t size = 7;

		cr_expect_eq(smtp_params_size(&one, &size), rows[i].want,
		    "%s", rows[i].text);
		cr_expect_eq(size, rows[i].size, "%s", rows[i].text);
	}
}

/* 8BIT-01 */
Test(smtp_params, body)
{
	static const struct {
		const char *text;
		enum err want;
		enum smtp_body body;
	} rows[] = {
		{ "BODY=7BIT", OK, SMTP_BODY_7BIT },
		{ "BODY=8bitmime", OK, SMTP_BODY_8BITMIME },
		{ "BODY=BINARYMIME", OK, SMTP_BODY_BINARYMIME },
		{ "BODY=9BIT", ERR_SYNTAX, 0 }, { "BODY", ERR_SYNTAX, 0 },
		{ "BODY=8BITMIMEX", ERR_SYNTAX, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct smtp_param one = one_of(rows[i].text);
		enum smtp_body body = SMTP_BODY_7BIT;

		cr_expect_eq(smtp_params_body(&one, &body), rows[i].want,
		    "%s", rows[i].text);
		if (rows[i].want == OK)
			cr_expect_eq(body, rows[i].body);
	}
}

/* PRIO-01 */
Test(smtp_params, priority)
{
	static const struct {
		const char *text;
		enum err want;
		int priority;
	} rows[] = {
		{ "MT-PRIORITY=0", OK, 0 }, { "MT-PRIORITY=9", OK, 9 },
		{ "mt-priority=-9", OK, -9 }, { "MT-PRIORITY=-1", OK, -1 },
		{ "MT-PRIORITY=-0", ERR_SYNTAX, 7 },
		{ "MT-PRIORITY=10", ERR_SYNTAX, 7 },
		{ "MT-PRIORITY=-10", ERR_SYNTAX, 7 },
		{ "MT-PRIORITY=+1", ERR_SYNTAX, 7 },
		{ "MT-PRIORITY=01", ERR_SYNTAX, 7 },
		{ "MT-PRIORITY=-", ERR_SYNTAX, 7 },
		{ "MT-PRIORITY=x", ERR_SYNTAX, 7 },
		{ "MT-PRIORITY", ERR_SYNTAX, 7 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct smtp_params p;
		struct smtp_param one;
		int8_t priority = 7;

		smtp_params_init(&p, span_str(rows[i].text));
		cr_assert_eq(smtp_params_next(&p, &one), OK);
		cr_expect_eq(one.id, SMTP_PARAM_MT_PRIORITY);
		cr_expect_eq(smtp_params_priority(&one, &priority),
		    rows[i].want, "%s", rows[i].text);
		cr_expect_eq(priority, rows[i].priority, "%s", rows[i].text);
	}
}
