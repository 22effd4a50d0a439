/* units, mtime, rng, bucket */
#include "common/base/bucket.h"
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "common/base/units.h"

#include <criterion/criterion.h>
#include <time.h>

Test(units, durations)
{
	static const struct {
		const char *text;
		enum err e;
		int64_t ms;
		const char *written;
	} cases[] = {
		{ "500ms", OK, 500, "500ms" }, { "10s", OK, 10000, "10s" },
		{ "5m", OK, 300000, "5m" }, { "2h", OK, 7200000, "2h" },
		{ "3d", OK, 259200000, "3d" }, { "1w", OK, 604800000, "1w" },
		{ "60s", OK, 60000, "1m" }, { "90s", OK, 90000, "90s" },
		{ "0", OK, 0, "0ms" }, { "0s", OK, 0, "0ms" },
		{ "10S", OK, 10000, "10s" }, { "007s", OK, 7000, "7s" },
		{ "366000d", OK, UNITS_MS_MAX, NULL },
		{ "366001d", ERR_RANGE, 0, NULL },
		{ "99999999999999999999d", ERR_RANGE, 0, NULL },
		{ "18446744073709551615w", ERR_RANGE, 0, NULL },
		{ "", ERR_SYNTAX, 0, NULL }, { "5", ERR_SYNTAX, 0, NULL },
		{ "m", ERR_SYNTAX, 0, NULL }, { "-5m", ERR_SYNTAX, 0, NULL },
		{ "5 m", ERR_SYNTAX, 0, NULL }, { "5m ", ERR_SYNTAX, 0, NULL },
		{ "1.5h", ERR_SYNTAX, 0, NULL }, { "1h30m", ERR_SYNTAX, 0,
		    NULL }, { "5y", ERR_SYNTAX, 0, NULL }, { "0x5s",
		    ERR_SYNTAX, 0, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[UNITS_TEXT_SIZE];
		int64_t ms = -1, again;
		enum err e = units_parse_ms(span_str(cases[i].text), &ms);

		cr_expect_eq(e, cases[i].e, "'%s': %d", cases[i].text, e);
		if (e != OK) {
			cr_expect_eq(ms, -1, "touched on failure");
			continue;
		}
		cr_expect_eq(ms, cases[i].ms);
		cr_expect_eq(units_format_ms(ms, text), strlen(text));
		if (cases[i].written != NULL)
			cr_expect_str_eq(text, cases[i].written);
		cr_assert_eq(units_parse_ms(span_str(text), &again), OK);
		cr_expect_eq(again, ms);
	}
}

Test(units, sizes)
{
	static const struct {
		const char *text;
		enum err e;
		uint64_t bytes;
		const char *written;
	} cases[] = {
		{ "0", OK, 0, "0" }, { "1025", OK, 1025, "1025" },
		{ "4KiB", OK, 4096, "4KiB" }, { "50MiB", OK, 52428800, "50MiB" },
		{ "1024KiB", OK, 1048576, "1MiB" },
		{ "1M", OK, 1048576, "1MiB" }, { "1k", OK, 1024, "1KiB" },
		{ "2GiB", OK, UINT64_C(2) << 30, "2GiB" },
		{ "3t", OK, UINT64_C(3) << 40, "3TiB" },
		{ "18446744073709551615", OK, UINT64_MAX, NULL },
		{ "18446744073709551616", ERR_RANGE, 0, NULL },
		{ "16777216TiB", ERR_RANGE, 0, NULL },
		{ "", ERR_SYNTAX, 0, NULL }, { "KiB", ERR_SYNTAX, 0, NULL },
		{ "4KB", ERR_SYNTAX, 0, NULL }, { "4 KiB", ERR_SYNTAX, 0,
		    NULL }, { "-1", ERR_SYNTAX, 0, NULL },
		{ "4Kib ", ERR_SYNTAX, 0, NULL }, { "1e3", ERR_SYNTAX, 0,
		    NULL }, { "4B", ERR_SYNTAX, 0, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[UNITS_TEXT_SIZE];
		uint64_t bytes = 77, again;
		enum err e = units_parse_bytes(span_str(cases[i].text),
		    &bytes);

		cr_expect_eq(e, cases[i].e, "'%s': %d", cases[i].text, e);
		if (e != OK) {
			cr_expect_eq(bytes, 77, "touched on failure");
			continue;
		}
		cr_expect_eq(bytes, cases[i].bytes);
		units_format_bytes(bytes, text);
		if (cases[i].written != NULL)
			cr_expect_str_eq(text, cases[i].written);
		cr_assert_eq(units_parse_bytes(span_str(text), &again), OK);
		cr_expect_eq(again, bytes);
	}
}

Test(units, glances)
{
	static const struct {
		int64_t ms;
		const char *text;
	} times[] = {
		{ -5, "0ms" }, { 0, "0ms" }, { 340, "340ms" },
		{ 1999, "1s" }, { 59999, "59s" }, { 60000, "1m00s" },
		{ 125000, "2m05s" }, { 7500000, "2h05m" },
		{ 90000000, "1d01h" }, { INT64_MAX, "106751991167d07h" },
	};
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0B" }, { 1023, "1023B" }, { 1024, "1.0KiB" },
		{ 1500000, "1.4MiB" }, { 10485760, "10MiB" },
		{ UINT64_MAX, "16777215TiB" },
	};
	char text[UNITS_TEXT_SIZE];

	for (size_t i = 0; i < COUNT_OF(times); i++) {
		units_glance_ms(times[i].ms, text);
		cr_expect_str_eq(text, times[i].text);
	}
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		units_glance_bytes(sizes[i].bytes, text);
		cr_expect_str_eq(text, sizes[i].text);
	}
}

