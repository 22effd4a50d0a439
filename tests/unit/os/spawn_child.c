/*
 * Run by the tests of spawn: writes what it finds to descriptor 1, in words
 * that the test compares.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void
say_signals(void)
{
	sigset_t set;

	sigprocmask(SIG_SETMASK, NULL, &set);
	for (int number = 1; number < 32; number++) {
		struct sigaction action = { 0 };

		sigaction(number, NULL, &action);
		if (sigismember(&set, number) == 1)
			printf("blocked %d;", number);
		if (action.sa_handler == SIG_IGN)
			printf("ignored %d;", number);
	}
}

int
main(int argc, char **argv)
{
	char *const *at;

	for (int i = 0; i < argc; i++)
		printf("arg %s;", argv[i]);
	for (at = environ; *at != NULL; at++)
		printf("env %s;", *at);
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0)
			printf("fd %d%s;", fd, flags != 0 ? " cloexec" : "");
	}
	say_signals();
	printf("umask %03o;", (unsigned)umask(0));
	return fflush(stdout) == 0 ? 7 : 8;
}
