/*
 * WAITING in the pool, ACTIVE in a session, TOLD until it is confirmed: a job
 * is in the map by its lease all the time, so that whichever queued comes can
 * be told what is in hand.
 *
 * Only queued's confirmation ends it (I-03).  A verdict that was told and lost,
 * on a channel that broke or in a queued without memory, is told again; queued
 * drops what it knows already.
 */
#include "deliverd/jobs.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/map.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/loop/timer.h"
#include "common/mail/envelope.h"
#include "deliverd/pool.h"
#include "deliverd/sender.h"
#include "deliverd/settings.h"
#include "deliverd/verdict.h"

/* Enough for a burst; what is beyond it was a backlog and is freed. */
#define SPARE_MAX 256
#define JOBS_AGAIN_MS INT64_C(30000)	/* for an unconfirmed verdict */

struct jobs {
	struct deliverd *d;
	struct map_u64 map;		/* by lease */
	struct list all;
	struct list spare;
	unsigned n_spare;
	struct verdict *verdict;	/* to write them with */
	struct timer again;
	bool is_known;			/* to a queued, whichever */
};

static void
tell(struct jobs *jobs, struct job *j)
{
	j->told_at_ms = loop_now_ms(jobs->d->loop);
	verdict_send(jobs->verdict, jobs->d->queued, j,
	    pool_group(jobs->d->pool, j));
	if (!timer_is_running(&jobs->again))
		timer_start(&jobs->again, JOBS_AGAIN_MS);
}

/* queued confirms what it has written.  When it had no memory or no room it
 * does not, and hears of it again. */
static void
on_again(void *ctx)
{
	struct jobs *jobs = ctx;
	int64_t now = loop_now_ms(jobs->d->loop);
	struct list *n;
	bool is_waiting = false;

	for (n = list_first(&jobs->all); n != NULL;
	    n = list_next(&jobs->all, n)) {
		struct job *j = CONTAINER_OF(n, struct job, all);

		if (j->state != JOB_TOLD)
			continue;
		is_waiting = true;
		if (now - j->told_at_ms >= JOBS_AGAIN_MS)
			tell(jobs, j);
	}
	if (is_waiting)
		timer_start(&jobs->again, JOBS_AGAIN_MS);
}

enum err
jobs_new(struct deliverd *d, struct jobs **out)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	if (jobs == NULL)
		return ERR_NOMEM;
	jobs->d = d;
	map_u64_init(&jobs->map, &d->seed);
	list_init(&jobs->all);
	list_init(&jobs->spare);
	if (timer_init(&jobs->again, d->loop, on_again, jobs) != OK ||
	    verdict_new(&jobs->verdict) != OK) {
		timer_clear(&jobs->again);
		free(jobs);
		return ERR_NOMEM;
	}
	*out = jobs;
	return OK;
}

static void
free_list(struct list *list)
{
	struct list *node;

	while ((node = list_take_first(list)) != NULL) {
		struct job *j = CONTAINER_OF(node, struct job, all);

		list_remove(&j->node);
		job_free(&j);
	}
}

void
jobs_free(struct jobs **jobs)
{
	if (*jobs == NULL)
		return;
	timer_clear(&(*jobs)->again);
	free_list(&(*jobs)->all);
	free_list(&(*jobs)->spare);
	map_u64_clear(&(*jobs)->map);
	verdict_free(&(*jobs)->verdict);
	free(*jobs);
	*jobs = NULL;
}

/* Gives a job that is in no list; NULL without memory. */
static struct job *
take_spare(struct jobs *jobs)
{
	struct list *node = list_take_first(&jobs->spare);

	if (node == NULL)
		return job_new();
	jobs->n_spare--;
	return CONTAINER_OF(node, struct job, all);
}

static void
keep_spare(struct jobs *jobs, struct job *j)
{
	job_unload(j);
	if (jobs->n_spare >= SPARE_MAX) {
		job_free(&j);
		return;
	}
	jobs->n_spare++;
	list_add_first(&jobs->spare, &j->all);
}

/* Of the generations that queued may still lease by. */
struct settings *
jobs_settings(const struct deliverd *d, uint32_t generation)
{
	if (d->settings->generation == generation)
		return d->settings;
	if (d->previous != NULL && d->previous->generation == generation)
		return d->previous;
	return NULL;
}

