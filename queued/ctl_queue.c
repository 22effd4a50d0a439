/*
 * Verbs over a selection: count, list, hold, release, retry, delete.
 *
 * A job looks at messages in order of ids, some rows a step, and keeps only
 * the last id between steps: mail comes and goes meanwhile, and no snapshot is
 * held.  Ids only grow, so nothing is seen twice.  Where the selection says
 * something that the index knows by a term, only those messages are looked at.
 * Where that is so of what it leaves over, a count looks at those instead.
 */
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/log/log.h"
#include "queued/ctl_private.h"
#include "queued/ctl_places.h"
#include "queued/history.h"

/* More ids than these are not gathered: a walk over all finds them as well. */
enum {
	ACTIVE_MAX = 128 * 1024,
	OTHERS_MAX = 32 * 1024,		/* gathered by a term, in one turn */
};

/* ---- does a message belong to the selection? ---- */

/* Where the recipients of a message are read on; a match asks in order. */
struct recipients {
	struct store_glance *glance;
	const struct store_unit *unit;
	uint32_t row;			/* of unit, the next one */
	uint32_t next;			/* recipient not yet settled */
};

static void
first_recipient(struct recipients *r)
{
	store_glance_rewind(r->glance);
	r->unit = store_glance_next(r->glance);
	r->row = 0;
	r->next = 0;
}

static bool
open_recipient(const void *ctx, uint32_t want, struct span *address)
{
	struct recipients *r = *(struct recipients *const *)ctx;

	if (want < r->next || r->unit == NULL)
		first_recipient(r);
	while (r->unit != NULL) {
		for (; r->row < r->unit->count; r->row++) {
			if (r->unit->recipients[r->row].is_settled ||
			    r->next++ < want)
				continue;
			*address = r->unit->recipients[r->row++].address;
			return true;
		}
		r->unit = store_glance_next(r->glance);
		r->row = 0;
	}
	return false;
}

static uint64_t
most_tries(struct store_glance *g)
{
	const struct store_unit *u;
	uint64_t tries = 0;

	store_glance_rewind(g);
	while ((u = store_glance_next(g)) != NULL)
		tries = u->tries > tries ? u->tries : tries;
	return tries;
}

static enum select_state
state_of(struct ctl_session *s, struct store_glance *g)
{
	const struct store_message *m = store_glance_message(g);

	if (!m->is_held && !store_glance_is_here(g) &&
	    !ctl_active_may_be(&s->job.active, m->id))
		return SELECT_DEFERRED;
	return ctl_message_state(s->q, g);
}

/* Its units are read only where that can change the answer.  Facts of a message
 * that is in several: the most tries of any, and the state by
 * ctl_message_state(). */
static bool
is_selected(struct ctl_session *s, struct store_glance *g)
{
	const struct store_message *m = store_glance_message(g);
	const struct ctl_job *job = &s->job;
	struct recipients recipients = { .glance = g };
	struct recipients *at = &recipients;
	struct select_facts facts = { .id = m->id, .list = m->list.id };
	enum select_answer guess;

	facts.sender = m->sender;
	facts.size = store_message_size(m);
	facts.age_ms = (int64_t)queued_wall(s->q) - (int64_t)m->arrived_at;
	guess = select_guess(job->select, &facts);
	if (guess != SELECT_MAYBE)
		return guess == SELECT_YES;
	if (job->asks & SELECT_ASKS_STATE)
		facts.state = state_of(s, g);
	if (job->asks & SELECT_ASKS_TRIES)
		facts.tries = most_tries(g);
	facts.recipient = open_recipient;
	facts.ctx = &at;
	return select_match(job->select, &facts);
}

/* ---- which messages need be looked at ---- */

static void
narrow_by_term(struct ctl_session *s, enum store_term term, struct span text,
    uint64_t *length)
{
	struct ctl_job *job = &s->job;
	struct store_path path = job->path;
	uint64_t n;

	path.has_term = true;
	path.term = term;
	path.text = text;
	n = store_path_length(s->q->store, &path);
	if (n >= *length)
		return;
	*length = n;
	job->path = path;
}

/* Those in job->ids, between whatever ids the path is. */
static void
list_path(struct ctl_job *job)
{
	job->path.has_term = false;
	job->path.ids = (const uint64_t *)(const void *)job->ids.p;
	job->path.id_count = job->ids.n / sizeof(uint64_t);
	job->path.is_listed = true;
}

/* What is due now, or in memory: everything that is active is one of them. */
static void
narrow_to_active(struct ctl_session *s, uint64_t length)
{
	struct ctl_job *job = &s->job;

	if (store_path_due(s->q->store, queued_wall(s->q), ACTIVE_MAX,
	    &job->ids) && job->ids.n / sizeof(uint64_t) < length)
		list_path(job);
}

/* An age is at least 0, so 0 is no limit; a clock that was set back makes what
 * came before it as young as can be. */
