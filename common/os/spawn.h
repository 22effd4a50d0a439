/*
 * Starts a program from a descriptor, with exactly the descriptors, the
 * environment and the signal state that were chosen.
 */
#ifndef MTAD_OS_SPAWN_H
#define MTAD_OS_SPAWN_H

#include "common/base/err.h"

#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 16

struct spawn_fd {
	int fd;			/* ours; stays ours */
	int number;		/* what the child finds it as; no two alike */
};

struct spawn {
	int program;			/* an ELF file opened O_PATH or to read */
	const char *const *argv;	/* NULL-terminated */
	const char *const *envp;	/* NULL: an empty environment */
	const struct spawn_fd *fds;
	size_t fd_count;
};

/* Opens a program for later starts, so that they all run the same file. */
enum err spawn_open(const char *path, int *program, struct why *why);

/*
 * OK once the child runs the program: signals at their defaults and unblocked,
 * umask 077, no descriptor but those chosen; 0, 1, 2 are /dev/null unless
 * chosen.  For use in a process without threads.  ERR_IO with errno as the
 * child's exec failed, ERR_RANGE.
 */
enum err spawn_start(const struct spawn *s, pid_t *pid);

#endif
