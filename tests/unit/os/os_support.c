#include "tests/unit/os/os_support.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[64];

const char *
os_scratch_enter(void)
{
	snprintf(scratch, sizeof(scratch), "/tmp/mtad-os-test.XXXXXX");
	if (mkdtemp(scratch) == NULL || chdir(scratch) < 0)
		return NULL;
	return scratch;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
os_scratch_leave(void)
{
	if (chdir("/") == 0)
		(void)nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
os_count_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

int
os_in_child(int (*step)(void *), void *arg)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(step(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 998;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 999;
}
