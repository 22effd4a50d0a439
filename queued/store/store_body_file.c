/*
 * The file of a large body, written once from front to end.
 *
 * The sums go behind the bytes, for the length is not known before; they gather
 * in memory, 4 bytes for each 64 KiB.  A reader takes any part of the file, so
 * it reads and verifies the table first, then the whole blocks that the part
 * touches: a damaged block is found before a byte of it leaves.  The record's
 * sum covers table, id and length; so another body's file is damage too, and
 * where the table alone is damaged its sum proves the bytes.
 */
#include "queued/store/store_body_file.h"

#include "common/base/crc32c.h"
#include "common/base/wire.h"
#include "queued/store/store_body_private.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A table of 64 MiB is that of a body of 1 TiB: no limit, a guard. */
enum { TAIL_BYTES = 32, TABLE_MAX = 64 << 20 };

static const uint8_t magic[8] = { 'M', 'T', 'A', 'D', 'B', 'O', 'D', '\n' };

static void
name_of(uint64_t id, char out[STORE_SEGMENT_NAME])
{
	(void)snprintf(out, STORE_SEGMENT_NAME, "body.%016" PRIx64, id);
}

void
store_body_file_init(struct store_body_file *f)
{
	*f = (struct store_body_file){ .fd = -1 };
	buf_init(&f->table, TABLE_MAX);
}

void
store_body_file_clear(struct store_body_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
	buf_clear(&f->table);
}

/* O_EXCL: no id is used twice, so a file that is there is not ours. */
enum err
store_body_file_create(struct store_body_file *f, const struct store_io *io,
    int dir_fd, uint64_t id)
{
	char name[STORE_SEGMENT_NAME];

	f->io = io;
	f->dir_fd = dir_fd;
	f->id = id;
	name_of(id, name);
	return store_io_open(io, dir_fd, name, O_RDWR | O_CREAT | O_EXCL,
	    &f->fd);
}

/* Sums of the blocks that BYTES, at the present end, go through. */
static void
sum_up(struct store_body_file *f, struct span bytes)
{
	uint64_t at = f->bytes;

	while (bytes.n > 0) {
		size_t left = STORE_BODY_BLOCK - (size_t)(at %
		    STORE_BODY_BLOCK);
		size_t n = bytes.n < left ? bytes.n : left;

		f->block_crc = crc32c(f->block_crc, bytes.p, n);
		if (n == left) {
			wire_put_u32(&f->table, f->block_crc);
			f->block_crc = 0;
		}
		bytes = span_from(bytes, n);
		at += n;
	}
}

enum err
store_body_file_add(struct store_body_file *f, struct span bytes)
{
	enum err e;

	if (f->fd < 0)
		return ERR_IO;
	e = store_io_write(f->io, f->fd, bytes.p, bytes.n, f->bytes);
	if (e != OK)
		return e;
	sum_up(f, bytes);
	f->bytes += bytes.n;
	return buf_failed(&f->table) ? ERR_NOMEM : OK;
}

static void
put_tail(struct buf *table, uint64_t id, uint64_t bytes)
{
	buf_add(table, magic, sizeof(magic));
	wire_put_u64(table, id);
	wire_put_u64(table, bytes);
	wire_put_u32(table, STORE_BODY_BLOCK);
	if (!buf_failed(table))
		wire_put_u32(table, crc32c(0, table->p, table->n));
}

/* The sum of the last block, the tail, the sum of it all. */
static void
finish_table(struct store_body_file *f)
{
	struct wire w;

	if (f->bytes % STORE_BODY_BLOCK != 0)
		wire_put_u32(&f->table, f->block_crc);
	put_tail(&f->table, f->id, f->bytes);
	if (buf_failed(&f->table))
		return;
	wire_init(&w, span_from(buf_span(&f->table), f->table.n - 4));
	f->sum = wire_u32(&w);
}

/* The directory too: a synced file without a name is lost. */
enum err
store_body_file_finish(struct store_body_file *f)
{
	const struct store_io *io = f->io;
	enum err e;

	if (f->fd < 0)
		return ERR_IO;
	finish_table(f);
	if (buf_failed(&f->table))
		return ERR_NOMEM;
	e = store_io_write(io, f->fd, f->table.p, f->table.n, f->bytes);
	if (e == OK && (io->fdatasync(io->ctx, f->fd) != 0 ||
	    io->sync_dir(io->ctx, f->dir_fd) != 0))
		e = store_io_error();
	store_body_file_clear(f);
	return e;
}

enum err
store_body_file_remove(const struct store_io *io, int dir_fd, uint64_t id)
{
	char name[STORE_SEGMENT_NAME];

	name_of(id, name);
	return io->unlink(io->ctx, dir_fd, name) == 0 ? OK :
	    store_io_error();
}

/* ---- reading ---- */

static size_t
blocks_of(uint64_t bytes)
{
	return (size_t)((bytes + STORE_BODY_BLOCK - 1) / STORE_BODY_BLOCK);
}

