#include <criterion/criterion.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/smtp/smtp_lines.h"

#include <stdlib.h>

#define MAX 16

/* Events of a stream as text: `line|`, `BARE|`, `LONG|`; input arrives STEP
 * octets at a time in a buffer as the caller of smtp_lines keeps it. */
static void
run(struct span all, size_t step, size_t max, struct buf *out)
{
	struct smtp_lines l;
	struct buf pending;

	smtp_lines_init(&l, max);
	buf_init(&pending, 1 << 20);
	buf_reset(out);
	for (size_t at = 0; at < all.n; at += step) {
		enum smtp_lines_event event;
		size_t used = 0;

		buf_add_span(&pending, span_sub(all, at, step));
		do {
			struct span line = SPAN_NONE;

			event = smtp_lines_next(&l,
			    span_from(buf_span(&pending), used), &used, &line);
			if (event == SMTP_LINES_LINE)
				buf_add_span(out, line);
			if (event == SMTP_LINES_BARE)
				buf_add_str(out, "BARE");
			if (event == SMTP_LINES_LONG)
				buf_add_str(out, "LONG");
			if (event != SMTP_LINES_NONE)
				buf_add_byte(out, '|');
		} while (event != SMTP_LINES_NONE);
		buf_drop(&pending, used);
		cr_assert_leq(pending.n, max);
	}
	buf_clear(&pending);
}

static const struct {
	const char *in, *want;
} rows[] = {
	{ "NOOP\r\n", "NOOP|" },
	{ "\r\n", "|" },
	{ "A\r\nB\r\nC", "A|B|" },
	{ "NOOP\n", "BARE|" },			/* S5321-01, T04 */
	{ "NOOP\r", "" },			/* S5321-02 */
	{ "NOOP\rX\r\nQUIT\r\n", "BARE|QUIT|" },
	{ "NOOP\nQUIT\r\nRSET\r\n", "BARE|RSET|" },
	{ "NOOP\n\n\n\r\nRSET\r\n", "BARE|RSET|" },
	{ "NOOP\r\r\nRSET\r\n", "BARE|RSET|" },
	{ "NOOP\n\r\nRSET\r\n", "BARE|RSET|" },
	{ "\nRSET\r\n\r\n", "BARE||" },
	{ "A\rB\rC\nD\r\nRSET\r\n", "BARE|RSET|" },
	{ "12345678901234\r\nB\r\n", "12345678901234|B|" },
	{ "123456789012345\r\nB\r\n", "LONG|B|" },
	{ "1234567890123456\r\nB\r\n", "LONG|B|" },
	{ "12345678901234567890\r\r\nB\r\n", "LONG|B|" },
	{ "1234567890123456789\n0\r\nB\r\n", "LONG|B|" },
	{ "123456789012345\r", "LONG|" },
	{ "123456789012345\rX\r\nB\r\n", "LONG|B|" },
};

Test(smtp_lines, table_in_all_pieces)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span in = span_str(rows[i].in);

		for (size_t step = 1; step <= in.n; step++) {
			run(in, step, MAX, &out);
			cr_expect(span_equal(buf_span(&out),
			    span_str(rows[i].want)), "row %zu step %zu: %.*s",
			    i, step, (int)out.n, out.p);
		}
	}
	buf_clear(&out);
}

/* NUL and 8-bit octets are part of the line; its reader refuses them. */
Test(smtp_lines, binary_octets)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	run(SPAN_LIT("NO\0OP\r\n\xff\r\n"), 3, MAX, &out);
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("NO\0OP|\xff|")));
	buf_clear(&out);
}

/* S5321-45: one event for 70,000 octets, then in step again; T09: what is
 * thrown away is counted. */
Test(smtp_lines, excess_is_counted)
{
	static uint8_t flood[70000];
	struct smtp_lines l;
	struct span line;
	size_t used = 0;

	memset(flood, 'x', sizeof(flood));
	smtp_lines_init(&l, SMTP_LINES_MAX);
	cr_assert_eq(smtp_lines_next(&l, span_of(flood, sizeof(flood)), &used,
	    &line), SMTP_LINES_LONG);
	cr_expect_eq(used, SMTP_LINES_MAX);
	cr_assert_eq(smtp_lines_next(&l, span_of(flood + used,
	    sizeof(flood) - used), &used, &line), SMTP_LINES_NONE);
	cr_expect_eq(used, sizeof(flood));
	cr_expect_eq(l.excess, sizeof(flood) - SMTP_LINES_MAX);
	cr_expect_leq(l.excess, SMTP_LINES_EXCESS_MAX);
	used = 0;
	cr_assert_eq(smtp_lines_next(&l, SPAN_LIT("\r\nNOOP\r\n"), &used,
	    &line), SMTP_LINES_LINE);
	cr_expect(span_equal(line, SPAN_LIT("NOOP")));
	cr_expect_eq(used, 8);
	cr_expect_eq(l.excess, 0);
}

/* Lines that arrive octet by octet are not scanned again from the start. */
Test(smtp_lines, no_copy_and_no_second_scan)
{
	struct smtp_lines l;
	struct span in = SPAN_LIT("MAIL FROM:<a@b>\r\nRCPT");
	struct span line;
	size_t used = 0;

	smtp_lines_init(&l, 512);
	cr_assert_eq(smtp_lines_next(&l, span_sub(in, 0, 10), &used, &line),
	    SMTP_LINES_NONE);
	cr_expect_eq(used, 0);
	cr_expect_eq(l.scanned, 10);
	cr_assert_eq(smtp_lines_next(&l, in, &used, &line), SMTP_LINES_LINE);
	cr_expect_eq(line.p, in.p);
	cr_expect_eq(used, 17);
}

/* Random streams: each way of cutting them gives the same events. */
Test(smtp_lines, random_streams)
{
	static const char octets[] = "ab\r\n\r\n .";
	struct buf whole, pieces;

	buf_init(&whole, 1 << 20);
	buf_init(&pieces, 1 << 20);
	srand(7);
	for (int round = 0; round < 2000; round++) {
		uint8_t in[64];
		size_t n = (size_t)rand() % sizeof(in) + 1;

		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)octets[(size_t)rand() % 8];
		run(span_of(in, n), n, MAX, &whole);
		for (size_t step = 1; step < 8; step++) {
			run(span_of(in, n), step, MAX, &pieces);
			cr_assert(span_equal(buf_span(&whole),
			    buf_span(&pieces)), "round %d", round);
		}
	}
	buf_clear(&whole);
	buf_clear(&pieces);
}
