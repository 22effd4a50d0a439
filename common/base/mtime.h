/*
 * Times are int64_t milliseconds, and the name says on which clock:
 * `_ms` is a span of time, `_at_ms` a moment of the monotonic clock, `wall_ms`
 * or a stored `_at` a moment since 1970.  Sums never overflow.
 */
#ifndef MTAD_BASE_MTIME_H
#define MTAD_BASE_MTIME_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/span.h"

#define MTIME_SECOND INT64_C(1000)
#define MTIME_MINUTE (60 * MTIME_SECOND)
#define MTIME_HOUR (60 * MTIME_MINUTE)
#define MTIME_DAY (24 * MTIME_HOUR)
#define MTIME_NEVER INT64_MAX

#define MTIME_UTC_SIZE 25	/* "2026-11-22T10:00:00.123Z" and its NUL */

/* A calendar date and time of day, proleptic Gregorian. */
struct mtime_civil {
	int64_t year;
	int month;			/* 1..12 */
	int day;			/* 1..31 */
	int hour;
	int minute;
	int second;
	int ms;
	int weekday;			/* 0 is Sunday */
};

static inline int64_t
mtime_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

static inline int64_t
mtime_sub(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return b < 0 ? INT64_MAX : INT64_MIN;
	return difference;
}

static inline int64_t
mtime_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t
mtime_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The calendar of a wall time in UTC; add a zone's offset before for local
 * time.  Any value is taken. */
void mtime_civil(int64_t wall_ms, struct mtime_civil *out);

/* RFC 3339 text of a wall time, always MTIME_UTC_SIZE - 1 characters; years
 * outside 0..9999 are shown as the nearest moment inside. */
void mtime_format_utc(int64_t wall_ms, char out[MTIME_UTC_SIZE]);

/* The moment of such a text, "2026-11-22T10:00:00Z", with a fraction of the
 * second or without; years 1970 to 9999.  ERR_SYNTAX. */
enum err mtime_parse_utc(struct span s, int64_t *wall_ms);

#endif
