#include "common/os/fd.h"
#include "common/os/signals.h"
#include "common/os/spawn.h"
#include "tests/unit/os/os_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs spawn_child and gathers what it says. */
static void
run(const struct spawn_fd *fds, size_t n, const char *const *envp, int out,
    char *text, size_t size)
{
	static const char *const argv[] = { "name", "a b", NULL };
	struct spawn s = {
		.argv = argv, .envp = envp, .fds = fds, .fd_count = n,
	};
	size_t used = 0;
	int status = 0;
	pid_t pid = 0;
	ssize_t got;

	cr_assert_eq(spawn_open(SPAWN_CHILD, &s.program, NULL), OK);
	cr_assert_eq(spawn_start(&s, &pid), OK, "%s", strerror(errno));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	fd_set_nonblock(out, true);
	while ((got = read(out, text + used, size - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	fd_close(&s.program);
}

Test(spawn, gives_exactly_what_was_chosen)
{
	static const int blocked[] = { SIGTERM, SIGUSR1, 0 };
	struct spawn_fd fds[4];
	char text[2000];
	int ends[2], leaked;

	cr_assert_eq(pipe(ends), 0);
	leaked = dup(0);		/* not close-on-exec, not chosen */
	signals_ignore(SIGPIPE);
	cr_assert_eq(signals_open(blocked, &(int){ -1 }), OK);
	setenv("SECRET", "x", 1);
	fds[0] = (struct spawn_fd){ ends[1], 1 };
	fds[1] = (struct spawn_fd){ ends[0], 3 };
	fds[2] = (struct spawn_fd){ ends[0], 40 };
	run(fds, 3, NULL, ends[0], text, sizeof(text));
	cr_expect_str_eq(text, "arg name;arg a b;fd 0;fd 1;fd 2;fd 3;fd 40;"
	    "umask 077;");
	close(leaked);
}

/* Each chosen descriptor has the number that another is wanted at. */
Test(spawn, numbers_may_cross)
{
	static const char *const envp[] = { "TZ=UTC", NULL };
	struct spawn_fd fds[3];
	char text[2000], byte = 0;
	int a[2], b[2];

	cr_assert_eq(pipe(a), 0);
	cr_assert_eq(pipe(b), 0);
	cr_assert_eq(write(b[1], "q", 1), 1);
	fds[0] = (struct spawn_fd){ a[1], 1 };
	fds[1] = (struct spawn_fd){ a[0], b[0] };
	fds[2] = (struct spawn_fd){ b[0], a[0] };
	run(fds, 3, envp, a[0], text, sizeof(text));
	cr_expect_not_null(strstr(text, "env TZ=UTC;fd 0;fd 1;fd 2;"));
	cr_expect_eq(read(b[0], &byte, 1), 1, "ours are as they were");
	cr_expect_eq(byte, 'q');
}

Test(spawn, failures_are_told)
{
	static const char *const argv[] = { "x", NULL };
	struct spawn_fd twice[] = { { 0, 5 }, { 1, 5 } };
	struct spawn s = { .program = -1, .argv = argv };
	int before = os_count_fds();
	struct why why;
	pid_t pid = -5;

	cr_expect_eq(spawn_open("/no/such", &s.program, &why), ERR_NOT_FOUND);
	cr_expect_eq(spawn_open("/etc/passwd", &s.program, &why), ERR_SYNTAX);
	cr_expect_str_eq(why.text, "/etc/passwd: is not a program");
	cr_expect_eq(spawn_open("/bin", &s.program, &why), ERR_SYNTAX);
	s.program = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	cr_expect_eq(spawn_start(&s, &pid), ERR_IO);
	cr_expect(errno == EACCES || errno == ENOEXEC);
	cr_expect_eq(pid, -5);
	cr_expect_lt(waitpid(-1, NULL, WNOHANG), 0, "no child is left");
	s.fds = twice;
	s.fd_count = 2;
	cr_expect_eq(spawn_start(&s, &pid), ERR_RANGE);
	fd_close(&s.program);
	cr_expect_eq(os_count_fds(), before);
}
