/*
 * Leases go round in three rings, by what is known of destinations.  Those that
 * answer get every second turn as long as they may have more; between two of
 * them the others try theirs, as far as there is credit (plan_trial.h).
 */
#include "queued/plan/plan_turn.h"

#include "common/base/check.h"
#include "common/base/mtime.h"

enum {
	SHARE_LOOKS = 256,		/* at those that have their share */
	BUSY_MS = 1000,			/* after the last lease of a proven one */
	TRIALS_IDLE = 10,		/* times as many when there is none */
	TURNS_NEW = 5,			/* of so many trials one is a probe */
};

/* ---- who may have more ---- */

/* As many leases as are left for all, and contents likewise; the first is
 * anybody's. */
static bool
has_share(const struct plan_dests *ds, const struct plan_dest *d)
{
	const struct plan_params *p = &ds->params;

	if (d->leased == 0)
		return true;
	return (p->leases_max == 0 || d->leased < p->leases_max - ds->leased) &&
	    (p->bytes_max == 0 ||
	    d->leased_bytes <= p->bytes_max - ds->leased_bytes);
}

/* Three quarters of the leases are anybody's, the rest is for those that are
 * known to answer. */
static bool
has_room(const struct plan_dests *ds, uint8_t class)
{
	const struct plan_params *p = &ds->params;
	uint32_t trying_max = class == PLAN_NEW ? p->trying_max :
	    p->probes_max;
	uint32_t leases_max = class == PLAN_PROVEN ? p->leases_max :
	    p->leases_max - p->leases_max / 4;

	if (list_is_empty(&ds->turns[class]) ||
	    (leases_max != 0 && ds->leased >= leases_max) ||
	    (p->bytes_max != 0 && ds->leased_bytes >= p->bytes_max))
		return false;
	return class == PLAN_PROVEN || trying_max == 0 ||
	    ds->trying[class] < trying_max;
}

/* While none answers, nobody is disturbed by trials.  Between two messages of
 * those that do is no such time. */
static uint32_t
trials_rate(const struct plan_dests *ds)
{
	bool is_busy = ds->trying[PLAN_PROVEN] > 0 ||
	    !list_is_empty(&ds->turns[PLAN_PROVEN]) ||
	    mtime_sub(ds->now, ds->proven_at) < BUSY_MS;

	return is_busy ? ds->params.trials_rate :
	    ds->params.trials_rate * TRIALS_IDLE;
}

static bool
may_try(const struct plan_dests *ds)
{
	return ds->params.trials_rate == 0 || plan_trial_may(&ds->trial);
}

static bool
may_class(const struct plan_dests *ds, uint8_t class)
{
	return has_room(ds, class) && (class == PLAN_PROVEN || may_try(ds));
}

bool
plan_turn_may(const struct plan_dests *ds)
{
	for (uint8_t class = 0; class < PLAN_CLASSES; class++)
		if (may_class(ds, class))
			return true;
	return false;
}

int64_t
plan_turn_trial_at(const struct plan_dests *ds)
{
	if (may_try(ds) ||
	    (!has_room(ds, PLAN_NEW) && !has_room(ds, PLAN_PROBED)))
		return PLAN_NEVER;
	return plan_trial_next(&ds->trial, trials_rate(ds));
}

/* ---- whose turn it is ---- */

/* Those that have their share go behind the others until they give back. */
static struct plan_dest *
next_of_class(struct plan_dests *ds, uint8_t class)
{
	struct list *ring = &ds->turns[class];

	for (int looks = 0; looks < SHARE_LOOKS; looks++) {
		struct list *node = list_take_first(ring);
		struct plan_dest *d;

		if (node == NULL)
			break;
		d = CONTAINER_OF(node, struct plan_dest, turn);
		list_add_last(ring, node);
		if (d->group != NULL && !plan_group_may(d))
			continue;
		if (has_share(ds, d))
			return d;
		if (list_first(ring) == node)
			break;
	}
	return NULL;
}

static void
count_trial(struct plan_dests *ds, uint8_t class)
{
	const struct plan_params *p = &ds->params;

	if (p->trials_rate == 0)
		return;
	if (class != PLAN_PROVEN) {
		plan_trial_take(&ds->trial);
		return;
	}
	ds->proven_at = ds->now;
	plan_trial_earn(&ds->trial, p->trials_rate, p->trials_part);
}

/* Each second turn is one of those that answer; the trials between two of them
 * are few, and most of those are for the new ones. */
struct plan_dest *
plan_turn_next(struct plan_dests *ds)
{
	uint32_t turn = ds->turn + 1;
	bool is_probe = turn / 2 % TURNS_NEW == 0;
	uint8_t order[PLAN_CLASSES + 1] = {
		turn % 2 == 0 ? PLAN_PROVEN : PLAN_CLASSES,
		is_probe ? PLAN_PROBED : PLAN_NEW,
		is_probe ? PLAN_NEW : PLAN_PROBED,
		turn % 2 == 0 ? PLAN_CLASSES : PLAN_PROVEN,
	};

	for (size_t i = 0; i < COUNT_OF(order); i++) {
		struct plan_dest *d;

		if (order[i] == PLAN_CLASSES || !may_class(ds, order[i]) ||
		    (d = next_of_class(ds, order[i])) == NULL)
			continue;
		count_trial(ds, order[i]);
		ds->turn = turn;
		return d;
	}
	return NULL;
}

/* The rate is that of the time that has passed. */
void
plan_turn_tick(struct plan_dests *ds, int64_t now)
{
	plan_trial_tick(&ds->trial, trials_rate(ds), now);
	ds->now = now;
}
