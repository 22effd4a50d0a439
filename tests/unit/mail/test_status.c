#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/mail/status.h"

/* ESC-05: no leading zeros. */
Test(status, parse)
{
	static const struct {
		const char *text;
		enum err want;
	} rows[] = {
		{ "2.0.0", OK }, { "4.4.1", OK }, { "5.7.30", OK },
		{ "5.999.999", OK }, { "5.0.0", OK },
		{ "", ERR_SYNTAX }, { "5", ERR_SYNTAX }, { "5.", ERR_SYNTAX },
		{ "5.1", ERR_SYNTAX }, { "5.1.", ERR_SYNTAX },
		{ "5..1", ERR_SYNTAX }, { "5.01.1", ERR_SYNTAX },
		{ "5.1.00", ERR_SYNTAX }, { "5.1000.1", ERR_SYNTAX },
		{ "5.1.1000", ERR_SYNTAX }, { "3.1.1", ERR_SYNTAX },
		{ "1.1.1", ERR_SYNTAX }, { "0.1.1", ERR_SYNTAX },
		{ "5.1.1 ", ERR_SYNTAX }, { "5.1.1.1", ERR_SYNTAX },
		{ "-5.1.1", ERR_SYNTAX }, { "55.1.1", ERR_SYNTAX },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct status s = { 9, 9, 9 };
		char text[STATUS_SIZE];
		enum err e = status_parse(span_str(rows[i].text), &s);

		cr_expect_eq(e, rows[i].want, "%s", rows[i].text);
		if (e == OK) {
			status_format(s, text);
			cr_expect_str_eq(text, rows[i].text);
		} else {
			cr_expect_eq(s.class, 9);
		}
	}
}

/* ESC-02, NH-06: a code of another class than the reply's is not believed. */
Test(status, take_from_reply)
{
	static const struct {
		const char *text;
		unsigned code;
		size_t want;
	} rows[] = {
		{ "5.1.1 no such user", 550, 6 },
		{ "5.1.1", 550, 5 },
		{ "2.0.0 fine", 550, 0 },
		{ "4.1.1 odd", 550, 0 },
		{ "5.1.1x", 550, 0 },
		{ "5.1.1\tx", 550, 0 },
		{ "no such user", 550, 0 },
		{ "", 550, 0 },
		{ "2.1.5 ok", 250, 6 },
		{ "3.0.0 go on", 354, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct status s = { 0, 0, 0 };

		cr_expect_eq(status_take(span_str(rows[i].text), rows[i].code,
		    &s), rows[i].want, "%s", rows[i].text);
		cr_expect_eq(s.class != 0, rows[i].want != 0);
	}
}

Test(status, of_code)
{
	cr_expect_eq(status_of_code(550).class, 5);
	cr_expect_eq(status_of_code(421).class, 4);
	cr_expect_eq(status_of_code(250).class, 2);
	cr_expect_eq(status_of_code(354).class, 0);
	cr_expect_eq(status_of_code(0).class, 0);
}

Test(status, text_for_people)
{
	cr_expect_str_eq(status_text(STATUS(5, 1, 1)),
	    "the mailbox does not exist");
	cr_expect_str_eq(status_text(STATUS(5, 2, 99)),
	    "other mailbox status");
	cr_expect_str_eq(status_text(STATUS(5, 99, 1)),
	    "other or undefined status");
}
