/*
 * Each way a unit can be told about (a verdict, a deliverd that died, an
 * operator, the failure of its destination) goes the same four steps: gather
 * one result for each recipient that is still open; decide what it means by
 * age and by deletion; build the reports while the message is still there;
 * append reports and verdict to the open group, all or nothing (I-02).  Then
 * the planner hears what is next for unit and destination.
 *
 * The work lies in q->work, one verdict at a time: spans in it point into the
 * frame that is being handled, or into the store, and end with the call.
 */
#include "queued/outcome.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/bounce.h"
#include "queued/lease_doubt.h"
#include "queued/outcome_log.h"
#include "queued/outcome_work.h"
#include "queued/plan/plan_advice.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_retry.h"
#include "queued/plan/plan_tell.h"
#include "queued/residence.h"
#include "queued/shaping.h"
#include "queued/spool_time.h"
#include "queued/store/store_write.h"
#include "queued/times.h"

#include <stdlib.h>

enum {
	IN_DOUBT_PAUSE_MS = 1000,	/* deliverd may have died of its lease */
	TOLD_MAX = 64,			/* senders in a turn: each costs a report */
	TRIES_ALONE = 6,		/* at a greylisted message */
};

/* ---- gathering the results of a lease ---- */

/* The arrays are large and overwritten up to count: only is_told needs zeros,
 * by row. */
static void
begin_results(struct outcome_work *w)
{
	w->count = 0;
	memset(w->is_told, 0, sizeof(w->is_told));
}

/* RESULT's row is set here; its texts are borrowed. */
static void
add_row(struct outcome_work *w, const struct store_unit *unit, uint32_t row,
    const struct store_result *result, uint8_t attempt)
{
	struct store_result *r;

	/* A repeated verdict: this recipient was settled by the first. */
	if (unit->recipients[row].is_settled || w->is_told[row])
		return;
	w->is_told[row] = true;
	r = &w->results[w->count];
	*r = *result;
	r->first = row;
	r->last = row;
	w->attempt_of[w->count] = attempt;
	w->count++;
}

/* First and last are positions in the lease, not rows of the unit.  Untried
 * ones get no result: they stay as they were. */
static void
read_results(struct outcome_work *w, const struct lease *lease,
    struct msg_list results)
{
	struct msg_result m;

	begin_results(w);
	while (msg_next_result(&results, &m)) {
		struct store_result r = { .outcome = m.outcome };

		r.code = m.code;
		r.status = m.status;
		r.text = m.text;
		if (m.attempt < w->attempt_count)
			r.host = w->attempts[m.attempt].host;
		for (uint32_t i = m.first; i <= m.last && i < lease->count;
		    i++) {
			size_t at = w->count;

			if (m.outcome < OUTCOME_UNTRIED ||
			    m.outcome == OUTCOME_IN_DOUBT)
				add_row(w, lease->unit, lease->rows[i], &r,
				    m.attempt);
			/* what was told before is not told again */
			if (w->count > at)
				w->told_by[at] = m.has_dsn;
		}
	}
}

/* A result of ours: no host was spoken to. */
static void
begin_own(const struct queued *q, struct outcome_work *w, bool is_try)
{
	begin_results(w);
	w->history = SPAN_NONE;
	w->attempt_count = 0;
	w->begun_at = spool_time_shown(q, queued_wall(q));
	w->is_try = is_try;
}

/* ---- deciding ---- */

/* At MOMENT, the planner's. */
static bool
was_expired(struct queued *q, const struct store_unit *unit, int64_t moment)
{
	int64_t since = mtime_sub(queued_now(q), moment);

	return outcome_age_ms(q, unit->message) >=
	    mtime_add(residence_life_ms(q, unit), since);
}

/* Age and deletion only turn what would be tried again: a success or a refusal
 * of this last attempt stands. */
