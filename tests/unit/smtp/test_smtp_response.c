#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/smtp/smtp_response.h"

#include <stdlib.h>

/* Feeds STEP octets at a time until the reply is whole or wrong; *USED: how
 * much of IN that took. */
static enum err
read_reply(struct smtp_response *r, struct span in, size_t step, size_t *used)
{
	enum err e = ERR_AGAIN;

	*used = 0;
	smtp_response_reset(r);
	while (e == ERR_AGAIN && *used < in.n) {
		/* a copy of its own, so that ASan sees a read too far */
		struct span piece = span_sub(in, *used, step);
		uint8_t *copy = malloc(piece.n);
		size_t n = 0;

		cr_assert_not_null(copy);
		memcpy(copy, piece.p, piece.n);
		e = smtp_response_feed(r, span_of(copy, piece.n), &n);
		*used += n;
		free(copy);
	}
	return e;
}

static const struct {
	const char *in;
	enum err want;
	unsigned code;
	const char *text;
	const char *rest;	/* what was not taken */
} rows[] = {
	{ "220 hello\r\n", OK, 220, "hello", "" },
	{ "250\r\n", OK, 250, "", "" },			/* C5321-09 */
	{ "250 \r\n", OK, 250, "", "" },
	{ "250-a\r\n250-b\r\n250 c\r\n", OK, 250, "a\nb\nc", "" },
	{ "250-a\r\n250\r\n", OK, 250, "a\n", "" },	/* C5321-10 */
	{ "250-\r\n250 x\r\n", OK, 250, "\nx", "" },
	{ "220 lf\n", OK, 220, "lf", "" },
	{ "599 odd\r\n", OK, 599, "odd", "" },		/* C5321-08 */
	{ "259 odd\r\n", OK, 259, "odd", "" },
	/* PIPE-08, NH-05: what follows belongs to the next reply */
	{ "250 a\r\n550 b\r\n", OK, 250, "a", "550 b\r\n" },
	/* unfinished */
	{ "250 ok", ERR_AGAIN, 0, NULL, "" },
	{ "250 ok\r", ERR_AGAIN, 0, NULL, "" },
	{ "25", ERR_AGAIN, 0, NULL, "" },
	{ "250-a\r\n", ERR_AGAIN, 0, NULL, "" },
	/* NH-03, NH-04, T29 */
	{ "250-a\r\n251 b\r\n", ERR_PEER, 0, NULL, NULL },
	{ "250-a\r\n550 b\r\n", ERR_PEER, 0, NULL, NULL },
	{ "250-a\r\nEHLO\r\n", ERR_PEER, 0, NULL, NULL },
	{ "2\r\n", ERR_PEER, 0, NULL, NULL },
	{ "25\r\n", ERR_PEER, 0, NULL, NULL },
	{ "abc\r\n", ERR_PEER, 0, NULL, NULL },
	{ "\r\n", ERR_PEER, 0, NULL, NULL },
	{ " 250 ok\r\n", ERR_PEER, 0, NULL, NULL },
	{ "2500 ok\r\n", ERR_PEER, 0, NULL, NULL },
	{ "250x ok\r\n", ERR_PEER, 0, NULL, NULL },
	{ "250\rx\r\n", ERR_PEER, 0, NULL, NULL },
	{ "199 ok\r\n", ERR_PEER, 0, NULL, NULL },
	{ "600 ok\r\n", ERR_PEER, 0, NULL, NULL },
	{ "000 ok\r\n", ERR_PEER, 0, NULL, NULL },
	/* controls and 8-bit octets */
	{ "550 a\rb\x07\xc3\xa4\tc\r\r\n", OK, 550, "a?b?" "?" "?" "?c?", "" },
	/* ESC-03: a repeated status is said once */
	{ "550-5.1.1 a\r\n550-5.1.1 b\r\n550 5.1.2 c\r\n", OK, 550,
	    "5.1.1 a\nb\n5.1.2 c", "" },
};

Test(smtp_response, table_in_all_pieces)
{
	struct smtp_response r;

	smtp_response_init(&r);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct span in = span_str(rows[i].in);

		for (size_t step = 1; step <= in.n; step++) {
			size_t used;
			enum err e = read_reply(&r, in, step, &used);

			cr_expect_eq(e, rows[i].want, "row %zu step %zu: %d",
			    i, step, e);
			if (rows[i].rest != NULL)
				cr_expect_eq(in.n - used,
				    strlen(rows[i].rest), "row %zu", i);
			if (e != OK)
				continue;
			cr_expect_eq(r.code, rows[i].code, "row %zu", i);
			cr_expect(span_equal(buf_span(&r.text),
			    span_str(rows[i].text)), "row %zu: %.*s", i,
			    (int)r.text.n, r.text.p);
			cr_expect_not(r.is_cut);
		}
	}
	smtp_response_clear(&r);
}

