/*
 * signalfd instead of handlers: a signal is an event among others of the loop
 * and interrupts nothing.
 */
#include "common/os/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Blocked before the descriptor exists, so that none is lost between. */
enum err
signals_open(const int *signals, int *fd)
{
	sigset_t set;
	int made;

	sigemptyset(&set);
	for (; *signals != 0; signals++)
		sigaddset(&set, *signals);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ERR_IO;
	made = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (made < 0)
		return ERR_IO;
	*fd = made;
	return OK;
}

/* One signal a call; equal ones that came meanwhile are one. */
enum err
signals_read(int fd, int *signal)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do {
		n = read(fd, &info, sizeof(info));
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(info)) {
		*signal = (int)info.ssi_signo;
		return OK;
	}
	return n < 0 && errno == EAGAIN ? ERR_AGAIN : ERR_IO;
}

static void
set_handler(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigemptyset(&action.sa_mask);
	/* fails only for those that cannot be changed anyhow */
	(void)sigaction(number, &action, NULL);
}

void
signals_ignore(int signal)
{
	set_handler(signal, SIG_IGN);
}

/* For a child before its exec: ignored signals and the mask would be
 * inherited. */
void
signals_reset(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		set_handler(number, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}