static void
decide(struct queued *q, struct outcome_work *w,
    const struct store_unit *unit, bool is_deleted)
{
	bool expired = was_expired(q, unit, queued_now(q));
	bool returned = times_is_returned(q, unit->message);

	for (size_t i = 0; i < w->count; i++) {
		struct store_result *r = &w->results[i];

		w->is_in_doubt[i] = r->outcome == OUTCOME_IN_DOUBT;
		if (!outcome_settles(r->outcome) && is_deleted)
			r->outcome = OUTCOME_DISCARDED;
		else if (!outcome_settles(r->outcome) && expired)
			r->outcome = OUTCOME_EXPIRED;
		else if (!outcome_settles(r->outcome) && returned) {
			r->outcome = OUTCOME_EXPIRED;
			r->status = SPAN_LIT("5.4.7");
		}
		r->is_settled = outcome_settles(r->outcome);
	}
}

/* The time of the next attempt, by the unit's own curve. */
static uint64_t
next_due(struct queued *q, const struct store_unit *unit)
{
	const struct route_policy *policy = residence_policy(q, unit);

	return times_cut(q, unit->message, queued_wall(q) +
	    (uint64_t)plan_retry_delay(policy->first_retry_ms,
	    policy->max_retry_ms, unit->tries + 1, rng_u64(&q->dice)));
}

/* ---- applying ---- */

/*
 * Puts what W gathered into the open group.  The unit is gone afterwards when
 * *IS_OVER says so: its plan entry is the caller's to end.  On failure nothing
 * was changed.
 */
static enum err
settle(struct queued *q, struct outcome_work *w, struct store_unit *unit,
    uint64_t due_at, bool *is_over)
{
	struct store_verdict v = { .due_at = due_at };
	enum err e;

	outcome_gather_runs(w);
	if ((e = effects_reserve(&q->on_synced)) != OK ||
	    (e = outcome_build_reports(q, w, unit)) != OK ||
	    (e = outcome_submit_reports(q, w, unit)) != OK)
		goto out;
	outcome_log(q, w, unit, due_at);
	v.begun_at = w->begun_at;
	v.tries = unit->tries + (w->is_try ? 1 : 0);
	v.is_warned = w->delay.is_wanted;
	v.history = w->history;
	v.results = w->runs;
	v.count = w->run_count;
	MUST(store_verdict(q->store, unit, &v, is_over) == OK);
out:
	bounce_clear(&w->failure);
	bounce_clear(&w->delay);
	bounce_clear(&w->relayed);
	return e;
}

/* WHY failed for all of PU's destination: its fresh attempt. */
static enum err
tell_one(struct queued *q, struct outcome_work *w, struct plan_unit *pu,
    const struct store_result *why)
{
	struct store_unit *unit = plan_unit_owner(pu);
	struct store_result told = *why;
	uint64_t due = next_due(q, unit);
	bool is_over = false;
	enum err e;

	if (store_lease_is_deleted(unit->noted_lease))
		return outcome_delete(q, unit);
	if (lease_is_in_doubt(q, unit))
		told.outcome = OUTCOME_IN_DOUBT;
	begin_results(w);
	for (uint32_t i = 0; i < unit->count; i++)
		add_row(w, unit, i, &told, OUTCOME_NO_ATTEMPT);
	decide(q, w, unit, false);
	e = settle(q, w, unit, due, &is_over);
	if (is_over) {
		residence_end(q, pu);
		return e;
	}
	plan_set_overdue(pu, residence_overdue(q, unit));
	plan_later(q->plan, pu, queued_plan_time(q, due));
	return e;
}

/* The failure is known by what the planner kept of it.  After a start PU may be
 * with a deliverd that did not say so yet. */
bool
outcome_overdue(struct queued *q, struct plan_unit *pu)
{
	struct store_result why = { .outcome = OUTCOME_DEFERRED };
	struct plan_dest_view dest;
	char text[PLAN_WHY_MAX], status[sizeof("5.999.999")];
	int64_t failed_at = plan_unit_told_at(pu);

	if (lease_is_waiting(q) || plan_unit_state(pu) == PLAN_HELD ||
	    plan_unit_overdue(pu) > failed_at ||
	    !plan_dest_look(q->plan, plan_unit_key(pu), &dest))
		return false;
	/* late enough for a notice of delay is not late enough for the end */
	if (was_expired(q, plan_unit_owner(pu), queued_now(q)) &&
	    !was_expired(q, plan_unit_owner(pu), failed_at))
		return false;
	outcome_put_why(&dest, text, status, &why);
	begin_own(q, q->work, true);
	return tell_one(q, q->work, pu, &why) == OK;
}