static void
narrow_by_age(struct ctl_session *s, const struct select_need *need)
{
	uint64_t now = queued_wall(s->q);
	uint64_t from = 0, until = UINT64_MAX;

	if (need->most_ms < (int64_t)now)
		from = now - (uint64_t)need->most_ms;
	if (need->least_ms > 0)
		until = need->least_ms < (int64_t)now ?
		    now - (uint64_t)need->least_ms : 0;
	if (from > 0 || until < UINT64_MAX)
		store_path_arrived(s->q->store, &s->job.path, from, until);
}

static void
narrow(struct ctl_session *s, const struct select_need *need,
    uint64_t *length)
{
	switch (need->kind) {
	case SELECT_BY_SENDER:
		narrow_by_term(s, STORE_TERM_SENDER, need->text, length);
		break;
	case SELECT_BY_SENDER_DOMAIN:
		narrow_by_term(s, STORE_TERM_SENDER_DOMAIN, need->text,
		    length);
		break;
	case SELECT_BY_DOMAIN:
		narrow_by_term(s, STORE_TERM_DOMAIN, need->text, length);
		break;
	case SELECT_BY_HELD:
		narrow_by_term(s, STORE_TERM_HELD, SPAN_NONE, length);
		break;
	case SELECT_BY_AGE:
		narrow_by_age(s, need);
		break;
	case SELECT_BY_ACTIVE:
	case SELECT_BY_AWAKE:
		break;
	}
}

static bool
note_list(void *ctx, struct store_glance *g)
{
	const struct store_message *m = store_glance_message(g);
	uint64_t *list = ctx;

	*list = m->list.id;
	return false;
}

/*
 * The ids of a list's parts follow its own.  Whether it was one can't be seen
 * when all of it is in parts, so those ids are looked at anyway, unless the
 * message is there and is none: then nothing behind it belongs to it.
 */
static void
narrow_to_one(struct ctl_session *s, uint64_t id)
{
	struct store_path *path = &s->job.path;
	uint64_t list = id;

	path->first = path->last = id;
	(void)store_look(s->q->store, path, id > 0 ? id - 1 : 0,
	    1, note_list, &list);
	if (list == id && id <= UINT64_MAX - STORE_LIST_PARTS)
		path->last = id + STORE_LIST_PARTS;
}

/* Into job->ids: all that may be left over, as JOB->PATH and NEEDS have it. */
static bool
gather_others(struct ctl_session *s, const struct select_needs *needs)
{
	struct ctl_job *job = &s->job;
	struct store *store = s->q->store;
	uint64_t now = queued_wall(s->q);

	for (size_t i = 0; i < needs->n && !job->path.has_term; i++) {
		if (needs->rows[i].kind == SELECT_BY_AWAKE)
			return store_path_awake(store, now, OTHERS_MAX,
			    &job->ids);
		if (needs->rows[i].kind == SELECT_BY_ACTIVE)
			return store_path_due(store, now, OTHERS_MAX,
			    &job->ids);
	}
	return store_path_ids(store, &job->path, OTHERS_MAX, &job->ids);
}

/* Whether few of LENGTH messages are left over: then job->ids are all that may
 * be.  The number of all is of this moment, like the ids: who has gone when its
 * turn comes was there, and is left over as well. */
static bool
choose_others(struct ctl_session *s, uint64_t length)
{
	struct ctl_job *job = &s->job;
	struct store_path path = job->path;
	uint64_t others = job->total;
	struct select_needs needs;
	size_t n;

	select_needs_of_others(job->select, &needs);
	if (needs.n == 0 || job->verb != CTL_COUNT || job->limit > 0)
		return false;
	job->path = STORE_PATH_ALL;
	for (size_t i = 0; i < needs.n; i++)
		narrow(s, &needs.rows[i], &others);
	if (gather_others(s, &needs)) {
		n = job->ids.n / sizeof(uint64_t);
		if (n < length / 2) {
			list_path(job);
			job->others = n;
			return true;
		}
	}
	buf_reset(&job->ids);
	job->path = path;
	return false;
}

/* The narrowest way to all that the selection can match. */
static void
choose_path(struct ctl_session *s)
{
	struct ctl_job *job = &s->job;
	uint64_t length = job->total;
	struct select_needs needs;
	bool is_active = false;
	uint64_t one;

	job->path = STORE_PATH_ALL;
	if (select_is_one(job->select, &one)) {
		narrow_to_one(s, one);
		return;
	}
	select_needs(job->select, &needs);
	for (size_t i = 0; i < needs.n; i++) {
		narrow(s, &needs.rows[i], &length);
		is_active |= needs.rows[i].kind == SELECT_BY_ACTIVE;
	}
	job->is_of_others = choose_others(s, length);
	if (is_active && !job->is_of_others)
		narrow_to_active(s, length);
}

/* ---- walking ---- */

/* What changes is counted, not what was so before. */
static bool
is_as_wanted(const struct ctl_job *job, const struct store_message *m)
{
	return job->verb == CTL_HOLD ? m->is_held :
	    job->verb == CTL_RELEASE && !m->is_held;
}

