/*
 * What changes a destination only touches it; it is looked at once, at the end
 * of the turn (serve()).  So nothing here is called back from inside a
 * session's own work, and a turn full of leases costs one look a destination.
 *
 * The node `touched` of a destination is in one list at most: touched (to be
 * looked at), starving (all connections of the process are in use) or paused
 * (no new connection for a while).  Each way out of the last two leads through
 * the first.
 *
 * Jobs wait in the order in which they came.  Those that a connection gave
 * back untried stand before them, since they waited longest; n_returned of
 * them want a new connection (job.returns > 0), the rest takes any.
 */
#include "deliverd/pool.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/map.h"
#include "common/ipc/channel.h"
#include "common/loop/deferred.h"
#include "common/loop/timer.h"
#include "deliverd/early.h"
#include "deliverd/hops/hops_group.h"
#include "deliverd/jobs.h"
#include "deliverd/session.h"

struct pool {
	struct deliverd *d;
	struct map_span dests;		/* by key */
	struct list touched;		/* to be looked at in this turn */
	struct list starving;		/* that found no room for a session */
	struct list sessions;
	struct list idle;		/* the one idle for longest first */
	struct early early;		/* sessions that are not up yet */
	size_t n_sessions;
	size_t n_open;			/* destinations that have sessions */
	struct list paused;		/* that wait and may not connect yet */
	struct timer pause;
	struct deferred work;
};

/* ---- destinations ---- */

static struct span
key_of(const void *object)
{
	const struct dest *dest = object;

	return span_of(dest->key, dest->key_n);
}

/* Idempotent; takes it out of the list in which it waited. */
static void
touch(struct pool *p, struct dest *dest)
{
	list_remove(&dest->touched);
	list_add_last(&p->touched, &dest->touched);
	deferred_add(&p->work);
}

static struct dest *
make_dest(struct pool *p, const struct job *j)
{
	struct dest *dest = calloc(1, sizeof(*dest) + j->destination.n);

	if (dest == NULL)
		return NULL;
	list_init(&dest->touched);
	list_init(&dest->waiting);
	list_init(&dest->sessions);
	list_init(&dest->idle);
	buf_init(&dest->group, HOPS_GROUP_MAX);
	dest->key_n = j->destination.n;
	if (dest->key_n > 0)
		memcpy(dest->key, j->destination.p, dest->key_n);
	if (map_span_add(&p->dests, dest) != OK) {
		free(dest);
		return NULL;
	}
	return dest;
}

/* The destination of a job, made when new; the job's configuration becomes
 * that of its new connections. */
static struct dest *
dest_for(struct pool *p, const struct job *j)
{
	struct dest *dest = map_span_get(&p->dests, j->destination);

	if (dest == NULL)
		dest = make_dest(p, j);
	if (dest != NULL && dest->settings != j->settings) {
		settings_drop(&dest->settings);
		dest->settings = settings_use(j->settings);
	}
	if (dest != NULL)
		dest->route = j->route;
	if (dest != NULL)
		dest->requires_tls = j->mail.requires_tls;
	if (dest != NULL && j->mail.is_tls_optional)
		dest->route.tls = policy_of_optional(dest->route.tls);
	return dest;
}

void
pool_note_group(struct session *s)
{
	if (s->dest == NULL || s->hops == NULL)
		return;
	buf_reset(&s->dest->group);
	hops_group(s->hops, &s->dest->group);
}

struct span
pool_group(const struct pool *p, const struct job *j)
{
	const struct dest *dest = NULL;

	if (route_is_mx(&j->route))
		dest = map_span_get(&p->dests, j->destination);
	return dest == NULL || buf_failed(&dest->group) ? SPAN_NONE :
	    buf_span(&dest->group);
}

/* No job waits and no session is left, or all ends. */
static void
free_dest(struct pool *p, struct dest *dest)
{
	(void)map_span_remove(&p->dests, key_of(dest));
	list_remove(&dest->touched);
	settings_drop(&dest->settings);
	buf_clear(&dest->group);
	free(dest);
}

/* ---- work ---- */

/* All connections of this process are in use: an idle one of another
 * destination makes room, when it has said QUIT. */
static bool
make_room(struct pool *p, const struct dest *dest)
{
	struct list *node = list_first(&p->idle);

	if (p->n_sessions < dest->settings->connections_total)
		return true;
	if (node != NULL)
		session_quit(CONTAINER_OF(node, struct session, least));
	return false;
}

