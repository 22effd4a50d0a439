/*
 * "MTADCLK\n", the offset, the time seen (8 bytes each), the sum of these; all
 * little-endian.
 */
#include "queued/store/store_clock.h"

#include "common/base/buf.h"
#include "common/base/crc32c.h"
#include "common/base/wire.h"

#include <fcntl.h>
#include <unistd.h>

enum { MAGIC_BYTES = 8, FILE_BYTES = MAGIC_BYTES + 8 + 8 + 4 };

static const char name[] = "clock";
static const char new_name[] = "clock.new";
static const uint8_t magic[MAGIC_BYTES + 1] = "MTADCLK\n";

/* Our own directory, which store_open() opens for itself later. */
static enum err
open_dir(const char *path, int *fd)
{
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd >= 0 ? OK : store_io_error();
}

static enum err
parse(struct span bytes, struct store_clock *out)
{
	struct store_clock clock;
	struct wire w;

	if (memcmp(bytes.p, magic, MAGIC_BYTES) != 0)
		return ERR_CORRUPT;
	wire_init(&w, span_from(bytes, MAGIC_BYTES));
	clock.offset_ms = (int64_t)wire_u64(&w);
	clock.seen_at = (int64_t)wire_u64(&w);
	if (wire_u32(&w) != crc32c(0, bytes.p, bytes.n - 4) ||
	    wire_done(&w) != OK || clock.seen_at < 0)
		return ERR_CORRUPT;
	*out = clock;
	return OK;
}

enum err
store_clock_read(const struct store_io *io, const char *path,
    struct store_clock *out)
{
	uint8_t bytes[FILE_BYTES];
	int dir, fd;
	enum err e;

	io = io != NULL ? io : &store_io_system;
	if ((e = open_dir(path, &dir)) != OK)
		return e;
	e = store_io_open(io, dir, name, O_RDONLY, &fd);
	(void)close(dir);
	if (e != OK)
		return e;
	e = store_io_read(fd, bytes, sizeof(bytes), 0);
	(void)close(fd);
	return e == OK ? parse(span_of(bytes, sizeof(bytes)), out) : e;
}

static enum err
write_new(const struct store_io *io, int dir, struct span bytes)
{
	enum err e;
	int fd;

	(void)io->unlink(io->ctx, dir, new_name);
	e = store_io_open(io, dir, new_name, O_WRONLY | O_CREAT | O_EXCL, &fd);
	if (e != OK)
		return e;
	e = store_io_write(io, fd, bytes.p, bytes.n, 0);
	if (e == OK && io->fdatasync(io->ctx, fd) != 0)
		e = store_io_error();
	(void)close(fd);
	if (e == OK && (io->rename(io->ctx, dir, new_name, name) != 0 ||
	    io->sync_dir(io->ctx, dir) != 0))
		e = store_io_error();
	return e;
}

enum err
store_clock_write(const struct store_io *io, const char *path,
    const struct store_clock *clock)
{
	struct buf bytes;
	enum err e;
	int dir;

	io = io != NULL ? io : &store_io_system;
	if ((e = open_dir(path, &dir)) != OK)
		return e;
	buf_init(&bytes, FILE_BYTES);
	buf_add(&bytes, magic, MAGIC_BYTES);
	wire_put_u64(&bytes, (uint64_t)clock->offset_ms);
	wire_put_u64(&bytes, (uint64_t)clock->seen_at);
	wire_put_u32(&bytes, crc32c(0, bytes.p, bytes.n));
	e = buf_failed(&bytes) ? ERR_NOMEM :
	    write_new(io, dir, buf_span(&bytes));
	buf_clear(&bytes);
	(void)close(dir);
	return e;
}
