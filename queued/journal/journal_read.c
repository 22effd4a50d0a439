/*
 * Ids grow with time, so a message is in no file that was closed before it
 * came: the least and the greatest id of each file are in memory, and only the
 * others' indexes are searched.  The file being written has no index yet; it
 * is read from its begin, and so is one whose index is damaged.
 */
#include "queued/journal/journal_read.h"

#include "common/base/check.h"
#include "queued/journal/journal_head.h"
#include "queued/journal/journal_index.h"
#include "queued/journal/journal_scan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 256 * 1024 };

/* ---- one file ---- */

/* The record at OFFSET, if it is that of ID; what is damaged is passed over. */
static enum err
add_record(int fd, const struct journal_entry *entry, struct buf *out)
{
	uint8_t head[JOURNAL_HEAD];
	struct span s;
	struct journal_record r;
	size_t before = out->n, n;
	uint8_t *p;

	if (store_io_read(fd, head, sizeof(head), entry->offset) != OK)
		return OK;
	n = (size_t)head[4] | (size_t)head[5] << 8;
	if ((p = buf_reserve(out, n)) == NULL) {
		out->is_failed = false;
		return ERR_NOMEM;
	}
	if (store_io_read(fd, p, n, entry->offset) != OK)
		return OK;
	s = span_of(p, n);
	if (journal_record_next(&s, &r) == OK && r.id == entry->id)
		out->n = before + n;
	return OK;
}

static enum err
step_indexed(struct journal_query *q, const struct journal_file *row,
    int fd, int index_fd, size_t max, struct buf *out)
{
	struct journal_entry entry;
	enum err e;

	for (; q->next < row->count; q->next++) {
		if (out->n >= max)
			return OK;
		if (journal_index_entry(index_fd, (uint32_t)q->next, &entry) !=
		    OK || entry.id > q->high)
			break;
		if ((e = add_record(fd, &entry, out)) != OK)
			return e;
	}
	q->file = row->number + 1;
	q->next = 0;
	return OK;
}

static bool
is_about(const struct journal_record *r, const struct journal_query *q)
{
	return r->type != JOURNAL_MARK && r->type != JOURNAL_LOST &&
	    r->id >= q->low && r->id <= q->high;
}

/* From its begin, or from where the last step ended. */
static enum err
step_scanned(struct journal_query *q, const struct journal_file *row, int fd,
    size_t max, struct buf *out)
{
	struct journal_record r;
	struct journal_scan s;
	uint64_t at;
	enum err e = OK;

	journal_scan_init(&s, fd, q->next > 0 ? q->next : JOURNAL_FILE_HEAD,
	    row->valid);
	while (out->n < max && (e = journal_scan_next(&s, &r, &at)) == OK) {
		q->next = at + r.bytes.n;
		if (is_about(&r, q))
			buf_add_span(out, r.bytes);
		if (buf_failed(out))
			break;
	}
	journal_scan_clear(&s);
	if (buf_failed(out)) {
		out->is_failed = false;
		return ERR_NOMEM;
	}
	if (e == OK || e == ERR_NOMEM)
		return e;
	/* its end, or what can't be read of it */
	q->file = row->number + 1;
	q->next = 0;
	return OK;
}

/* When an index turns out to be damaged in the middle of an answer, the file is
 * read from its begin: better twice than not at all. */
static enum err
step_file(struct journal_files *f, struct journal_query *q,
    struct journal_file *row, size_t max, struct buf *out)
{
	int fd = journal_files_read(f, row->number, "log"), index_fd = -1;
	uint32_t first = 0;
	enum err e;

	if (fd < 0) {
		q->file = row->number + 1;
		q->next = 0;
		return OK;
	}
	if (row->has_index && journal_index_find(f, row, &index_fd, q->low,
	    &first) == OK) {
		if (q->next < first)
			q->next = first;
		e = step_indexed(q, row, fd, index_fd, max, out);
	} else {
		e = step_scanned(q, row, fd, max, out);
	}
	if (index_fd >= 0)
		(void)close(index_fd);
	(void)close(fd);
	return e;
}

/* ---- all files ---- */

static bool
may_have(const struct journal_file *row, const struct journal_query *q)
{
	return !row->has_index ||
	    (row->low <= q->high && row->high >= q->low);
}

enum err
journal_query_step(struct journal_files *f, struct journal_query *q,
    size_t max, struct buf *out)
{
	enum err e = OK;

	for (size_t i = 0; i < f->n && e == OK; i++) {
		struct journal_file *row = &f->rows[i];

		while (e == OK && row->number >= q->file &&
		    may_have(row, q)) {
			if (row->number > q->file) {
				q->file = row->number;
				q->next = 0;
			}
			if (out->n >= max)
				return OK;
			e = step_file(f, q, row, max, out);
		}
	}
	q->is_over = e == OK;
	return e;
}

/* ---- off line ---- */

struct journal_reader {
	struct journal_files files;
	struct buf piece;
};

