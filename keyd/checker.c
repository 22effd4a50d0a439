/*
 * The thread sleeps until there is a job; an eventfd wakes the loop when one
 * is done.
 */
#include "keyd/checker.h"

#include "common/loop/watch.h"
#include "common/os/fd.h"
#include "common/os/thread.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { KNOWN, STRANGERS, QUEUES };

struct checker {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* under the mutex */
	struct list queues[QUEUES];
	unsigned waiting[QUEUES];
	struct list done;
	bool is_ending;
	/* the thread's */
	struct crypt_work *work;
	/* the loop's */
	pthread_t thread;
	bool has_thread;
	struct watch *watch;
	int done_fd;
	void (*on_done)(void *ctx, struct checker_job *job);
	void *ctx;
};

/* ---- the thread ---- */

static struct checker_job *
take_job(struct checker *c)
{
	for (int i = 0; i < QUEUES; i++) {
		struct list *node = list_take_first(&c->queues[i]);

		if (node == NULL)
			continue;
		c->waiting[i]--;
		return CONTAINER_OF(node, struct checker_job, node);
	}
	return NULL;
}

static void
look(struct checker *c, struct checker_job *job)
{
	job->fits = password_fits(c->work, &job->check,
	    span_of(job->password, job->password_bytes));
	explicit_bzero(job->password, sizeof(job->password));
	explicit_bzero(&job->check, sizeof(job->check));
}

static void *
run(void *arg)
{
	const uint64_t one = 1;
	struct checker *c = arg;

	(void)pthread_mutex_lock(&c->mutex);
	while (!c->is_ending) {
		struct checker_job *job = take_job(c);

		if (job == NULL) {
			(void)pthread_cond_wait(&c->changed, &c->mutex);
			continue;
		}
		(void)pthread_mutex_unlock(&c->mutex);
		look(c, job);
		(void)pthread_mutex_lock(&c->mutex);
		list_add_last(&c->done, &job->node);
		(void)!write(c->done_fd, &one, sizeof(one));
	}
	(void)pthread_mutex_unlock(&c->mutex);
	return NULL;
}

/* ---- the loop ---- */

static void
on_ready(void *ctx, unsigned events)
{
	struct checker *c = ctx;
	struct list done;
	struct list *node;
	uint64_t count;

	(void)events;
	list_init(&done);
	(void)!read(c->done_fd, &count, sizeof(count));
	(void)pthread_mutex_lock(&c->mutex);
	list_move_all(&done, &c->done);
	(void)pthread_mutex_unlock(&c->mutex);
	while ((node = list_take_first(&done)) != NULL)
		c->on_done(c->ctx, CONTAINER_OF(node, struct checker_job,
		    node));
}

static enum err
start(struct checker *c, struct loop *l)
{
	enum err e;

	c->work = crypt_work_new();
	if (c->work == NULL)
		return ERR_NOMEM;
	c->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->done_fd < 0)
		return ERR_IO;
	e = watch_new(l, c->done_fd, on_ready, c, &c->watch);
	if (e != OK)
		return e;
	watch_set(c->watch, WATCH_READ);
	e = thread_start("keyd-checker", run, c, &c->thread);
	c->has_thread = e == OK;
	return e;
}

enum err
checker_new(struct loop *l,
    void (*on_done)(void *ctx, struct checker_job *job), void *ctx,
    struct checker **out)
{
	struct checker *c = calloc(1, sizeof(*c));
	enum err e;

	if (c == NULL)
		return ERR_NOMEM;
	c->done_fd = -1;
	c->on_done = on_done;
	c->ctx = ctx;
	for (int i = 0; i < QUEUES; i++)
		list_init(&c->queues[i]);
	list_init(&c->done);
	(void)pthread_mutex_init(&c->mutex, NULL);
	(void)pthread_cond_init(&c->changed, NULL);
	e = start(c, l);
	if (e != OK)
		checker_free(&c);
	else
		*out = c;
	return e;
}

void
checker_free(struct checker **out)
{
	struct checker *c = *out;

	*out = NULL;
	if (c == NULL)
		return;
	if (c->has_thread) {
		(void)pthread_mutex_lock(&c->mutex);
		c->is_ending = true;
		(void)pthread_cond_signal(&c->changed);
		(void)pthread_mutex_unlock(&c->mutex);
		(void)pthread_join(c->thread, NULL);
	}
	watch_free(&c->watch);
	fd_close(&c->done_fd);
	crypt_work_free(&c->work);
	(void)pthread_cond_destroy(&c->changed);
	(void)pthread_mutex_destroy(&c->mutex);
	free(c);
}

enum err
checker_ask(struct checker *c, struct checker_job *job, bool is_known)
{
	const int queue = is_known ? KNOWN : STRANGERS;
	enum err e = ERR_FULL;

	(void)pthread_mutex_lock(&c->mutex);
	if (c->waiting[queue] < CHECKER_QUEUE_MAX) {
		list_add_last(&c->queues[queue], &job->node);
		c->waiting[queue]++;
		(void)pthread_cond_signal(&c->changed);
		e = OK;
	}
	(void)pthread_mutex_unlock(&c->mutex);
	return e;
}
