/*
 * A blank is written when what follows it is known: at the end of a line it has
 * to be encoded, as hosts on the way may drop it.  Runs of octets that need
 * nothing are copied at once.
 */
#include "common/mime/mime_encode.h"

#include "common/base/base64.h"
#include "common/base/check.h"

#define CRLF SPAN_LIT("\r\n")

void
mime_encode_init(struct mime_encode *e, bool is_base64)
{
	e->is_base64 = is_base64;
	e->has_cr = e->has_line = false;
	e->blank = e->column = e->n = 0;
}

/* ---- quoted-printable ---- */

/* The last column is kept for the sign that a line goes on. */
static void
make_room(struct mime_encode *e, uint8_t n, struct buf *out)
{
	if (e->column + n > MIME_LINE_OCTETS - 1) {
		buf_add_str(out, "=\r\n");
		e->column = 0;
	}
	e->column = (uint8_t)(e->column + n);
}

static void
put_quoted(struct mime_encode *e, uint8_t c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	const uint8_t code[3] = { '=', (uint8_t)digits[c >> 4],
	    (uint8_t)digits[c & 15] };

	make_room(e, 3, out);
	buf_add(out, code, 3);
}

/* A line that a boundary could look like is none: a hyphen is quoted where it
 * begins one, above all where a long line was broken before it. */
static void
put_literal(struct mime_encode *e, uint8_t c, struct buf *out)
{
	if (c == '-' && (e->column == 0 || e->column == MIME_LINE_OCTETS - 1)) {
		put_quoted(e, c, out);
		return;
	}
	make_room(e, 1, out);
	buf_add_byte(out, c);
}

static bool
is_literal(uint8_t c)
{
	return c > ' ' && c < 127 && c != '=';
}

/* What was held back, in front of an octet that ends no line. */
static void
put_held(struct mime_encode *e, struct buf *out)
{
	if (e->blank != 0)
		put_literal(e, e->blank, out);
	e->blank = 0;
	if (e->has_cr)
		put_quoted(e, '\r', out);
	e->has_cr = false;
}

static void
put_line_end(struct mime_encode *e, struct buf *out)
{
	if (e->blank != 0)
		put_quoted(e, e->blank, out);
	e->blank = 0;
	e->has_cr = false;
	buf_add_span(out, CRLF);
	e->column = 0;
}

static void
feed_octet(struct mime_encode *e, uint8_t c, struct buf *out)
{
	if (c == '\n' && e->has_cr) {
		put_line_end(e, out);
		return;
	}
	if (c == '\r' && !e->has_cr) {
		e->has_cr = true;
		return;
	}
	put_held(e, out);
	if (c == '\r')
		e->has_cr = true;
	else if (c == ' ' || c == '\t')
		e->blank = c;
	else if (is_literal(c))
		put_literal(e, c, out);
	else
		put_quoted(e, c, out);
}

/* As many literals as fit into the line, at once. */
static size_t
feed_run(struct mime_encode *e, struct span in, struct buf *out)
{
	size_t room = (size_t)(MIME_LINE_OCTETS - 1 - e->column), n = 0;

	if (e->has_cr || e->blank != 0 || (e->column == 0 && in.p[0] == '-'))
		return 0;
	while (n < in.n && n < room && is_literal(in.p[n]))
		n++;
	buf_add(out, in.p, n);
	e->column = (uint8_t)(e->column + n);
	return n;
}

static void
feed_quoted(struct mime_encode *e, struct span in, struct buf *out)
{
	while (in.n > 0) {
		size_t n = feed_run(e, in, out);

		if (n == 0) {
			feed_octet(e, in.p[0], out);
			n = 1;
		}
		in = span_from(in, n);
	}
}

/* A blank at the very end stands before a CRLF, whosever it is. */
static void
end_quoted(struct mime_encode *e, bool is_last, struct buf *out)
{
	if (e->blank != 0 && !e->has_cr) {
		put_quoted(e, e->blank, out);
		e->blank = 0;
	}
	put_held(e, out);
	if (is_last && e->column > 0)
		buf_add_str(out, "=\r\n");
}

/* ---- base64 ---- */

static void
put_group(struct mime_encode *e, struct buf *out)
{
	if (e->has_line)
		buf_add_span(out, CRLF);
	base64_encode(out, span_of(e->line, e->n));
	e->has_line = true;
	e->n = 0;
}

static void
feed_base64(struct mime_encode *e, struct span in, struct buf *out)
{
	while (in.n > 0) {
		struct span some = span_sub(in, 0, sizeof(e->line) - e->n);

		memcpy(e->line + e->n, some.p, some.n);
		e->n = (uint8_t)(e->n + some.n);
		if (e->n == sizeof(e->line))
			put_group(e, out);
		in = span_from(in, some.n);
	}
}

static void
end_base64(struct mime_encode *e, bool is_last, struct buf *out)
{
	if (e->n > 0)
		put_group(e, out);
	if (is_last && e->has_line)
		buf_add_span(out, CRLF);
}

uint64_t
mime_encode_base64_bytes(uint64_t n, bool is_last)
{
	const uint64_t line = sizeof(((struct mime_encode *)NULL)->line);
	uint64_t lines = (n + line - 1) / line;

	if (lines == 0)
		return 0;
	return (n + 2) / 3 * 4 + 2 * (lines - !is_last);
}

/* ---- both ---- */

void
mime_encode_feed(struct mime_encode *e, struct span in, struct buf *out)
{
	if (e->is_base64)
		feed_base64(e, in, out);
	else
		feed_quoted(e, in, out);
}

void
mime_encode_end(struct mime_encode *e, bool is_last, struct buf *out)
{
	if (e->is_base64)
		end_base64(e, is_last, out);
	else
		end_quoted(e, is_last, out);
}
