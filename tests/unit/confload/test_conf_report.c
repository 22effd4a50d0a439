/* The report's form, the guesses in it, and the files it complains of. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/confload/conf_check.h"
#include "common/confload/conf_guess.h"
#include "common/confload/conf_report.h"

static struct conf_report report;
static char text[8192];

static const char *
printed(bool has_colour)
{
	struct buf out;

	buf_init(&out, sizeof(text) - 1);
	conf_report_print(&report, has_colour, &out);
	snprintf(text, sizeof(text), "%.*s", (int)out.n,
	    out.p != NULL ? (const char *)out.p : "");
	buf_clear(&out);
	return text;
}

static void
add(enum conf_severity severity, uint32_t line, uint32_t column)
{
	conf_report_add(&report, severity,
	    (struct conf_place){ line, column }, "at %u:%u", line, column);
}

Test(conf_report, the_caret_stands_under_the_place)
{
	conf_report_init(&report, "f");
	report.bytes = SPAN_LIT("one\r\n\ttwo: \xc3\xa4\xc3\xb6 x\nthree");
	add(CONF_ERROR, 3, 2);
	add(CONF_ERROR, 2, 9);
	add(CONF_WARNING, 1, 1);
	add(CONF_WARNING, 9, 4);
	add(CONF_WARNING, 0, 0);
	cr_assert_str_eq(printed(false),
	    "f: warning: at 0:0\n"
	    "f:1:1: warning: at 1:1\n"
	    "  one\n"
	    "  ^\n"
	    "f:2:9: at 2:9\n"
	    "   two: \xc3\xa4\xc3\xb6 x\n"
	    "          ^\n"
	    "f:3:2: at 3:2\n"
	    "  three\n"
	    "   ^\n"
	    "f:9:4: warning: at 9:4\n"
	    "  \n"
	    "     ^\n");
	cr_assert_eq(report.n_errors, 2);
	cr_assert_eq(report.n_warnings, 3);
	conf_report_clear(&report);
}

Test(conf_report, long_lines_are_cut_around_the_place)
{
	char line[1000];
	const char *caret, *source;

	memset(line, 'a', sizeof(line));
	line[700] = '!';
	conf_report_init(&report, "f");
	report.bytes = span_of(line, sizeof(line));
	add(CONF_ERROR, 1, 701);
	source = strchr(printed(false), '\n') + 1;
	caret = strchr(source, '\n') + 1;
	cr_assert_lt(strlen(source), 400);
	cr_assert_eq(source[strcspn(caret, "^")], '!', "%s", text);
	conf_report_clear(&report);
}

Test(conf_report, colours_only_when_told)
{
	conf_report_init(&report, "f");
	add(CONF_ERROR, 0, 0);
	cr_assert_null(strchr(printed(false), 033));
	cr_assert_str_eq(printed(true), "f: \033[31mat 0:0\033[0m\n");
	conf_report_clear(&report);
}

Test(conf_report, is_bounded)
{
	conf_report_init(&report, "f");
	for (uint32_t i = 0; i < 1000; i++)
		add(CONF_ERROR, 0, 0);
	cr_assert_eq(report.n_errors, 1000);
	cr_assert(conf_report_is_full(&report));
	cr_assert_eq(report.n, CONF_REPORT_MAX + 1);
	printed(false);
	cr_assert_neq(strstr(text, "there is more to say"), NULL);
	conf_report_clear(&report);
}

static const struct guess {
	const char *word;
	const char *best;	/* of the candidates below; "" for none */
} guesses[] = {
	{ "listner", "listeners" },
	{ "Listeners", "listeners" },
	{ "rotues", "routes" },
	{ "route", "routes" },
	{ "max_rety", "max_retry" },
	{ "max-retry", "max_retry" },
	{ "metric", "metrics" },
	{ "to_", "to" },
	{ "xyz", "" },
	{ "", "" },
	{ "a_word_that_is_much_longer_than_any_key_ever", "" },
};

Test(conf_report, warnings_leave_room_for_errors)
{
	conf_report_init(&report, "f");
	for (uint32_t i = 1; i <= 500; i++)
		add(CONF_WARNING, i, 1);
	add(CONF_ERROR, 501, 1);
	cr_assert_eq(report.n_warnings, 500);
	cr_assert_eq(report.n, CONF_REPORT_WARNINGS_MAX + 1);
	cr_assert_not_null(strstr(printed(false), "at 501:1"));
	conf_report_clear(&report);
}

Test(conf_guess, finds_the_nearest_or_nothing)
{
	static const char *const candidates[] = {
		"listeners", "routes", "max_retry", "metrics", "to", "relay"
	};

	for (size_t i = 0; i < COUNT_OF(guesses); i++) {
		struct conf_guess guess;

		conf_guess_init(&guess, span_str(guesses[i].word));
		for (size_t j = 0; j < COUNT_OF(candidates); j++)
			conf_guess_try(&guess, span_str(candidates[j]));
		cr_expect(span_equal(guess.best, span_str(guesses[i].best)),
		    "%s: %.*s", guesses[i].word, (int)guess.best.n,
		    (const char *)guess.best.p);
	}
}

static void
write_file(const char *path, mode_t mode)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(chmod(path, mode), 0);
}

/* Files with secrets must be closed to others, or the start is refused. */
Test(conf_check, secrets_must_be_closed)
{
	char dir[] = "/tmp/mtad-check-XXXXXX", cert[64], key[64];
	const char *certs[] = { cert }, *keys[] = { key };
	struct conf *conf;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	cr_assert_eq(conf_new(&conf), OK);
	conf_report_init(&report, "f");
	cr_assert_eq(conf_check_files(conf, &report), OK);

	conf->tls.certificate = (struct conf_texts){ certs, 1 };
	conf->tls.key = (struct conf_texts){ keys, 1 };
	cr_assert_eq(conf_check_files(conf, &report), ERR_DENIED);
	cr_assert_eq(report.n_errors, 2);
	cr_assert_neq(strstr(printed(false), "f: tls.key: "), NULL);
	conf_report_clear(&report);

	write_file(cert, 0644);
	write_file(key, 0644);
	cr_assert_eq(conf_check_files(conf, &report), ERR_DENIED);
	cr_assert_eq(report.n_errors, 1, "%s", printed(false));
	conf_report_clear(&report);

	write_file(key, 0600);
	cr_assert_eq(conf_check_files(conf, &report), OK);
	cr_assert_eq(unlink(cert) | unlink(key) | rmdir(dir), 0);
	conf_free(&conf);
}
