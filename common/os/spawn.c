/*
 * fork() and execveat(), not posix_spawn(), which cannot run a descriptor: the
 * program that was opened is the one that runs, whatever its path leads to now.
 */
#include "common/os/spawn.h"

#include "common/os/fd.h"
#include "common/os/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* O_PATH: a program that may be run but not read will do. */
enum err
spawn_open(const char *path, int *program, struct why *why)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
		    "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (st.st_mode & 0111) == 0) {
		fd_close(&fd);
		return why_set(why, ERR_SYNTAX, "%s: is not a program", path);
	}
	*program = fd;
	return OK;
}

/* Copies are made above it, out of the way of all that is to be placed. */
static int
highest_number(const struct spawn *s)
{
	int highest = 2;

	for (size_t i = 0; i < s->fd_count; i++) {
		if (s->fds[i].number > highest)
			highest = s->fds[i].number;
	}
	return highest;
}

/* Two for one number would make the second win unnoticed. */
static bool
is_legal(const struct spawn *s)
{
	if (s->fd_count > SPAWN_FDS_MAX)
		return false;
	for (size_t i = 0; i < s->fd_count; i++) {
		if (s->fds[i].fd < 0 || s->fds[i].number < 0)
			return false;
		for (size_t j = 0; j < i; j++) {
			if (s->fds[j].number == s->fds[i].number)
				return false;
		}
	}
	return true;
}

/*
 * From here to the exec we are the child: only async-signal-safe calls, and
 * failure means -1 with errno.
 */

/* A copy that closes by itself at the exec. */
static int
dup_above(int fd, int highest)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, highest + 1);
}

/* 0, 1, 2 that were not chosen; the others are at their places already. */
static int
fill_standard(const struct spawn *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -1;
	for (int number = 0; number <= 2; number++) {
		bool is_chosen = false;

		for (size_t i = 0; i < s->fd_count; i++)
			is_chosen |= s->fds[i].number == number;
		if (!is_chosen && null != number && dup2(null, number) < 0)
			return -1;
		if (!is_chosen && null == number &&
		    fcntl(null, F_SETFD, 0) < 0)
			return -1;
	}
	return 0;
}

/*
 * Brings all to their numbers: first copies out of the way, so that no number
 * is overwritten that is still needed, then copies to where they belong, which
 * alone stay open through the exec.
 */
static int
place_fds(const struct spawn *s, int *program, int *status)
{
	int highest = highest_number(s);
	int copies[SPAWN_FDS_MAX];

	*program = dup_above(*program, highest);
	*status = dup_above(*status, highest);
	if (*program < 0 || *status < 0)
		return -1;
	for (size_t i = 0; i < s->fd_count; i++) {
		copies[i] = dup_above(s->fds[i].fd, highest);
		if (copies[i] < 0)
			return -1;
	}
	/* all that the parent has open, whatever library opened it */
	fd_cloexec_from(0);
	for (size_t i = 0; i < s->fd_count; i++) {
		if (dup2(copies[i], s->fds[i].number) < 0)
			return -1;
	}
	return fill_standard(s);
}

/* Never returns; the parent learns the errno through the pipe STATUS. */
static void
run_child(const struct spawn *s, int status)
{
	static const char *const nothing[] = { NULL };
	const char *const *envp = s->envp != NULL ? s->envp : nothing;
	int program = s->program;
	int error;

	/* first: handlers of the parent must not run here */
	signals_reset();
	umask(077);
	if (place_fds(s, &program, &status) == 0)
		(void)execveat(program, "",
		    (char *const *)(uintptr_t)s->argv,
		    (char *const *)(uintptr_t)envp, AT_EMPTY_PATH);
	error = errno;
	/* four octets: a pipe takes them whole */
	if (write(status, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* The pipe closes at the exec; before, it tells why there was none. */
static enum err
wait_for_exec(int status, pid_t pid)
{
	int error = 0;
	ssize_t n;

	do {
		n = read(status, &error, sizeof(error));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return OK;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	errno = n == (ssize_t)sizeof(error) ? error : EIO;
	return ERR_IO;
}

/* Waits until the exec has happened or failed, so that a failure has a reason
 * and no pid of a child that never ran gets out. */
enum err
spawn_start(const struct spawn *s, pid_t *pid)
{
	int status[2];
	pid_t child;
	enum err e;

	if (!is_legal(s))
		return ERR_RANGE;
	if (pipe2(status, O_CLOEXEC) < 0)
		return ERR_IO;
	child = fork();
	if (child == 0)
		run_child(s, status[1]);
	fd_close(&status[1]);
	e = child < 0 ? ERR_IO : wait_for_exec(status[0], child);
	fd_close(&status[0]);
	if (e == OK)
		*pid = child;
	return e;
}
