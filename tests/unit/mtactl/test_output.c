/* Output: escaping, columns, colours, times. */
#include "common/base/mtime.h"
#include "mtactl/output.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>

static struct output o;

static void
setup(void)
{
	unsetenv("NO_COLOR");
	output_init(&o, false, false);
	/* whatever this test runs under */
	o.has_colour = o.has_progress = false;
}

static void
teardown(void)
{
	buf_clear(&o.b);
}

TestSuite(output, .init = setup, .fini = teardown);

static void
expect(const char *text)
{
	cr_expect(span_equal(buf_span(&o.b), span_str(text)), "'%.*s'",
	    (int)o.b.n, o.b.p);
	buf_reset(&o.b);
}

Test(output, foreign_bytes_are_escaped)
{
	output_text(&o, SPAN_LIT("a\033[31mb\n\\\x80\x7f"));
	expect("a\\x1b[31mb\\x0a\\x5c\\x80\\x7f");
	output_text(&o, SPAN_NONE);
	expect("");
}

Test(output, columns)
{
	output_padded(&o, SPAN_LIT("ab"), 4);
	output_padded(&o, SPAN_LIT("cd"), -4);
	output_padded(&o, SPAN_LIT("longer"), 4);
	output_padded(&o, SPAN_LIT("longer"), -4);
	output_padded(&o, SPAN_NONE, 2);
	output_padded(&o, SPAN_LIT("\n"), 6);
	output_padded(&o, SPAN_LIT("x"), 0);
	expect("ab    cdlongerlonger  \\x0a  x");
	output_number(&o, UINT64_MAX, -21);
	expect(" 18446744073709551615");
}

Test(output, colours_do_not_shift_columns)
{
	output_coloured(&o, OUTPUT_RED, "ab", 4);
	expect("ab  ");
	o.has_colour = true;
	output_coloured(&o, OUTPUT_RED, "ab", 4);
	expect("\033[31mab  \033[0m");
	output_coloured(&o, OUTPUT_PLAIN, "ab", -4);
	expect("  ab");
}

Test(output, ages_and_sizes)
{
	output_age(&o, 0, 8000000, -7);
	expect("  2h13m");
	output_age(&o, 9000, 1000, 0);		/* the clock went back */
	expect("0ms");
	output_size(&o, 1536, -7);
	expect(" 1.5KiB");
	output_count(&o, 0, "message");
	output_count(&o, 1, "message");
	expect("0 messages1 message");
}

Test(output, json_times)
{
	struct json j;

	json_init(&j, &o.b);
	json_object(&j);
	output_json_time(&j, "a", 1);
	output_json_time(&j, "b", 0);
	output_json_time(&j, "c", UINT64_MAX);
	json_object_end(&j);
	cr_expect_eq(json_done(&j), OK);
	expect("{\"a\":\"1970-01-01T00:00:00.001Z\",\"b\":null,\"c\":null}");
}

Test(output, no_terminal_no_colour)
{
	struct output plain;

	cr_redirect_stdout();
	cr_redirect_stderr();
	setenv("TERM", "xterm", 1);
	output_init(&plain, false, false);
	cr_expect_not(plain.has_colour);
	cr_expect_not(plain.has_progress);
	output_progress(&plain, "deleting", 1, 2);
	output_progress_end(&plain);
	output_line(&plain, "%d words", 3);
	cr_expect(output_end(&plain));
	cr_expect_stdout_eq_str("3 words\n");
	cr_expect_stderr_eq_str("");
}

Test(output, progress_wipes_itself)
{
	cr_redirect_stderr();
	o.has_progress = true;
	output_progress(&o, "deleting", 0, 0);
	output_progress(&o, "deleting", 15, 30);
	output_progress(&o, "deleting", UINT64_MAX, 7);
	output_progress_end(&o);
	output_progress_end(&o);
	cr_expect_stderr_eq_str(
	    "\rdeleting [###############...............]  50 %"
	    "\rdeleting [##############################] 100 %"
	    "\r                                               \r");
}

Test(output, failure_is_told)
{
	cr_redirect_stdout();
	o.b.max = 10;
	output_line(&o, "more than ten characters");
	cr_expect_not(output_end(&o));
}
