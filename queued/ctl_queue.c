/*
 * Verbs over a selection: count, list, hold, release, retry, delete.
 *
 * A job walks the whole queue in order of ids, some rows a step, and keeps only
 * the last id between steps: mail comes and goes meanwhile, and no snapshot is
 * held.  Ids only grow, so nothing is seen twice.
 */
#include "common/base/check.h"
#include "common/log/log.h"
#include "queued/ctl_private.h"

/* ---- does a message belong to the selection? ---- */

/* What select_match() asks its questions about. */
struct recipients {
	struct store_unit *const *units;
};

/* The I-th recipient not yet settled; asked for in order, so that a cursor
 * would save little: messages have few. */
static bool
open_recipient(const void *ctx, uint32_t want, struct span *address)
{
	const struct recipients *r = ctx;

	for (size_t u = 0; r->units[u] != NULL; u++) {
		const struct store_unit *unit = r->units[u];

		if (want >= unit->left) {
			want -= unit->left;
			continue;
		}
		for (uint32_t i = 0; i < unit->count; i++) {
			if (unit->recipients[i].is_settled || want-- > 0)
				continue;
			*address = unit->recipients[i].address;
			return true;
		}
	}
	return false;
}

/* Facts of a message that is in several units: the most tries of any, and the
 * state by ctl_message_state(). */
static bool
is_selected(const struct ctl_session *s, const struct store_message *m,
    struct store_unit *const *units)
{
	struct recipients recipients = { units };
	struct select_facts facts = { .id = m->id };
	uint64_t tries = 0;

	if (select_is_all(s->job.select))
		return true;
	for (size_t i = 0; units[i] != NULL; i++)
		if (units[i]->tries > tries)
			tries = units[i]->tries;
	facts.state = ctl_message_state(s->q, units);
	facts.sender = m->sender;
	facts.size = store_message_size(m);
	facts.age_ms = (int64_t)queued_wall(s->q) - (int64_t)m->arrived_at;
	facts.tries = tries;
	facts.recipient = open_recipient;
	facts.ctx = &recipients;
	return select_match(s->job.select, &facts);
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
on_message(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct ctl_session *s = ctx;
	struct ctl_job *job = &s->job;

	job->seen++;
	if (is_as_wanted(job, m) || !is_selected(s, m, units))
		return true;
	job->count++;
	if (job->verb == CTL_LIST)
		ctl_send_row(s, m, units, CTL_RECIPIENTS_SHOWN);
	else if (job->verb != CTL_COUNT && !job->is_dry_run)
		job->batch[job->batch_count++] = m->id;
	return job->limit == 0 || job->count < job->limit;
}

/* Changes only, with who asked and for what. */
static void
log_operator(const struct ctl_session *s)
{
	static const char *const names[CTL_VERB_COUNT] = {
		"count", "list", "hold", "release", "retry", "delete"
	};
	struct log *log = s->q->log;

	if (!log_begin(log, LOG_OPERATOR, NULL))
		return;
	log_str(log, "verb", names[s->job.verb]);
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
		ctl_end(s, CTL_DONE, job->count, SPAN_NONE);
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
	job->cursor = store_walk(s->q->store, job->cursor, CTL_WALK_ROWS,
	    on_message, s);
	if (job->batch_count > 0)
		ctl_act_batch(s);
	is_over = job->cursor == UINT64_MAX ||
	    (job->limit > 0 && job->count >= job->limit);
	if (is_over)
		finish(s);
	else if (job->verb > CTL_LIST)
		tell_progress(s);
	return is_over;
}

/* A selection by id needs no walk. */
static bool
step_one(struct ctl_session *s)
{
	struct ctl_job *job = &s->job;
	uint64_t id = 0;

	MUST(select_is_one(job->select, &id));
	job->batch_count = 0;
	(void)store_show(s->q->store, id, on_message, s);
	if (job->batch_count > 0)
		ctl_act_batch(s);
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
	uint64_t id;

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
	job->limit = m->limit;
	job->cursor = job->seen = job->count = job->group = 0;
	buf_init(&job->words, SELECT_TEXT_MAX);
	buf_add_span(&job->words, m->selection);
	if (m->verb == CTL_RETRY && select_is_all(job->select) &&
	    !job->is_dry_run)
		plan_lift_all(s->q->plan);
	job->step = select_is_one(job->select, &id) ? step_one : step;
}