/* Nothing is kept of it: if queued doesn't hear this it leases again. */
static void
give_back(struct jobs *jobs, const struct msg_lease *m, bool is_broken)
{
	struct envelope e;
	uint32_t n = 1;

	if (envelope_check(m->envelope, &e) == OK && e.rcpt_count > 0)
		n = e.rcpt_count;
	if (is_broken && log_begin(jobs->d->log, LOG_LEASE_BROKEN, NULL)) {
		log_queue_id(jobs->d->log, "id", m->id);
		log_end(jobs->d->log);
	}
	verdict_give_back(jobs->verdict, jobs->d->queued, m, n, is_broken);
}

static enum err
load(struct jobs *jobs, const struct msg_lease *m, struct settings *settings,
    struct job **out)
{
	struct job *j = take_spare(jobs);
	enum err e;

	if (j == NULL)
		return ERR_NOMEM;
	e = job_load(j, m, settings);
	if (e == OK)
		e = map_u64_add(&jobs->map, m->lease, j);
	if (e != OK) {
		keep_spare(jobs, j);
		return e;
	}
	*out = j;
	return OK;
}

/* What can't be taken now goes back untried, for another deliverd or a later
 * time; what makes no sense is deferred (verdict_give_back()). */
void
jobs_lease(struct jobs *jobs, const struct msg_lease *m)
{
	struct settings *settings = jobs_settings(jobs->d, m->generation);
	struct job *j;
	enum err e;

	if (jobs->d->is_draining || settings == NULL) {
		give_back(jobs, m, false);
		return;
	}
	e = load(jobs, m, settings, &j);
	if (e == ERR_EXISTS)
		return;		/* it is in hand: its verdict will come */
	if (e != OK) {
		give_back(jobs, m, e != ERR_NOMEM);
		return;
	}
	list_add_last(&jobs->all, &j->all);
	sender_go(jobs->d, j);
}

/* While all ends it goes back untried. */
void
jobs_go(struct jobs *jobs, struct job *j)
{
	if (jobs->d->is_draining || pool_add(jobs->d->pool, j) != OK)
		jobs_tell(jobs, j);
}

/* The job keeps all that its verdict is made of: it may be told again. */
void
jobs_tell(struct jobs *jobs, struct job *j)
{
	MUST(j->state != JOB_TOLD && !list_is_linked(&j->node));
	j->state = JOB_TOLD;
	j->session = NULL;
	tell(jobs, j);
}

/* Nothing is forgotten for a confirmation of what was not told; one that comes
 * twice finds no job. */
void
jobs_confirm(struct jobs *jobs, uint64_t lease)
{
	struct job *j = map_u64_get(&jobs->map, lease);

	jobs->is_known |= lease == 0;
	if (j == NULL || j->state != JOB_TOLD)
		return;
	(void)map_u64_remove(&jobs->map, lease);
	list_remove(&j->all);
	keep_spare(jobs, j);
	deliverd_check_drained(jobs->d);
}

static void
present(struct jobs *jobs, struct job *j)
{
	struct msg m = { .type = MSG_held };

	m.held.lease = j->lease;
	m.held.id = j->id;
	m.held.unit = j->unit;
	m.held.rows = j->rows;
	channel_send_or_end(jobs->d->queued, &m);
	if (j->state == JOB_TOLD)
		tell(jobs, j);
}

/* What queued was asked for and didn't send before it died. */
static void
ask_again(struct jobs *jobs, const struct job *j)
{
	struct msg m = { .type = MSG_content_want };

	if (j->state != JOB_ACTIVE || j->asked_to <= j->content_at)
		return;
	m.content_want.lease = j->lease;
	m.content_want.offset = j->content_at;
	m.content_want.bytes = (uint32_t)(j->asked_to - j->content_at);
	channel_send_or_end(jobs->d->queued, &m);
}

/* In this order: each lease before its verdict, the end of the list, and only
 * then questions, to a queued that knows what they are about. */
void
jobs_present(struct jobs *jobs)
{
	struct msg end = { .type = MSG_presented };
	struct list *n;

	/* a verdict counts for a lease that is known: it follows its `held` */
	for (n = list_first(&jobs->all); n != NULL;
	    n = list_next(&jobs->all, n))
		present(jobs, CONTAINER_OF(n, struct job, all));
	end.presented.is_new = !jobs->is_known;
	channel_send_or_end(jobs->d->queued, &end);
	for (n = list_first(&jobs->all); n != NULL;
	    n = list_next(&jobs->all, n))
		ask_again(jobs, CONTAINER_OF(n, struct job, all));
}

struct job *
jobs_active(const struct jobs *jobs, uint64_t lease)
{
	struct job *j = map_u64_get(&jobs->map, lease);

	return j != NULL && j->state == JOB_ACTIVE ? j : NULL;
}

size_t
jobs_count(const struct jobs *jobs)
{
	return map_u64_count(&jobs->map);
}