Test(units, plain_numbers)
{
	uint64_t v = 5;

	cr_expect_eq(units_parse_u64(SPAN_LIT("18446744073709551615"), &v),
	    OK);
	cr_expect_eq(v, UINT64_MAX);
	cr_expect_eq(units_parse_u64(SPAN_LIT("18446744073709551616"), &v),
	    ERR_RANGE);
	cr_expect_eq(units_parse_u64(SPAN_LIT("12a"), &v), ERR_SYNTAX);
	cr_expect_eq(units_parse_u64(SPAN_NONE, &v), ERR_SYNTAX);
	cr_expect_eq(v, UINT64_MAX);
}

Test(mtime, utc_texts)
{
	static const struct {
		const char *text;
		int64_t ms;	/* -1: none */
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-22T02:17:42Z", INT64_C(1795313862000) },
		{ "2026-11-22T02:17:42.5Z", INT64_C(1795313862500) },
		{ "2026-11-22T02:17:42.0019999Z", INT64_C(1795313862001) },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800000) },
		{ "2000-02-29T23:59:59Z", INT64_C(951868799000) },
		{ "9999-12-31T23:59:59Z", INT64_C(253402300799000) },
		/* a leap second is the first of the next minute */
		{ "2016-12-31T23:59:60Z", INT64_C(1483228800000) },
		{ "2023-02-29T00:00:00Z", -1 }, { "1900-01-01T00:00:00Z", -1 },
		{ "2100-02-29T00:00:00Z", -1 }, { "2026-13-01T00:00:00Z", -1 },
		{ "2026-00-01T00:00:00Z", -1 }, { "2026-01-00T00:00:00Z", -1 },
		{ "2026-04-31T00:00:00Z", -1 }, { "2026-04-30T24:00:00Z", -1 },
		{ "2026-04-30T00:60:00Z", -1 }, { "2026-04-30T00:00:61Z", -1 },
		{ "2026-04-30T00:00:00", -1 }, { "2026-04-30 00:00:00Z", -1 },
		{ "2026-04-30T00:00:00.Z", -1 }, { "2026-04-30T00:00Z", -1 },
		{ "2026-04-30T00:00:00ZZ", -1 }, { "", -1 },
		{ "26-04-30T00:00:00Z", -1 }, { "2026-4-30T00:00:00Z", -1 },
		{ "2026-04-30T00:00:00+00:00", -1 },
		{ "+026-04-30T00:00:00Z", -1 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t ms = -1;
		enum err e = mtime_parse_utc(span_str(rows[i].text), &ms);

		cr_expect_eq(e, rows[i].ms < 0 ? ERR_SYNTAX : OK, "%s",
		    rows[i].text);
		cr_expect_eq(ms, rows[i].ms, "%s", rows[i].text);
	}
	/* what is written is read */
	for (int64_t at = 0; at < INT64_C(253402300799999);
	    at += INT64_C(86399999 * 31)) {
		char text[MTIME_UTC_SIZE];
		int64_t ms = -1;

		mtime_format_utc(at, text);
		cr_assert_eq(mtime_parse_utc(span_str(text), &ms), OK);
		cr_assert_eq(ms, at);
	}
}

