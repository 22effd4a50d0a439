#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/check.h"
#include "common/smtp/smtp_ext.h"

/* C5321-34: whole words in any case; the greeting line is none of them. */
Test(smtp_ext, table)
{
	static const struct {
		const char *text;
		uint32_t set;
		uint64_t size_max;
	} rows[] = {
		{ "", 0, 0 },
		{ "mx.example.org", 0, 0 },
		{ "dsn", 0, 0 },
		{ "PIPELINING", 0, 0 },
		{ "h\nPIPELINING", 1U << SMTP_EXT_PIPELINING, 0 },
		{ "h\nstarttls\nDsN", 1U << SMTP_EXT_STARTTLS |
		    1U << SMTP_EXT_DSN, 0 },
		{ "h\nSIZE", 1U << SMTP_EXT_SIZE, 0 },
		{ "h\nSIZE 0", 1U << SMTP_EXT_SIZE, 0 },
		{ "h\nsize 52428800\n8BITMIME", 1U << SMTP_EXT_SIZE |
		    1U << SMTP_EXT_8BITMIME, 52428800 },
		{ "h\nSIZE 1x", 1U << SMTP_EXT_SIZE, 0 },
		{ "h\nSIZE 99999999999999999999999", 1U << SMTP_EXT_SIZE, 0 },
		{ "h\nAUTH PLAIN LOGIN", 1U << SMTP_EXT_AUTH, 0 },
		{ "h\nPIPELININGX\nXDSN\nSIZE=5\n", 0, 0 },
		{ "h\n\n DSN\n", 0, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct smtp_ext e;

		smtp_ext_parse(span_str(rows[i].text), &e);
		cr_expect_eq(e.set, rows[i].set, "row %zu: %x", i, e.set);
		cr_expect_eq(e.size_max, rows[i].size_max, "row %zu", i);
	}
}

/* LIM-02: unknown limits are passed over; one that is wrong voids all. */
Test(smtp_ext, limits)
{
	static const struct {
		const char *words;
		struct smtp_limits limits;
	} rows[] = {
		{ "", { 0, 0, 0 } },
		{ " RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1", { 5, 20, 1 } },
		{ " rcptmax=999999", { 0, 999999, 0 } },
		{ " X RCPTMAX=20 A-b_9=c=:d Y=", { 0, 20, 0 } },
		{ " RCPTMAX=20 RCPTMAX=10", { 0, 10, 0 } },
		{ " RCPTMAX=20 ", { 0, 20, 0 } },
		{ " RCPTMAX=20 MAILMAX=0", { 0, 0, 0 } },
		{ " RCPTMAX=20 MAILMAX", { 0, 0, 0 } },
		{ " RCPTMAX=20 MAILMAX=", { 0, 0, 0 } },
		{ " RCPTMAX=020", { 0, 0, 0 } },
		{ " RCPTMAX=1000000", { 0, 0, 0 } },
		{ " RCPTMAX=20x", { 0, 0, 0 } },
		{ " RCPTMAX=-1", { 0, 0, 0 } },
		{ " RCPTMAX=20 A=b;c", { 0, 0, 0 } },
		{ " RCPTMAX=20 A;B=1", { 0, 0, 0 } },
		{ " RCPTMAX=20 =1", { 0, 0, 0 } },
		{ " RCPTMAX=20  MAILMAX=5", { 0, 0, 0 } },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[100];
		struct smtp_ext e;

		(void)snprintf(text, sizeof(text), "h\nLIMITS%s\nDSN",
		    rows[i].words);
		smtp_ext_parse(span_str(text), &e);
		cr_expect_eq(e.limits.mails, rows[i].limits.mails,
		    "row %zu: %u", i, e.limits.mails);
		cr_expect_eq(e.limits.rcpts, rows[i].limits.rcpts,
		    "row %zu: %u", i, e.limits.rcpts);
		cr_expect_eq(e.limits.domains, rows[i].limits.domains,
		    "row %zu: %u", i, e.limits.domains);
		cr_expect(smtp_ext_has(&e, SMTP_EXT_DSN));
	}
}

Test(smtp_ext, names)
{
	struct smtp_ext e;

	cr_expect_str_eq(smtp_ext_name(SMTP_EXT_8BITMIME), "8BITMIME");
	smtp_ext_parse(SPAN_LIT("h\nCHUNKING"), &e);
	cr_expect(smtp_ext_has(&e, SMTP_EXT_CHUNKING));
	cr_expect_not(smtp_ext_has(&e, SMTP_EXT_DSN));
}
