/*
 * strftime() would write names in the language of the locale, and RFC 5322 3.3
 * has its own; the calendar is mtime.h's.  Times are clipped first, so that
 * each number that can come in makes a date of known length.
 */
#include "common/mail/mail_date.h"

#include "common/base/mtime.h"

#include <string.h>

#define ZONE_LIMIT_MIN	(99 * 60 + 59)
#define FIRST_S		(-2208988800LL)		/* 1900-01-01 00:00:00 */
#define LAST_S		253402300799LL		/* 9999-12-31 23:59:59 */

/* Times come from clocks and from the spool: any number is possible. */
static int64_t
clip(int64_t v, int64_t low, int64_t high)
{
	if (v < low)
		return low;
	return v > high ? high : v;
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
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int zone = (int)clip(zone_min, -ZONE_LIMIT_MIN, ZONE_LIMIT_MIN);
	/* seconds rounded down, also before 1970 */
	int64_t s = at_ms / 1000 - (at_ms % 1000 < 0) + (int64_t)zone * 60;
	struct mtime_civil date;
	char *to = out;

	mtime_civil(clip(s, FIRST_S, LAST_S) * MTIME_SECOND, &date);
	to = put_text(to, days + 3 * date.weekday, 3);
	to = put_text(to, ", ", 2);
	to = put_number(to, date.day, date.day < 10 ? 1 : 2);
	*to++ = ' ';
	to = put_text(to, months + 3 * (date.month - 1), 3);
	*to++ = ' ';
	to = put_number(to, (int)date.year, 4);
	*to++ = ' ';
	to = put_number(to, date.hour, 2);
	*to++ = ':';
	to = put_number(to, date.minute, 2);
	*to++ = ':';
	to = put_number(to, date.second, 2);
	*to++ = ' ';
	/* RFC 5322 3.3: hours and minutes side by side, +0000 for UTC */
	*to++ = zone < 0 ? '-' : '+';
	if (zone < 0)
		zone = -zone;
	to = put_number(to, zone / 60 * 100 + zone % 60, 4);
	*to = '\0';
	return (size_t)(to - out);
}
