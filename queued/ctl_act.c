/*
 * What an operator's verb does to a message: to each of its units, loaded into
 * memory and given to the planner for it, and given back to the index when
 * nobody needs it there.  All changes are records, so they survive; what finds
 * no memory or room is passed over, and is not undone for the others.
 */
#include "queued/ctl_private.h"
#include "queued/history.h"
#include "queued/lease.h"
#include "queued/lists.h"
#include "queued/outcome.h"
#include "queued/plan/plan_look.h"
#include "queued/residence.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"
#include "queued/times.h"

/* Records of an operator are synced at once rather than with the next group
 * that must be: someone waits for the answer. */
static void
note_change(struct ctl_session *s)
{
	s->job.group = store_group(s->q->store);
	store_want_sync(s->q->store);
	queued_touch(s->q);
}

/* Who did it. */
static void
note(struct ctl_session *s, const struct store_unit *unit, uint8_t kind,
    uint64_t value)
{
	history_note(s->q, unit->message->id, unit->number, kind, value,
	    s->uid, "");
}

/* ---- who schedules it ---- */

/* Room that acts may take in the planner; beyond it the index has to do.  What
 * is due is found there within a second or two. */
enum { ACT_RESIDENTS = 4096, ACT_UNPROVEN = 8 };

/* More units than a message ever had. */
enum { UNITS_MAX = 100000 };

static bool
is_crowded(const struct queued *q)
{
	return plan_count(q->plan, PLAN_WAITING) +
	    plan_count(q->plan, PLAN_READY) +
	    plan_count(q->plan, PLAN_HELD) > ACT_RESIDENTS;
}

/* What was in the index before stays there when there are many (I-04): of a
 * destination that answers as many may come as a crowd has room for, through
 * the index they would come later; of any other as many as are tried first. */
static bool
must_leave(const struct queued *q, const struct plan_unit *pu)
{
	uint32_t crowd = residence_crowd(q);
	uint32_t unproven = plan_unit_unproven(pu);

	if (crowd <= ACT_RESIDENTS)
		return false;
	return unproven > 0 ?
	    unproven > ACT_UNPROVEN || crowd > RESIDENCE_LOW :
	    plan_unit_ready(pu) > RESIDENCE_LOW || crowd > RESIDENCE_HIGH;
}

/* The answer says so when something was not. */
static bool
is_done(struct ctl_session *s, enum err e)
{
	s->job.has_failed |= e != OK;
	return e == OK;
}

/* ---- one unit ---- */

/* Its destination was tried since the operator asked, and failed. */
static bool
has_failed_anew(const struct ctl_session *s, const struct plan_unit *pu)
{
	return plan_unit_blocked_until(s->q->plan, pu) > queued_now(s->q) &&
	    plan_unit_failed_at(pu) > s->job.begun_at;
}

/* What would be due now only to be put off as soon as it is seen, as are all of
 * its destination, is put off at once, if it was to come later than those. */
static void
follow_others(struct ctl_session *s, struct store_unit *unit, bool was_away)
{
	struct plan_unit *pu = unit->plan;
	int64_t until = plan_unit_blocked_until(s->q->plan, pu);

	if (plan_unit_due(pu) > until) {
		note(s, unit, JOURNAL_RETRIED, queued_wall(s->q) +
		    (uint64_t)(until - queued_now(s->q)));
		if (is_done(s, residence_park(s->q, pu)))
			note_change(s);
	} else if (was_away) {
		residence_give_back(s->q, pu);
	}
}

/* A held one stays held, a leased one is being tried already. */
static void
retry_unit(struct ctl_session *s, struct store_unit *unit)
{
	uint64_t now = queued_wall(s->q);
	bool was_away = unit->plan == NULL;

	if (residence_adopt(s->q, unit) != OK)
		return;
	if (unit->message->is_held || plan_unit_state(unit->plan) ==
	    PLAN_LEASED || (s->channel == NULL &&
	    times_released(unit->message) > now))
		return;
	if (has_failed_anew(s, unit->plan)) {
		follow_others(s, unit, was_away);
		return;
	}
	if (unit->due_at > now) {
		if (!is_done(s, store_reschedule(s->q->store, unit, now)))
			return;
		note(s, unit, JOURNAL_RETRIED, now);
		note_change(s);
	}
	plan_hurry(s->q->plan, unit->plan, s->job.begun_at,
	    queued_now(s->q));
	if (was_away && must_leave(s->q, unit->plan))
		residence_move_out(s->q, unit->plan);
	else
		(void)residence_welcome(s->q, unit);
}

/* A lease that has not left yet ends unseen. */
static enum err
delete_now(struct queued *q, struct store_unit *unit, struct lease *unsent)
{
	enum err e;

	if (unsent != NULL)
		lease_end(q, unsent);
	e = outcome_delete(q, unit);
	if (e != OK && unsent != NULL)
		plan_back(q->plan, unit->plan);
	return e;
}

