/*
 * close_range() does in one call what a loop over all numbers takes seconds for
 * when the limit is a million; the loop remains for old kernels and filters.
 */
#include "common/os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

void
fd_close(int *fd)
{
	int saved = errno;

	/* Linux frees the number even when close() fails: never repeat it */
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

/* GET and SET are fcntl commands; nothing is set that is so already. */
static enum err
set_flag(int fd, int get, int set, int flag, bool is_on)
{
	int flags = fcntl(fd, get);
	int wanted = is_on ? flags | flag : flags & ~flag;

	if (flags < 0)
		return ERR_IO;
	if (wanted != flags && fcntl(fd, set, wanted) < 0)
		return ERR_IO;
	return OK;
}

enum err
fd_set_nonblock(int fd, bool is_on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, is_on);
}

enum err
fd_set_cloexec(int fd, bool is_on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, is_on);
}

/* Never 0, 1 or 2: those are for the standard streams, even when closed. */
enum err
fd_dup(int fd, int *copy)
{
	int made = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (made < 0)
		return ERR_IO;
	*copy = made;
	return OK;
}

/* Open through an exec only as a standard stream. */
enum err
fd_dup_to(int fd, int to)
{
	/* dup3() refuses equal numbers */
	if (fd == to)
		return OK;
	return dup3(fd, to, to > 2 ? O_CLOEXEC : 0) < 0 ? ERR_IO : OK;
}

/* A stream: messages have lengths of their own, and it tells when the peer
 * dies. */
enum err
fd_pair(int ends[2])
{
	int made[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, made) < 0)
		return ERR_IO;
	ends[0] = made[0];
	ends[1] = made[1];
	return OK;
}

/* Else the first socket that is opened becomes descriptor 2, and a library's
 * message goes to a client. */
enum err
fd_fill_standard(void)
{
	for (;;) {
		int fd = open("/dev/null", O_RDWR);

		if (fd < 0)
			return ERR_IO;
		/* open() gives the lowest free number */
		if (fd > 2) {
			(void)close(fd);
			return OK;
		}
	}
}

/* One more than the highest number that the process could have. */
static int
end_of_numbers(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_max > INT_MAX)
		return INT_MAX;
	return (int)limit.rlim_max;
}

/* Closes FIRST .. LAST, one by one where the kernel is older than 5.9. */
static void
close_run(int first, int last)
{
	if (first > last ||
	    close_range((unsigned)first, (unsigned)last, 0) == 0)
		return;
	if (last >= end_of_numbers())
		last = end_of_numbers() - 1;
	for (int fd = first; fd <= last; fd++)
		(void)close(fd);
}

/* The smallest of KEEP that is not below FD, or INT_MAX. */
static int
next_kept(int fd, const int *keep, size_t n)
{
	int found = INT_MAX;

	for (size_t i = 0; i < n; i++) {
		if (keep[i] >= fd && keep[i] < found)
			found = keep[i];
	}
	return found;
}

/* In runs between those that are kept: one call each, not one a number. */
void
fd_close_from(int first, const int *keep, size_t n)
{
	int saved = errno;
	int at = first;

	for (;;) {
		int kept = next_kept(at, keep, n);

		if (kept == INT_MAX)
			break;
		close_run(at, kept - 1);
		at = kept + 1;
	}
	close_run(at, INT_MAX);
	errno = saved;
}

/*
 * For a child before its exec: what is to survive is put in place afterwards.
 */
void
fd_cloexec_from(int first)
{
	int saved = errno;

	if (close_range((unsigned)first, UINT_MAX, CLOSE_RANGE_CLOEXEC) != 0) {
		int end = end_of_numbers();

		for (int fd = first; fd < end; fd++)
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	errno = saved;
}
