/*
 * A job is run when the dice say so, in the order of its own worker only.
 * While it waits for the disk jobs of others may be run, as threads would.
 */
#include "queued/store/store_worker.h"

#include "common/base/check.h"
#include "queued/store/store_quick.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_posix.h"
#include "tests/sim/sim_worker.h"

#include <stdlib.h>

enum { WORKERS = 8 };

struct store_worker {
	struct list todo;
	struct list done;
	int wake_fd;
	void *owner;
};

static struct store_worker *workers[WORKERS];

enum err
store_worker_start(const char *name, int wake_fd, void *owner,
    struct store_worker **out)
{
	struct store_worker *w = calloc(1, sizeof(*w));
	size_t i = 0;

	(void)name;
	MUST(w != NULL);
	list_init(&w->todo);
	list_init(&w->done);
	w->wake_fd = wake_fd;
	w->owner = owner;
	while (workers[i] != NULL)
		MUST(++i < WORKERS);
	workers[i] = w;
	*out = w;
	return OK;
}

static void
run(struct store_worker *w)
{
	struct list *node = list_take_first(&w->todo);
	struct store_job *job = CONTAINER_OF(node, struct store_job, link);

	job->run(job);
	list_add_last(&w->done, &job->link);
}

static void
run_as_thread(struct store_worker *w)
{
	run(w);
	sim_posix_wake(w->wake_fd);
}

void
store_worker_put(struct store_worker *w, struct store_job *job)
{
	list_add_last(&w->todo, &job->link);
}

void
store_worker_run_here(struct store_worker *w, struct store_job *job)
{
	MUST(list_is_empty(&w->todo));
	list_add_last(&w->todo, &job->link);
	run(w);
}

/* How quick the disk is the dice say too: mostly the thread has the work, for
 * what goes wrong between threads shows there. */
bool
store_quick_may(const struct store_quick *q, size_t bytes)
{
	(void)q;
	return bytes <= STORE_QUICK_BYTES && sim_chance(100);
}

void
store_quick_note(struct store_quick *q, size_t bytes, uint64_t us)
{
	(void)q;
	(void)bytes;
	(void)us;
}

size_t
store_worker_turn(struct store_worker *w)
{
	struct list done;
	struct list *node;
	size_t n = 0;

	list_init(&done);
	list_move_all(&done, &w->done);
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
	do {
		while (!list_is_empty(&w->todo))
			run_as_thread(w);
	} while (store_worker_turn(w) > 0);
}

void
store_worker_stop(struct store_worker **w)
{
	if (*w == NULL)
		return;
	store_worker_drain(*w);
	for (size_t i = 0; i < WORKERS; i++)
		if (workers[i] == *w)
			workers[i] = NULL;
	free(*w);
	*w = NULL;
}

bool
sim_worker_is_busy(void)
{
	for (size_t i = 0; i < WORKERS; i++)
		if (workers[i] != NULL && !list_is_empty(&workers[i]->todo))
			return true;
	return false;
}

bool
sim_worker_step(void)
{
	struct store_worker *busy[WORKERS];
	size_t n = 0;

	for (size_t i = 0; i < WORKERS; i++)
		if (workers[i] != NULL && !list_is_empty(&workers[i]->todo))
			busy[n++] = workers[i];
	if (n == 0)
		return false;
	run_as_thread(busy[sim_below(n)]);
	return true;
}
