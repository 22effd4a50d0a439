#include <criterion/criterion.h>

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

Test(smtp_ext, names)
{
	struct smtp_ext e;

	cr_expect_str_eq(smtp_ext_name(SMTP_EXT_8BITMIME), "8BITMIME");
	smtp_ext_parse(SPAN_LIT("h\nCHUNKING"), &e);
	cr_expect(smtp_ext_has(&e, SMTP_EXT_CHUNKING));
	cr_expect_not(smtp_ext_has(&e, SMTP_EXT_DSN));
}
