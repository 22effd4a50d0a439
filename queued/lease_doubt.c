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
 *
 * Until it is looked at queued may die again, and this time alone.  The spool
 * keeps which start it was that nobody could tell (store_doubt.h), so the next
 * ones doubt what was noted before that, and no more.
 */
#include "queued/lease_doubt.h"

#include "common/log/log.h"
#include "common/proc/proc.h"
#include "queued/outcome.h"
#include "queued/residence.h"
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

/* ---- of which leases ---- */

/* Leases of one process are counted in the 40 bits below its number. */
enum { INSTANCE_SHIFT = 40 };
#define INSTANCE_MASK ((UINT64_C(1) << 24) - 1)

static void
log_unkept(struct queued *q, enum err e)
{
	if (q->doubt.is_unkept || !log_begin(q->log, LOG_SPOOL_FAILED, NULL))
		return;
	log_str(q->log, "what", "its doubts can't be kept");
	log_str(q->log, "why", err_text(e));
	log_end(q->log);
}

/* Before anything is leased; all that a kill leaves is what was written. */
static void
keep(struct queued *q)
{
	enum err e = store_doubt_write(".", &q->doubt);

	if (e != OK)
		log_unkept(q, e);
	q->doubt.is_unkept = e != OK;
}

/* One that a power cut has torn: the deliverds will say that they are new. */
void
lease_doubt_begin(struct queued *q)
{
	(void)store_doubt_read(".", &q->doubt);
}

void
lease_doubt_all(struct queued *q)
{
	uint64_t instance = proc_instance(q->proc);

	if (q->doubt.instance == instance)
		return;
	q->doubt = store_doubt_of(q->store, instance);
	keep(q);
}

void
lease_doubt_keep(struct queued *q)
{
	if (q->doubt.is_unkept)
		keep(q);
}

/* Who did not come may have died with us. */
void
lease_stop_waiting(struct queued *q)
{
	if (lease_is_waiting(q))
		lease_doubt_all(q);
	q->has_stopped_waiting = true;
}

/* Numbers of processes begin anywhere when the machine does, and come round;
 * since that start there was one parent, which counts. */
static bool
is_noted_before(const struct queued *q, uint64_t lease)
{
	uint64_t since = q->doubt.instance;
	uint64_t age = (proc_instance(q->proc) - since) & INSTANCE_MASK;

	return (((lease >> INSTANCE_SHIFT) - since) & INSTANCE_MASK) > age;
}

/* After this time the index usually has a message, and a lease is noted. */
#define AT_COMMIT_MS UINT64_C(60000)

/* Whoever could have told of a lease that was noted then has died. */
bool
lease_is_in_doubt(const struct queued *q, const struct store_unit *unit)
{
	const struct store_message *m = unit->message;
	const struct store_doubt *d = &q->doubt;

	if (d->instance == 0 || unit->noted_lease == 0)
		return false;
	if (unit->noted_lease < STORE_LEASED_UNINDEXED)
		return is_noted_before(q, unit->noted_lease);
	/* by its record, which was there at that start */
	if (m->id >> STORE_START_SHIFT >= d->start)
		return false;
	return unit->noted_lease == STORE_LEASED_UNINDEXED ||
	    (d->ended_at != 0 && m->arrived_at + AT_COMMIT_MS >= d->ended_at);
}

enum err
lease_doubt(struct queued *q, struct plan_unit *pu, bool *is_held)
{
	struct store_unit *unit = plan_unit_owner(pu);
	enum err e;

	if (!lease_is_in_doubt(q, unit))
		return OK;
	e = outcome_doubt(q, unit);
	if (e != OK ||
	    residence_policy(q, unit)->in_doubt == CONF_DOUBT_RETRY ||
	    (e = outcome_hold(q, unit)) != OK)
		return e;
	plan_later(q->plan, pu, queued_now(q));
	*is_held = true;
	return OK;
}
