/*
 * What goes to standard error.  What was printed to standard output before is
 * flushed first, so that both stand in the right order in one terminal or
 * file.
 */
#include "common/confload/conf_report.h"
#include "mtactl/mtactl.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

int
mtactl_fail(enum mtactl_exit code, const char *format, ...)
{
	va_list ap;

	(void)fflush(stdout);
	(void)fputs("mtactl: ", stderr);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return (int)code;
}

/* In colour for a terminal. */
void
mtactl_print_report(const struct conf_report *report)
{
	struct buf text;

	buf_init(&text, (size_t)1024 * 1024);
	conf_report_print(report, isatty(STDERR_FILENO), &text);
	if (text.n > 0)
		(void)fwrite(text.p, 1, text.n, stderr);
	buf_clear(&text);
}
