/*
 * Everything is integers: a size or a duration that went through a double would
 * not come back as it was written.
 */
#include "common/base/units.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/base/text.h"

#include <stdio.h>

struct unit {
	const char *name;
	uint64_t factor;
};

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)
#define TIB (KIB * GIB)

/* Smallest first: formatting takes the last that divides. */
static const struct unit duration_units[] = {
	{ "ms", 1 },
	{ "s", MTIME_SECOND },
	{ "m", MTIME_MINUTE },
	{ "h", MTIME_HOUR },
	{ "d", MTIME_DAY },
	{ "w", 7 * MTIME_DAY },
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "KiB", KIB },
	{ "MiB", MIB },
	{ "GiB", GIB },
	{ "TiB", TIB },
};

/* read, never written: K is not told apart from KiB */
static const struct unit short_size_units[] = {
	{ "K", KIB },
	{ "M", MIB },
	{ "G", GIB },
	{ "T", TIB },
};

/* Takes the digits off the front. */
static enum err
take_number(struct span *text, uint64_t *out)
{
	uint64_t v = 0;
	size_t n = 0;

	while (n < text->n && text_is_digit(text->p[n])) {
		uint64_t digit = (uint64_t)(text->p[n++] - '0');

		/* a number that doesn't fit is known before it has wrapped */
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, digit, &v))
			return ERR_RANGE;
	}
	if (n == 0)
		return ERR_SYNTAX;
	*text = span_from(*text, n);
	*out = v;
	return OK;
}

/* Case is ignored: nobody means mega-seconds or milli-bytes. */
static const struct unit *
find_unit(const struct unit *units, size_t count, struct span name)
{
	for (size_t i = 0; i < count; i++) {
		if (span_equal_nocase(name, span_str(units[i].name)))
			return &units[i];
	}
	return NULL;
}

/* Digits only: no sign, no blank, no base but ten; zeros in front are let
 * pass. */
enum err
units_parse_u64(struct span text, uint64_t *out)
{
	uint64_t v;
	enum err e = take_number(&text, &v);

	if (e != OK)
		return e;
	if (text.n > 0)
		return ERR_SYNTAX;
	*out = v;
	return OK;
}

/* A unit must be there: 30 alone would be seconds to one and minutes to
 * another.  Zero is the same in all of them. */
enum err
units_parse_ms(struct span text, int64_t *ms)
{
	const struct unit *unit;
	uint64_t v;
	enum err e = take_number(&text, &v);

	if (e != OK)
		return e;
	unit = find_unit(duration_units, COUNT_OF(duration_units), text);
	/* "0" is the one number without a unit */
	if (unit == NULL && (v != 0 || text.n > 0))
		return ERR_SYNTAX;
	if (unit != NULL && __builtin_mul_overflow(v, unit->factor, &v))
		return ERR_RANGE;
	if (v > (uint64_t)UNITS_MS_MAX)
		return ERR_RANGE;
	*ms = (int64_t)v;
	return OK;
}

enum err
units_parse_bytes(struct span text, uint64_t *bytes)
{
	const struct unit *unit;
	uint64_t v;
	enum err e = take_number(&text, &v);

	if (e != OK)
		return e;
	unit = find_unit(size_units, COUNT_OF(size_units), text);
	if (unit == NULL)
		unit = find_unit(short_size_units,
		    COUNT_OF(short_size_units), text);
	if (unit == NULL)
		return ERR_SYNTAX;
	if (__builtin_mul_overflow(v, unit->factor, &v))
		return ERR_RANGE;
	*bytes = v;
	return OK;
}

/* In the largest unit that divides V without rest. */
static size_t
print_exact(const struct unit *units, size_t count, uint64_t v, char *out)
{
	size_t i = count - 1;

	while (i > 0 && (v == 0 || v % units[i].factor != 0))
		i--;
	return (size_t)snprintf(out, UNITS_TEXT_SIZE, "%llu%s",
	    (unsigned long long)(v / units[i].factor), units[i].name);
}

size_t
units_format_ms(int64_t ms, char out[UNITS_TEXT_SIZE])
{
	return print_exact(duration_units, COUNT_OF(duration_units),
	    ms > 0 ? (uint64_t)ms : 0, out);
}

/* Exact, for configuration; units_glance_bytes() is for eyes. */
size_t
units_format_bytes(uint64_t bytes, char out[UNITS_TEXT_SIZE])
{
	return print_exact(size_units, COUNT_OF(size_units), bytes, out);
}

/* Two neighbouring units, the second always with two figures: "2h05m". */
static size_t
print_pair(uint64_t v, const struct unit *big, const struct unit *small,
    char *out)
{
	return (size_t)snprintf(out, UNITS_TEXT_SIZE, "%llu%s%02llu%s",
	    (unsigned long long)(v / big->factor), big->name,
	    (unsigned long long)(v % big->factor / small->factor),
	    small->name);
}

/* For eyes: cut to the two largest units, not rounded, so that a duration
 * never seems longer than it is. */
size_t
units_glance_ms(int64_t ms, char out[UNITS_TEXT_SIZE])
{
	const struct unit *u = duration_units;
	uint64_t v = ms > 0 ? (uint64_t)ms : 0;

	if (v < MTIME_SECOND)
		return print_exact(u, 1, v, out);
	if (v < MTIME_MINUTE)
		return print_exact(u, 2, v - v % MTIME_SECOND, out);
	if (v < MTIME_HOUR)
		return print_pair(v, &u[2], &u[1], out);
	if (v < MTIME_DAY)
		return print_pair(v, &u[3], &u[2], out);
	return print_pair(v, &u[4], &u[3], out);
}

/* Cut, not rounded.  A tenth only where it is one figure in two: 1.4MiB,
 * 14MiB. */
size_t
units_glance_bytes(uint64_t bytes, char out[UNITS_TEXT_SIZE])
{
	size_t i = COUNT_OF(size_units) - 1;
	uint64_t factor, whole, tenths;

	while (i > 0 && bytes < size_units[i].factor)
		i--;
	factor = size_units[i].factor;
	whole = bytes / factor;
	if (i == 0 || whole >= 10)
		return (size_t)snprintf(out, UNITS_TEXT_SIZE, "%llu%s",
		    (unsigned long long)whole, i == 0 ? "B" :
		    size_units[i].name);
	tenths = bytes % factor * 10 / factor;
	return (size_t)snprintf(out, UNITS_TEXT_SIZE, "%llu.%llu%s",
	    (unsigned long long)whole, (unsigned long long)tenths,
	    size_units[i].name);
}