/* Acting changes the store, which may not happen while it is walked: ids are
 * noted, and acted upon when the step is over. */
static bool
on_message(void *ctx, struct store_glance *g)
{
	const struct store_message *m = store_glance_message(g);
	struct ctl_session *s = ctx;
	struct ctl_job *job = &s->job;

	job->seen++;
	if (is_as_wanted(job, m) || !is_selected(s, g))
		return true;
	job->count++;
	if (job->verb == CTL_PLACES)
		ctl_send_places(s, g);
	else if (job->verb == CTL_LIST)
		ctl_send_row(s, g, CTL_RECIPIENTS_SHOWN, NULL);
	else if (job->verb != CTL_COUNT && !job->is_dry_run)
		job->batch[job->batch_count++] = m->id;
	return job->limit == 0 || job->count < job->limit;
}

/* Changes only, with who asked and for what. */
static void
log_operator(const struct ctl_session *s)
{
	static const char *const names[CTL_VERB_COUNT] = {
		"count", "places", "list", "hold", "release", "retry", "delete"
	};
	struct log *log = s->q->log;

	if (!log_begin(log, LOG_OPERATOR, NULL))
		return;
	log_str(log, "verb", names[s->job.verb]);
	if (s->uid != HISTORY_NOBODY)
		log_u64(log, "uid", s->uid);
	log_text(log, "selection", buf_span(&s->job.words));
	log_u64(log, "messages", s->job.count);
	log_end(log);
}

/* The answer to a change waits until the change is on disk (I-01). */
static void
finish(struct ctl_session *s)
{
	struct effect effect = { .kind = EFFECT_ANSWER };
	struct ctl_job *job = &s->job;

	if (job->verb > CTL_LIST && !job->is_dry_run)
		log_operator(s);
	if (job->group == 0 || job->group <= s->q->synced) {
		ctl_end_job(s);
		return;
	}
	if (effects_reserve(&s->q->on_synced) != OK) {
		ctl_end(s, CTL_FAILED, job->count, SPAN_LIT("no memory"));
		return;
	}
	effect.group = job->group;
	effect.a = s->id;
	effects_insert(&s->q->on_synced, &effect);
	s->awaits_sync = true;
	queued_touch(s->q);
}

/* For the long ones that send no rows. */
static void
tell_progress(struct ctl_session *s)
{
	struct msg m = { .type = MSG_ctl_progress };

	m.ctl_progress.done = s->job.seen;
	m.ctl_progress.total = s->job.total;
	ctl_send(s, &m);
}

static bool
step(struct ctl_session *s)
{
	struct ctl_job *job = &s->job;
	bool is_over;

	job->batch_count = 0;
	/* few: to read their units costs less than to find them */
	if ((job->asks & SELECT_ASKS_STATE) != 0 && !job->path.is_listed)
		ctl_active_look(&job->active, s->q);
	job->cursor = store_look(s->q->store, &job->path, job->cursor,
	    CTL_WALK_ROWS, on_message, s);
	if (job->batch_count > 0)
		ctl_act_batch(s);
	is_over = job->cursor == UINT64_MAX ||
	    (job->limit > 0 && job->count >= job->limit);
	if (is_over && job->is_of_others)
		job->count += job->total - job->others;
	if (is_over)
		finish(s);
	else if (job->verb > CTL_LIST)
		tell_progress(s);
	return is_over;
}

/* The store keeps this number; nothing is looked at. */
static bool
step_count_all(struct ctl_session *s)
{
	s->job.count = s->job.total;
	finish(s);
	return true;
}

/* `retry all` lifts the back-off of every destination at the begin, not one by
 * one as the walk comes to their units. */
void
ctl_queue_begin(struct ctl_session *s, const struct msg_ctl_queue *m)
{
	struct ctl_job *job = &s->job;
	struct store_figures figures;
	struct why why;

	if (m->verb >= CTL_VERB_COUNT) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("there is no such verb"));
		return;
	}
	if (select_compile(m->selection, &job->select, &why) != OK) {
		ctl_end(s, CTL_BAD_SELECTION, 0, span_str(why.text));
		return;
	}
	store_figures(s->q->store, &figures);
	job->total = figures.messages;
	job->verb = m->verb;
	job->is_dry_run = m->is_dry_run != 0;
	job->begun_at = queued_now(s->q);
	job->limit = m->limit;
	job->cursor = job->seen = job->count = job->group = 0;
	job->has_failed = job->is_of_others = false;
	job->asks = select_asks(job->select);
	buf_init(&job->ids, ACTIVE_MAX * sizeof(uint64_t));
	ctl_active_init(&job->active);
	choose_path(s);
	buf_init(&job->words, SELECT_TEXT_MAX);
	buf_add_span(&job->words, m->selection);
	if (m->verb == CTL_RETRY && select_is_all(job->select) &&
	    !job->is_dry_run)
		plan_lift_all(s->q->plan);
	job->step = job->verb == CTL_COUNT && select_is_all(job->select) ?
	    step_count_all : step;
}
