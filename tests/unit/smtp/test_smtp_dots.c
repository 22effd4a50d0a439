#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/smtp/smtp_dots_in.h"
#include "common/smtp/smtp_dots_out.h"

#include <stdlib.h>

/* Feeds STEP octets at a time; gives how many were taken. */
static size_t
undot(struct smtp_dots_in *d, struct span wire, size_t step,
    bool is_normalising, struct buf *out)
{
	size_t at = 0;

	smtp_dots_in_init(d, is_normalising);
	buf_reset(out);
	while (at < wire.n && !d->is_end)
		at += smtp_dots_in_feed(d, span_sub(wire, at, step), out);
	return at;
}

static void
dot(struct span content, size_t step, struct buf *out)
{
	struct smtp_dots_out d;

	smtp_dots_out_init(&d);
	buf_reset(out);
	for (size_t at = 0; at < content.n; at += step)
		smtp_dots_out_feed(&d, span_sub(content, at, step), out);
	smtp_dots_out_end(&d, out);
}

/* What a stream means, octet by octet and in the plainest words: the judge of
 * the fast code. */
struct plain {
	uint8_t out[8192];
	size_t n;
	bool is_end, has_bare_cr, has_bare_lf;
};

static size_t
judge(struct span s, bool is_normalising, struct plain *p)
{
	bool at_start = true;
	size_t i = 0;

	*p = (struct plain){ .n = 0 };
	while (i < s.n) {
		bool has_next = i + 1 < s.n;

		if (at_start && s.p[i] == '.') {
			if (i + 2 < s.n && s.p[i + 1] == '\r' &&
			    s.p[i + 2] == '\n') {
				p->is_end = true;
				return i + 3;
			}
			/* the two octets of an unfinished end stay open */
			if (!has_next || (s.p[i + 1] == '\r' &&
			    i + 2 == s.n))
				return s.n;
			at_start = false;
			i++;
			continue;
		}
		at_start = false;
		if (s.p[i] == '\r' && has_next && s.p[i + 1] == '\n') {
			p->out[p->n++] = '\r';
			p->out[p->n++] = '\n';
			at_start = true;
			i += 2;
			continue;
		}
		if (s.p[i] == '\n') {
			p->has_bare_lf = true;
			if (is_normalising)
				p->out[p->n++] = '\r';
		}
		p->out[p->n++] = s.p[i];
		if (s.p[i] == '\r' && has_next) {
			p->has_bare_cr = true;
			if (is_normalising)
				p->out[p->n++] = '\n';
		}
		i++;
	}
	return s.n;
}

static void
compare(struct span wire, size_t step, bool is_normalising, struct buf *out)
{
	static struct plain want;
	struct smtp_dots_in d;
	size_t taken = judge(wire, is_normalising, &want);

	cr_assert_eq(undot(&d, wire, step, is_normalising, out), taken);
	cr_assert(span_equal(buf_span(out), span_of(want.out, want.n)));
	cr_assert_eq(d.is_end, want.is_end);
	cr_assert_eq(d.has_bare_cr, want.has_bare_cr);
	cr_assert_eq(d.has_bare_lf, want.has_bare_lf);
	cr_assert_eq(d.bytes, want.n);
}

/* S5321-03, S5321-04, T01: none of these ends the message, however it is cut
 * into pieces; only the last CRLF.CRLF does. */
Test(smtp_dots, nothing_else_ends_a_message)
{
	static const struct span ends[] = {
		SPAN_LIT("\n.\n"), SPAN_LIT("\n.\r"), SPAN_LIT("\r.\n"),
		SPAN_LIT("\r.\r"), SPAN_LIT("\n.\r\n"), SPAN_LIT("\r.\r\n"),
		SPAN_LIT("\r\n.\n"), SPAN_LIT("\r\n.\r"),
		SPAN_LIT("\r\n.\r\r\n"), SPAN_LIT("\r\r\n.\r\r\n"),
		SPAN_LIT("\r\n\0.\r\n"), SPAN_LIT("\r\n.\0\r\n"),
		SPAN_LIT("\r\n .\r\n"), SPAN_LIT("\r\n. \r\n"),
		SPAN_LIT("\r\n..\r\n"), SPAN_LIT("\n\r.\r\n"),
	};
	static const char *const pads[] = { "", "x", "0123456789012345678901"
	    "2345678901234567890123456789012345678901234567890" };
	struct buf wire, out;

	buf_init(&wire, 4096);
	buf_init(&out, 8192);
	for (size_t i = 0; i < COUNT_OF(ends) * COUNT_OF(pads) * 2; i++) {
		bool is_normalising = i % 2 != 0;
		struct span end = ends[i / 2 % COUNT_OF(ends)];

		buf_reset(&wire);
		buf_add_str(&wire, "A: b\r\n\r\n");
		buf_add_str(&wire, pads[i / 2 / COUNT_OF(ends)]);
		buf_add_span(&wire, end);
		buf_add_str(&wire, "MAIL FROM:<smuggled@x>\r\n.\r\nNOOP\r\n");
		for (size_t step = 1; step <= wire.n; step++) {
			struct smtp_dots_in d;
			size_t taken = undot(&d, buf_span(&wire), step,
			    is_normalising, &out);

			cr_expect(d.is_end);
			cr_expect_eq(wire.n - taken, 6, "end %zu", i);
			compare(buf_span(&wire), step, is_normalising, &out);
		}
	}
	buf_clear(&wire);
	buf_clear(&out);
}

