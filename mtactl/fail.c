#include "mtactl/mtactl.h"

#include <stdarg.h>
#include <stdio.h>

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
