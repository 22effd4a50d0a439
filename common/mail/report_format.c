/*
 * Everything that goes into a report's fields and sentences comes through
 * here, in two steps: clean() makes one line of harmless words out of any
 * octets, add_wrapped() breaks it at blanks.  As the words hold no
 * line end, nothing but our own code can end a field or begin a part.
 */
#include "common/mail/report_format.h"

#include "common/base/text.h"
#include "common/base/utf8.h"
#include "common/mail/mail_date.h"

#define FIELD_MAX	4096	/* octets of a field's value */
/* what RFC 5322 2.1.1 recommends, and some less for reading */
#define FIELD_COLUMNS	76
#define TEXT_COLUMNS	72
#define WORD_MAX	900	/* a longer one is broken: lines end by 998 */

/* Line ends are blanks here: what comes out is one line. */
static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Letters beyond ASCII: none that steers a terminal, parts lines or turns the
 * direction in which an address is read. */
static bool
is_shown(uint32_t c)
{
	return c >= 0xa0 && c != 0xad && !(c >= 0x200b && c <= 0x200f) &&
	    !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x206f) &&
	    c != 0xfeff && !(c >= 0xfff9 && c <= 0xfffb) && c < 0xe0000;
}

/* Takes a character that is no blank off S; its octets, or `?`. */
static struct span
take_shown(struct span *s, bool is_utf8)
{
	struct span from = *s;
	uint32_t code;

	if (is_utf8 && from.p[0] >= 0x80) {
		if (utf8_take(s, &code) && is_shown(code))
			return span_sub(from, 0, from.n - s->n);
		return SPAN_LIT("?");
	}
	*s = span_from(*s, 1);
	return text_is_print(from.p[0]) ? span_sub(from, 0, 1) :
	    SPAN_LIT("?");
}

static void
clean(struct span s, size_t max, bool is_utf8, struct buf *out)
{
	size_t n = 0;		/* octets of words so far */
	bool is_gap = false;	/* a blank is owed, if a word follows */

	while (s.n > 0 && n < max) {
		struct span shown;

		if (is_blank(s.p[0])) {
			is_gap = n > 0;
			s = span_from(s, 1);
			continue;
		}
		if (is_gap) {
			buf_add_byte(out, ' ');
			n++;
		}
		is_gap = false;
		shown = take_shown(&s, is_utf8);
		buf_add_span(out, shown);
		n += shown.n;
	}
}

void
report_format_words(struct span s, size_t max, struct buf *out)
{
	clean(s, max, false, out);
}

void
report_format_address(struct span s, size_t max, struct buf *out)
{
	clean(s, max, true, out);
}

/*
 * Appends cleaned words, breaking lines at blanks in front of COLUMNS.
 * BREAK is what goes between two lines; COLUMN is where the first one stands.
 */
static void
add_wrapped(struct span s, size_t column, size_t columns,
    struct span line_break, struct buf *out)
{
	size_t indent = line_break.n - 2;
	bool is_first = true;

	while (s.n > 0) {
		size_t n = span_find(s, ' ');

		/* blanks are made anew, so no line can be nothing else */
		if (n == 0) {
			s = span_from(s, 1);
			continue;
		}
		if (n > WORD_MAX)
			n = WORD_MAX;
		if (!is_first && column + 1 + n > columns) {
			buf_add_span(out, line_break);
			column = indent;
		} else if (!is_first) {
			buf_add_byte(out, ' ');
			column++;
		}
		buf_add_span(out, span_sub(s, 0, n));
		column += n;
		is_first = false;
		s = span_from(s, n);
	}
}

void
report_format_field(const char *name, struct span value, struct buf *out)
{
	struct buf words;

	buf_init(&words, FIELD_MAX + 64);
	report_format_address(value, FIELD_MAX, &words);
	if (words.n > 0) {
		buf_add_str(out, name);
		buf_add_str(out, ": ");
		add_wrapped(buf_span(&words), strlen(name) + 2, FIELD_COLUMNS,
		    SPAN_LIT("\r\n\t"), out);
		buf_add_str(out, "\r\n");
	}
	/* half a field would be a lie: the whole report fails instead */
	if (buf_failed(&words))
		out->is_failed = true;
	buf_clear(&words);
}

void
report_format_date(const char *name, int64_t at_ms, int zone_min,
    struct buf *out)
{
	char date[MAIL_DATE_SIZE];
	size_t n = mail_date_format(at_ms, zone_min, date);

	report_format_field(name, span_of(date, n), out);
}

static void
add_paragraph(struct span s, unsigned indent, bool is_utf8, struct buf *out)
{
	static const char line_break[] = "\r\n                ";
	struct buf words;

	if (indent > sizeof(line_break) - 3)
		indent = sizeof(line_break) - 3;
	buf_init(&words, FIELD_MAX + 64);
	clean(s, FIELD_MAX, is_utf8, &words);
	buf_add(out, line_break + 2, indent);
	add_wrapped(buf_span(&words), indent, TEXT_COLUMNS,
	    span_of(line_break, indent + 2), out);
	buf_add_str(out, "\r\n");
	if (buf_failed(&words))
		out->is_failed = true;
	buf_clear(&words);
}

void
report_format_wrapped(struct span s, unsigned indent, struct buf *out)
{
	add_paragraph(s, indent, false, out);
}

void
report_format_cleaned(struct span s, unsigned indent, struct buf *out)
{
	add_paragraph(s, indent, true, out);
}