Test(smtp_dots, table)
{
	static const struct {
		const char *wire, *content;
	} rows[] = {
		{ ".\r\n", "" },			/* PIPE-06 */
		{ "x\r\n.\r\n", "x\r\n" },		/* S5321-05 */
		{ "..a\r\n.\r\n", ".a\r\n" },		/* S5321-06 */
		{ "...\r\n.\r\n", "..\r\n" },
		{ ".a\r\n.\r\n", "a\r\n" },
		{ "a.\r\n..\r\n.\r\n", "a.\r\n.\r\n" },
		{ "\r\n\r\n.\r\n", "\r\n\r\n" },
	};
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span wire = span_str(rows[i].wire);

		for (size_t step = 1; step <= wire.n; step++) {
			struct smtp_dots_in d;

			cr_expect_eq(undot(&d, wire, step, false, &out),
			    wire.n);
			cr_expect(d.is_end);
			cr_expect(span_equal(buf_span(&out),
			    span_str(rows[i].content)), "row %zu", i);
			cr_expect_eq(d.bytes, out.n);	/* SIZE-04 */
		}
	}
	buf_clear(&out);
}

Test(smtp_dots, normalising)
{
	static const struct {
		const char *wire, *content;
	} rows[] = {
		{ "a\nb\r\n.\r\n", "a\r\nb\r\n" },
		{ "a\rb\r\n.\r\n", "a\r\nb\r\n" },
		{ "a\r\r\n.\r\n", "a\r\n\r\n" },
		{ "a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n" },
		{ ".\n.\r\n.\r\n", "\r\n.\r\n" },
		{ ".\r.\r\n.\r\n", "\r\n.\r\n" },
	};
	struct buf out, again;

	buf_init(&out, 4096);
	buf_init(&again, 4096);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span wire = span_str(rows[i].wire);

		for (size_t step = 1; step <= wire.n; step++) {
			struct smtp_dots_in d;
			struct smtp_dots_out o;

			undot(&d, wire, step, true, &out);
			cr_expect(d.is_end);
			cr_expect(span_equal(buf_span(&out),
			    span_str(rows[i].content)), "row %zu: %.*s", i,
			    (int)out.n, out.p);
			cr_expect(d.has_dots);
			/* T02: what was let in so is clean on its way out */
			smtp_dots_out_init(&o);
			buf_reset(&again);
			smtp_dots_out_feed(&o, buf_span(&out), &again);
			cr_expect_eq(o.repaired, 0);
		}
	}
	buf_clear(&out);
	buf_clear(&again);
}

Test(smtp_dots, what_is_told)
{
	struct smtp_dots_in d;
	struct buf out;

	buf_init(&out, 4096);
	undot(&d, SPAN_LIT("a\r\n123\r\n\r\n12\r\n.\r\n"), 99, false, &out);
	cr_expect_eq(d.lines, 4);
	cr_expect_eq(d.longest_line, 3);
	cr_expect(!d.has_8bit && !d.has_nul && !d.has_dots);
	undot(&d, SPAN_LIT("\x80\r\n.\r\n"), 99, false, &out);
	cr_expect(d.has_8bit && !d.has_nul);
	undot(&d, SPAN_LIT("a\0b\r\n..\r\n.\r\n"), 99, false, &out);
	cr_expect(!d.has_8bit && d.has_nul && d.has_dots);
	cr_expect_eq(out.n, 8);			/* S5321-79 */
	/* a line that never ends is told of while it grows */
	undot(&d, SPAN_LIT("abc\r\n123456"), 99, false, &out);
	cr_expect_eq(d.longest_line, 6);
	buf_clear(&out);
}