/* What is being delivered this moment is deleted afterwards, if it is still
 * there then: its next hop may have it already.  The note of its lease says so,
 * for we may be gone by then. */
static void
delete_unit(struct ctl_session *s, struct store_unit *unit)
{
	struct lease *lease = lease_of_unit(s->q, unit);
	bool is_out = lease != NULL && !lease->is_unsent;

	note(s, unit, JOURNAL_DELETED, 0);
	if (!is_done(s, is_out ? store_note_lease(s->q->store, unit,
	    lease->id | STORE_LEASE_DELETED) :
	    delete_now(s->q, unit, lease)))
		return;
	if (is_out)
		lease_delete(s->q, unit);
	note_change(s);
}

/* Held is the message; each of its units hears of it, though the record is
 * written for the first only. */
static void
hold_unit(struct ctl_session *s, struct store_unit *unit, bool is_held)
{
	struct store_message *m = unit->message;

	if (m->is_held != is_held) {
		if (!is_done(s, store_hold(s->q->store, m, is_held)))
			return;
		note(s, unit, is_held ? JOURNAL_HELD : JOURNAL_RELEASED, 0);
		note_change(s);
	}
	/* it may go another way than it did, being released */
	if (!is_held && unit->plan != NULL &&
	    plan_unit_state(unit->plan) == PLAN_HELD) {
		residence_end(s->q, unit->plan);
		unit->plan = NULL;
	}
	if (unit->plan == NULL && is_crowded(s->q)) {
		residence_release(s->q, unit);
		return;
	}
	if (residence_adopt(s->q, unit) != OK)
		return;
	plan_hold(s->q->plan, unit->plan, is_held);
	(void)residence_welcome(s->q, unit);
}

/* What was not begun of it; its parts are messages like others. */
static void
act_list(struct ctl_session *s, struct store_unit *unit)
{
	struct store_message *m = unit->message;
	bool is_held = s->job.verb == CTL_HOLD;

	if (s->job.verb == CTL_DELETE) {
		delete_unit(s, unit);
		return;
	}
	if (s->job.verb != CTL_RETRY && m->is_held != is_held) {
		if (!is_done(s, store_hold(s->q->store, m, is_held)))
			return;
		note(s, unit, is_held ? JOURNAL_HELD : JOURNAL_RELEASED, 0);
		note_change(s);
	}
	(void)lists_add(s->q, unit);
}

/* UNIT may be gone afterwards. */
static void
act_unit(struct ctl_session *s, struct store_unit *unit)
{
	if (store_is_list(unit->message)) {
		act_list(s, unit);
		return;
	}
	switch (s->job.verb) {
	case CTL_HOLD:
		hold_unit(s, unit, true);
		break;
	case CTL_RELEASE:
		hold_unit(s, unit, false);
		break;
	case CTL_RETRY:
		retry_unit(s, unit);
		break;
	case CTL_DELETE:
		delete_unit(s, unit);
		break;
	default:
		break;
	}
}

/* ---- a message ---- */

/*
 * One that is not synced yet is nobody's to schedule: it may still be refused,
 * and its units come to the planner when it is there (intake_synced()).
 */
static void
act_early(struct ctl_session *s, struct store_unit *unit)
{
	bool is_held = s->job.verb == CTL_HOLD;

	if (s->job.verb == CTL_DELETE)
		delete_unit(s, unit);
	else if (s->job.verb != CTL_RETRY &&
	    unit->message->is_held != is_held &&
	    is_done(s, store_hold(s->q->store, unit->message, is_held))) {
		note(s, unit, is_held ? JOURNAL_HELD : JOURNAL_RELEASED, 0);
		note_change(s);
	}
}

/* What nobody schedules may not stay in memory. */
static void
give_back(struct ctl_session *s, uint64_t id, uint32_t number)
{
	struct store_unit *unit = store_find_unit(s->q->store, id, number);

	if (unit != NULL && unit->plan == NULL)
		store_yield_unit(s->q->store, &unit);
}

static void
act_message(struct ctl_session *s, uint64_t id)
{
	bool is_early = effects_has_message(&s->q->on_synced, id);
	struct store_unit *unit;
	uint32_t units = 0;

	/* Any unit tells how many there were; settled ones are gone. */
	for (uint32_t i = 0; units == 0 || i < units; i++) {
		enum err e = store_load_unit(s->q->store, id, i, &unit);

		if (e == OK) {
			units = unit->message->unit_count;
			if (is_early) {
				act_early(s, unit);
				continue;
			}
			act_unit(s, unit);
			give_back(s, id, i);
		} else if (units == 0 && i >= UNITS_MAX) {
			return;
		}
	}
}

void
ctl_act_batch(struct ctl_session *s)
{
	for (size_t i = 0; i < s->job.batch_count; i++)
		act_message(s, s->job.batch[i]);
	queued_touch(s->q);
}
