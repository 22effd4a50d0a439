/*
 * After a start the deliverds that live tell what they hold, and only then is
 * anything leased.  What was noted as leased, is not held by one of them and
 * has no verdict was with one that died.  It is looked at when it is next
 * given out, so a start has nothing to go through.
 *
 * A first lease is noted by the message's own record alone, until the index has
 * the message: what the index did not have and has no verdict may have been
 * out, and counts as if.  Of an index that was made anew nobody knows how far
 * it was: then what came shortly before the death counts.
 */
#include "queued/lease_doubt.h"

#include "common/proc/proc.h"
#include "queued/history.h"
#include "queued/outcome.h"
#include "queued/store/store_write.h"

/* Leasing before all have spoken would give a unit out a second time. */
bool
lease_is_waiting(const struct queued *q)
{
	uint32_t presented = 0;

	if (q->has_stopped_waiting)
		return false;
	for (size_t i = 0; i < QUEUED_WORKERS_MAX; i++)
		presented += q->deliverds[i].is_presented ? 1 : 0;
	return presented < q->conf->workers.deliverd;
}

/* Who did not come may have died with us. */
void
lease_stop_waiting(struct queued *q)
{
	q->may_doubt |= lease_is_waiting(q);
	q->has_stopped_waiting = true;
}

/* After this time the index usually has a message, and a lease is noted. */
#define AT_COMMIT_MS UINT64_C(60000)

/* Whoever could have told of a lease that was noted before us has died. */
bool
lease_is_in_doubt(const struct queued *q, const struct store_unit *unit)
{
	uint64_t ended_at = store_ended_at(q->store);

	if (!q->may_doubt || unit->noted_lease == 0)
		return false;
	if (unit->noted_lease == STORE_LEASED_AT_COMMIT)
		return ended_at != 0 &&
		    unit->message->arrived_at + AT_COMMIT_MS >= ended_at;
	return unit->noted_lease == STORE_LEASED_UNINDEXED ||
	    unit->noted_lease >> 40 != proc_instance(q->proc);
}

enum err
lease_doubt(struct queued *q, struct plan_unit *pu, bool *is_held)
{
	struct store_unit *unit = plan_unit_owner(pu);
	enum err e;

	if (!lease_is_in_doubt(q, unit))
		return OK;
	e = outcome_doubt(q, unit);
	if (e != OK || q->conf->queue.in_doubt == CONF_DOUBT_RETRY)
		return e;
	if ((e = store_hold(q->store, unit->message, true)) != OK)
		return e;
	history_note(q, unit->message->id, unit->number, JOURNAL_HELD, 0,
	    HISTORY_NOBODY, "queue.in_doubt");
	plan_hold(q->plan, pu, true);
	plan_later(q->plan, pu, queued_now(q));
	*is_held = true;
	return OK;
}