/* The same facts at each offset of the 64-octet blocks. */
Test(smtp_dots, facts_at_every_offset)
{
	struct buf out;

	buf_init(&out, 4096);
	for (size_t at = 0; at < 300; at++) {
		uint8_t wire[400];
		struct smtp_dots_in d;

		memset(wire, 'a', sizeof(wire));
		memcpy(wire + sizeof(wire) - 5, "\r\n.\r\n", 5);
		wire[at] = 0xe4;
		undot(&d, span_of(wire, sizeof(wire)), 400, false, &out);
		cr_expect(d.has_8bit && !d.has_nul);
		cr_expect_eq(d.longest_line, 395);
		wire[at] = 0;
		undot(&d, span_of(wire, sizeof(wire)), 400, false, &out);
		cr_expect(!d.has_8bit && d.has_nul);
		wire[at] = '\n';
		undot(&d, span_of(wire, sizeof(wire)), 400, false, &out);
		cr_expect(d.has_bare_lf && !d.has_bare_cr);
		wire[at] = '\r';
		undot(&d, span_of(wire, sizeof(wire)), 400, false, &out);
		cr_expect(!d.has_bare_lf && d.has_bare_cr);
	}
	buf_clear(&out);
}

Test(smtp_dots, discarding)
{
	struct span wire = SPAN_LIT("..a\r\nb\r\n.\r\nQUIT\r\n");
	struct smtp_dots_in d;

	smtp_dots_in_init(&d, false);
	cr_expect_eq(smtp_dots_in_feed(&d, wire, NULL), 11);
	cr_expect(d.is_end);
	cr_expect_eq(d.bytes, 7);
}

Test(smtp_dots, no_memory)
{
	struct span wire = SPAN_LIT("..a\r\nb\r\n.\r\nQUIT\r\n");
	struct smtp_dots_in d;
	struct buf out;

	buf_init(&out, 4);
	smtp_dots_in_init(&d, false);
	cr_expect_eq(smtp_dots_in_feed(&d, wire, &out), 11);
	cr_expect(d.is_end && buf_failed(&out));
	buf_clear(&out);
}

/* Content in chunks, octet by octet: CRLF is a line's end, and what else looks
 * like one is told, or made one. */
static void
judge_chunks(struct span s, bool is_normalising, struct plain *p)
{
	*p = (struct plain){ .n = 0 };
	for (size_t i = 0; i < s.n; i++) {
		bool is_cr = s.p[i] == '\r', is_lf = s.p[i] == '\n';
		bool is_pair = is_cr && i + 1 < s.n && s.p[i + 1] == '\n';

		p->has_bare_cr |= is_cr && !is_pair;
		p->has_bare_lf |= is_lf;
		if (is_pair || ((is_cr || is_lf) && is_normalising)) {
			p->out[p->n++] = '\r';
			p->out[p->n++] = '\n';
			i += is_pair;
		} else {
			p->out[p->n++] = s.p[i];
		}
	}
	if (p->n > 0 && (p->n < 2 || p->out[p->n - 2] != '\r' ||
	    p->out[p->n - 1] != '\n')) {
		p->out[p->n++] = '\r';
		p->out[p->n++] = '\n';
	}
}

/* BDAT-07 T03: cut anywhere they are the same, and no dot means anything. */
Test(smtp_dots, content_in_chunks)
{
	static const char letters[] = "\r\n.x\x80";
	static struct plain want;
	uint8_t text[200];
	struct rng rng;
	struct buf out;

	rng_init(&rng, 3030);
	buf_init(&out, 1 << 20);
	for (int round = 0; round < 20000; round++) {
		struct span in = span_of(text, rng_below(&rng, sizeof(text)));
		bool is_normalising = round % 2 == 0;
		size_t step = 1 + rng_below(&rng, 80);
		struct smtp_dots_in d;

		for (size_t i = 0; i < in.n; i++)
			text[i] = rng_below(&rng, 4) == 0 ? (uint8_t)
			    letters[rng_below(&rng, sizeof(letters) - 1)] : 'a';
		judge_chunks(in, is_normalising, &want);
		buf_reset(&out);
		smtp_dots_in_init_chunks(&d, is_normalising);
		for (size_t at = 0; at < in.n; at += step)
			cr_assert_gt(smtp_dots_in_feed(&d,
			    span_sub(in, at, step), &out), 0);
		smtp_dots_in_end_chunks(&d, &out);
		cr_assert_not(d.is_end);
		cr_assert_eq(d.has_bare_cr, want.has_bare_cr);
		cr_assert_eq(d.has_bare_lf, want.has_bare_lf);
		cr_assert_eq(d.bytes, out.n);
		cr_assert(span_equal(buf_span(&out),
		    span_of(want.out, want.n)), "round %d", round);
	}
	buf_clear(&out);
}