/* Not faster than the index can be written.  What finds no room has a later
 * time by then. */
void
outcome_tell(struct queued *q)
{
	struct plan_telling telling = { .next = NULL };
	struct plan_unit *pu;

	for (int n = 0; n < TOLD_MAX && outcome_is_telling(q) &&
	    plan_next_untold(q->plan, &telling, &pu) &&
	    outcome_overdue(q, pu); n++)
		;
}

bool
outcome_is_telling(const struct queued *q)
{
	return plan_has_untold(q->plan) && !lease_is_waiting(q) &&
	    !store_is_behind(q->store);
}

/* Where the unit stands after an attempt that did not settle it. */
static void
reschedule(struct queued *q, struct store_unit *unit, bool is_partial,
    uint64_t due_at)
{
	struct plan_unit *pu = unit->plan;

	if (!is_partial) {
		plan_set_overdue(pu, residence_overdue(q, unit));
		plan_later(q->plan, pu, queued_plan_time(q, due_at));
		return;
	}
	/* others of it go another way */
	plan_remove(q->plan, &pu);
	unit->plan = NULL;
	if (residence_adopt(q, unit) != OK)
		residence_release(q, unit);
}

/* The store has freed the unit of LEASE. */
static void
end_unit(struct queued *q, struct lease *lease, struct plan_unit *pu)
{
	const struct store_unit *unit = lease->unit;

	if (lease_end_one(q, lease))
		lease_end_all(q, unit);
	residence_end(q, pu);
}

/* It is asked to come back (greylisting): soon, while that may be believed. */
static uint64_t
due_alone(struct queued *q, const struct outcome_work *w,
    const struct store_unit *unit)
{
	if (unit->tries >= TRIES_ALONE)
		return next_due(q, unit);
	return times_cut(q, unit->message, queued_wall(q) +
	    (uint64_t)w->lesson.time_ms);
}

/* A destination that fails as a whole, or breaks off when it is asked how it
 * is, decides when all of its units are next; a unit is not due before that.
 * Any other end of an attempt shows that it talks. */
static uint64_t
due_after(struct queued *q, const struct outcome_work *w,
    struct plan_unit *pu, struct lease *lease, uint8_t scope)
{
	bool is_one = w->lesson.action == CONF_SHAPE_RETRY;
	uint64_t due = is_one ? due_alone(q, w, lease->unit) :
	    next_due(q, lease->unit);
	bool is_less = !is_one && outcome_is_pushback(w);
	/* once, though a verdict that could not be taken is told again */
	bool is_news = !lease->is_counted;
	int64_t wait;

	lease->is_counted = true;
	if (scope != SCOPE_DESTINATION &&
	    (!is_less || !plan_unit_is_probe(pu))) {
		if (is_less && is_news)
			plan_dest_less(q->plan, pu, queued_now(q));
		else if (is_news)
			plan_dest_ok(q->plan, pu, queued_now(q));
		return due;
	}
	if (is_news && w->lesson.action == CONF_SHAPE_BACK_OFF)
		(void)plan_back_off(q->plan, pu, mtime_add(queued_now(q),
		    w->lesson.time_ms), queued_now(q));
	else if (is_news)
		(void)plan_dest_failed(q->plan, pu, queued_now(q));
	wait = plan_unit_blocked_until(q->plan, pu) - queued_now(q);
	if (wait > 0 && queued_wall(q) + (uint64_t)wait > due)
		due = queued_wall(q) + (uint64_t)wait;
	return times_cut(q, lease->unit->message, due);
}

/* Nobody was tried, or all of it was told before: in the latter case what is
 * left of the unit has a time of its own. */
void
outcome_untried(struct queued *q, struct lease *lease)
{
	struct store_unit *unit = lease->unit;
	bool is_deleted = lease->is_deleted;

	if (lease_end_one(q, lease) ||
	    (is_deleted && outcome_delete(q, unit) == OK))
		return;
	if (unit->due_at > queued_wall(q))
		plan_later(q->plan, unit->plan,
		    queued_plan_time(q, unit->due_at));
	else
		plan_back(q->plan, unit->plan);
}

