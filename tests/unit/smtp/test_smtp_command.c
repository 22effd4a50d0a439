#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/smtp/smtp_command.h"

Test(smtp_command, table)
{
	static const struct {
		const char *line;
		enum smtp_verb verb;
		const char *argument;
		bool has_control;
	} rows[] = {
		{ "NOOP", SMTP_VERB_NOOP, "", false },
		{ "noop", SMTP_VERB_NOOP, "", false },
		{ "eHlO a.b", SMTP_VERB_EHLO, "a.b", false },	/* S5321-12 */
		{ "mAiL fRoM:<a@b> sIzE=1", SMTP_VERB_MAIL,
		    "fRoM:<a@b> sIzE=1", false },
		{ "NOOP   abc  ", SMTP_VERB_NOOP, "abc", false },
		{ "DATA \t ", SMTP_VERB_DATA, "", false },
		{ "DATA x", SMTP_VERB_DATA, "x", false },
		{ "STARTTLS", SMTP_VERB_STARTTLS, "", false },
		{ "BDAT 12 LAST", SMTP_VERB_BDAT, "12 LAST", false },
		{ "", SMTP_VERB_UNKNOWN, "", false },
		{ " NOOP", SMTP_VERB_UNKNOWN, "NOOP", false },
		{ "NOOPS", SMTP_VERB_UNKNOWN, "", false },
		{ "NOO", SMTP_VERB_UNKNOWN, "", false },
		{ "NOOP\tx", SMTP_VERB_UNKNOWN, "", true },
		{ "MAIL\x01", SMTP_VERB_UNKNOWN, "", true },
		{ "NOOP \x07", SMTP_VERB_NOOP, "\x07", true },
		{ "NOOP \x7f", SMTP_VERB_NOOP, "\x7f", true },
		{ "NOOP \xc3\xa4", SMTP_VERB_NOOP, "\xc3\xa4", false },
		/* T07 */
		{ "GET / HTTP/1.1", SMTP_VERB_FOREIGN, "/ HTTP/1.1", false },
		{ "post / HTTP/1.0", SMTP_VERB_FOREIGN, "/ HTTP/1.0", false },
		{ "CONNECT a:25 HTTP/1.0", SMTP_VERB_FOREIGN,
		    "a:25 HTTP/1.0", false },
		{ "PROPFIND / HTTP/1.1", SMTP_VERB_FOREIGN, "/ HTTP/1.1",
		    false },
		{ "INVITE sip:a@b SIP/2.0 ", SMTP_VERB_FOREIGN,
		    "sip:a@b SIP/2.0", false },
		{ "BREW HTTP/1.1", SMTP_VERB_UNKNOWN, "HTTP/1.1", false },
		{ "WHAT a HTTP/x", SMTP_VERB_UNKNOWN, "a HTTP/x", false },
		{ "WHAT a HTTP/", SMTP_VERB_UNKNOWN, "a HTTP/", false },
		{ "WHAT a /1", SMTP_VERB_UNKNOWN, "a /1", false },
		{ "NOOP / HTTP/1.1", SMTP_VERB_NOOP, "/ HTTP/1.1", false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct smtp_command c;

		smtp_command_parse(span_str(rows[i].line), &c);
		cr_expect_eq(c.verb, rows[i].verb, "%s", rows[i].line);
		cr_expect(span_equal(c.argument, span_str(rows[i].argument)),
		    "%s", rows[i].line);
		cr_expect_eq(c.has_control, rows[i].has_control, "%s",
		    rows[i].line);
	}
}

Test(smtp_command, nul_does_not_end_a_verb)
{
	struct smtp_command c;

	smtp_command_parse(SPAN_LIT("NOOP\0"), &c);
	cr_expect_eq(c.verb, SMTP_VERB_UNKNOWN);
	cr_expect(c.has_control);
}

Test(smtp_command, every_verb_has_its_name)
{
	for (int v = SMTP_VERB_FOREIGN + 1; v < SMTP_VERB_COUNT; v++) {
		const char *name = smtp_command_name((enum smtp_verb)v);
		struct smtp_command c;

		smtp_command_parse(span_str(name), &c);
		cr_expect_eq((int)c.verb, v, "%s", name);
	}
	cr_expect_str_eq(smtp_command_name(SMTP_VERB_UNKNOWN), "unknown");
	cr_expect_str_eq(smtp_command_name((enum smtp_verb)999), "unknown");
}
