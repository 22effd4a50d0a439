/*
 * Every change of a file that the store makes goes through here, so that a
 * test can fail, record or forget it.  LMDB does its own writing.
 *
 * The functions are those of the system, and fail as they do (-1, errno).
 * They are called from several threads at once.
 */
#ifndef MTAD_QUEUED_STORE_STORE_IO_H
#define MTAD_QUEUED_STORE_STORE_IO_H

#include "common/base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct store_io {
	void *ctx;		/* given to each call */
	int (*open)(void *ctx, int dir, const char *name, int flags,
	    mode_t mode);
	ssize_t (*pwrite)(void *ctx, int fd, const void *p, size_t n,
	    off_t at);
	int (*fdatasync)(void *ctx, int fd);
	int (*sync_dir)(void *ctx, int fd);
	int (*rename)(void *ctx, int dir, const char *from, const char *to);
	int (*unlink)(void *ctx, int dir, const char *name);
	/* Bytes that a file system has for us; -1 on failure. */
	int (*room)(void *ctx, int dir, uint64_t *available, uint64_t *total);
};

/* The system's own. */
extern const struct store_io store_io_system;

/* All N bytes, however many calls it takes; ERR_FULL (disk, quota), ERR_IO. */
enum err store_io_write(const struct store_io *io, int fd, const void *p,
    size_t n, uint64_t at);

/* Exactly N bytes; ERR_CORRUPT when the file ends before, ERR_IO. */
enum err store_io_read(int fd, void *p, size_t n, uint64_t at);

/* A file below DIR, never through a link; ERR_NOT_FOUND, ERR_EXISTS,
 * ERR_FULL, ERR_IO. */
enum err store_io_open(const struct store_io *io, int dir, const char *name,
    int flags, int *fd);

/* Of errno: ERR_FULL, ERR_NOT_FOUND, ERR_EXISTS, ERR_IO. */
enum err store_io_error(void);

#endif
