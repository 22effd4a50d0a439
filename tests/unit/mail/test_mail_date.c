#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/mail/mail_date.h"

#include <time.h>

/* S5321-66, MSG-02, DSN-35: four-digit years and numeric zones. */
Test(mail_date, table)
{
	static const struct {
		int64_t at_ms;
		int zone_min;
		const char *want;
	} rows[] = {
		{ 0, 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ 999, 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ 1795313862000, 0, "Sun, 22 Nov 2026 02:17:42 +0000" },
		{ 1795313862000, 60, "Sun, 22 Nov 2026 03:17:42 +0100" },
		{ 1795313862000, -210, "Sat, 21 Nov 2026 22:47:42 -0330" },
		{ 1795313862000, 345, "Sun, 22 Nov 2026 08:02:42 +0545" },
		{ 951782400000, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 4107542400000, 0, "Mon, 1 Mar 2100 00:00:00 +0000" },
		{ 2147483648000, 0, "Tue, 19 Jan 2038 03:14:08 +0000" },
		{ 4294967296000, 0, "Sun, 7 Feb 2106 06:28:16 +0000" },
		{ INT64_MAX, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ INT64_MIN, 0, "Mon, 1 Jan 1900 00:00:00 +0000" },
		{ INT64_MAX, 100000, "Fri, 31 Dec 9999 23:59:59 +9959" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[MAIL_DATE_SIZE];
		size_t n = mail_date_format(rows[i].at_ms, rows[i].zone_min,
		    out);

		cr_expect_str_eq(out, rows[i].want);
		cr_expect_eq(n, strlen(out));
	}
}

/* Each day from 1900 to 2200, and the C library as the judge. */
Test(mail_date, agrees_with_the_library)
{
	for (int64_t day = -25567; day < 84006; day++) {
		time_t t = (time_t)(day * 86400 + (day * 7919) % 86400);
		char out[MAIL_DATE_SIZE], want[64];
		struct tm tm;

		if (t < -2208988800)
			continue;
		gmtime_r(&t, &tm);
		/* %e pads with a blank, we don't pad */
		strftime(want, sizeof(want), tm.tm_mday < 10 ?
		    "%a, X%d %b %Y %H:%M:%S +0000" :
		    "%a, %d %b %Y %H:%M:%S +0000", &tm);
		if (tm.tm_mday < 10)
			memmove(want + 5, want + 7, strlen(want + 7) + 1);
		mail_date_format((int64_t)t * 1000, 0, out);
		cr_assert_str_eq(out, want);
	}
}