/* NH-06, and no status is left over from the reply before. */
Test(smtp_response, status)
{
	static const struct {
		const char *in;
		struct status want;
	} replies[] = {
		{ "550 5.7.1 no\r\n", { 5, 7, 1 } },
		{ "550 2.7.1 no\r\n", { 0, 0, 0 } },
		{ "450-4.2.0 a\r\n450 4.2.1 b\r\n", { 4, 2, 0 } },
		{ "550 no\r\n", { 0, 0, 0 } },
		{ "354 5.1.1\r\n", { 0, 0, 0 } },
		{ "250-x\r\n250 2.1.0 y\r\n", { 0, 0, 0 } },
	};
	struct smtp_response r;

	smtp_response_init(&r);
	for (size_t i = 0; i < COUNT_OF(replies); i++) {
		size_t used;

		cr_assert_eq(read_reply(&r, span_str(replies[i].in), 3,
		    &used), OK);
		cr_expect_eq(r.status.class, replies[i].want.class, "%zu", i);
		cr_expect_eq(r.status.subject, replies[i].want.subject);
		cr_expect_eq(r.status.detail, replies[i].want.detail);
	}
	smtp_response_clear(&r);
}

/* NH-01: a line of 1 MiB. */
Test(smtp_response, long_line)
{
	const size_t n = 900000;
	uint8_t *line = malloc(n + 2);
	struct smtp_response r;
	size_t used;

	cr_assert_not_null(line);
	memset(line, 'x', n);
	memcpy(line, "550 ", 4);
	memcpy(line + n, "\r\n", 2);
	smtp_response_init(&r);
	cr_expect_eq(read_reply(&r, span_of(line, n + 2), 4096, &used), OK);
	cr_expect(r.is_cut);
	cr_expect_eq(r.text.n, SMTP_RESPONSE_LINE_MAX);
	free(line);
	smtp_response_clear(&r);
}

Test(smtp_response, endless_line)
{
	uint8_t piece[4096];
	struct smtp_response r;
	enum err e = ERR_AGAIN;
	size_t used = 0, fed = 0;

	memset(piece, 'x', sizeof(piece));
	smtp_response_init(&r);
	cr_assert_eq(smtp_response_feed(&r, SPAN_LIT("220 "), &used),
	    ERR_AGAIN);
	while (e == ERR_AGAIN && fed < 4 << 20) {
		e = smtp_response_feed(&r, span_of(piece, sizeof(piece)),
		    &used);
		fed += sizeof(piece);
	}
	cr_expect_eq(e, ERR_PEER);
	cr_expect_leq(fed, SMTP_RESPONSE_BYTES_MAX + 2 * sizeof(piece));
	cr_expect_leq(r.text.size, SMTP_RESPONSE_TEXT_MAX);
	cr_expect_eq(smtp_response_feed(&r, SPAN_LIT("\r\n220 x\r\n"), &used),
	    ERR_PEER);
	smtp_response_clear(&r);
}

/* NH-02: many lines are cut, too many are an error; memory is bounded. */
Test(smtp_response, many_lines)
{
	static const struct {
		unsigned lines;
		enum err want;
	} cases[] = { { 200, OK }, { 300, OK }, { 9999, OK },
	    { 100000, ERR_PEER } };

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct smtp_response r;
		enum err e = ERR_AGAIN;
		size_t used = 0;

		smtp_response_init(&r);
		for (unsigned n = 1; n < cases[i].lines && e == ERR_AGAIN;
		    n++)
			e = smtp_response_feed(&r, SPAN_LIT("550-x\r\n"),
			    &used);
		if (e == ERR_AGAIN)
			e = smtp_response_feed(&r, SPAN_LIT("550 x\r\n"),
			    &used);
		cr_expect_eq(e, cases[i].want, "%u: %d", cases[i].lines, e);
		cr_expect_eq(r.is_cut, cases[i].lines > 200);
		cr_expect_leq(r.text.n, 400);
		smtp_response_clear(&r);
	}
}

Test(smtp_response, one_line_for_reports)
{
	struct smtp_response r;
	struct buf out;
	size_t used;

	buf_init(&out, 1024);
	smtp_response_init(&r);
	cr_assert_eq(read_reply(&r, SPAN_LIT("550-5.1.1 No\r\n550 5.1.1 such "
	    "user\r\n"), 5, &used), OK);
	smtp_response_line(&r, &out);
	cr_expect(span_equal(buf_span(&out),
	    SPAN_LIT("550 5.1.1 No such user")));
	buf_reset(&out);
	cr_assert_eq(read_reply(&r, SPAN_LIT("250\r\n"), 5, &used), OK);
	smtp_response_line(&r, &out);
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("250")));
	smtp_response_clear(&r);
	buf_clear(&out);
}
