/*
 * The copy goes back as it came as far as mail allows.  Both writers walk it
 * once, octet by octet or run by run, and write at most a bounded multiple of
 * what they read, so the size of a report is known from the size of the head
 * that it returns.
 */
#include "common/mail/report_copy.h"

#include "common/mail/header.h"

#define LINE_MAX_OCTETS 998
#define QUOTED_COLUMNS 75		/* and the = of a soft line break */

/* S up to its last line end; nothing when it has none. */
static struct span
whole_lines(struct span s)
{
	while (s.n > 0 && s.p[s.n - 1] != '\n')
		s.n--;
	return s;
}

/* text/rfc822-headers holds header fields only, RFC 6522 4. */
static struct span
without_empty_line(struct span header)
{
	if (header.n >= 2 && header.p[header.n - 1] == '\n' &&
	    header.p[header.n - 2] == '\r' &&
	    (header.n == 2 || header.p[header.n - 3] == '\n'))
		header.n -= 2;
	return header;
}

struct span
report_copy_choose(struct span message, bool is_cut, bool is_header_only)
{
	size_t header = header_length(message);

	if (is_cut)
		message = whole_lines(message);
	if (is_header_only)
		return without_empty_line(span_sub(message, 0, header));
	return message;
}

/*
 * A run of octets without CR, LF and NUL, broken where it is too long.  COLUMN
 * is where the line stands; returns where it stands behind the run.  In the
 * header a break is a fold, or what follows would begin a field.
 */
static size_t
add_run(struct span run, size_t column, bool is_header, struct buf *out)
{
	while (column + run.n > LINE_MAX_OCTETS) {
		size_t n = LINE_MAX_OCTETS - column;

		buf_add_span(out, span_sub(run, 0, n));
		buf_add_str(out, is_header ? "\r\n " : "\r\n");
		run = span_from(run, n);
		column = is_header;
	}
	buf_add_span(out, run);
	return column + run.n;
}

/* The copy may be a header without its empty line: then all of it is
 * header. */
void
report_copy_add(struct span s, struct buf *out)
{
	size_t header = header_length(s);
	size_t column = 0;
	size_t i = 0;

	/* run by run: what stands between two line ends or NULs */
	while (i < s.n) {
		size_t from = i;

		while (i < s.n && s.p[i] != '\r' && s.p[i] != '\n' &&
		    s.p[i] != '\0')
			i++;
		column = add_run(span_sub(s, from, i - from), column,
		    from < header, out);
		if (i == s.n)
			break;
		if (s.p[i] == '\0') {
			column = add_run(SPAN_LIT("?"), column, i < header,
			    out);
			i++;
			continue;
		}
		/* CRLF is one line end, a CR or LF alone becomes one */
		i += s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n' ?
		    2 : 1;
		buf_add_str(out, "\r\n");
		column = 0;
	}
	if (column > 0)
		buf_add_str(out, "\r\n");
}

/* Must it be written as =XX?  `=` and all that isn't printable; blanks and
 * tabs where a line ends, which RFC 2045 6.7 (3) forbids. */
static bool
is_quotable(struct span s, size_t i)
{
	uint8_t c = s.p[i];
	bool is_last = i + 1 == s.n || s.p[i + 1] == '\r' ||
	    s.p[i + 1] == '\n';

	if (c == ' ' || c == '\t')
		return is_last;
	return c == '=' || c < 33 || c > 126;
}

/* Line ends stay line ends.  A soft break comes before an octet that wouldn't
 * leave room for the `=` of the next one. */
void
report_copy_add_quoted(struct span s, struct buf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < s.n; i++) {
		bool is_quoted = is_quotable(s, i);

		if (s.p[i] == '\r' || s.p[i] == '\n') {
			if (s.p[i] == '\r' && i + 1 < s.n &&
			    s.p[i + 1] == '\n')
				i++;
			buf_add_str(out, "\r\n");
			column = 0;
			continue;
		}
		if (column + (is_quoted ? 3 : 1) > QUOTED_COLUMNS) {
			buf_add_str(out, "=\r\n");
			column = 0;
		}
		if (is_quoted)
			buf_addf(out, "=%02X", s.p[i]);
		else
			buf_add_byte(out, s.p[i]);
		column += is_quoted ? 3 : 1;
	}
	if (column > 0)
		buf_add_str(out, "\r\n");
}
