/*
 * strftime() would write names in the language of the locale, and RFC 5322 3.3
 * has its own.  All arithmetic is on clipped integers, so each number that can
 * come in makes a date of one length at most.
 */
#include "common/mail/mail_date.h"

#include <stdbool.h>
#include <string.h>

#define DAY_S		86400
#define ZONE_LIMIT_MIN	(99 * 60 + 59)
#define FIRST_S		(-2208988800LL)		/* 1900-01-01 00:00:00 */
#define LAST_S		253402300799LL		/* 9999-12-31 23:59:59 */

struct civil {
	int year;
	int month;		/* 1..12 */
	int day;		/* 1..31 */
};

/* Times come from clocks and from the spool: any number is possible. */
static int64_t
clip(int64_t v, int64_t low, int64_t high)
{
	if (v < low)
		return low;
	return v > high ? high : v;
}

/*
 * The Gregorian date of a day counted from 1970-01-01.  Years are taken to
 * begin in March, so that the leap day is their last one, and eras of 400
 * years are all alike.
 */
static struct civil
civil_of_day(int64_t day)
{
	struct civil c;
	int64_t shifted = day + 719468;		/* from 0000-03-01 */
	int64_t era = shifted / 146097;
	/* never negative: the earliest year is 1900 */
	int of_era = (int)(shifted % 146097);
	/* leap days: one in 4 years, none in 100, one in 400 */
	int year = (of_era - of_era / 1460 + of_era / 36524 -
	    of_era / 146096) / 365;
	int of_year = of_era - (365 * year + year / 4 - year / 100);
	/* months of 31, 30, 31, 30, 31 days repeat from March: 153 days */
	int month = (5 * of_year + 2) / 153;	/* 0: March */

	c.day = of_year - (153 * month + 2) / 5 + 1;
	c.month = month < 10 ? month + 3 : month - 9;
	c.year = year + (int)era * 400 + (c.month <= 2);
	return c;
}

/* Decimal with leading zeros; returns where the next character goes. */
static char *
put_number(char *to, int v, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		to[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return to + digits;
}

static char *
put_text(char *to, const char *text, size_t n)
{
	memcpy(to, text, n);
	return to + n;
}

size_t
mail_date_format(int64_t at_ms, int zone_min, char out[MAIL_DATE_SIZE])
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int zone = (int)clip(zone_min, -ZONE_LIMIT_MIN, ZONE_LIMIT_MIN);
	/* seconds rounded down, also before 1970 */
	int64_t s = at_ms / 1000 - (at_ms % 1000 < 0) + (int64_t)zone * 60;
	int64_t day;
	struct civil date;
	int of_day;
	char *to = out;

	s = clip(s, FIRST_S, LAST_S);
	day = s / DAY_S - (s % DAY_S < 0);
	of_day = (int)(s - day * DAY_S);
	date = civil_of_day(day);

	to = put_text(to, days + 3 * ((day % 7 + 7) % 7), 3);
	to = put_text(to, ", ", 2);
	to = put_number(to, date.day, date.day < 10 ? 1 : 2);
	*to++ = ' ';
	to = put_text(to, months + 3 * (date.month - 1), 3);
	*to++ = ' ';
	to = put_number(to, date.year, 4);
	*to++ = ' ';
	to = put_number(to, of_day / 3600, 2);
	*to++ = ':';
	to = put_number(to, of_day / 60 % 60, 2);
	*to++ = ':';
	to = put_number(to, of_day % 60, 2);
	*to++ = ' ';
	/* RFC 5322 3.3: hours and minutes side by side, +0000 for UTC */
	*to++ = zone < 0 ? '-' : '+';
	if (zone < 0)
		zone = -zone;
	to = put_number(to, zone / 60 * 100 + zone % 60, 4);
	*to = '\0';
	return (size_t)(to - out);
}
