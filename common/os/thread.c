/*
 * A name for ps, and no signals: they are read by the loop of the main thread.
 */
#include "common/os/thread.h"

#include "common/base/span.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

void
thread_set_name(const char *name)
{
	char cut[THREAD_NAME_MAX + 1];

	(void)span_copy(span_str(name), cut, sizeof(cut));
	(void)prctl(PR_SET_NAME, cut, 0, 0, 0);
}

enum err
thread_start(const char *name, void *(*run)(void *), void *arg,
    pthread_t *out)
{
	char cut[THREAD_NAME_MAX + 1];
	sigset_t all, before;
	pthread_t made;
	int error;

	/* signals are the main thread's matter; a new one inherits the mask */
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return ERR_IO;
	error = pthread_create(&made, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		return ERR_FULL;
	(void)span_copy(span_str(name), cut, sizeof(cut));
	(void)pthread_setname_np(made, cut);
	*out = made;
	return OK;
}

/* Where it is not allowed nothing is lost. */
void
thread_set_patient(void)
{
	const struct sched_param param = { .sched_priority = 0 };

	(void)sched_setscheduler(0, SCHED_BATCH, &param);
}
