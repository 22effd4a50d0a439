/*
 * Two ways of opening: an administrator may point to a file by links as he
 * likes; below the spool any link is somebody else's doing and is refused.
 */
#include "common/os/file.h"

#include "common/os/fd.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_PIECE ((size_t)64 * 1024)

/* By what a caller does next; errno keeps the exact word for people. */
static enum err
error_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
	case ELOOP:
	case EXDEV:
		return ERR_DENIED;
	case ENOSPC:
	case EDQUOT:
	case EMFILE:
	case ENFILE:
		return ERR_FULL;
	default:
		return ERR_IO;
	}
}

enum err
file_open_read(int dir, const char *path, int *fd, struct why *why)
{
	struct stat st;
	int made;

	/* a FIFO or terminal must neither be waited for nor taken on */
	made = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (made < 0)
		return why_set(why, error_of(errno), "%s: %s", path,
		    strerror(errno));
	if (fstat(made, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(&made);
		return why_set(why, ERR_SYNTAX, "%s: is not a regular file",
		    path);
	}
	*fd = made;
	return OK;
}

/* For kernels and filters without openat2(): names without folders only. */
static int
open_plain(int dir, const char *path, int flags, mode_t mode)
{
	if (strchr(path, '/') != NULL || strcmp(path, "..") == 0) {
		errno = EXDEV;
		return -1;
	}
	return openat(dir, path, flags, mode);
}

/* Anything but a name below DIR is refused by the kernel itself, at each part
 * of the path: nobody can change one between a check and the use. */
enum err
file_open_beneath(int dir, const char *path, int flags, mode_t mode, int *fd)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
		/* openat2() refuses a mode where none can be used */
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS,
	};
	long made = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	if (made < 0 && (errno == ENOSYS || errno == EPERM))
		made = open_plain(dir, path, flags | O_CLOEXEC | O_NOFOLLOW,
		    mode);
	if (made < 0)
		return error_of(errno);
	*fd = (int)made;
	return OK;
}

/* An interrupted read has taken nothing. */
static ssize_t
read_some(int fd, void *to, size_t n)
{
	ssize_t got;

	do {
		got = read(fd, to, n);
	} while (got < 0 && errno == EINTR);
	return got;
}

/* Where no more may be read: OK when the file ends here, else FULL. */
static enum err
expect_end(int fd, enum err full)
{
	uint8_t byte;
	ssize_t n = read_some(fd, &byte, 1);

	if (n < 0)
		return ERR_IO;
	return n == 0 ? OK : full;
}

/* MAX bounds what the file may have, the buffer's own ceiling what fits; one
 * byte more is tried, to tell the end from too much. */
enum err
file_read_fd(int fd, size_t max, struct buf *out)
{
	size_t room_left = buf_failed(out) ? 0 : out->max - out->n;
	size_t left = max < room_left ? max : room_left;

	while (left > 0) {
		size_t piece = left < READ_PIECE ? left : READ_PIECE;
		uint8_t *to = buf_reserve(out, piece);
		ssize_t n;

		if (to == NULL)
			return ERR_NOMEM;
		n = read_some(fd, to, piece);
		if (n <= 0)
			return n < 0 ? ERR_IO : OK;
		buf_commit(out, (size_t)n);
		left -= (size_t)n;
	}
	return expect_end(fd, max <= room_left ? ERR_RANGE : ERR_NOMEM);
}

/* With words for a person, where file_read_fd() leaves errno. */
enum err
file_read(int dir, const char *path, size_t max, struct buf *out,
    struct why *why)
{
	int fd = -1;
	enum err e = file_open_read(dir, path, &fd, why);

	if (e != OK)
		return e;
	e = file_read_fd(fd, max, out);
	if (e == ERR_RANGE)
		why_set(why, e, "%s: is longer than %zu bytes", path, max);
	else if (e != OK)
		why_set(why, e, "%s: %s", path, e == ERR_NOMEM ?
		    err_text(e) : strerror(errno));
	fd_close(&fd);
	return e;
}

/* A short write is followed by another, which then says why.  On failure any
 * part of it may be written: callers that care write beside and rename. */
enum err
file_write_all(int fd, const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return error_of(errno);
		at += done;
		n -= (size_t)done;
	}
	return OK;
}

/* At its place, so that threads can share the descriptor. */
enum err
file_pwrite_all(int fd, const void *p, size_t n, off_t where)
{
	const uint8_t *at = p;

	while (n > 0) {
		ssize_t done = pwrite(fd, at, n, where);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return error_of(errno);
		at += done;
		where += done;
		n -= (size_t)done;
	}
	return OK;
}

/* ERR_RANGE: the file is shorter than it should be. */
enum err
file_pread_all(int fd, void *p, size_t n, off_t where)
{
	uint8_t *at = p;

	while (n > 0) {
		ssize_t done = pread(fd, at, n, where);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return ERR_IO;
		if (done == 0)
			return ERR_RANGE;
		at += done;
		where += done;
		n -= (size_t)done;
	}
	return OK;
}

/* A name is on disk when its directory is. */
enum err
file_sync_dir(int dir_fd)
{
	int own = -1;
	enum err e;

	/* the working directory has no descriptor */
	if (dir_fd == AT_FDCWD)
		dir_fd = own = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	e = fsync(dir_fd) < 0 ? error_of(errno) : OK;
	fd_close(&own);
	return e;
}

/* O_EXCL: nobody may have laid a file, or a link, in the way. */
static enum err
write_new(int dir_fd, const char *name, mode_t mode, struct span content,
    bool is_durable)
{
	int fd = openat(dir_fd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum err e;

	if (fd < 0)
		return error_of(errno);
	e = file_write_all(fd, content.p, content.n);
	if (e == OK && (fchmod(fd, mode) < 0 ||
	    (is_durable && fsync(fd) < 0)))
		e = error_of(errno);
	fd_close(&fd);
	return e;
}

/* Through a descriptor of its own, for reading moves it. */
bool
file_dir_is_empty(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	size_t n = 0;

	if (dir == NULL) {
		fd_close(&fd);
		return false;
	}
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n <= 2;			/* itself and its parent */
}

static enum err
replace(int dir_fd, const char *name, mode_t mode, struct span content,
    bool is_durable)
{
	char beside[NAME_MAX + 1];
	int n = snprintf(beside, sizeof(beside), ".%s.new", name);
	enum err e;

	if (n < 0 || (size_t)n >= sizeof(beside))
		return ERR_RANGE;
	/* what an interrupted earlier try has left */
	if (unlinkat(dir_fd, beside, 0) < 0 && errno != ENOENT)
		return error_of(errno);
	e = write_new(dir_fd, beside, mode, content, is_durable);
	if (e == OK && renameat(dir_fd, beside, dir_fd, name) < 0)
		e = error_of(errno);
	if (e != OK) {
		int saved = errno;

		(void)unlinkat(dir_fd, beside, 0);
		errno = saved;
	}
	return e;
}

/* The file is synced before it gets its name, and the directory after: no crash
 * shows a name with nothing behind it. */
enum err
file_replace(int dir_fd, const char *name, mode_t mode, struct span content)
{
	enum err e = replace(dir_fd, name, mode, content, true);

	return e == OK ? file_sync_dir(dir_fd) : e;
}

enum err
file_replace_soon(int dir_fd, const char *name, mode_t mode,
    struct span content)
{
	return replace(dir_fd, name, mode, content, false);
}
