#include "queued/store/store_small.h"

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/base/wire.h"

#include <fcntl.h>
#include <unistd.h>

enum { BYTES_MAX = STORE_SMALL_MAGIC + STORE_SMALL_MAX * 8 + 4 };

static size_t
size_of(const struct store_small *what)
{
	MUST(what->count <= STORE_SMALL_MAX);
	return STORE_SMALL_MAGIC + what->count * 8 + 4;
}

/* Our own directory, which store_open() opens for itself later. */
static enum err
open_dir(const char *path, int *fd)
{
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd >= 0 ? OK : store_io_error();
}

static enum err
parse(struct span bytes, const struct store_small *what, uint64_t *out)
{
	uint64_t numbers[STORE_SMALL_MAX];
	struct wire w;

	if (memcmp(bytes.p, what->magic, STORE_SMALL_MAGIC) != 0)
		return ERR_CORRUPT;
	wire_init(&w, span_from(bytes, STORE_SMALL_MAGIC));
	for (size_t i = 0; i < what->count; i++)
		numbers[i] = wire_u64(&w);
	if (wire_u32(&w) != crc32c(0, bytes.p, bytes.n - 4) ||
	    wire_done(&w) != OK)
		return ERR_CORRUPT;
	memcpy(out, numbers, what->count * sizeof(*numbers));
	return OK;
}

enum err
store_small_read(const struct store_io *io, const char *path,
    const struct store_small *what, uint64_t *out)
{
	uint8_t bytes[BYTES_MAX];
	size_t n = size_of(what);
	int dir, fd;
	enum err e;

	io = io != NULL ? io : &store_io_system;
	if ((e = open_dir(path, &dir)) != OK)
		return e;
	e = store_io_open(io, dir, what->name, O_RDONLY, &fd);
	(void)close(dir);
	if (e != OK)
		return e;
	e = store_io_read(fd, bytes, n, 0);
	(void)close(fd);
	return e == OK ? parse(span_of(bytes, n), what, out) : e;
}

static enum err
write_new(const struct store_io *io, int dir, const struct store_small *what,
    struct span bytes, bool is_synced)
{
	enum err e;
	int fd;

	(void)io->unlink(io->ctx, dir, what->new_name);
	e = store_io_open(io, dir, what->new_name,
	    O_WRONLY | O_CREAT | O_EXCL, &fd);
	if (e != OK)
		return e;
	e = store_io_write(io, fd, bytes.p, bytes.n, 0);
	if (e == OK && is_synced && io->fdatasync(io->ctx, fd) != 0)
		e = store_io_error();
	(void)close(fd);
	if (e == OK &&
	    io->rename(io->ctx, dir, what->new_name, what->name) != 0)
		e = store_io_error();
	if (e == OK && is_synced && io->sync_dir(io->ctx, dir) != 0)
		e = store_io_error();
	return e;
}

enum err
store_small_write(const struct store_io *io, const char *path,
    const struct store_small *what, const uint64_t *numbers, bool is_synced)
{
	struct buf bytes;
	enum err e;
	int dir;

	io = io != NULL ? io : &store_io_system;
	if ((e = open_dir(path, &dir)) != OK)
		return e;
	buf_init(&bytes, size_of(what));
	buf_add(&bytes, what->magic, STORE_SMALL_MAGIC);
	for (size_t i = 0; i < what->count; i++)
		wire_put_u64(&bytes, numbers[i]);
	wire_put_u32(&bytes, crc32c(0, bytes.p, bytes.n));
	e = buf_failed(&bytes) ? ERR_NOMEM :
	    write_new(io, dir, what, buf_span(&bytes), is_synced);
	buf_clear(&bytes);
	(void)close(dir);
	return e;
}