enum err
journal_read_open(const char *path, struct journal_reader **out)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct journal_reader *r;
	enum err e;

	if (fd < 0)
		return store_io_error();
	if ((r = calloc(1, sizeof(*r))) == NULL) {
		(void)close(fd);
		return ERR_NOMEM;
	}
	buf_init(&r->piece, (size_t)4 * PIECE);
	e = journal_files_open(fd, &store_io_system, false, &r->files);
	(void)close(fd);
	if (e != OK)
		free(r);
	else
		*out = r;
	return e;
}

void
journal_read_close(struct journal_reader **r)
{
	if (*r == NULL)
		return;
	journal_files_close(&(*r)->files);
	buf_clear(&(*r)->piece);
	free(*r);
	*r = NULL;
}

enum err
journal_read_message(struct journal_reader *r, uint64_t id,
    journal_visit *visit, void *ctx)
{
	struct journal_query q = { .low = id, .high = id };
	struct journal_record record;
	enum err e = OK;

	while (e == OK && !q.is_over) {
		struct span rest;

		buf_reset(&r->piece);
		e = journal_query_step(&r->files, &q, PIECE, &r->piece);
		rest = buf_span(&r->piece);
		while (rest.n > 0) {
			MUST(journal_record_next(&rest, &record) == OK);
			if (!visit(ctx, &record))
				return OK;
		}
	}
	return e;
}

static enum err
read_file(struct journal_reader *r, const struct journal_file *row,
    journal_visit *visit, void *ctx, bool *goes_on)
{
	int fd = journal_files_read(&r->files, row->number, "log");
	struct journal_record record;
	struct journal_scan s;
	uint64_t at;
	enum err e = OK;

	if (fd < 0) {
		r->files.damaged++;
		return OK;
	}
	journal_scan_init(&s, fd, JOURNAL_FILE_HEAD, row->valid);
	while (*goes_on && (e = journal_scan_next(&s, &record, &at)) == OK)
		*goes_on = visit(ctx, &record);
	r->files.damaged += s.damaged;
	journal_scan_clear(&s);
	(void)close(fd);
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err
journal_read_all(struct journal_reader *r, journal_visit *visit, void *ctx)
{
	bool goes_on = true;
	enum err e = OK;

	for (size_t i = 0; i < r->files.n && e == OK && goes_on; i++)
		e = read_file(r, &r->files.rows[i], visit, ctx, &goes_on);
	return e;
}

/* ---- one recipient ---- */

struct search {
	uint64_t unit, row;
	struct journal_end end;
	bool is_found;
};

static bool
note_end(void *ctx, const struct journal_record *r)
{
	struct search *s = ctx;
	struct journal_attempt a;
	struct journal_result result;

	if (r->type != JOURNAL_ATTEMPT ||
	    journal_attempt_get(r->fields, &a) != OK || a.unit != s->unit)
		return true;
	while (journal_result_next(&a.results, &result)) {
		if (!result.is_settled || s->row < result.first ||
		    s->row > result.last)
			continue;
		s->end = (struct journal_end){ .outcome = result.outcome,
		    .at = a.at, .code = result.code };
		s->is_found = true;
	}
	return true;
}

enum err
journal_read_end(struct journal_reader *r, uint64_t id, uint64_t unit,
    uint64_t row, struct journal_end *out)
{
	struct search s = { .unit = unit, .row = row };
	enum err e = journal_read_message(r, id, note_end, &s);

	if (e != OK)
		return e;
	if (!s.is_found)
		return ERR_NOT_FOUND;
	*out = s.end;
	return OK;
}

const uint8_t *
journal_read_uuid(const struct journal_reader *r)
{
	return r->files.uuid;
}

uint64_t
journal_read_position(const struct journal_reader *r)
{
	return r->files.position;
}

uint64_t
journal_read_damaged(const struct journal_reader *r)
{
	return r->files.damaged;
}

/* ---- which groups ---- */

/* Of what its marks say, the last; FROM without one. */
static uint64_t
last_mark(const struct journal_file *row, int fd, uint64_t from)
{
	struct journal_record record;
	struct journal_scan s;
	uint64_t at;

	journal_scan_init(&s, fd, JOURNAL_FILE_HEAD, row->valid);
	while (journal_scan_next(&s, &record, &at) == OK)
		if (record.type == JOURNAL_MARK && record.id > from)
			from = record.id;
	journal_scan_clear(&s);
	return from;
}

enum err
journal_read_groups(struct journal_reader *r, const uint8_t uuid[16],
    uint64_t *after, uint64_t *until)
{
	enum err e = ERR_NOT_FOUND;

	for (size_t i = 0; i < r->files.n; i++) {
		const struct journal_file *row = &r->files.rows[i];
		int fd = journal_files_read(&r->files, row->number, "log");
		uint8_t bytes[JOURNAL_FILE_HEAD];
		struct journal_head head;

		if (fd < 0)
			continue;
		if (store_io_read(fd, bytes, sizeof(bytes), 0) == OK &&
		    journal_head_get(span_of(bytes, sizeof(bytes)), &head) ==
		    OK && memcmp(head.uuid, uuid, sizeof(head.uuid)) == 0) {
			if (e != OK)
				*after = *until = head.group;
			*until = last_mark(row, fd, head.group > *until ?
			    head.group : *until);
			e = OK;
		}
		(void)close(fd);
	}
	return e;
}
