#include "queued/plan/plan_look.h"

#include "queued/plan/plan_private.h"
#include "queued/plan/plan_turn.h"

/* ---- what keeps it from being leased ---- */

static enum plan_block
blocked(int64_t at, enum plan_block block, int64_t *until)
{
	*until = at;
	return block;
}

/* Of any due unit of D. */
static enum plan_block
dest_block(const struct plan *plan, const struct plan_dest *d, int64_t now,
    int64_t *until)
{
	if (d->stopped_until > now)
		return blocked(d->stopped_until, PLAN_BLOCK_STOPPED, until);
	if (d->blocked_until > now)
		return blocked(d->blocked_until, PLAN_BLOCK_BACK_OFF, until);
	if (d->leased >= plan_dest_window(d))
		return blocked(PLAN_NEVER, d->failures > 0 ?
		    PLAN_BLOCK_PROBE : PLAN_BLOCK_WINDOW, until);
	if (d->is_paced && d->pace.at > now)
		return blocked(d->pace.at, PLAN_BLOCK_RATE, until);
	if (d->is_parked)
		return d->group->is_paced ?
		    blocked(d->group->pace.at, PLAN_BLOCK_RATE, until) :
		    blocked(PLAN_NEVER, PLAN_BLOCK_WINDOW, until);
	if (!plan_turn_may(&plan->dests))
		return blocked(PLAN_NEVER, PLAN_BLOCK_SCARCE, until);
	return blocked(now, PLAN_BLOCK_NONE, until);
}

enum plan_block
plan_unit_block(const struct plan *plan, const struct plan_unit *pu,
    int64_t now, int64_t *until)
{
	if (pu->state == PLAN_LEASED)
		return blocked(PLAN_NEVER, PLAN_BLOCK_LEASED, until);
	if (pu->state == PLAN_HELD)
		return blocked(PLAN_NEVER, PLAN_BLOCK_HELD, until);
	/* both have to be over: what is about all of them says more */
	if (pu->due > now && pu->dest->blocked_until <= now &&
	    pu->dest->stopped_until <= now)
		return blocked(pu->due, PLAN_BLOCK_TIME, until);
	return dest_block(plan, pu->dest, now, until);
}

enum plan_block
plan_key_block(const struct plan *plan, struct span key, int64_t now,
    int64_t *until)
{
	const struct plan_dest *d = map_span_get(&plan->dests.map, key);

	return d != NULL ? dest_block(plan, d, now, until) :
	    blocked(now, PLAN_BLOCK_NONE, until);
}

/* ---- destinations ---- */

static struct span
why_of(const struct plan_dest *d)
{
	return d->why != NULL ? span_str(d->why) : SPAN_NONE;
}

static void
look_at(const struct plan_dest *d, struct plan_dest_view *out)
{
	const struct plan_group *g = d->group;

	*out = (struct plan_dest_view){
		.key = span_of(d->key, d->key_bytes),
		.limits = d->limits,
		.class = d->class,
		.window = plan_dest_window(d),
		.leased = d->leased,
		.ready = d->ready_count,
		.units = d->units,
		.failures = d->failures,
		.blocked_until = d->blocked_until,
		.stopped_until = d->stopped_until,
		.failed_at = d->failed_at,
		.why = why_of(d),
		.status = span_str(d->status),
		.window_max = plan_dest_window_max(d),
		.rate_count = d->rate_count,
		.rate_ms = d->rate_ms,
		.group = g != NULL ? span_of(g->key, g->key_bytes) : SPAN_NONE,
		.group_members = g != NULL ? g->members : 0,
		.group_leased = g != NULL ? g->leased : 0,
		.group_window = g != NULL ? g->window_max : 0,
		.group_count = g != NULL ? g->rate_count : 0,
		.group_ms = g != NULL ? g->rate_ms : 0,
	};
}

