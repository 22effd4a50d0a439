/* Notes of header fields that rules ask. */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/mail/header_notes.h"

static const struct header_names names = {
	.v = { SPAN_LIT("X-Route"), SPAN_LIT("subject"),
	    SPAN_LIT("List-Id") }, .n = 3
};

static struct header_notes h;

/* Reads HEADER in pieces of so many bytes. */
static struct span
notes(struct span header, size_t piece)
{
	header_notes_clear(&h);
	header_notes_init(&h);
	while (header.n > 0) {
		header_notes_feed(&h, &names, span_sub(header, 0, piece));
		header = span_from(header, piece);
	}
	header_notes_end(&h);
	header_notes_end(&h);
	return buf_span(&h.notes);
}

static const struct {
	const char *header;
	const char *notes;
} rows[] = {
	{ "", "" },
	{ "From: a\r\nTo: b\r\n", "" },
	{ "x-rOUTE:bulk\r\n", "x-route: bulk\n" },
	{ "X-Route \t:  a \t b \t\r\n", "x-route: a   b\n" },
	{ "X-Route:\r\n", "x-route: \n" },
	{ "X-Route:\r\n folded\r\n\tvalue\r\nSubject: s\r\n",
	    "x-route: folded value\nsubject: s\n" },
	{ "X-Route: one\r\nX-Route: two\r\n", "x-route: one\n" },
	{ "X-Routes: a\r\nX-Rout: b\r\nX Route: c\r\n", "" },
	{ "Subject: x\r\n X-Route: no field\r\n",
	    "subject: x X-Route: no field\n" },
	{ "Other: x\r\n Subject: y\r\nSubject: z", "subject: z\n" },
	{ "subject: a: b\nlist-id: <l.example>\n",
	    "subject: a: b\nlist-id: <l.example>\n" },
	{ "Subject: \x01 \xc3\xa9 x\x7f.\r\n", "subject: \xc3\xa9 x .\n" },
	{ ": x\r\n \r\nSubject: y\r\n", "subject: y\n" },
};

Test(header_notes, of_fields_that_are_wanted)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span s = span_str(rows[i].header);

		for (size_t piece = 1; piece <= s.n + 1; piece++)
			cr_expect(span_equal(notes(s, piece),
			    span_str(rows[i].notes)),
			    "row %zu in pieces of %zu: %.*s", i, piece,
			    (int)h.notes.n, (const char *)h.notes.p);
	}
	header_notes_clear(&h);
}

/* A long value is cut, blanks before it take nothing of it. */
Test(header_notes, have_an_end)
{
	struct buf b;
	struct span rest, name, value;

	buf_init(&b, 1 << 20);
	buf_add_str(&b, "X-Route:");
	for (int i = 0; i < 300; i++)
		buf_add_byte(&b, ' ');
	for (int i = 0; i < 100000; i++)
		buf_add_byte(&b, 'v');
	buf_add_str(&b, "\r\nSubject: s\r\n");
	for (int i = 0; i < 1000; i++)
		buf_add_byte(&b, 'n');
	buf_add_str(&b, ": x\r\n");
	rest = notes(buf_span(&b), 4096);
	cr_assert(header_notes_next(&rest, &name, &value));
	cr_expect(span_equal(name, SPAN_LIT("x-route")));
	cr_expect_eq(value.n, HEADER_NOTES_VALUE_MAX);
	cr_assert(header_notes_next(&rest, &name, &value));
	cr_expect(span_equal(name, SPAN_LIT("subject")));
	cr_expect(span_equal(value, SPAN_LIT("s")));
	cr_expect_not(header_notes_next(&rest, &name, &value));
	buf_clear(&b);
	header_notes_clear(&h);
}

/* A reload may change what is wanted while a header comes. */
Test(header_notes, are_few_whatever_is_wanted)
{
	struct header_names other = { .n = HEADER_NOTES_NAMES };
	char text[HEADER_NOTES_NAMES][3] = { "" };
	struct buf b;

	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < HEADER_NOTES_NAMES; i++) {
		text[i][0] = 'n';
		text[i][1] = (char)('a' + i);
		other.v[i] = span_str(text[i]);
		buf_addf(&b, "%s: ", text[i]);
		for (int n = 0; n < 1000; n++)
			buf_add_byte(&b, 'v');
		buf_add_str(&b, "\r\n");
	}
	header_notes_init(&h);
	header_notes_feed(&h, &names,
	    SPAN_LIT("Subject: s\r\nX-Route: r\r\nList-Id: l\r\n"));
	header_notes_feed(&h, &other, buf_span(&b));
	header_notes_end(&h);
	cr_expect_not(buf_failed(&h.notes));
	cr_expect_eq(h.count, HEADER_NOTES_NAMES);
	cr_expect_leq(h.notes.n, HEADER_NOTES_MAX);
	header_notes_clear(&h);
	buf_clear(&b);
}

Test(header_notes, damaged_ones_are_read_no_further)
{
	struct span name, value, rest = SPAN_LIT("a: b\nc\nd: e\n");

	cr_assert(header_notes_next(&rest, &name, &value));
	cr_expect_not(header_notes_next(&rest, &name, &value));
	rest = SPAN_LIT("a: b");
	cr_expect_not(header_notes_next(&rest, &name, &value));
	rest = SPAN_LIT(":\n");
	cr_expect(header_notes_next(&rest, &name, &value));
	cr_expect_eq(name.n + value.n, 0);
}

/* Any octets, cut anywhere: bounded, and readable. */
Test(header_notes, of_noise)
{
	static const char letters[] = "sSuUbBjJeEcCtT:: \t\r\n\n\x01\xff";
	struct rng dice;

	rng_init(&dice, 7);
	for (int n = 0; n < 2000; n++) {
		uint8_t noise[300];
		struct span rest, name, value;

		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (uint8_t)letters[rng_below(&dice,
			    sizeof(letters) - 1)];
		rest = notes(span_of(noise, sizeof(noise)),
		    1 + (size_t)rng_below(&dice, 40));
		cr_assert_leq(rest.n, HEADER_NOTES_MAX);
		while (header_notes_next(&rest, &name, &value))
			cr_assert_eq(span_find(value, '\r'), value.n);
		cr_assert_eq(rest.n, 0);
	}
	header_notes_clear(&h);
}
