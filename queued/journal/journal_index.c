/*
 * Entries are gathered in the order of the file and sorted by id; those of one
 * id stay in the order of the file.  All of them are summed at the first use
 * after a start: a binary search among damaged ones would pass by what is
 * there.
 */
#include "queued/journal/journal_index.h"

#include "common/base/crc32c.h"
#include "queued/journal/journal_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE_ENTRIES = 1024 };

void
journal_index_open(struct journal_files *f, struct journal_file *row)
{
	uint8_t bytes[JOURNAL_FILE_HEAD];
	struct journal_index_head head;
	int fd = journal_files_read(f, row->number, "idx");

	if (fd < 0)
		return;
	if (store_io_read(fd, bytes, sizeof(bytes), 0) == OK &&
	    journal_index_head_get(span_of(bytes, sizeof(bytes)), &head) ==
	    OK && head.number == row->number && head.valid <= row->valid) {
		row->valid = head.valid;
		row->low = head.low;
		row->high = head.high;
		row->count = head.count;
		row->has_index = true;
	} else {
		f->damaged++;
	}
	(void)close(fd);
}

/* ---- making ---- */

struct entries {
	struct journal_entry *p;
	size_t n, size;
};

static enum err
add(struct entries *x, uint64_t id, uint64_t offset)
{
	if (x->n == x->size) {
		size_t size = x->size > 0 ? x->size * 2 : 1024;
		struct journal_entry *p = realloc(x->p, size * sizeof(*p));

		if (p == NULL)
			return ERR_NOMEM;
		x->p = p;
		x->size = size;
	}
	x->p[x->n++] = (struct journal_entry){ .id = id,
	    .offset = (uint32_t)offset };
	return OK;
}

