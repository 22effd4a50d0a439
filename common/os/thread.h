/*
 * Threads: started with every signal blocked, and named.
 */
#ifndef MTAD_OS_THREAD_H
#define MTAD_OS_THREAD_H

#include "common/base/err.h"

#include <pthread.h>

#define THREAD_NAME_MAX 15

/* NAME (cut to THREAD_NAME_MAX) is what `ps -L` shows.  ERR_FULL. */
enum err thread_start(const char *name, void *(*run)(void *), void *arg,
    pthread_t *out);

/* Names the calling thread; the main thread's name is the process's
 * (`ps -o comm`). */
void thread_set_name(const char *name);

/* The calling thread and those it starts no longer interrupt whoever wakes them:
 * for a process for which nobody waits (SCHED_BATCH; never fails). */
void thread_set_patient(void);

#endif
