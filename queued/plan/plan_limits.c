/*
 * What limits a destination: its route, what is known of it besides (advice),
 * and the group that it is in.
 */
#include "common/base/mtime.h"
#include "queued/plan/plan_advice.h"
#include "queued/plan/plan_private.h"

/* Of two rates the slower one. */
static void
set_rate(struct plan_dest *d)
{
	const struct plan_limits *l = &d->limits;
	const struct plan_advice *a = &d->advice;
	bool is_advised = a->rate_count > 0 && (l->rate_count == 0 ||
	    (uint64_t)a->rate_count * l->rate_ms <
	    (uint64_t)l->rate_count * a->rate_ms);
	uint32_t count = is_advised ? a->rate_count : l->rate_count;
	uint32_t ms = is_advised ? a->rate_ms : l->rate_ms;

	if (d->rate_count == count && d->rate_ms == ms)
		return;
	d->rate_count = count;
	d->rate_ms = ms;
	/* the pause for a rate that is no more ends */
	d->pace = (struct plan_pace){ .at = 0 };
	d->is_paced = false;
}

uint32_t
plan_dest_window_max(const struct plan_dest *d)
{
	uint32_t own = d->limits.window_max, advised = d->advice.window_max;

	return own == 0 || (advised != 0 && advised < own) ? advised : own;
}

static void
limit_group(struct plan_dests *ds, struct plan_dest *d)
{
	const struct plan_advice *a = &d->advice;
	bool has_rate = a->group_count > 0;

	if (d->group == NULL)
		return;
	plan_group_limit(ds, d->group, a->group_window != 0 ?
	    a->group_window : d->limits.window_max, has_rate ?
	    a->group_count : d->limits.rate_count, has_rate ?
	    a->group_ms : d->limits.rate_ms);
}

/* From limits and advice. */
static void
take_limits(struct plan_dests *ds, struct plan_dest *d)
{
	int64_t until = mtime_max(d->limits.stopped_until,
	    d->advice.stopped_until);

	d->stopped_until = until > ds->now ? until : 0;
	set_rate(d);
	limit_group(ds, d);
	plan_dest_set_clock(ds, d);
	if (d->units > 0)
		plan_dest_update(ds, d);
}

/* Each unit that comes brings some, and nearly always the same. */
void
plan_dest_set_limits(struct plan_dests *ds, struct plan_dest *d,
    const struct plan_limits *limits)
{
	bool is_other = d->limits.rate_count != limits->rate_count ||
	    d->limits.rate_ms != limits->rate_ms ||
	    d->limits.window_max != limits->window_max ||
	    d->limits.stopped_until != limits->stopped_until;

	d->limits = *limits;
	d->conf = ds->conf;
	if (is_other)
		take_limits(ds, d);
}

/* Out of its ring as long as it may change its group. */
void
plan_dest_set_advice(struct plan_dests *ds, struct plan_dest *d,
    const struct plan_advice *advice)
{
	d->advice = *advice;
	d->advice.group = SPAN_NONE;
	plan_group_leave_turn(ds, d);
	plan_group_join(ds, d, advice->group);
	take_limits(ds, d);
}

int64_t
plan_dest_kept_until(const struct plan_dests *ds, const struct plan_dest *d)
{
	int64_t again = mtime_add(ds->now, mtime_max(d->limits.max_retry_ms,
	    MTIME_MINUTE));

	return mtime_max(d->blocked_until,
	    mtime_min(d->stopped_until, again));
}

/* ---- advice ---- */

void
plan_set_advisor(struct plan *plan, plan_advisor *advisor, void *ctx)
{
	plan->dests.advisor = advisor;
	plan->dests.advisor_ctx = ctx;
}

/* One without units may have been kept for what is over. */
static void
advise(struct plan_dests *ds, struct plan_dest *d)
{
	struct plan_advice advice = { .window_max = 0 };

	if (ds->advisor == NULL)
		return;
	ds->advisor(ds->advisor_ctx, span_of(d->key, d->key_bytes), &advice);
	plan_dest_set_advice(ds, d, &advice);
	plan_dest_update(ds, d);
}

void
plan_advise(struct plan *plan, struct span key)
{
	struct plan_dest *d = map_span_get(&plan->dests.map, key);

	if (d != NULL)
		advise(&plan->dests, d);
}

void
plan_advise_all(struct plan *plan)
{
	struct list *node = list_first(&plan->dests.all);

	while (node != NULL) {
		struct list *next = list_next(&plan->dests.all, node);

		advise(&plan->dests, CONTAINER_OF(node, struct plan_dest, all));
		node = next;
	}
}

/* ---- by an operator, or by rule ---- */

bool
plan_reset(struct plan *plan, struct span key)
{
	struct plan_dest *d = map_span_get(&plan->dests.map, key);

	if (d == NULL)
		return false;
	plan_dest_forget(&plan->dests, d);
	return true;
}

int64_t
plan_back_off(struct plan *plan, struct plan_unit *pu, int64_t until,
    int64_t now)
{
	struct plan_dest *d = pu->dest;

	(void)plan_dest_note_failure(&plan->dests, d, now);
	if (until > d->blocked_until) {
		d->blocked_until = until;
		plan_dest_set_clock(&plan->dests, d);
	}
	return d->blocked_until;
}

/* ---- telling while it is stopped ---- */

void
plan_tell_stopped(struct plan *plan, int64_t now)
{
	struct list *node = list_first(&plan->dests.all);

	for (; node != NULL; node = list_next(&plan->dests.all, node)) {
		struct plan_dest *d = CONTAINER_OF(node, struct plan_dest, all);

		if (d->stopped_until == 0)
			continue;
		d->stop_told_at = now;
		if (d->ready_count > 0 && !list_is_linked(&d->untold))
			list_add_last(&plan->dests.untold, &d->untold);
	}
}

int64_t
plan_unit_told_at(const struct plan_unit *pu)
{
	const struct plan_dest *d = pu->dest;
	int64_t failed_at = plan_unit_failed_at(pu);

	return d->stopped_until == 0 || d->stop_told_at == 0 ? failed_at :
	    mtime_max(failed_at, d->stop_told_at);
}