/* A host that refused a connection isn't asked again at once by each job that
 * comes; those that are open go on. */
static bool
is_paused(const struct pool *p, const struct dest *dest)
{
	return loop_now_ms(p->d->loop) < dest->paused_to_ms;
}

/* How many the process may still make. */
static uint32_t
places_left(const struct pool *p, const struct dest *dest)
{
	uint32_t total = dest->settings->connections_total;

	return p->n_sessions < total ? total - (uint32_t)p->n_sessions : 0;
}

/* Of half of all places, where several destinations have connections: a few slow
 * ones must not have them all when a hundred others come. */
static uint32_t
share(const struct pool *p, const struct dest *dest)
{
	uint32_t total = dest->settings->connections_total;

	return p->n_open <= 1 ? total : total / (uint32_t)(2 * p->n_open);
}

/* Connections being made count as help that is on its way.  The first one is
 * made in any case: a destination that waits has no other chance.  Further ones
 * only when one has come up, for a host that hangs may have a place and no more,
 * and as long as as many are left for all others: those that are slow never use
 * up the places of those that come. */
static bool
may_open(const struct pool *p, const struct dest *dest)
{
	uint32_t limit = POOL_AT_ONCE + dest->n_waiting / POOL_BACKLOG;
	uint32_t dialing = dest->n_sessions - dest->n_up;

	if (limit > dest->route.policy->connections)
		limit = dest->route.policy->connections;
	if (dest->n_sessions == 0)
		return true;
	return dest->n_up > 0 && dialing < dest->n_waiting &&
	    dest->n_sessions < limit && dest->n_sessions < share(p, dest) &&
	    dest->n_sessions < places_left(p, dest) && !is_paused(p, dest);
}

/* The next job for a connection, or NULL.  A used one skips those that met
 * the end of a used one before: a host that takes one mail a connection would
 * hand them round until they are deferred. */
static struct job *
take_waiting(struct dest *dest, bool is_new)
{
	struct list *node = list_first(&dest->waiting);
	struct job *j;

	while (node != NULL && !is_new &&
	    CONTAINER_OF(node, struct job, node)->returns > 0)
		node = list_next(&dest->waiting, node);
	if (node == NULL)
		return NULL;
	list_remove(node);
	j = CONTAINER_OF(node, struct job, node);
	dest->n_waiting--;
	if (j->returns > 0)
		dest->n_returned--;
	return j;
}

/* WHY is the verdict of all that wait; NULL: they go back untried.  Each has
 * the attempts that FAILED, the last of them as that of its recipients. */
static void
tell_waiting(struct pool *p, struct dest *dest, const struct tx_finding *why,
    struct msg_list failed)
{
	struct job *j;

	while ((j = take_waiting(dest, true)) != NULL) {
		struct msg_list list = failed;
		struct msg_attempt a;
		uint8_t row = JOB_NO_ATTEMPT;

		while (msg_next_attempt(&list, &a))
			row = job_add_attempt(j, &a);
		if (why != NULL) {
			tx_mail_settle_open(&j->mail, why);
			job_mark_settled(j, row);
			j->scope = why->outcome == TX_DEFERRED ?
			    SCOPE_DESTINATION : SCOPE_RECIPIENTS;
		}
		jobs_tell(p->d->jobs, j);
	}
}

/* Without memory for the first connection nothing would ever touch the
 * destination again: its jobs are deferred.  Else the other connections do the
 * work. */
static void
open_session(struct pool *p, struct dest *dest)
{
	static const struct tx_finding no_memory = {
		.outcome = TX_DEFERRED, .status = { 4, 3, 0 },
		.text = SPAN_LIT("out of memory"),
	};
	struct session *s;

	if (session_new(p->d, dest, &s) != OK) {
		if (dest->n_sessions == 0)
			tell_waiting(p, dest, &no_memory,
			    (struct msg_list){ 0 });
		dest->paused_to_ms = loop_now_ms(p->d->loop) + POOL_PAUSE_MS;
		return;
	}
	list_add_last(&p->sessions, &s->all);
	p->n_sessions++;
	early_add(&p->early, s);
	list_add_last(&dest->sessions, &s->node);
	if (dest->n_sessions++ == 0)
		p->n_open++;
}

