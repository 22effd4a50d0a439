#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/mail/header.h"

#include <stdlib.h>
#include <time.h>

static const struct {
	const char *text;
	uint32_t received;
	size_t length;		/* 0: all of it, without an end */
} rows[] = {
	{ "", 0, 0 },
	{ "\r\n", 0, 2 },
	{ "\r\nbody\r\n\r\n", 0, 2 },
	{ "A: b\r\n\r\nReceived: x\r\n", 0, 8 },
	{ "Received: a\r\nReceived: b\r\n\r\n", 2, 28 },
	{ "rEcEiVeD: a\r\n\r\n", 1, 15 },
	{ "Received : a\r\n\r\n", 1, 16 },	/* MSG-05: obsolete blanks */
	{ "Received\t : a\r\n\r\n", 1, 17 },
	{ "Received a: b\r\n\r\n", 0, 17 },
	{ "Receive: a\r\n\r\n", 0, 14 },
	{ "Receivedx: a\r\n\r\n", 0, 16 },
	{ "X-Received: a\r\n\r\n", 0, 17 },
	{ " Received: a\r\n\r\n", 0, 16 },	/* the fold of nothing */
	{ "Subject: a\r\n Received: b\r\n\r\n", 0, 28 },
	{ "Subject: a\r\nReceived: b", 1, 0 },
	{ "Received", 0, 0 },
	{ "Received:", 1, 0 },
	{ "Received\r\nReceived: a\r\n\r\n", 1, 25 },
	{ "A: b\n\nReceived: x\n", 0, 6 },
	{ "A: b\r\n\rReceived: x\r\n\r\n", 0, 22 },
};

static void
check_row(size_t i, size_t step)
{
	struct span s = span_str(rows[i].text);
	size_t want = rows[i].length != 0 ? rows[i].length : s.n;
	struct header_scan h;
	size_t taken = 0;

	header_scan_init(&h);
	for (size_t at = 0; at < s.n; at += step)
		taken += header_scan_feed(&h, span_sub(s, at, step));
	cr_expect_eq(h.received, rows[i].received, "row %zu", i);
	cr_expect_eq(taken, want, "row %zu: %zu", i, taken);
	cr_expect_eq(h.bytes, want, "row %zu", i);
	cr_expect_eq(h.is_done, rows[i].length != 0, "row %zu", i);
	cr_expect_eq(header_length(s), want, "row %zu", i);
}

Test(header, scan_whole_and_in_pieces)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (size_t step = 1; step <= 64; step++)
			check_row(i, step);
	}
}

Test(header, scan_sees_octets_of_the_header_only)
{
	struct header_scan h;

	header_scan_init(&h);
	header_scan_feed(&h, SPAN_LIT("A: \xc3\xa4\r\n\r\n"));
	cr_expect(h.has_8bit && !h.has_nul);
	header_scan_init(&h);
	header_scan_feed(&h, SPAN_LIT("A: b\r\n\r\n\xc3\0"));
	cr_expect(!h.has_8bit && !h.has_nul);
	header_scan_init(&h);
	header_scan_feed(&h, SPAN_LIT("A: \0\r\n"));
	cr_expect(!h.has_8bit && h.has_nul);
}

Test(header, fields)
{
	struct span rest = SPAN_LIT("From: a\r\nno field at all\r\n"
	    "Subject : b\r\n  c\r\n\td\r\n: empty name\r\nX\xc3: e\r\nLast:f");
	static const char *const want[][2] = {
		{ "From", " a" }, { "Subject", " b\r\n  c\r\n\td" },
		{ "Last", "f" },
	};
	struct header_field f;
	size_t n = 0;

	while (header_next(&rest, &f)) {
		cr_assert_lt(n, COUNT_OF(want));
		cr_expect(span_equal(f.name, span_str(want[n][0])));
		cr_expect(span_equal(f.body, span_str(want[n][1])));
		n++;
	}
	cr_expect_eq(n, COUNT_OF(want));
}

Test(header, find)
{
	struct span s = SPAN_LIT("A: 1\r\nMessage-ID: <x@y>\r\nA: 2\r\n\r\n");
	struct header_field f;

	cr_assert(header_find(s, SPAN_LIT("message-id"), &f));
	cr_expect(span_equal(f.whole, SPAN_LIT("Message-ID: <x@y>\r\n")));
	cr_assert(header_find(s, SPAN_LIT("a"), &f));
	cr_expect(span_equal(f.body, SPAN_LIT(" 1")));
	cr_expect_not(header_find(s, SPAN_LIT("B"), &f));
}

static double
scan_seconds(struct span s)
{
	struct timespec a, b;
	struct header_scan h;
	struct header_field f;
	struct span rest = s;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (int i = 0; i < 5; i++) {
		header_scan_init(&h);
		header_scan_feed(&h, s);
		while (header_next(&rest, &f))
			continue;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	return (double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* T21: twice as much header takes no more than about twice as long. */
Test(header, linear_time)
{
	static const char *const units[] = { "R:\r\n", " x\r\n", "Received: " };
	const size_t bytes = 4 << 20;
	uint8_t *p = malloc(bytes);

	cr_assert_not_null(p);
	for (size_t u = 0; u < COUNT_OF(units); u++) {
		size_t n = strlen(units[u]);
		double half, whole;

		for (size_t i = 0; i < bytes; i++)
			p[i] = (uint8_t)units[u][i % n];
		half = scan_seconds(span_of(p, bytes / 2));
		whole = scan_seconds(span_of(p, bytes));
		cr_expect_lt(whole, 4 * half + 0.05, "unit %zu: %f %f", u,
		    half, whole);
	}
	free(p);
}
