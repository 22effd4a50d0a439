/*
 * A thread that runs jobs one after the other for the owner of the store.
 *
 * A job lies in the caller's object.  run() is called in the thread and may
 * touch only what the job holds; done() is called by store_worker_turn() in
 * the owner's thread, in the order in which the jobs were put.  Between the
 * two calls the job belongs to the worker.
 */
#ifndef MTAD_QUEUED_STORE_STORE_WORKER_H
#define MTAD_QUEUED_STORE_STORE_WORKER_H

#include "common/base/err.h"
#include "common/base/list.h"

struct store_worker;

struct store_job {
	struct list link;
	void (*run)(struct store_job *job);
	void (*done)(struct store_job *job, void *owner);
};

/* WAKE_FD is an eventfd, written when something is done.  OWNER is given to
 * done().  ERR_NOMEM, ERR_FULL (no thread). */
enum err store_worker_start(const char *name, int wake_fd, void *owner,
    struct store_worker **out);

/* Runs all jobs that were put, calls their done(), ends the thread, frees. */
void store_worker_stop(struct store_worker **w);

void store_worker_put(struct store_worker *w, struct store_job *job);

/* Runs a job in the caller's thread, which is the owner's, and wakes nobody;
 * done() comes with the next turn as for all others.  Nothing may be under
 * way. */
void store_worker_run_here(struct store_worker *w, struct store_job *job);

/* Calls done() of what was finished; returns how many. */
size_t store_worker_turn(struct store_worker *w);

/* Waits until all that was put is finished, and takes its turns. */
void store_worker_drain(struct store_worker *w);

#endif
