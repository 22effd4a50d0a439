/*
 * The system's calls, and how their failures are read.
 *
 * Calls that end early or are interrupted are continued here, so that the rest
 * of the store sees all bytes or a failure.
 */
#include "queued/store/store_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FILE_MODE = 0600 };

static int
system_open(void *ctx, int dir, const char *name, int flags, mode_t mode)
{
	(void)ctx;
	return openat(dir, name, flags, mode);
}

static ssize_t
system_pwrite(void *ctx, int fd, const void *p, size_t n, off_t at)
{
	(void)ctx;
	return pwrite(fd, p, n, at);
}

static int
system_fdatasync(void *ctx, int fd)
{
	(void)ctx;
	return fdatasync(fd);
}

/* A name is durable only once its directory is synced. */
static int
system_sync_dir(void *ctx, int fd)
{
	(void)ctx;
	return fsync(fd);
}

static int
system_rename(void *ctx, int dir, const char *from, const char *to)
{
	(void)ctx;
	return renameat(dir, from, dir, to);
}

static int
system_unlink(void *ctx, int dir, const char *name)
{
	(void)ctx;
	return unlinkat(dir, name, 0);
}

/* What is kept for root does not count: it is not ours. */
static int
system_room(void *ctx, int dir, uint64_t *available, uint64_t *total)
{
	struct statvfs v;

	(void)ctx;
	if (fstatvfs(dir, &v) != 0)
		return -1;
	*available = (uint64_t)v.f_bavail * v.f_frsize;
	*total = (uint64_t)v.f_blocks * v.f_frsize;
	return 0;
}

const struct store_io store_io_system = {
	.open = system_open,
	.pwrite = system_pwrite,
	.fdatasync = system_fdatasync,
	.sync_dir = system_sync_dir,
	.rename = system_rename,
	.unlink = system_unlink,
	.room = system_room,
};

/* Too few descriptors count as full: a temporary refusal, no defect (I-06). */
enum err
store_io_error(void)
{
	switch (errno) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EMFILE:
	case ENFILE:
		return ERR_FULL;
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	default:
		return ERR_IO;
	}
}

enum err
store_io_write(const struct store_io *io, int fd, const void *p, size_t n,
    uint64_t at)
{
	const uint8_t *bytes = p;

	while (n > 0) {
		ssize_t done = io->pwrite(io->ctx, fd, bytes, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return store_io_error();
		/* never for N > 0, but then it would not end */
		if (done == 0)
			return ERR_IO;
		bytes += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return OK;
}

enum err
store_io_read(int fd, void *p, size_t n, uint64_t at)
{
	uint8_t *bytes = p;

	while (n > 0) {
		ssize_t done = pread(fd, bytes, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return ERR_IO;
		if (done == 0)
			return ERR_CORRUPT;
		bytes += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return OK;
}

enum err
store_io_open(const struct store_io *io, int dir, const char *name, int flags,
    int *fd)
{
	int got = io->open(io->ctx, dir, name, flags | O_CLOEXEC | O_NOFOLLOW,
	    FILE_MODE);

	if (got < 0)
		return store_io_error();
	*fd = got;
	return OK;
}
