/*
 * A line is a word and its operands, each behind one blank:
 *
 *   mtad backup 1
 *   spool UUID
 *   kind backup|salvage
 *   at MILLISECONDS
 *   end SEGMENT OFFSET GROUP
 *   file NAME BYTES
 *   lost AFTER BEFORE
 *   damages NUMBER
 *   sum CRC-32C, in 8 hexadecimal digits, of all lines before
 */
#include "queued/survey/survey_manifest.h"

#include "common/base/crc32c.h"
#include "common/base/hex.h"
#include "common/base/units.h"
#include "common/os/file.h"
#include "queued/store/store_segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORDS_MAX = 4, SUM_LINE = sizeof("sum 01234567\n") - 1 };

static const char first_line[] = "mtad backup 1\n";

void
survey_manifest_clear(struct survey_manifest *m)
{
	free(m->files);
	free(m->lost);
	*m = (struct survey_manifest){ .files = NULL };
}

/* ---- its lists ---- */

static bool
is_numbered(struct span name, const char *prefix)
{
	char text[SURVEY_FILE_NAME];
	uint64_t number;

	return span_copy(name, text, sizeof(text)) &&
	    store_name_number(text, prefix, &number);
}

bool
survey_manifest_knows(struct span name)
{
	return span_equal(name, SPAN_LIT("clock")) ||
	    span_equal(name, SPAN_LIT("spool")) ||
	    is_numbered(name, "log/log.") || is_numbered(name, "body/body.");
}

/* Room for one more of N elements of BYTES each. */
static enum err
grow(void **p, size_t n, size_t *size, size_t bytes)
{
	size_t more = *size == 0 ? 64 : *size * 2;
	void *q;

	if (n < *size)
		return OK;
	if ((q = realloc(*p, more * bytes)) == NULL)
		return ERR_NOMEM;
	*p = q;
	*size = more;
	return OK;
}

enum err
survey_manifest_add(struct survey_manifest *m, struct span name,
    uint64_t bytes)
{
	void *p = m->files;
	enum err e;

	if (!survey_manifest_knows(name))
		return ERR_SYNTAX;
	if ((e = grow(&p, m->n, &m->size, sizeof(*m->files))) != OK)
		return e;
	m->files = p;
	(void)span_copy(name, m->files[m->n].name, SURVEY_FILE_NAME);
	m->files[m->n++].bytes = bytes;
	return OK;
}

enum err
survey_manifest_add_lost(struct survey_manifest *m, uint64_t after,
    uint64_t before)
{
	void *p = m->lost;
	enum err e = grow(&p, m->lost_n, &m->lost_size, sizeof(*m->lost));

	if (e != OK)
		return e;
	m->lost = p;
	m->lost[m->lost_n++] = (struct survey_lost){ after, before };
	return OK;
}

/* ---- writing ---- */

void
survey_manifest_put_head(struct buf *out, const struct survey_manifest *m)
{
	buf_add_str(out, first_line);
	buf_add_str(out, "spool ");
	hex_encode(out, span_of(m->uuid, sizeof(m->uuid)));
	buf_addf(out, "\nkind %s\nat %" PRIu64 "\n",
	    m->is_salvage ? "salvage" : "backup", m->at);
	if (m->end.segment != 0)
		buf_addf(out, "end %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
		    m->end.segment, m->end.offset, m->end.sequence);
}

void
survey_manifest_put_file(struct buf *out, const char *name, uint64_t bytes)
{
	buf_addf(out, "file %s %" PRIu64 "\n", name, bytes);
}

void
survey_manifest_put(struct buf *out, const struct survey_manifest *m)
{
	survey_manifest_put_head(out, m);
	for (size_t i = 0; i < m->n; i++)
		survey_manifest_put_file(out, m->files[i].name,
		    m->files[i].bytes);
	for (size_t i = 0; i < m->lost_n; i++)
		buf_addf(out, "lost %" PRIu64 " %" PRIu64 "\n",
		    m->lost[i].after, m->lost[i].before);
	if (m->damages > 0)
		buf_addf(out, "damages %" PRIu64 "\n", m->damages);
}

/* ---- reading ---- */

static size_t
split(struct span line, struct span words[WORDS_MAX])
{
	size_t n = 0;

	while (line.n > 0 && n < WORDS_MAX) {
		words[n] = span_sub(line, 0, span_find(line, ' '));
		line = span_from(line, words[n++].n + 1);
	}
	return line.n == 0 ? n : 0;
}

/* WORDS from the second on are numbers. */
static bool
numbers(const struct span *words, size_t n, uint64_t *out, size_t wanted)
{
	if (n != wanted + 1)
		return false;
	for (size_t i = 0; i < wanted; i++)
		if (units_parse_u64(words[i + 1], &out[i]) != OK)
			return false;
	return true;
}

static bool
take_uuid(struct survey_manifest *m, const struct span *words, size_t n)
{
	size_t got;

	return n == 2 && words[1].n == 2 * sizeof(m->uuid) &&
	    hex_decode(words[1], m->uuid, sizeof(m->uuid), &got) == OK;
}