/* The one used last: the others may then run out of use. */
static struct session *
take_idle(struct dest *dest)
{
	struct list *node = list_last(&dest->idle);
	struct session *s;

	if (node == NULL)
		return NULL;
	s = CONTAINER_OF(node, struct session, idle);
	list_remove(&s->idle);
	list_remove(&s->least);
	return s;
}

/* It may have been touched meanwhile, by what its own sessions did. */
static void
park(struct list *list, struct dest *dest)
{
	list_remove(&dest->touched);
	list_add_last(list, &dest->touched);
}

/*
 * The one place where jobs meet connections: idle ones first, then new ones as
 * far as may_open() allows.  All that is called here may touch DEST again and
 * none of it frees it: that is done here alone, with its last job and session.
 */
static void
serve(struct pool *p, struct dest *dest)
{
	struct session *s;

	while (dest->n_waiting > dest->n_returned &&
	    (s = take_idle(dest)) != NULL)
		session_offer(s);
	/* the others need a new connection in place of an idle one */
	if (dest->n_returned > 0 && (s = take_idle(dest)) != NULL)
		session_quit(s);
	while (dest->n_waiting > 0 && may_open(p, dest)) {
		if (!make_room(p, dest)) {
			park(&p->starving, dest);
			return;
		}
		open_session(p, dest);
	}
	if (dest->n_waiting == 0 && dest->n_sessions == 0) {
		free_dest(p, dest);
	} else if (dest->n_waiting > 0 && is_paused(p, dest)) {
		park(&p->paused, dest);
		if (!timer_is_running(&p->pause))
			timer_start(&p->pause, POOL_PAUSE_MS);
	}
}

/* All at once, also those whose pause lasts longer: serve() puts them back. */
static void
on_pause_over(void *ctx)
{
	struct pool *p = ctx;

	list_move_all(&p->touched, &p->paused);
	deferred_add(&p->work);
}

/* What is touched while this runs waits for the next run: it has a list of its
 * own. */
static void
on_work(void *ctx)
{
	struct pool *p = ctx;
	struct list now;
	struct list *node;

	list_init(&now);
	list_move_all(&now, &p->touched);
	while ((node = list_take_first(&now)) != NULL)
		serve(p, CONTAINER_OF(node, struct dest, touched));
	deliverd_check_drained(p->d);
}

/* ---- life ---- */

enum err
pool_new(struct deliverd *d, struct pool **out)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ERR_NOMEM;
	p->d = d;
	map_span_init(&p->dests, &d->seed, key_of);
	list_init(&p->touched);
	list_init(&p->starving);
	list_init(&p->sessions);
	list_init(&p->idle);
	list_init(&p->paused);
	if (timer_init(&p->pause, d->loop, on_pause_over, p) != OK) {
		free(p);
		return ERR_NOMEM;
	}
	if (early_init(&p->early, d->loop) != OK) {
		timer_clear(&p->pause);
		free(p);
		return ERR_NOMEM;
	}
	deferred_init(&p->work, d->loop, DEFERRED_WORK, on_work, p);
	*out = p;
	return OK;
}

/* Jobs are let go, not freed: they belong to jobs, which are freed next. */
void
pool_free(struct pool **pool)
{
	struct pool *p = *pool;
	struct list *node;
	struct dest *dest;
	size_t cursor = 0;

	if (p == NULL)
		return;
	while ((node = list_first(&p->sessions)) != NULL)
		session_kill(CONTAINER_OF(node, struct session, all),
		    "deliverd ends");
	while ((dest = map_span_next(&p->dests, &cursor)) != NULL) {
		while (list_take_first(&dest->waiting) != NULL)
			;
		free_dest(p, dest);
	}
	map_span_clear(&p->dests);
	deferred_clear(&p->work);
	timer_clear(&p->pause);
	early_clear(&p->early);
	free(p);
	*pool = NULL;
}

/* ---- jobs ---- */

enum err
pool_add(struct pool *p, struct job *j)
{
	struct dest *dest = dest_for(p, j);

	if (dest == NULL)
		return ERR_NOMEM;
	j->state = JOB_WAITING;
	list_add_last(&dest->waiting, &j->node);
	dest->n_waiting++;
	touch(p, dest);
	return OK;
}

struct job *
pool_take(struct dest *dest, bool is_new)
{
	struct job *j = take_waiting(dest, is_new);

	if (j != NULL)
		j->state = JOB_ACTIVE;
	return j;
}

