/*
 * Groups are followed by their heads alone, records by theirs: a group with a
 * damaged record still gives its other messages, since each has sums of its
 * own.  Blocks that begin no group of this segment are passed over one by one;
 * behind the last group lies what a recycled file held before.
 *
 * The index is asked one row at a time, in a transaction that ends at once.
 */
#include "queued/store/store_sift.h"

#include "common/base/crc32c.h"
#include "queued/store/store_group.h"
#include "queued/store/store_row.h"

#include <stdlib.h>

/* Read at once, unless a record is larger. */
enum { WINDOW_BYTES = 256 << 10 };

void
store_sift_init(struct store_sift *f)
{
	*f = (struct store_sift){ .fd = -1 };
	buf_init(&f->content, STORE_GROUP_MAX);
	buf_init(&f->window, STORE_GROUP_MAX);
}

void
store_sift_clear(struct store_sift *f)
{
	buf_clear(&f->content);
	buf_clear(&f->window);
	free(f->finds);
	f->finds = NULL;
	f->count = f->size = 0;
}

/* N bytes of the file at AT; borrowed until the next call. */
static enum err
look(struct store_sift *f, uint64_t at, size_t n, struct span *out)
{
	size_t want = n > WINDOW_BYTES ? n : WINDOW_BYTES;
	uint8_t *p;
	enum err e;

	if (n > f->end - at)
		return ERR_CORRUPT;
	if (at < f->window_at || at + n > f->window_at + f->window.n) {
		if (want > f->end - at)
			want = (size_t)(f->end - at);
		buf_reset(&f->window);
		if ((p = buf_reserve(&f->window, want)) == NULL)
			return ERR_NOMEM;
		if ((e = store_io_read(f->fd, p, want, at)) != OK)
			return e;
		buf_commit(&f->window, want);
		f->window_at = at;
	}
	*out = span_sub(buf_span(&f->window), (size_t)(at - f->window_at), n);
	return OK;
}

/* Whether message ID lives here, its content at OFFSET; *CRC: its sum. */
static enum err
ask_index(struct store_sift *f, uint64_t id, uint64_t offset, uint32_t *crc)
{
	struct store_row_key key = store_row_key_message(id);
	struct span k = span_of(key.p, key.n);
	struct store_place place;
	struct buf row;
	enum err e;

	buf_init(&row, STORE_RECORD_MAX);
	e = store_index_peek(f->index, STORE_TABLE_MESSAGE, k, &row);
	if (e == OK)
		e = store_row_get_place(k, buf_span(&row), &place, crc);
	buf_clear(&row);
	if (e == OK && (place.segment != f->segment ||
	    place.offset != offset))
		e = ERR_NOT_FOUND;
	return e;
}

static enum err
keep(struct store_sift *f, const struct store_record *r, uint64_t offset,
    uint32_t crc)
{
	struct store_find *find;

	if (f->count == f->size) {
		size_t size = f->size > 0 ? f->size * 2 : 256;
		struct store_find *p = realloc(f->finds, size * sizeof(*p));

		if (p == NULL)
			return ERR_NOMEM;
		f->finds = p;
		f->size = size;
	}
	find = &f->finds[f->count];
	*find = (struct store_find){ .id = r->id, .offset = offset,
	    .at = f->content.n, .is_sound = r->content_crc == crc &&
	    store_record_content_ok(r) };
	if (find->is_sound) {
		find->n = r->content.n;
		buf_add_span(&f->content, r->content);
		if (buf_failed(&f->content))
			return ERR_NOMEM;
	}
	f->count++;
	return OK;
}

/* A row that can't be read keeps its message where it is. */
static enum err
take_record(struct store_sift *f, const struct store_record *r, uint64_t end)
{
	uint64_t offset = end - r->content.n;
	uint32_t crc;
	enum err e;

	if (r->type != STORE_RECORD_MESSAGE && r->type != STORE_RECORD_MOVED)
		return OK;
	e = ask_index(f, r->id, offset, &crc);
	if (e == ERR_NOT_FOUND || e == ERR_CORRUPT)
		return OK;
	return e == OK ? keep(f, r, offset, crc) : e;
}

/* Behind a record whose head is damaged nothing can be found. */
static enum err
read_record(struct store_sift *f)
{
	uint64_t at = f->record_at;
	struct store_record r;
	struct span bytes;
	enum err e = look(f, at, STORE_RECORD_HEAD, &bytes);
	size_t n = e == OK ? store_record_size(bytes) : 0;

	f->record_at = f->records_end;
	if (e == OK && (n < STORE_RECORD_HEAD || n > f->records_end - at))
		return ERR_CORRUPT;
	if (e != OK || (e = look(f, at, n, &bytes)) != OK ||
	    (e = store_record_next(&bytes, &r)) != OK)
		return e;
	f->record_at = at + r.size;
	return take_record(f, &r, f->record_at);
}

/* The group at f->offset, or the block that is none. */
static enum err
read_head(struct store_sift *f)
{
	struct store_group_head head;
	uint64_t at = f->offset;
	struct span bytes;
	enum err e = look(f, at, STORE_GROUP_HEAD, &bytes);

	if (e == OK)
		e = store_group_get_head(bytes, &head);
	if (e == OK && head.segment == f->segment && head.offset == at &&
	    store_group_size(&head) <= f->end - at) {
		f->record_at = at + STORE_GROUP_HEAD;
		f->records_end = f->record_at + head.length;
		f->offset += store_group_size(&head);
	} else if (e != ERR_IO && e != ERR_NOMEM) {
		f->offset += STORE_BLOCK;
	}
	return e;
}

static enum err
step(struct store_sift *f)
{
	enum err e = f->record_at < f->records_end ? read_record(f) :
	    read_head(f);

	return e == ERR_CORRUPT || e == ERR_VERSION ? OK : e;
}

void
store_sift_run(struct store_job *job)
{
	struct store_sift *f = CONTAINER_OF(job, struct store_sift, job);
	uint64_t begin = f->offset;

	f->count = 0;
	buf_reset(&f->content);
	f->result = OK;
	while (f->result == OK && !store_sift_is_over(f) &&
	    f->offset - begin < STORE_SIFT_BYTES &&
	    f->content.n < STORE_SIFT_CONTENT)
		f->result = step(f);
}