Test(mtime, sums_do_not_overflow)
{
	cr_expect_eq(mtime_add(1, 2), 3);
	cr_expect_eq(mtime_add(INT64_MAX, 1), INT64_MAX);
	cr_expect_eq(mtime_add(INT64_MIN, -1), INT64_MIN);
	cr_expect_eq(mtime_add(MTIME_NEVER, -1), INT64_MAX - 1);
	cr_expect_eq(mtime_sub(5, 7), -2);
	cr_expect_eq(mtime_sub(INT64_MIN, 1), INT64_MIN);
	cr_expect_eq(mtime_sub(INT64_MAX, -1), INT64_MAX);
	cr_expect_eq(mtime_sub(0, INT64_MIN), INT64_MAX);
}

/* The C library as the judge. */
Test(mtime, calendar_agrees_with_gmtime)
{
	struct rng r;

	rng_init(&r, 4);
	for (int i = 0; i < 200000; i++) {
		int64_t wall = rng_between(&r, -INT64_C(70000000000000),
		    INT64_C(300000000000000));
		time_t seconds = (time_t)(wall / 1000 - (wall % 1000 < 0));
		struct mtime_civil c;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		mtime_civil(wall, &c);
		cr_assert(c.year == tm.tm_year + 1900 &&
		    c.month == tm.tm_mon + 1 && c.day == tm.tm_mday &&
		    c.hour == tm.tm_hour && c.minute == tm.tm_min &&
		    c.second == tm.tm_sec && c.weekday == tm.tm_wday,
		    "%lld", (long long)wall);
		cr_assert_eq(c.ms, ((wall % 1000) + 1000) % 1000);
	}
}

Test(mtime, utc_text)
{
	static const struct {
		int64_t wall;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ INT64_C(951782400123), "2000-02-29T00:00:00.123Z" },
		{ INT64_C(1795341600123), "2026-11-22T10:00:00.123Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ INT64_MIN, "0000-01-01T00:00:00.000Z" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct mtime_civil c;
		char text[MTIME_UTC_SIZE];

		mtime_format_utc(cases[i].wall, text);
		cr_expect_str_eq(text, cases[i].text);
		mtime_civil(cases[i].wall, &c);
		cr_expect(c.month >= 1 && c.month <= 12);
	}
}

Test(rng, repeats_and_spreads)
{
	int seen[10] = { 0 };
	struct rng a, b, other;
	bool is_other = false;

	rng_init(&a, 42);
	rng_init(&b, 42);
	rng_init(&other, 43);
	for (int i = 0; i < 100; i++) {
		uint64_t v = rng_u64(&a);

		cr_assert_eq(v, rng_u64(&b));
		is_other |= v != rng_u64(&other);
	}
	cr_expect(is_other);
	for (int i = 0; i < 100000; i++)
		seen[rng_below(&a, 10)]++;
	for (int i = 0; i < 10; i++)
		cr_expect(seen[i] > 9500 && seen[i] < 10500, "%d", seen[i]);
	for (int i = 0; i < 1000; i++) {
		int64_t v = rng_between(&a, -3, 3);

		cr_assert(v >= -3 && v <= 3);
		cr_assert_eq(rng_between(&a, 7, 7), 7);
		cr_assert_eq(rng_below(&a, 1), 0);
		(void)rng_between(&a, INT64_MIN, INT64_MAX);
	}
}