/* A job that is settled, or that comes while all ends, goes to queued instead
 * of into the queue; so does one for whose destination there is no memory. */
void
pool_return(struct pool *p, struct job *j, const struct tx_finding *why)
{
	struct dest *dest;

	j->session = NULL;
	if (why != NULL && ++j->returns > JOB_RETURNS_MAX)
		tx_mail_settle_open(&j->mail, why);
	dest = p->d->is_draining || j->mail.open == 0 ? NULL :
	    dest_for(p, j);
	if (dest == NULL) {
		jobs_tell(p->d->jobs, j);
		return;
	}
	j->state = JOB_WAITING;
	list_add_first(&dest->waiting, &j->node);
	dest->n_waiting++;
	if (j->returns > 0)
		dest->n_returned++;
	touch(p, dest);
}

/* ---- sessions ---- */

void
pool_up(struct pool *p, struct session *s)
{
	early_remove(&p->early, s);
	if (s->dest == NULL)
		return;
	s->is_counted = true;
	s->dest->n_up++;
	touch(p, s->dest);
}

/* While others wait for a place, an idle connection gives up its own. */
void
pool_idle(struct pool *p, struct session *s)
{
	if (s->dest == NULL || list_is_linked(&s->idle))
		return;
	list_add_last(&s->dest->idle, &s->idle);
	list_add_last(&p->idle, &s->least);
	if (s->dest->n_returned > 0)	/* its place is wanted by a new one */
		touch(p, s->dest);
	if (!list_is_empty(&p->starving))
		session_quit(s);
}

void
pool_leave(struct pool *p, struct session *s)
{
	struct dest *dest = s->dest;

	list_remove(&s->idle);
	list_remove(&s->least);
	list_remove(&s->node);
	early_remove(&p->early, s);
	if (dest == NULL)
		return;
	s->dest = NULL;
	if (--dest->n_sessions == 0)
		p->n_open--;
	if (s->is_counted)
		dest->n_up--;
	touch(p, dest);
}

/* A place is free: all that starve are looked at, in turn.  on_work() also
 * asks whether this was the last thing that a drain waited for. */
void
pool_gone(struct pool *p, struct session *s)
{
	MUST(s->dest == NULL);
	list_remove(&s->all);
	p->n_sessions--;
	if (!list_is_empty(&p->starving)) {
		list_move_all(&p->touched, &p->starving);
		deferred_add(&p->work);
	}
	deferred_add(&p->work);
}

/* queued hears of whole leases only, and these go on elsewhere. */
static void
tell_pushback(const struct pool *p, const struct dest *dest)
{
	struct msg m = { .type = MSG_pushback };

	m.pushback.destination = key_of(dest);
	if (p->d->queued != NULL)
		(void)channel_send(p->d->queued, &m);
}

/* The last connection to give up speaks for all that wait.  As long as there
 * is another one, up or still trying, theirs may be a better fate. */
void
pool_dial_failed(struct pool *p, struct session *s,
    const struct tx_finding *why, struct msg_list failed)
{
	struct dest *dest = s->dest;

	if (dest == NULL)
		return;
	dest->paused_to_ms = loop_now_ms(p->d->loop) + POOL_PAUSE_MS;
	if (dest->n_sessions == 1)
		tell_waiting(p, dest, why, failed);
	else
		tell_pushback(p, dest);
}

/* ---- the whole ---- */

/* Sessions that are not up have no job yet; ending them loses nothing. */
void
pool_drain(struct pool *p)
{
	struct dest *dest;
	struct list *node, *next;
	size_t cursor = 0;

	while ((dest = map_span_next(&p->dests, &cursor)) != NULL)
		tell_waiting(p, dest, NULL, (struct msg_list){ 0 });
	for (node = list_first(&p->sessions); node != NULL; node = next) {
		struct session *s = CONTAINER_OF(node, struct session, all);

		next = list_next(&p->sessions, node);
		if (s->is_up)
			session_quit(s);
		else
			session_kill(s, "deliverd ends");
	}
	deferred_add(&p->work);
}

void
pool_reload(struct pool *p)
{
	struct list *node;

	while ((node = list_first(&p->idle)) != NULL)
		session_quit(CONTAINER_OF(node, struct session, least));
}

size_t
pool_sessions(const struct pool *p)
{
	return p->n_sessions;
}
