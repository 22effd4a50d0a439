/*
 * The C library's calls that change files, defined again.
 *
 * They are made by syscall(), so that no other definition comes in between.
 * Reading is of no interest.  msync() and writes through maps are not seen;
 * LMDB maps its lock file only, which a start makes anew.
 */
#include "tests/crash/record_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- writes ---- */

static size_t
gather(const struct iovec *v, int count, uint8_t **out)
{
	size_t n = 0, at = 0;

	for (int i = 0; i < count; i++)
		n += v[i].iov_len;
	*out = malloc(n > 0 ? n : 1);
	if (*out == NULL)
		abort();
	for (int i = 0; i < count; i++) {
		memcpy(*out + at, v[i].iov_base, v[i].iov_len);
		at += v[i].iov_len;
	}
	return n;
}

/* A failing one does half. */
static ssize_t
do_write(const struct record_file *k, int fd, const void *p, size_t n, off_t at)
{
	struct trace_event e = { .kind = TRACE_WRITE, .ino = k->ino,
	    .at = (uint64_t)at };
	bool has_failed = record_fails(record_class_of(k->name, false));
	int flags = fcntl(fd, F_GETFL), error = errno;
	ssize_t done;

	record_die_if_wanted();
	if (has_failed)
		n /= 2;
	done = syscall(SYS_pwrite64, fd, p, n, at);
	if (done > 0) {
		if ((flags & (O_DSYNC | O_SYNC)) != 0 && !has_failed)
			e.flags = TRACE_IS_DURABLE;
		record_add(&e, p, (size_t)done, k->name);
	}
	if (!has_failed)
		return done;
	errno = error;
	return -1;
}

static ssize_t
write_some(int fd, const void *p, size_t n, off_t at, bool is_at_place)
{
	const struct record_file *k;
	ssize_t done;
	int flags;

	if (!record_lock())
		return is_at_place ? syscall(SYS_pwrite64, fd, p, n, at) :
		    syscall(SYS_write, fd, p, n);
	if ((k = record_of_fd(fd)) == NULL) {
		record_unlock();
		return is_at_place ? syscall(SYS_pwrite64, fd, p, n, at) :
		    syscall(SYS_write, fd, p, n);
	}
	if (!is_at_place) {
		flags = fcntl(fd, F_GETFL);
		at = lseek(fd, 0, (flags & O_APPEND) != 0 ? SEEK_END :
		    SEEK_CUR);
	}
	done = do_write(k, fd, p, n, at);
	if (!is_at_place && done > 0)
		(void)lseek(fd, at + done, SEEK_SET);
	record_unlock();
	return done;
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	return write_some(fd, p, n, at, true);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return write_some(fd, p, n, at, true);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	return write_some(fd, p, n, 0, false);
}

ssize_t
writev(int fd, const struct iovec *v, int count)
{
	uint8_t *p;
	size_t n;
	ssize_t done;

	if (!record_is_on())
		return syscall(SYS_writev, fd, v, count);
	n = gather(v, count, &p);
	done = write_some(fd, p, n, 0, false);
	free(p);
	return done;
}

ssize_t
pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	uint8_t *p;
	size_t n = gather(v, count, &p);
	ssize_t done = write_some(fd, p, n, at, true);

	free(p);
	return done;
}

ssize_t
pwritev64(int fd, const struct iovec *v, int count, off_t at)
{
	return pwritev(fd, v, count, at);
}

/* Between two files of which one is recorded its bytes would not be seen; who
 * asks copies by reading then. */
ssize_t
copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n,
    unsigned flags)
{
	bool is_ours;

	if (record_lock()) {
		is_ours = record_of_fd(to) != NULL;
		record_unlock();
		if (is_ours) {
			errno = EXDEV;
			return -1;
		}
	}
	return syscall(SYS_copy_file_range, from, from_at, to, to_at, n,
	    flags);
}