bool
plan_dest_look(const struct plan *plan, struct span key,
    struct plan_dest_view *out)
{
	const struct plan_dest *d = map_span_get(&plan->dests.map, key);

	if (d == NULL)
		return false;
	look_at(d, out);
	return true;
}

bool
plan_dest_next(const struct plan *plan, size_t *cursor,
    struct plan_dest_view *out)
{
	const struct plan_dest *d = map_span_next(&plan->dests.map, cursor);

	if (d == NULL)
		return false;
	look_at(d, out);
	return true;
}

int64_t
plan_unit_blocked_until(const struct plan *plan, const struct plan_unit *pu)
{
	return plan_dest_kept_until(&plan->dests, pu->dest);
}

int64_t
plan_blocked_until(const struct plan *plan, struct span key)
{
	const struct plan_dest *d = map_span_get(&plan->dests.map, key);

	return d != NULL ? plan_dest_kept_until(&plan->dests, d) : 0;
}

struct span
plan_blocked_why(const struct plan *plan, struct span key)
{
	const struct plan_dest *d = map_span_get(&plan->dests.map, key);

	return d != NULL && d->blocked_until != 0 ? why_of(d) : SPAN_NONE;
}

bool
plan_unit_is_probe(const struct plan_unit *pu)
{
	return pu->dest->failures > 0;
}

int64_t
plan_unit_failed_at(const struct plan_unit *pu)
{
	return pu->dest->failures > 0 ? pu->dest->failed_at : INT64_MIN;
}

/* ---- lines ---- */

uint32_t
plan_unit_depth(const struct plan *plan, const struct plan_unit *pu)
{
	return plan_fair_depth(&plan->dests.fair, &pu->dest->lines, &pu->seat);
}

uint32_t
plan_unit_unproven(const struct plan_unit *pu)
{
	return pu->dest->class == PLAN_PROVEN ? 0 : pu->dest->units;
}

uint32_t
plan_unit_ready(const struct plan_unit *pu)
{
	return pu->dest->ready_count;
}

uint32_t
plan_deep_lines(const struct plan *plan)
{
	return plan->dests.fair.n_deep;
}

/* ---- what memory could spare ---- */

/* Those looked at go to the end of the list, spared or not: so each is looked
 * at once before any is twice. */
bool
plan_spare_waiting(struct plan *plan, int64_t horizon, uint32_t *looks,
    struct plan_unit **out)
{
	struct list *node;

	while (*looks > 0 && (node = list_take_first(&plan->waiting)) != NULL) {
		struct plan_unit *pu =
		    CONTAINER_OF(node, struct plan_unit, link);

		(*looks)--;
		list_add_last(&plan->waiting, node);
		if (pu->state == PLAN_HELD || pu->due > horizon) {
			*out = pu;
			return true;
		}
	}
	return false;
}

/* A destination with more to spare stays in front, so that the others are
 * looked at once only. */
bool
plan_spare_blocked(struct plan *plan, int64_t horizon, uint32_t *looks,
    struct plan_unit **out)
{
	struct list *node;

	while (*looks > 0 && (node = list_first(&plan->dests.all)) != NULL) {
		struct plan_dest *d = CONTAINER_OF(node, struct plan_dest, all);

		(*looks)--;
		if (d->ready_count > 0 &&
		    plan_dest_kept_until(&plan->dests, d) > horizon) {
			*out = CONTAINER_OF(list_last(&d->ready),
			    struct plan_unit, link);
			return true;
		}
		list_remove(node);
		list_add_last(&plan->dests.all, node);
	}
	return false;
}

bool
plan_spare_deep(struct plan *plan, uint32_t depth, uint32_t *looks,
    struct plan_unit **out)
{
	struct plan_seat *seat =
	    plan_fair_spare(&plan->dests.fair, depth, looks);

	if (seat == NULL)
		return false;
	*out = CONTAINER_OF(seat, struct plan_unit, seat);
	return true;
}
