/*
 * The texts stand in a table by the negated number, so that a failure without
 * a text is seen by the test that names them all.
 */
#include "common/base/err.h"

#include "common/base/check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static const char *const texts[] = {
	[-OK] = "success",
	[-ERR_NOMEM] = "no memory",
	[-ERR_SYNTAX] = "syntax error",
	[-ERR_RANGE] = "out of range",
	[-ERR_FULL] = "no room",
	[-ERR_NOT_FOUND] = "not found",
	[-ERR_EXISTS] = "exists already",
	[-ERR_IO] = "input/output error",
	[-ERR_CORRUPT] = "corrupt data",
	[-ERR_PEER] = "peer broke the protocol or is gone",
	[-ERR_AGAIN] = "try again",
	[-ERR_DENIED] = "permission denied",
	[-ERR_VERSION] = "made by another version",
};

const char *
err_text(enum err e)
{
	if (e > 0 || e <= -(int)COUNT_OF(texts))
		return "unknown error";
	return texts[-(int)e];
}

/* Gives E back, so that a failing function ends in `return why_set(...)`. */
enum err
why_set(struct why *why, enum err e, const char *format, ...)
{
	va_list args;

	if (why == NULL)
		return e;
	va_start(args, format);
	if (vsnprintf(why->text, sizeof(why->text), format, args) < 0)
		why->text[0] = '\0';
	va_end(args);
	return e;
}