static int
by_id(const void *a, const void *b)
{
	const struct journal_entry *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Records about a message; marks and what was lost have no id. */
static enum err
gather(struct journal_files *f, const struct journal_file *row,
    struct entries *x)
{
	int fd = journal_files_read(f, row->number, "log");
	struct journal_record r;
	struct journal_scan s;
	uint64_t at;
	enum err e;

	if (fd < 0)
		return ERR_IO;
	journal_scan_init(&s, fd, JOURNAL_FILE_HEAD, row->valid);
	while ((e = journal_scan_next(&s, &r, &at)) == OK) {
		if (r.type == JOURNAL_MARK || r.type == JOURNAL_LOST)
			continue;
		if (at > UINT32_MAX || (e = add(x, r.id, at)) != OK)
			break;
	}
	f->damaged += s.damaged;
	journal_scan_clear(&s);
	(void)close(fd);
	if (e == ERR_NOT_FOUND && x->n > 0)
		qsort(x->p, x->n, sizeof(*x->p), by_id);
	return e == ERR_NOT_FOUND ? OK : e;
}

static void
put_all(struct buf *b, const struct journal_file *row,
    const struct entries *x)
{
	struct journal_index_head head = { .number = row->number,
	    .valid = row->valid, .low = 1, .count = (uint32_t)x->n };
	struct buf h;

	for (size_t i = 0; i < JOURNAL_FILE_HEAD; i++)
		buf_add_byte(b, 0);
	for (size_t i = 0; i < x->n; i++)
		journal_entry_put(b, &x->p[i]);
	if (buf_failed(b))
		return;
	if (x->n > 0) {
		head.low = x->p[0].id;
		head.high = x->p[x->n - 1].id;
	}
	head.sum = crc32c(0, b->p + JOURNAL_FILE_HEAD,
	    b->n - JOURNAL_FILE_HEAD);
	buf_init(&h, JOURNAL_FILE_HEAD);
	journal_index_head_put(&h, &head);
	if (buf_failed(&h))
		b->is_failed = true;
	else
		memcpy(b->p, h.p, h.n);
	buf_clear(&h);
}

/* A half-written one has the wrong sums, so it needs no other name first. */
static enum err
write_all(struct journal_files *f, const struct journal_file *row,
    const struct buf *b)
{
	char name[JOURNAL_NAME_SIZE];
	enum err e;
	int fd;

	journal_name(row->number, "idx", name);
	e = store_io_open(f->io, f->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC,
	    &fd);
	if (e != OK)
		return e;
	e = store_io_write(f->io, fd, b->p, b->n, 0);
	if (e == OK && f->io->fdatasync(f->io->ctx, fd) != 0)
		e = store_io_error();
	(void)close(fd);
	if (e != OK)
		(void)f->io->unlink(f->io->ctx, f->dir_fd, name);
	return e;
}

enum err
journal_index_make(struct journal_files *f, struct journal_file *row)
{
	struct entries x = { .p = NULL };
	struct buf b;
	enum err e = gather(f, row, &x);

	buf_init(&b, (size_t)1 << 30);
	if (e == OK)
		put_all(&b, row, &x);
	if (e == OK && buf_failed(&b))
		e = ERR_NOMEM;
	if (e == OK && (e = write_all(f, row, &b)) == OK) {
		row->low = x.n > 0 ? x.p[0].id : 1;
		row->high = x.n > 0 ? x.p[x.n - 1].id : 0;
		row->count = (uint32_t)x.n;
		row->has_index = row->is_checked = true;
	}
	buf_clear(&b);
	free(x.p);
	return e;
}

/* ---- asking ---- */

enum err
journal_index_entry(int fd, uint32_t at, struct journal_entry *out)
{
	uint8_t bytes[JOURNAL_ENTRY];
	enum err e = store_io_read(fd, bytes, sizeof(bytes),
	    JOURNAL_FILE_HEAD + (uint64_t)at * JOURNAL_ENTRY);

	if (e == OK)
		*out = journal_entry_get(bytes);
	return e;
}

/* Piece by piece, for an index may be megabytes. */
static enum err
check(const struct journal_file *row, int fd)
{
	uint8_t bytes[JOURNAL_FILE_HEAD], piece[PIECE_ENTRIES * JOURNAL_ENTRY];
	uint64_t left = (uint64_t)row->count * JOURNAL_ENTRY;
	uint64_t at = JOURNAL_FILE_HEAD;
	struct journal_index_head head = { .count = 0 };
	uint32_t sum = 0;
	enum err e = store_io_read(fd, bytes, sizeof(bytes), 0);

	if (e == OK)
		e = journal_index_head_get(span_of(bytes, sizeof(bytes)),
		    &head);
	while (e == OK && left > 0) {
		size_t n = left < sizeof(piece) ? (size_t)left : sizeof(piece);

		e = store_io_read(fd, piece, n, at);
		if (e == OK)
			sum = crc32c(sum, piece, n);
		at += n;
		left -= n;
	}
	return e == OK && sum == head.sum ? OK : ERR_CORRUPT;
}

static enum err
open_checked(struct journal_files *f, struct journal_file *row, int *fd)
{
	enum err e = OK;

	if (*fd < 0)
		*fd = journal_files_read(f, row->number, "idx");
	if (*fd < 0)
		e = ERR_CORRUPT;
	else if (!row->is_checked)
		e = check(row, *fd);
	if (e == OK) {
		row->is_checked = true;
		return OK;
	}
	/* a writer makes it anew */
	row->has_index = row->is_checked = false;
	f->damaged++;
	return ERR_CORRUPT;
}

enum err
journal_index_find(struct journal_files *f, struct journal_file *row, int *fd,
    uint64_t id, uint32_t *out)
{
	uint32_t low = 0, high = row->count;
	struct journal_entry entry;
	enum err e = open_checked(f, row, fd);

	while (e == OK && low < high) {
		uint32_t middle = low + (high - low) / 2;

		e = journal_index_entry(*fd, middle, &entry);
		if (e == OK && entry.id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (e == OK)
		*out = low;
	return e;
}
