/*
 * Remarks with the line that they are about and a caret below it, as compilers
 * have them.  The text may quote a file of anybody's making, so everything is
 * made harmless for a terminal before it is kept.
 *
 * Bounded: a file of nothing but mistakes gives CONF_REPORT_MAX remarks and a
 * last one that says so.
 */
#include "common/confload/conf_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>


#define SOURCE_BEFORE 60	/* characters kept before the place, at least */

/* Allocates nothing: most files have no mistake. */
void
conf_report_init(struct conf_report *report, const char *path)
{
	*report = (struct conf_report){ .n = 0 };
	snprintf(report->path, sizeof(report->path), "%s", path);
}

void
conf_report_clear(struct conf_report *report)
{
	free(report->v);
	report->v = NULL;
	report->n = report->n_errors = report->n_warnings = 0;
}

/* Reading on would tell nobody anything. */
bool
conf_report_is_full(const struct conf_report *report)
{
	return report->n >= CONF_REPORT_MAX;
}

/* The bytes of a line, from 1, without its end. */
static struct span
line_of(struct span bytes, uint32_t line)
{
	while (line > 1 && bytes.n > 0) {
		bytes = span_from(bytes, span_find(bytes, '\n') + 1);
		line--;
	}
	bytes = span_sub(bytes, 0, span_find(bytes, '\n'));
	if (bytes.n > 0 && bytes.p[bytes.n - 1] == '\r')
		bytes.n--;
	return bytes;
}

/* libyaml counts columns in characters, and has made sure of the UTF-8. */
static size_t
character_size(uint8_t first)
{
	if (first < 0xc0)
		return 1;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Where the N-th character of LINE begins, from 0. */
static size_t
character_at(struct span line, size_t n)
{
	size_t at = 0;

	while (n-- > 0 && at < line.n)
		at += character_size(line.p[at]);
	return at < line.n ? at : line.n;
}

/* Nothing that a terminal might obey: control characters, also those of two
 * bytes (U+0080 to U+009F), become question marks, tabs a blank. */
static void
make_plain(char *text)
{
	for (uint8_t *p = (uint8_t *)text; *p != '\0'; p++) {
		if (*p == '\t')
			*p = ' ';
		else if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

/* Keeps the line, a long one cut around the place. */
static void
quote_line(struct conf_remark *remark, struct span line)
{
	uint32_t column = remark->place.column - 1;
	uint32_t skip = column > SOURCE_BEFORE * 2 ?
	    column - SOURCE_BEFORE : 0;
	struct span rest = span_from(line, character_at(line, skip));
	size_t n = 0;

	remark->caret = column - skip;
	while (n < rest.n) {
		size_t size = character_size(rest.p[n]);

		/* a character that doesn't fit whole is left out */
		if (n + size >= sizeof(remark->source) || n + size > rest.n)
			break;
		n += size;
	}
	if (n > 0)
		memcpy(remark->source, rest.p, n);
	remark->source[n] = '\0';
	make_plain(remark->source);
}

/* All at once, with the one that says that there are more. */
static bool
reserve(struct conf_report *report)
{
	if (report->v == NULL)
		report->v = calloc(CONF_REPORT_MAX + 1,
		    sizeof(report->v[0]));
	return report->v != NULL && report->n <= CONF_REPORT_MAX;
}

/* Without memory only the counts are kept: an error stays an error. */
void
conf_report_add(struct conf_report *report, enum conf_severity severity,
    struct conf_place place, const char *format, ...)
{
	struct conf_remark *remark;
	va_list args;

	if (severity == CONF_ERROR)
		report->n_errors++;
	/* warnings must not take the room of errors */
	else if (++report->n_warnings > CONF_REPORT_WARNINGS_MAX)
		return;
	if (!reserve(report))
		return;
	remark = &report->v[report->n++];
	remark->severity = severity;
	if (report->n > CONF_REPORT_MAX) {
		remark->place.line = UINT32_MAX;
		snprintf(remark->text, sizeof(remark->text),
		    "there is more to say; mend these first");
		return;
	}
	remark->place = place;
	va_start(args, format);
	vsnprintf(remark->text, sizeof(remark->text), format, args);
	va_end(args);
	make_plain(remark->text);
	if (place.line > 0)
		quote_line(remark, line_of(report->bytes, place.line));
}

/* Stable, and few: by insertion. */
static void
sort_by_place(const struct conf_report *report,
    const struct conf_remark *order[])
{
	for (size_t i = 0; i < report->n; i++) {
		const struct conf_remark *remark = &report->v[i];
		size_t at = i;

		while (at > 0 &&
		    (order[at - 1]->place.line > remark->place.line ||
		    (order[at - 1]->place.line == remark->place.line &&
		    order[at - 1]->place.column > remark->place.column))) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = remark;
	}
}

/* The line and a caret below it, both moved in by two blanks. */
static void
print_source(const struct conf_remark *remark, struct buf *out)
{
	buf_addf(out, "  %s\n  ", remark->source);
	for (uint32_t i = 0; i < remark->caret; i++)
		buf_add_byte(out, ' ');
	buf_add_str(out, "^\n");
}

static void
print_remark(const struct conf_report *report,
    const struct conf_remark *remark, bool has_colour, struct buf *out)
{
	bool is_error = remark->severity == CONF_ERROR;
	bool has_place = remark->place.line > 0 &&
	    remark->place.line < UINT32_MAX;

	buf_addf(out, "%s:", report->path);
	if (has_place)
		buf_addf(out, "%u:%u:", remark->place.line,
		    remark->place.column);
	buf_add_byte(out, ' ');
	if (has_colour)
		buf_add_str(out, is_error ? "\033[31m" : "\033[33m");
	if (!is_error)
		buf_add_str(out, "warning: ");
	buf_add_str(out, remark->text);
	if (has_colour)
		buf_add_str(out, "\033[0m");
	buf_add_byte(out, '\n');
	if (has_place)
		print_source(remark, out);
}

void
conf_report_print(const struct conf_report *report, bool has_colour,
    struct buf *out)
{
	const struct conf_remark *order[CONF_REPORT_MAX + 1];

	sort_by_place(report, order);
	for (size_t i = 0; i < report->n; i++)
		print_remark(report, order[i], has_colour, out);
}