/* The table and its tail, verified. */
static enum err
read_table(int fd, const struct store_body_place *place, struct buf *table)
{
	size_t n = blocks_of(place->bytes) * sizeof(uint32_t) + TAIL_BYTES;
	enum err e;
	struct wire w;
	uint8_t *p;

	if (n > TABLE_MAX)
		return ERR_CORRUPT;
	if ((p = buf_reserve(table, n)) == NULL)
		return ERR_NOMEM;
	if ((e = store_io_read(fd, p, n, place->bytes)) != OK)
		return e;
	buf_commit(table, n);
	n -= sizeof(uint32_t);
	wire_init(&w, span_from(buf_span(table), n));
	return wire_u32(&w) == place->sum &&
	    crc32c(0, p, n) == place->sum ? OK : ERR_CORRUPT;
}

static enum err
sum_up_file(int fd, uint64_t bytes, struct store_body_file *f)
{
	uint8_t *p = malloc(STORE_BODY_BLOCK);
	enum err e = p == NULL ? ERR_NOMEM : OK;

	while (f->bytes < bytes && e == OK) {
		uint64_t left = bytes - f->bytes;
		size_t n = left < STORE_BODY_BLOCK ? (size_t)left :
		    STORE_BODY_BLOCK;

		if ((e = store_io_read(fd, p, n, f->bytes)) == OK) {
			sum_up(f, span_of(p, n));
			f->bytes += n;
		}
	}
	free(p);
	return e;
}

/* As it was written, if the bytes are what they were then. */
static enum err
remake_table(int fd, const struct store_body_place *place, struct buf *table)
{
	struct store_body_file f;
	enum err e;

	store_body_file_init(&f);
	f.id = place->id;
	if ((e = sum_up_file(fd, place->bytes, &f)) == OK) {
		finish_table(&f);
		buf_reset(table);
		buf_add_span(table, buf_span(&f.table));
		e = buf_failed(&f.table) || buf_failed(table) ? ERR_NOMEM :
		    f.sum == place->sum ? OK : ERR_CORRUPT;
	}
	store_body_file_clear(&f);
	return e;
}

static enum err
find_table(int fd, const struct store_body_place *place, struct buf *table)
{
	enum err e = read_table(fd, place, table);

	return place->remakes_table && (e == ERR_CORRUPT || e == ERR_IO) ?
	    remake_table(fd, place, table) : e;
}

/* Blocks FIRST to before END into P, each verified. */
static enum err
read_blocks(int fd, uint64_t bytes, const uint8_t *table, uint64_t first,
    uint64_t end, uint8_t *p)
{
	uint64_t at = first * STORE_BODY_BLOCK;
	uint64_t stop = end * STORE_BODY_BLOCK < bytes ?
	    end * STORE_BODY_BLOCK : bytes;
	enum err e = store_io_read(fd, p, (size_t)(stop - at), at);

	for (uint64_t block = first; block < end && e == OK; block++) {
		size_t n = stop - at < STORE_BODY_BLOCK ?
		    (size_t)(stop - at) : STORE_BODY_BLOCK;
		struct wire w;

		wire_init(&w, span_of(table + block * sizeof(uint32_t),
		    sizeof(uint32_t)));
		if (crc32c(0, p, n) != wire_u32(&w))
			e = ERR_CORRUPT;
		p += n;
		at += n;
	}
	return e;
}

static enum err
read_part(int fd, const struct store_body_place *place, uint64_t offset,
    size_t n, struct buf *out)
{
	uint64_t first = offset / STORE_BODY_BLOCK;
	uint64_t end = blocks_of(offset + n);
	size_t skip = (size_t)(offset % STORE_BODY_BLOCK);
	struct buf table;
	uint8_t *p = NULL;
	enum err e;

	buf_init(&table, TABLE_MAX);
	e = find_table(fd, place, &table);
	/* whole blocks, so more than OUT may have room for */
	if (e == OK && (p = malloc((size_t)(end - first) *
	    STORE_BODY_BLOCK)) == NULL)
		e = ERR_NOMEM;
	if (e == OK)
		e = read_blocks(fd, place->bytes, table.p, first, end, p);
	if (e == OK) {
		buf_add(out, p + skip, n);
		e = buf_failed(out) ? ERR_NOMEM : OK;
	}
	buf_clear(&table);
	free(p);
	return e;
}

enum err
store_body_file_read(const struct store_body_place *place, uint64_t offset,
    size_t n, struct buf *out)
{
	char name[STORE_SEGMENT_NAME];
	enum err e;
	int fd;

	if (offset >= place->bytes)
		return OK;
	if (n > place->bytes - offset)
		n = (size_t)(place->bytes - offset);
	name_of(place->id, name);
	e = store_io_open(place->io, place->dir_fd, name, O_RDONLY, &fd);
	if (e != OK)
		/* a record names it, so its absence is damage */
		return e == ERR_NOT_FOUND ? ERR_CORRUPT : ERR_IO;
	e = read_part(fd, place, offset, n, out);
	(void)close(fd);
	return e;
}
