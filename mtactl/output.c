/*
 * Three kinds of things are printed: words of ours, foreign bytes, JSON.
 * Foreign bytes (addresses, replies, headers) go through output_text() or the
 * JSON writer, which escape them; a mail must not be able to drive the
 * terminal of the administrator who looks at it.
 *
 * Colours and the progress bar are for terminals only, and never for JSON.
 */
#include "mtactl/output.h"

#include "common/base/mtime.h"
#include "common/base/text.h"
#include "common/base/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A flush happens above this; the ceiling is for one answer's rows. */
#define FLUSH_BYTES	((size_t)64 * 1024)
#define BUFFER_MAX	((size_t)64 * 1024 * 1024)

/* With the longest verb it stays within 60 columns. */
enum { BAR_WIDTH = 30 };

/* Of the descriptor; without TERM, or with a dumb one, it is treated as a
 * file. */
static bool
is_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

/* NO_COLOR counts when it is set and not empty. */
void
output_init(struct output *o, bool is_json, bool has_no_colour)
{
	const char *no_color = getenv("NO_COLOR");	/* no-color.org */

	memset(o, 0, sizeof(*o));
	buf_init(&o->b, BUFFER_MAX);
	o->is_json = is_json;
	o->has_colour = !is_json && !has_no_colour &&
	    (no_color == NULL || no_color[0] == '\0') &&
	    is_terminal(STDOUT_FILENO);
	o->has_progress = !is_json && is_terminal(STDERR_FILENO);
}

/* After a failed write the rest is dropped, and the failure is told at the
 * end. */
static void
print_all(struct output *o)
{
	if (buf_failed(&o->b) || (o->b.n > 0 &&
	    fwrite(o->b.p, 1, o->b.n, stdout) != o->b.n))
		o->is_failed = true;
	/* also lifts the failure of the buffer: later rows may still be
	 * printed */
	buf_reset(&o->b);
}

void
output_flush(struct output *o)
{
	if (o->b.n >= FLUSH_BYTES || buf_failed(&o->b))
		print_all(o);
}

/* A full disk may show only now, with the last write. */
bool
output_end(struct output *o)
{
	output_progress_end(o);
	print_all(o);
	if (fflush(stdout) != 0)
		o->is_failed = true;
	buf_clear(&o->b);
	return !o->is_failed;
}

/* ---- words ---- */

/* Escaping makes a byte at most TEXT_ESCAPED_MAX characters: nothing is
 * cut. */
void
output_text(struct output *o, struct span s)
{
	text_escape_to(&o->b, s, NULL, s.n * TEXT_ESCAPED_MAX);
}

/* A negative width is the caller's affair. */
static void
pad(struct output *o, size_t used, int width)
{
	while (used++ < (size_t)width)
		buf_add_byte(&o->b, ' ');
}

/* Padded by what is seen, after the escaping. */
void
output_padded(struct output *o, struct span s, int width)
{
	size_t before;

	if (width < 0) {
		pad(o, s.n, -width);	/* ours: a number, never escaped */
		output_text(o, s);
		return;
	}
	before = o->b.n;
	output_text(o, s);
	pad(o, o->b.n - before, width);
}

void
output_coloured(struct output *o, enum output_colour colour,
    const char *text, int width)
{
	static const char *const codes[OUTPUT_COLOURS] = {
		[OUTPUT_PLAIN] = "", [OUTPUT_BOLD] = "\033[1m",
		[OUTPUT_DIM] = "\033[2m", [OUTPUT_GREEN] = "\033[32m",
		[OUTPUT_YELLOW] = "\033[33m", [OUTPUT_RED] = "\033[31m",
	};
	bool is_coloured = o->has_colour && colour != OUTPUT_PLAIN;

	/* codes have no width: they stand outside of what is padded */
	if (is_coloured)
		buf_add_str(&o->b, codes[colour]);
	output_padded(o, span_str(text), width);
	if (is_coloured)
		buf_add_str(&o->b, "\033[0m");
}

/* Cut at its buffer, which is enough for words of our own; what is foreign goes
 * through output_text(). */
void
output_line(struct output *o, const char *format, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	buf_add_str(&o->b, line);
	buf_add_byte(&o->b, '\n');
}

/* ---- numbers ---- */

void
output_number(struct output *o, uint64_t n, int width)
{
	char text[UNITS_TEXT_SIZE];
	int length = snprintf(text, sizeof(text), "%llu",
	    (unsigned long long)n);

	output_padded(o, span_of(text, (size_t)length), width);
}

/* After a clock that went back nothing is older than 0. */
void
output_age(struct output *o, uint64_t since, uint64_t now, int width)
{
	char text[UNITS_TEXT_SIZE];
	int64_t age = mtime_sub((int64_t)now, (int64_t)since);
	size_t n = units_glance_ms(age, text);

	output_padded(o, span_of(text, n), width);
}

void
output_size(struct output *o, uint64_t bytes, int width)
{
	char text[UNITS_TEXT_SIZE];
	size_t n = units_glance_bytes(bytes, text);

	output_padded(o, span_of(text, n), width);
}

void
output_count(struct output *o, uint64_t n, const char *noun)
{
	buf_add_u64(&o->b, n);
	buf_add_byte(&o->b, ' ');
	buf_add_str(&o->b, noun);
	if (n != 1)
		buf_add_byte(&o->b, 's');
}

/* Without a time there is null, so that programs need not know our numbers. */
void
output_json_time(struct json *j, const char *key, uint64_t at)
{
	char text[MTIME_UTC_SIZE];

	json_key(j, key);
	if (at == 0 || at >= (uint64_t)INT64_MAX) {
		json_null(j);
		return;
	}
	mtime_format_utc((int64_t)at, text);
	json_str(j, text);
}

/* ---- progress ---- */

/* Drawn over itself; a terminal that is narrower than the bar wraps it, which
 * is ugly and harmless. */
void
output_progress(struct output *o, const char *what, uint64_t done,
    uint64_t total)
{
	uint64_t part;
	char bar[BAR_WIDTH + 1];
	int n;

	if (!o->has_progress || total == 0)
		return;
	if (done > total)
		done = total;
	/* a hundred times as much must fit */
	part = done >= UINT64_MAX / 100 ? 100 : done * 100 / total;
	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', (size_t)(part * BAR_WIDTH / 100));
	bar[BAR_WIDTH] = '\0';
	n = fprintf(stderr, "\r%s [%s] %3u %%", what, bar, (unsigned)part);
	(void)fflush(stderr);
	o->progress_width = n > 0 ? (size_t)n - 1 : 0;
}

void
output_progress_end(struct output *o)
{
	if (o->progress_width == 0)
		return;
	(void)fprintf(stderr, "\r%*s\r", (int)o->progress_width, "");
	(void)fflush(stderr);
	o->progress_width = 0;
}
