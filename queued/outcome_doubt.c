/*
 * What may have been delivered already: tried again, so that it may arrive
 * twice, or held for an operator, as the route's in_doubt says (I-03).
 *
 * Held is the message with all of its units: their record is one.  Those that
 * are on their way meanwhile come to their own ends.
 */
#include "queued/history.h"
#include "queued/outcome.h"
#include "queued/outcome_work.h"
#include "queued/residence.h"

enum err
outcome_hold(struct queued *q, struct store_unit *unit)
{
	struct store_message *m = unit->message;
	enum err e;

	if (!m->is_held) {
		if ((e = store_hold(q->store, m, true)) != OK)
			return e;
		history_note(q, m->id, unit->number, JOURNAL_HELD, 0,
		    HISTORY_NOBODY, "in_doubt");
	}
	if (unit->plan != NULL)
		plan_hold(q->plan, unit->plan, true);
	return OK;
}

/* What age or an operator has ended meanwhile is settled, and not held. */
enum err
outcome_doubt_apply(struct queued *q, const struct outcome_work *w,
    struct store_unit *unit)
{
	if (residence_policy(q, unit)->in_doubt == CONF_DOUBT_RETRY)
		return OK;
	for (size_t i = 0; i < w->count; i++)
		if (w->is_in_doubt[i] && !w->results[i].is_settled)
			return outcome_hold(q, unit);
	return OK;
}