int
ftruncate(int fd, off_t size)
{
	const struct record_file *k = NULL;
	bool is_locked = record_lock();
	int rc;

	if (is_locked && (k = record_of_fd(fd)) != NULL)
		record_die_if_wanted();
	rc = (int)syscall(SYS_ftruncate, fd, size);
	if (k != NULL && rc == 0)
		record_add(&(struct trace_event){ .kind = TRACE_SIZE, .ino = k->ino,
		    .at = (uint64_t)size }, NULL, 0, k->name);
	if (is_locked)
		record_unlock();
	return rc;
}

int
ftruncate64(int fd, off_t size)
{
	return ftruncate(fd, size);
}

/* Blocks alone change nothing that is read; with a new size it is one. */
int
fallocate(int fd, int mode, off_t at, off_t n)
{
	const struct record_file *k = NULL;
	bool is_locked = record_lock();
	struct stat st;
	int rc;

	if (is_locked)
		k = record_of_fd(fd);
	rc = (int)syscall(SYS_fallocate, fd, mode, at, n);
	if (k != NULL && rc == 0 && mode != FALLOC_FL_KEEP_SIZE &&
	    fstat(fd, &st) == 0)
		record_add(&(struct trace_event){ .kind = TRACE_SIZE, .ino = k->ino,
		    .at = (uint64_t)st.st_size }, NULL, 0, k->name);
	if (is_locked)
		record_unlock();
	return rc;
}

int
fallocate64(int fd, int mode, off_t at, off_t n)
{
	return fallocate(fd, mode, at, n);
}

/* ---- syncs ---- */

static int
sync_fd(long call, int fd)
{
	const struct record_file *k = NULL;
	bool is_locked = record_lock(), has_failed;
	struct trace_event e = { .kind = TRACE_SYNC };
	int error;

	if (!is_locked || (k = record_of_fd(fd)) == NULL) {
		if (is_locked)
			record_unlock();
		return (int)syscall(call, fd);
	}
	has_failed = record_fails(record_class_of(k->name, true));
	error = errno;
	record_die_if_wanted();
	e.ino = k->ino;
	if (has_failed)
		e.kind = TRACE_SYNC_FAILED;
	/* nobody cuts the power of this machine: nothing need be synced */
	record_add(&e, NULL, 0, k->name);
	record_unlock();
	errno = error;
	return has_failed ? -1 : 0;
}

int
fsync(int fd)
{
	return sync_fd(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return sync_fd(SYS_fdatasync, fd);
}

int
syncfs(int fd)
{
	if (!record_lock())
		return (int)syscall(SYS_syncfs, fd);
	if (record_of_fd(fd) != NULL) {
		record_die_if_wanted();
		record_add_syncs();
	}
	record_unlock();
	return 0;
}

/* ---- names ---- */

static int
open_at(int dir, const char *name, int flags, mode_t mode)
{
	const struct record_file *parent;
	const char *last;
	uint64_t before;
	struct stat st;
	int fd;

	if ((flags & (O_CREAT | O_TRUNC)) == 0 || !record_lock())
		return (int)syscall(SYS_openat, dir, name, flags, mode);
	parent = record_of_path(dir, name, &last);
	before = parent != NULL ? record_inode_at(dir, name) : 0;
	if (parent != NULL)
		record_die_if_wanted();
	fd = (int)syscall(SYS_openat, dir, name, flags, mode);
	if (fd >= 0 && parent != NULL && fstat(fd, &st) == 0) {
		if (before == 0)
			record_add_names(TRACE_CREATE, st.st_ino, parent->ino, last, 0,
			    NULL, 0);
		else if ((flags & O_TRUNC) != 0)
			record_add(&(struct trace_event){ .kind = TRACE_SIZE,
			    .ino = st.st_ino }, NULL, 0, last);
	}
	record_unlock();
	return fd;
}

static mode_t
mode_of(int flags, va_list args)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ?
	    (mode_t)va_arg(args, int) : 0;
}

