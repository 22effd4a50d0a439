/*
 * One lock, held only to move jobs between two lists: todo, from which the
 * thread takes them one by one, and done, which the owner takes whole.  Both
 * are in the order of putting, so done() is too.  done() is called without the
 * lock, for it may put further jobs.
 *
 * All workers share one wake-up.  has_done lets the owner pass by those that
 * have nothing without taking their locks; it is set and cleared under the
 * lock only, so nothing finished is overlooked.
 */
#include "queued/store/store_worker.h"

#include "common/base/check.h"
#include "common/os/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

struct store_worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted;		/* a job was put, or stop */
	pthread_cond_t finished;	/* a job was finished */
	struct list todo;
	struct list done;
	size_t under_way;		/* todo, and the one being run */
	atomic_bool has_done;
	bool is_stopping;
	int wake_fd;
	void *owner;
};

static void
wake_owner(struct store_worker *w)
{
	const uint64_t one = 1;

	/* a full counter is readable too */
	(void)!write(w->wake_fd, &one, sizeof(one));
}

/*
 * With the lock held.  NULL: it is over; what was put before the stop is run.
 */
static struct store_job *
next_job(struct store_worker *w)
{
	while (list_is_empty(&w->todo) && !w->is_stopping)
		(void)pthread_cond_wait(&w->wanted, &w->lock);
	return list_is_empty(&w->todo) ? NULL :
	    CONTAINER_OF(list_take_first(&w->todo), struct store_job, link);
}

static void *
run_jobs(void *arg)
{
	struct store_worker *w = arg;
	struct store_job *job;

	(void)pthread_mutex_lock(&w->lock);
	while ((job = next_job(w)) != NULL) {
		(void)pthread_mutex_unlock(&w->lock);
		job->run(job);
		(void)pthread_mutex_lock(&w->lock);
		list_add_last(&w->done, &job->link);
		w->under_way--;
		/* before the wake-up: it comes once */
		atomic_store(&w->has_done, true);
		(void)pthread_cond_signal(&w->finished);
		wake_owner(w);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

enum err
store_worker_start(const char *name, int wake_fd, void *owner,
    struct store_worker **out)
{
	struct store_worker *w = calloc(1, sizeof(*w));
	enum err e;

	if (w == NULL)
		return ERR_NOMEM;
	w->wake_fd = wake_fd;
	w->owner = owner;
	list_init(&w->todo);
	list_init(&w->done);
	MUST(pthread_mutex_init(&w->lock, NULL) == 0);
	MUST(pthread_cond_init(&w->wanted, NULL) == 0);
	MUST(pthread_cond_init(&w->finished, NULL) == 0);
	if ((e = thread_start(name, run_jobs, w, &w->thread)) != OK) {
		free(w);
		return e;
	}
	*out = w;
	return OK;
}

void
store_worker_put(struct store_worker *w, struct store_job *job)
{
	(void)pthread_mutex_lock(&w->lock);
	list_add_last(&w->todo, &job->link);
	w->under_way++;
	(void)pthread_cond_signal(&w->wanted);
	(void)pthread_mutex_unlock(&w->lock);
}

void
store_worker_run_here(struct store_worker *w, struct store_job *job)
{
	job->run(job);
	(void)pthread_mutex_lock(&w->lock);
	MUST(w->under_way == 0);
	list_add_last(&w->done, &job->link);
	atomic_store(&w->has_done, true);
	(void)pthread_mutex_unlock(&w->lock);
}

size_t
store_worker_turn(struct store_worker *w)
{
	struct list done;
	struct list *node;
	size_t n = 0;

	if (!atomic_load(&w->has_done))
		return 0;
	list_init(&done);
	(void)pthread_mutex_lock(&w->lock);
	list_move_all(&done, &w->done);
	atomic_store(&w->has_done, false);
	(void)pthread_mutex_unlock(&w->lock);
	while ((node = list_take_first(&done)) != NULL) {
		struct store_job *job =
		    CONTAINER_OF(node, struct store_job, link);

		job->done(job, w->owner);
		n++;
	}
	return n;
}

void
store_worker_drain(struct store_worker *w)
{
	bool is_idle = false;

	while (!is_idle) {
		(void)pthread_mutex_lock(&w->lock);
		while (w->under_way > 0)
			(void)pthread_cond_wait(&w->finished, &w->lock);
		(void)pthread_mutex_unlock(&w->lock);
		/* done() may put more */
		is_idle = store_worker_turn(w) == 0;
	}
}

void
store_worker_stop(struct store_worker **w)
{
	if (*w == NULL)
		return;
	store_worker_drain(*w);
	(void)pthread_mutex_lock(&(*w)->lock);
	(*w)->is_stopping = true;
	(void)pthread_cond_signal(&(*w)->wanted);
	(void)pthread_mutex_unlock(&(*w)->lock);
	(void)pthread_join((*w)->thread, NULL);
	(void)pthread_cond_destroy(&(*w)->finished);
	(void)pthread_cond_destroy(&(*w)->wanted);
	(void)pthread_mutex_destroy(&(*w)->lock);
	free(*w);
	*w = NULL;
}
