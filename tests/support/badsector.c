/*
 * A bad sector: reading any of the bytes BADSECTOR_AT to BADSECTOR_END of a
 * file whose name ends in BADSECTOR_FILE gives EIO.  Preloaded by
 * LD_PRELOAD into a program that a test starts by itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool
is_file(int fd)
{
	const char *end = getenv("BADSECTOR_FILE");
	char link[64], path[4096];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (end == NULL || n < (ssize_t)strlen(end))
		return false;
	path[n] = '\0';
	return strcmp(path + n - strlen(end), end) == 0 &&
	    strstr(path, "/spool/") != NULL;
}

static bool
is_bad(int fd, size_t n, off_t at)
{
	const char *from = getenv("BADSECTOR_AT");
	const char *to = getenv("BADSECTOR_END");

	return from != NULL && to != NULL && at < atoll(to) &&
	    at + (off_t)n > atoll(from) && is_file(fd);
}

ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
	if (is_bad(fd, n, at)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off_t at)
    __attribute__((alias("pread")));

/* As file systems do that copy: as far as the bad sector. */
ssize_t
copy_file_range(int from, off64_t *at, int to, off64_t *to_at, size_t n,
    unsigned flags)
{
	if (is_bad(from, n, *at)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_copy_file_range, from, at, to, to_at, n, flags);
}

int
ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	errno = EOPNOTSUPP;
	return -1;
}