/* C5321-16 */
Test(smtp_dots, closing)
{
	static const struct {
		const char *content, *wire;
	} rows[] = {
		{ "", ".\r\n" },
		{ "a\r\n", "a\r\n.\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ "a\r", "a\r\n.\r\n" },
		{ ".", "..\r\n.\r\n" },
		{ ".\r\n", "..\r\n.\r\n" },
		{ "a\r\n.", "a\r\n..\r\n.\r\n" },
		{ "a\r\n\r\n", "a\r\n\r\n.\r\n" },
		/* C5321-14: no bare CR or LF gets out */
		{ "a\nb\r\n", "a\r\nb\r\n.\r\n" },
		{ "a\rb\r\n", "a\r\nb\r\n.\r\n" },
		{ "a\n.\nb\r\n", "a\r\n..\r\nb\r\n.\r\n" },
		{ "a\r.\r\n", "a\r\n..\r\n.\r\n" },
		{ "\r\r\n", "\r\n\r\n.\r\n" },
	};
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span content = span_str(rows[i].content);

		for (size_t step = 1; step <= content.n + 1; step++) {
			dot(content, step, &out);
			cr_expect(span_equal(buf_span(&out),
			    span_str(rows[i].wire)), "row %zu: %.*s", i,
			    (int)out.n, out.p);
		}
	}
	buf_clear(&out);
}

/* C5321-15: a dot at each offset, with the pieces cut around it. */
Test(smtp_dots, dot_at_every_offset)
{
	struct buf wire, back;
	uint8_t content[600];

	buf_init(&wire, 4096);
	buf_init(&back, 4096);
	for (size_t at = 2; at < sizeof(content) - 2; at++) {
		memset(content, 'x', sizeof(content));
		memcpy(content + at - 2, "\r\n.", 3);
		memcpy(content + sizeof(content) - 2, "\r\n", 2);
		for (size_t step = at - 2; step <= at + 2; step++) {
			struct smtp_dots_in d;

			if (step == 0)
				continue;
			dot(span_of(content, sizeof(content)), step, &wire);
			cr_assert_eq(wire.n, sizeof(content) + 1 + 3);
			cr_assert_eq(memcmp(wire.p + at, "..", 2), 0);
			undot(&d, buf_span(&wire), step, false, &back);
			cr_assert(span_equal(buf_span(&back),
			    span_of(content, sizeof(content))));
			cr_assert(d.has_dots);
		}
	}
	buf_clear(&wire);
	buf_clear(&back);
}

/* Random streams of the octets that matter: the fast code agrees with the
 * plain one, and what goes out comes in again. */
Test(smtp_dots, random_streams)
{
	static const char octets[] = "\r\n\r\n\r\n..ab\0\x80";
	struct buf out, back, one;

	buf_init(&out, 1 << 16);
	buf_init(&back, 1 << 16);
	buf_init(&one, 1 << 16);
	srand(11);
	for (int round = 0; round < 4000; round++) {
		uint8_t wire[400];
		size_t n = (size_t)rand() % sizeof(wire) + 1;
		size_t letters = round % 2 != 0 ? 60 : 0;
		struct smtp_dots_in d;

		for (size_t i = 0; i < n; i++) {
			size_t r = (size_t)rand() % (12 + letters);

			wire[i] = (uint8_t)(r < 12 ? octets[r] : 'c');
			if (r < 6 && i + 1 < n && r % 2 == 0)
				wire[++i] = '\n';
		}
		compare(span_of(wire, n), n, false, &out);
		compare(span_of(wire, n), 1, false, &out);
		compare(span_of(wire, n), 1 + (size_t)rand() % 130, true,
		    &out);
		dot(span_of(wire, n), n, &out);
		dot(span_of(wire, n), 1 + (size_t)rand() % 130, &one);
		cr_assert(span_equal(buf_span(&out), buf_span(&one)));
		undot(&d, buf_span(&out), 77, false, &back);
		cr_assert(d.is_end && !d.has_bare_cr && !d.has_bare_lf);
	}
	buf_clear(&out);
	buf_clear(&back);
	buf_clear(&one);
}