int
openat(int dir, const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return open_at(dir, name, flags, mode);
}

int
open(const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return open_at(AT_FDCWD, name, flags, mode);
}

int
open64(const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return open_at(AT_FDCWD, name, flags, mode);
}

int
openat64(int dir, const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return open_at(dir, name, flags, mode);
}

int
mkdirat(int dir, const char *name, mode_t mode)
{
	const struct record_file *parent = NULL;
	bool is_locked = record_lock();
	const char *last;
	int rc;

	if (is_locked && (parent = record_of_path(dir, name, &last)) != NULL)
		record_die_if_wanted();
	rc = (int)syscall(SYS_mkdirat, dir, name, mode);
	if (rc == 0 && parent != NULL)
		record_add_names(TRACE_CREATE, record_inode_at(dir, name), parent->ino, last,
		    0, NULL, TRACE_IS_DIR);
	if (is_locked)
		record_unlock();
	return rc;
}

int
mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

int
renameat2(int dir, const char *name, int to_dir, const char *to,
    unsigned flags)
{
	const struct record_file *parent = NULL, *to_parent = NULL;
	bool is_locked = record_lock();
	const char *last, *to_last;
	uint64_t ino = 0;
	int rc;

	if (is_locked) {
		parent = record_of_path(dir, name, &last);
		to_parent = record_of_path(to_dir, to, &to_last);
	}
	if (parent != NULL && to_parent != NULL) {
		ino = record_inode_at(dir, name);
		record_die_if_wanted();
	}
	if (parent != NULL && record_fails(RECORD_RENAME))
		rc = -1;
	else
		rc = (int)syscall(SYS_renameat2, dir, name, to_dir, to, flags);
	if (rc == 0 && parent != NULL && to_parent != NULL)
		record_add_names(TRACE_RENAME, ino, parent->ino, last, to_parent->ino,
		    to_last, 0);
	if (is_locked)
		record_unlock();
	return rc;
}

int
renameat(int dir, const char *name, int to_dir, const char *to)
{
	return renameat2(dir, name, to_dir, to, 0);
}

int
rename(const char *name, const char *to)
{
	return renameat2(AT_FDCWD, name, AT_FDCWD, to, 0);
}

int
unlinkat(int dir, const char *name, int flags)
{
	const struct record_file *parent = NULL;
	bool is_locked = record_lock();
	const char *last;
	uint64_t ino = 0;
	int rc;

	if (is_locked && (parent = record_of_path(dir, name, &last)) != NULL) {
		ino = record_inode_at(dir, name);
		record_die_if_wanted();
	}
	if (parent != NULL && ino != 0 && record_fails(RECORD_UNLINK))
		rc = -1;
	else
		rc = (int)syscall(SYS_unlinkat, dir, name, flags);
	if (rc == 0 && parent != NULL)
		record_add_names(TRACE_UNLINK, ino, parent->ino, last, 0, NULL, 0);
	if (is_locked)
		record_unlock();
	return rc;
}

int
unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int
rmdir(const char *name)
{
	return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

int
linkat(int dir, const char *name, int to_dir, const char *to, int flags)
{
	const struct record_file *to_parent = NULL;
	bool is_locked = record_lock();
	const char *last;
	int rc;

	if (is_locked && (to_parent = record_of_path(to_dir, to, &last)) != NULL)
		record_die_if_wanted();
	rc = (int)syscall(SYS_linkat, dir, name, to_dir, to, flags);
	if (rc == 0 && to_parent != NULL)
		record_add_names(TRACE_LINK, record_inode_at(to_dir, to), to_parent->ino,
		    last, 0, NULL, 0);
	if (is_locked)
		record_unlock();
	return rc;
}

int
link(const char *name, const char *to)
{
	return linkat(AT_FDCWD, name, AT_FDCWD, to, 0);
}
