#include "queued/plan/plan_group.h"

#include "common/base/check.h"
#include "queued/plan/plan_dest.h"

#include <stdlib.h>

static struct span
group_key(const void *object)
{
	const struct plan_group *g = object;

	return span_of(g->key, g->key_bytes);
}

void
plan_groups_init(struct plan_groups *gs, const struct siphash_key *seed)
{
	map_span_init(&gs->map, seed, group_key);
	heap_init(&gs->clocks);
}

void
plan_groups_clear(struct plan_groups *gs)
{
	struct plan_group *g;
	size_t cursor = 0;

	heap_clear(&gs->clocks);
	while ((g = map_span_next(&gs->map, &cursor)) != NULL)
		free(g);
	map_span_clear(&gs->map);
}

/* ---- turns ---- */

/* How many members could each lease one. */
static uint32_t
room(const struct plan_group *g)
{
	uint32_t most = g->rate_count > 0 ? 1 : UINT32_MAX;
	uint32_t left;

	if (g->is_paced)
		return 0;
	if (g->window_max == 0)
		return most;
	left = g->leased < g->window_max ? g->window_max - g->leased : 0;
	return left < most ? left : most;
}

static void
into_ring(struct plan_dests *ds, struct plan_dest *d)
{
	d->is_parked = false;
	list_add_last(&ds->turns[d->class], &d->turn);
	if (d->group != NULL)
		d->group->in_ring[d->class]++;
}

static void
park(struct plan_dest *d)
{
	d->is_parked = true;
	list_add_last(&d->group->parked[d->class], &d->turn);
}

/* Those that wait longest come first, and then go behind all others. */
static void
settle(struct plan_dests *ds, struct plan_group *g)
{
	uint32_t most = room(g);

	for (int class = 0; class < PLAN_CLASSES; class++) {
		struct list *node;

		while (g->in_ring[class] < most && (node =
		    list_take_first(&g->parked[class])) != NULL)
			into_ring(ds, CONTAINER_OF(node, struct plan_dest,
			    turn));
	}
}

void
plan_group_enter(struct plan_dests *ds, struct plan_dest *d)
{
	if (d->group == NULL || d->group->in_ring[d->class] < room(d->group))
		into_ring(ds, d);
	else
		park(d);
}

/* Another one may have the turn that it had. */
void
plan_group_leave_turn(struct plan_dests *ds, struct plan_dest *d)
{
	bool had_turn = list_is_linked(&d->turn) && !d->is_parked;

	list_remove(&d->turn);
	d->is_parked = false;
	if (d->group == NULL || !had_turn)
		return;
	d->group->in_ring[d->class]--;
	settle(ds, d->group);
}

bool
plan_group_may(struct plan_dest *d)
{
	if (room(d->group) > 0)
		return true;
	list_remove(&d->turn);
	d->group->in_ring[d->class]--;
	park(d);
	return false;
}

/* ---- members ---- */

static struct plan_group *
group_new(struct plan_groups *gs, struct span key)
{
	struct plan_group *g;

	/* reserving for all makes later pauses infallible */
	if (heap_reserve(&gs->clocks, map_span_count(&gs->map) + 1) != OK ||
	    (g = calloc(1, sizeof(*g) + key.n)) == NULL)
		return NULL;
	g->key_bytes = key.n;
	memcpy(g->key, key.p, key.n);
	if (map_span_add(&gs->map, g) != OK) {
		free(g);
		return NULL;
	}
	for (int i = 0; i < PLAN_CLASSES; i++)
		list_init(&g->parked[i]);
	return g;
}

static void
leave(struct plan_dests *ds, struct plan_dest *d)
{
	struct plan_group *g = d->group;

	if (g == NULL)
		return;
	d->group = NULL;
	g->leased -= d->leased;
	if (--g->members == 0) {
		heap_remove(&ds->groups.clocks, &g->clock);
		map_span_remove(&ds->groups.map, group_key(g));
		free(g);
		return;
	}
	settle(ds, g);
}

void
plan_group_join(struct plan_dests *ds, struct plan_dest *d, struct span key)
{
	struct plan_group *g;

	MUST(!list_is_linked(&d->turn));
	if (d->group != NULL && span_equal(group_key(d->group), key))
		return;
	leave(ds, d);
	if (key.n == 0)
		return;
	if ((g = map_span_get(&ds->groups.map, key)) == NULL &&
	    (g = group_new(&ds->groups, key)) == NULL)
		return;
	d->group = g;
	g->members++;
	g->leased += d->leased;
}

/* ---- limits ---- */

static void
set_clock(struct plan_groups *gs, struct plan_group *g)
{
	if (!g->is_paced)
		heap_remove(&gs->clocks, &g->clock);
	else if (heap_has(&g->clock))
		heap_move(&gs->clocks, &g->clock, g->pace.at);
	else
		MUST(heap_add(&gs->clocks, &g->clock, g->pace.at) == OK);
}

void
plan_group_limit(struct plan_dests *ds, struct plan_group *g,
    uint32_t window_max, uint32_t rate_count, uint32_t rate_ms)
{
	bool is_other_rate = g->rate_count != rate_count ||
	    g->rate_ms != rate_ms;

	if (!is_other_rate && g->window_max == window_max)
		return;
	g->window_max = window_max;
	g->rate_count = rate_count;
	g->rate_ms = rate_ms;
	if (is_other_rate) {
		g->pace = (struct plan_pace){ .at = 0 };
		g->is_paced = false;
		set_clock(&ds->groups, g);
	}
	settle(ds, g);
}

void
plan_group_leased(struct plan_dest *d)
{
	d->group->leased++;
}

void
plan_group_unleased(struct plan_dests *ds, struct plan_dest *d)
{
	d->group->leased--;
	settle(ds, d->group);
}

void
plan_group_pace(struct plan_dests *ds, struct plan_dest *d, int64_t now)
{
	struct plan_group *g = d->group;

	if (g->rate_count == 0)
		return;
	plan_pace_take(&g->pace, g->rate_count, g->rate_ms, now);
	g->is_paced = g->pace.at > now;
	set_clock(&ds->groups, g);
}

void
plan_group_give_back(struct plan_dests *ds, struct plan_dest *d)
{
	struct plan_group *g = d->group;

	if (g->rate_count == 0)
		return;
	plan_pace_back(&g->pace, g->rate_count, g->rate_ms);
	set_clock(&ds->groups, g);
}

void
plan_groups_tick(struct plan_dests *ds, int64_t now)
{
	struct heap_node *node;

	while ((node = heap_min(&ds->groups.clocks)) != NULL &&
	    node->key <= now) {
		struct plan_group *g =
		    CONTAINER_OF(node, struct plan_group, clock);

		g->is_paced = false;
		set_clock(&ds->groups, g);
		settle(ds, g);
	}
}

int64_t
plan_groups_wake_at(const struct plan_groups *gs)
{
	const struct heap_node *node = heap_min(&gs->clocks);

	return node != NULL ? node->key : PLAN_NEVER;
}