/* The lease is over, and the unit is not; what an operator deleted meanwhile
 * goes, also what the lease was not about. */
static void
go_on(struct queued *q, struct lease *lease, bool is_partial, uint64_t due)
{
	struct store_unit *unit = lease->unit;
	bool is_deleted = lease->is_deleted;

	if (lease_end_one(q, lease) ||
	    (is_deleted && outcome_delete(q, unit) == OK))
		return;
	reschedule(q, unit, is_partial, due);
}

/* The destination's fate comes before settle() because the due time stands in
 * the verdict; the reason and the others come after it, for they need the
 * result to be taken. */
static enum err
conclude(struct queued *q, struct outcome_work *w, struct lease *lease,
    uint8_t scope)
{
	struct store_unit *unit = lease->unit;
	struct plan_unit *pu = unit->plan;
	struct store_result first;
	bool is_partial = lease->count < unit->left;
	bool is_over = false;
	uint64_t due;
	enum err e;

	if (w->count == 0) {
		outcome_untried(q, lease);
		return OK;
	}
	scope = outcome_learn(q, w, lease, scope);
	first = w->results[0];
	due = due_after(q, w, pu, lease, scope);
	decide(q, w, unit, lease->is_deleted);
	if (is_partial && outcome_is_all_settled(w))
		due = queued_wall(q);	/* for those that are left */
	if ((e = outcome_doubt_apply(q, w, unit)) != OK ||
	    (e = settle(q, w, unit, due, &is_over)) != OK)
		return e;
	if (scope == SCOPE_DESTINATION) {
		plan_dest_explain(q->plan, pu, first.status, first.text);
		if (!outcome_settles(first.outcome))
			plan_tell(q->plan, pu);
	}
	if (is_over)
		end_unit(q, lease, pu);
	else
		go_on(q, lease, is_partial, due);
	return OK;
}

/* When nothing waits to be written no group would come to carry it. */
void
outcome_confirm(struct queued *q, struct queued_peer *peer, uint64_t lease)
{
	struct effect effect = { .kind = EFFECT_CONFIRM };
	struct msg m = { .type = MSG_confirm };

	effect.a = lease;
	effect.group = store_last_group(q->store);
	effect.peer = peer->index;
	m.confirm.lease = lease;
	if (effect.group > q->written)
		effects_add(&q->on_written, &effect);
	else
		channel_send_late(peer->channel, &m);
}

void
outcome_verdict(struct queued *q, struct queued_peer *peer,
    const struct msg_verdict *verdict)
{
	struct lease *lease = lease_get(q, peer, verdict->lease);
	struct outcome_work *w = q->work;
	enum err e = effects_reserve(&q->on_written);

	if (e == OK && lease != NULL) {
		outcome_read_attempts(w, verdict->attempts);
		read_results(w, lease, verdict->results);
		w->begun_at = w->attempt_count > 0 ?
		    w->attempts[0].begun_at :
		    spool_time_shown(q, queued_wall(q));
		w->is_try = true;
		shaping_group(q, plan_unit_key(lease->unit->plan),
		    verdict->group);
		e = conclude(q, w, lease, verdict->scope);
	}
	/* Unconfirmed it will be told again. */
	if (e == OK)
		outcome_confirm(q, peer, verdict->lease);
	else
		outcome_log_trouble(q, verdict->id, e);
}

/* Nobody knows whether the next hop has it: it is tried again, at least once
 * being the rule (I-03).  Soon at first, then by the curve: it may be this very
 * message that deliverd dies of.  What did not leave us was not tried. */
