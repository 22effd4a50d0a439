/*
 * Own calendar arithmetic: gmtime() takes the time zone's lock in some
 * libraries, and a pure room must not depend on the process at all.
 */
#include "common/base/mtime.h"

#include <string.h>

/* Rounds down, so that moments before 1970 have a time of day too. */
static int64_t
floor_divide(int64_t a, int64_t b, int64_t *rest)
{
	int64_t q = a / b;

	*rest = a % b;
	if (*rest < 0) {
		*rest += b;
		q--;
	}
	return q;
}

/*
 * Days since 1970 to a date, by 400-year eras that begin on March 1st, so
 * that the leap day is the last of its year.
 */
static void
set_date(int64_t days, struct mtime_civil *out)
{
	int64_t day_of_era, year_of_era, day_of_year, era, month;

	era = floor_divide(days + 719468, 146097, &day_of_era);
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
	    day_of_era / 146096) / 365;
	day_of_year = day_of_era -
	    (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * day_of_year + 2) / 153;		/* 0 is March */
	out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	out->month = (int)(month < 10 ? month + 3 : month - 9);
	out->year = era * 400 + year_of_era + (out->month <= 2);
}

void
mtime_civil(int64_t wall_ms, struct mtime_civil *out)
{
	int64_t in_day, weekday;
	int64_t days = floor_divide(wall_ms, MTIME_DAY, &in_day);

	set_date(days, out);
	out->hour = (int)(in_day / MTIME_HOUR);
	out->minute = (int)(in_day / MTIME_MINUTE % 60);
	out->second = (int)(in_day / MTIME_SECOND % 60);
	out->ms = (int)(in_day % MTIME_SECOND);
	/* 1970 began on a Thursday */
	(void)floor_divide(days + 4, 7, &weekday);
	out->weekday = (int)weekday;
}

/* With leading zeros, from the right. */
static void
put_digits(char *to, int64_t v, int width)
{
	for (int i = width - 1; i >= 0; i--) {
		to[i] = (char)('0' + v % 10);
		v /= 10;
	}
}

/* Years of four digits only, which is what RFC 3339 has; times beyond are
 * shown as the first or last moment. */
void
mtime_format_utc(int64_t wall_ms, char out[MTIME_UTC_SIZE])
{
	const int64_t first = INT64_C(-62167219200000);	/* year 0 */
	const int64_t last = INT64_C(253402300799999);	/* end of 9999 */
	struct mtime_civil c;

	mtime_civil(mtime_max(first, mtime_min(wall_ms, last)), &c);
	memcpy(out, "0000-00-00T00:00:00.000Z", MTIME_UTC_SIZE);
	put_digits(out, c.year, 4);
	put_digits(out + 5, c.month, 2);
	put_digits(out + 8, c.day, 2);
	put_digits(out + 11, c.hour, 2);
	put_digits(out + 14, c.minute, 2);
	put_digits(out + 17, c.second, 2);
	put_digits(out + 20, c.ms, 3);
}

/* N digits at *S, which moves behind them; -1 when they are none. */
static int64_t
take_digits(struct span *s, size_t n)
{
	int64_t v = 0;

	if (s->n < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return -1;
		v = v * 10 + (s->p[i] - '0');
	}
	*s = span_from(*s, n);
	return v;
}

static bool
take_letter(struct span *s, uint8_t c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* By the same eras as set_date(). */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;
	int64_t era, year_of_era;

	era = floor_divide(y, 400, &year_of_era);
	return era * 146097 + year_of_era * 365 + year_of_era / 4 -
	    year_of_era / 100 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* ".5": what is below a millisecond is cut off. */
static bool
take_fraction(struct span *s, int64_t *ms)
{
	int64_t unit = 100;

	*ms = 0;
	if (!take_letter(s, '.'))
		return true;
	if (s->n == 0 || s->p[0] < '0' || s->p[0] > '9')
		return false;
	while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
		*ms += (s->p[0] - '0') * unit;
		unit /= 10;
		*s = span_from(*s, 1);
	}
	return true;
}

/* Whether the calendar has such a day is asked of the other direction. */
enum err
mtime_parse_utc(struct span s, int64_t *wall_ms)
{
	static const struct { size_t n; char behind; } parts[] = {
		{ 4, '-' }, { 2, '-' }, { 2, 'T' }, { 2, ':' }, { 2, ':' },
		{ 2, 0 },
	};
	int64_t v[6], ms, at;
	struct mtime_civil c;

	for (size_t i = 0; i < 6; i++) {
		if ((v[i] = take_digits(&s, parts[i].n)) < 0 ||
		    (parts[i].behind != 0 &&
		    !take_letter(&s, (uint8_t)parts[i].behind)))
			return ERR_SYNTAX;
	}
	if (!take_fraction(&s, &ms) || !take_letter(&s, 'Z') || s.n > 0 ||
	    v[0] < 1970 || v[1] < 1 || v[1] > 12 || v[3] > 23 || v[4] > 59 ||
	    v[5] > 60)
		return ERR_SYNTAX;
	at = days_of(v[0], v[1], v[2]) * MTIME_DAY;
	mtime_civil(at, &c);
	if (c.year != v[0] || c.month != v[1] || c.day != v[2])
		return ERR_SYNTAX;
	*wall_ms = at + v[3] * MTIME_HOUR + v[4] * MTIME_MINUTE +
	    v[5] * MTIME_SECOND + ms;
	return OK;
}