static bool
take_kind(struct survey_manifest *m, const struct span *words, size_t n)
{
	m->is_salvage = n == 2 && span_equal(words[1], SPAN_LIT("salvage"));
	return m->is_salvage ||
	    (n == 2 && span_equal(words[1], SPAN_LIT("backup")));
}

static enum err
take_file(struct survey_manifest *m, const struct span *words, size_t n)
{
	uint64_t bytes;

	if (n != 3 || units_parse_u64(words[2], &bytes) != OK)
		return ERR_SYNTAX;
	return survey_manifest_add(m, words[1], bytes);
}

static enum err
take_line(struct survey_manifest *m, struct span line)
{
	struct span words[WORDS_MAX];
	size_t n = split(line, words);
	uint64_t v[3] = { 0 };
	bool is_good = false;

	if (n == 0)
		return ERR_SYNTAX;
	if (span_equal(words[0], SPAN_LIT("file")))
		return take_file(m, words, n);
	if (span_equal(words[0], SPAN_LIT("lost")))
		return numbers(words, n, v, 2) ?
		    survey_manifest_add_lost(m, v[0], v[1]) : ERR_SYNTAX;
	if (span_equal(words[0], SPAN_LIT("spool"))) {
		is_good = take_uuid(m, words, n);
	} else if (span_equal(words[0], SPAN_LIT("kind"))) {
		is_good = take_kind(m, words, n);
	} else if (span_equal(words[0], SPAN_LIT("at"))) {
		is_good = numbers(words, n, &m->at, 1);
	} else if (span_equal(words[0], SPAN_LIT("damages"))) {
		is_good = numbers(words, n, &m->damages, 1);
	} else if (span_equal(words[0], SPAN_LIT("end"))) {
		is_good = numbers(words, n, v, 3);
		m->end = (struct store_position){ .segment = v[0],
		    .offset = v[1], .sequence = v[2] };
	}
	return is_good ? OK : ERR_SYNTAX;
}

/* Takes the line of the sum off TEXT. */
static bool
take_sum(struct span *text)
{
	char line[SUM_LINE + 1];
	struct span sum;

	if (text->n < SUM_LINE)
		return false;
	sum = span_from(*text, text->n - SUM_LINE);
	text->n -= SUM_LINE;
	(void)snprintf(line, sizeof(line), "sum %08" PRIx32 "\n",
	    crc32c(0, text->p, text->n));
	return span_equal(sum, span_str(line));
}

enum err
survey_manifest_parse(struct span text, bool is_complete,
    struct survey_manifest *out)
{
	struct span first = span_str(first_line);
	enum err e = OK;

	*out = (struct survey_manifest){ .is_complete = is_complete };
	if (!span_starts_nocase(text, SPAN_LIT("mtad backup ")))
		return ERR_CORRUPT;
	if (!span_starts_nocase(text, first))
		return ERR_VERSION;
	if (is_complete && !take_sum(&text))
		return ERR_CORRUPT;
	text = span_from(text, first.n);
	while (text.n > 0 && e == OK) {
		size_t n = span_find(text, '\n');

		/* one that was being written counts for nothing */
		if (n < text.n)
			e = take_line(out, span_sub(text, 0, n));
		text = span_from(text, n + 1);
	}
	return e == ERR_SYNTAX ? ERR_CORRUPT : e;
}

static enum err
read_named(int dir_fd, const char *name, bool is_complete,
    struct survey_manifest *out, struct why *why)
{
	struct buf text;
	enum err e;

	buf_init(&text, SURVEY_MANIFEST_MAX);
	e = file_read(dir_fd, name, SURVEY_MANIFEST_MAX, &text, why);
	if (e == OK) {
		e = survey_manifest_parse(buf_span(&text), is_complete, out);
		if (e == ERR_VERSION)
			(void)why_set(why, e, "file `%s' was written by a "
			    "newer version of this program", name);
		else if (e != OK)
			(void)why_set(why, e, "file `%s' is damaged", name);
	}
	buf_clear(&text);
	return e;
}

enum err
survey_manifest_read(int dir_fd, struct survey_manifest *out, struct why *why)
{
	enum err e;

	*out = (struct survey_manifest){ .files = NULL };
	e = read_named(dir_fd, SURVEY_MANIFEST, true, out, why);
	if (e == ERR_NOT_FOUND)
		e = read_named(dir_fd, SURVEY_MANIFEST_NEW, false, out, why);
	return e;
}

/* A crash between the two leaves both names: the complete one counts. */
enum err
survey_manifest_finish(int dir_fd, const struct survey_manifest *m)
{
	struct buf text;
	enum err e;

	buf_init(&text, SURVEY_MANIFEST_MAX);
	survey_manifest_put(&text, m);
	buf_addf(&text, "sum %08" PRIx32 "\n",
	    crc32c(0, text.p, text.n));
	e = buf_failed(&text) ? ERR_NOMEM : file_replace(dir_fd,
	    SURVEY_MANIFEST, 0600, buf_span(&text));
	buf_clear(&text);
	if (e == OK && unlinkat(dir_fd, SURVEY_MANIFEST_NEW, 0) != 0 &&
	    errno != ENOENT)
		e = ERR_IO;
	return e == OK ? file_sync_dir(dir_fd) : e;
}