void
outcome_in_doubt(struct queued *q, struct lease *lease)
{
	static const struct store_result unknown = {
		.outcome = OUTCOME_IN_DOUBT,
		.status = SPAN_LIT("4.3.0"),
		.text = SPAN_LIT("the delivery process ended before it could "
		    "tell what became of the attempt"),
	};
	struct store_unit *unit = lease->unit;
	struct plan_unit *pu = unit->plan;
	struct outcome_work *w = q->work;
	uint64_t due = unit->tries < 3 ? queued_wall(q) + IN_DOUBT_PAUSE_MS :
	    next_due(q, unit);
	bool is_partial = lease->count < unit->left;
	bool is_over = false;

	if (lease->is_unsent) {
		outcome_untried(q, lease);
		return;
	}
	begin_own(q, w, true);
	for (uint32_t i = 0; i < lease->count; i++)
		add_row(w, unit, lease->rows[i], &unknown,
		    OUTCOME_NO_ATTEMPT);
	decide(q, w, unit, lease->is_deleted);
	if (w->count > 0 && (outcome_doubt_apply(q, w, unit) != OK ||
	    settle(q, w, unit, due, &is_over) != OK))
		due = queued_wall(q) + IN_DOUBT_PAUSE_MS;
	if (is_over)
		end_unit(q, lease, pu);
	else
		go_on(q, lease, is_partial, due);
}

/* Age settles nothing here: after a stop nothing ends without an attempt. */
enum err
outcome_doubt(struct queued *q, struct store_unit *unit)
{
	static const struct store_result unknown = {
		.outcome = OUTCOME_IN_DOUBT,
		.status = SPAN_LIT("4.3.0"),
		.text = SPAN_LIT("an attempt may have been under way when "
		    "the processes died; what became of it is not known"),
	};
	struct outcome_work *w = q->work;
	bool is_over = false;

	begin_own(q, w, true);
	for (uint32_t i = 0; i < unit->count; i++)
		add_row(w, unit, i, &unknown, OUTCOME_NO_ATTEMPT);
	for (size_t i = 0; i < w->count; i++)
		w->is_in_doubt[i] = true;
	return settle(q, w, unit, queued_wall(q), &is_over);
}

/* By a rule: as RESULT, for COUNT of its ROWS; others of it may go another
 * way. */
enum err
outcome_ours(struct queued *q, struct store_unit *unit, const uint32_t *rows,
    uint32_t count, const struct store_result *result)
{
	struct outcome_work *w = q->work;
	struct plan_unit *pu = unit->plan;
	bool is_over = false;
	enum err e;

	begin_own(q, w, false);
	for (uint32_t i = 0; i < count; i++)
		add_row(w, unit, rows[i], result, OUTCOME_NO_ATTEMPT);
	for (size_t i = 0; i < w->count; i++)
		w->is_in_doubt[i] = false;
	e = settle(q, w, unit, queued_wall(q), &is_over);
	if (e == OK && is_over)
		residence_end(q, pu);
	else if (e == OK)
		reschedule(q, unit, true, 0);
	return e;
}

/* No attempt, no report: the operator knows.  The unit may have no plan entry
 * yet. */
enum err
outcome_delete(struct queued *q, struct store_unit *unit)
{
	static const struct store_result deleted = {
		.outcome = OUTCOME_DISCARDED,
		.is_settled = true,
		.text = SPAN_LIT("deleted by an operator"),
	};
	struct outcome_work *w = q->work;
	struct plan_unit *pu = unit->plan;
	bool is_over = false;
	enum err e;

	begin_own(q, w, false);
	for (uint32_t i = 0; i < unit->count; i++)
		add_row(w, unit, i, &deleted, OUTCOME_NO_ATTEMPT);
	e = settle(q, w, unit, unit->due_at, &is_over);
	if (e == OK && is_over && pu != NULL)
		residence_end(q, pu);
	return e;
}

/* No attempt either: what is to be returned may not be delivered any more (RFC
 * 2852 section 4).  It stays as it is, if it is told of only. */
enum err
outcome_late(struct queued *q, struct store_unit *unit)
{
	static const struct store_result late = {
		.outcome = OUTCOME_DEFERRED,
		.status = SPAN_LIT("4.4.7"),
		.text = SPAN_LIT("it could not be delivered by the time that "
		    "its sender asked for"),
	};
	struct outcome_work *w = q->work;
	struct plan_unit *pu = unit->plan;
	bool is_over = false;
	enum err e;

	begin_own(q, w, false);
	for (uint32_t i = 0; i < unit->count; i++)
		add_row(w, unit, i, &late, OUTCOME_NO_ATTEMPT);
	decide(q, w, unit, false);
	e = settle(q, w, unit, unit->due_at, &is_over);
	if (e == OK && is_over && pu != NULL)
		residence_end(q, pu);
	return e;
}