Test(bucket, burst_then_rate)
{
	struct bucket b;

	cr_assert_eq(bucket_init(&b, 2, 1000, 3, 0), OK);
	cr_expect(bucket_take(&b, 3, 0));
	cr_expect_not(bucket_take(&b, 1, 0));
	cr_expect_eq(bucket_wait_ms(&b, 1, 0), 500);
	cr_expect_not(bucket_take(&b, 1, 499));
	cr_expect(bucket_take(&b, 1, 500));
	cr_expect_eq(bucket_wait_ms(&b, 1, 600), 400);
	cr_expect_eq(bucket_wait_ms(&b, 4, 600), INT64_MAX);
	cr_expect(bucket_take(&b, 3, 1000000), "full again");
	cr_expect_not(bucket_take(&b, 1, 1000000), "and no fuller");
}

Test(bucket, slow_rates_are_exact)
{
	struct bucket b;
	int taken = 0;

	/* seven a day, asked every second for ten days */
	cr_assert_eq(bucket_init(&b, 7, MTIME_DAY, 1, 0), OK);
	for (int64_t t = 0; t < 10 * MTIME_DAY; t += 1000)
		taken += bucket_take(&b, 1, t);
	/* the level that is lost while full is at most one question's */
	cr_expect(taken >= 69 && taken <= 71, "%d", taken);
}

Test(bucket, the_wait_is_exactly_enough)
{
	struct rng r;

	rng_init(&r, 6);
	for (int i = 0; i < 20000; i++) {
		uint32_t burst = (uint32_t)rng_between(&r, 1, 50);
		uint32_t n = (uint32_t)rng_between(&r, 1, burst);
		int64_t now = rng_between(&r, 0, 1000000), wait;
		struct bucket b;

		cr_assert_eq(bucket_init(&b,
		    (uint32_t)rng_between(&r, 1, 5000),
		    (uint32_t)rng_between(&r, 1, 100000), burst, now), OK);
		(void)bucket_take(&b, (uint32_t)rng_below(&r, burst + 1), now);
		now += rng_between(&r, -100, 100);
		wait = bucket_wait_ms(&b, n, now);
		if (wait > 0) {
			struct bucket copy = b;

			cr_assert_not(bucket_take(&copy, n, now + wait - 1));
		}
		cr_assert(bucket_take(&b, n, now + wait));
	}
}

Test(bucket, limits)
{
	struct bucket b = { .count = 99 };

	cr_expect_eq(bucket_init(&b, 0, 1, 1, 0), ERR_RANGE);
	cr_expect_eq(bucket_init(&b, 1, 0, 1, 0), ERR_RANGE);
	cr_expect_eq(bucket_init(&b, 1, 1, 0, 0), ERR_RANGE);
	cr_expect_eq(bucket_init(&b, BUCKET_COUNT_MAX + 1, 1, 1, 0),
	    ERR_RANGE);
	cr_expect_eq(b.count, 99);
	cr_assert_eq(bucket_init(&b, BUCKET_COUNT_MAX, BUCKET_PERIOD_MAX_MS,
	    BUCKET_COUNT_MAX, INT64_MIN), OK);
	cr_expect(bucket_take(&b, BUCKET_COUNT_MAX, INT64_MIN));
	cr_expect(bucket_take(&b, BUCKET_COUNT_MAX, INT64_MAX));
	cr_expect_not(bucket_take(&b, 1, INT64_MIN), "time went back");
	cr_expect_eq(bucket_wait_ms(&b, 1, INT64_MIN), INT64_MAX);
}
