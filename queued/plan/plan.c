/*
 * Units and their states.
 *
 *	add -> WAITING -> READY -> LEASED -> WAITING, READY, or removed
 *	WAITING, READY <-> HELD; a leased one is held when its lease ends
 *
 * A unit is in exactly one list by its state: WAITING and HELD in
 * plan->waiting, READY in its destination's, LEASED in plan->leased.  WAITING
 * ones are in the heap of clocks besides, by the time they are due, READY ones
 * in a line of their destination's (plan_fair.h).
 * All counts follow from enter() and leave(), which nobody goes around.
 *
 * plan_next() is O(log n): the clocks that are over make units ready, the
 * destination whose turn it is gives the one whose turn it is there.  Room in
 * the heaps is reserved when a unit or a destination is made, so that no change
 * of state can fail.
 */
#include "queued/plan/plan.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/plan/plan_advice.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_private.h"
#include "queued/plan/plan_turn.h"

#include <stdlib.h>

enum err
plan_new(const struct plan_params *params, struct plan **out)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (plan == NULL)
		return ERR_NOMEM;
	plan_dests_init(&plan->dests, params);
	heap_init(&plan->clocks);
	list_init(&plan->waiting);
	list_init(&plan->leased);
	*out = plan;
	return OK;
}

static void
free_units(struct list *head)
{
	struct list *node;

	while ((node = list_take_first(head)) != NULL)
		free(CONTAINER_OF(node, struct plan_unit, link));
}

/* Lines end with the last unit that stands in them. */
static void
free_ready(struct plan_dests *ds, struct plan_dest *d)
{
	struct list *node = list_first(&d->ready);

	for (; node != NULL; node = list_next(&d->ready, node))
		plan_fair_remove(&ds->fair,
		    &CONTAINER_OF(node, struct plan_unit, link)->seat);
	free_units(&d->ready);
}

void
plan_free(struct plan **plan)
{
	struct list *node;

	if (*plan == NULL)
		return;
	heap_clear(&(*plan)->clocks);	/* it touches its nodes: first */
	free_units(&(*plan)->waiting);
	free_units(&(*plan)->leased);
	for (node = list_first(&(*plan)->dests.all); node != NULL;
	    node = list_next(&(*plan)->dests.all, node))
		free_ready(&(*plan)->dests,
		    CONTAINER_OF(node, struct plan_dest, all));
	plan_dests_clear(&(*plan)->dests);
	free(*plan);
	*plan = NULL;
}

/* Any unit of a destination may speak for it: the first one does. */
static void
refresh(struct plan *plan, struct list *units,
    void (*limits_of)(void *ctx, void *owner, struct plan_limits *out),
    void *ctx)
{
	struct list *node = list_first(units);

	for (; node != NULL; node = list_next(units, node)) {
		struct plan_unit *pu =
		    CONTAINER_OF(node, struct plan_unit, link);
		struct plan_limits limits = pu->dest->limits;

		if (pu->dest->conf == plan->dests.conf)
			continue;
		limits_of(ctx, pu->owner, &limits);
		plan_dest_set_limits(&plan->dests, pu->dest, &limits);
		plan_dest_update(&plan->dests, pu->dest);
	}
}

/* Back-offs and windows that exist stay; the next change goes by the new
 * ones. */
void
plan_set_params(struct plan *plan, const struct plan_params *params,
    void (*limits_of)(void *ctx, void *owner, struct plan_limits *out),
    void *ctx)
{
	plan->dests.params = *params;
	if (limits_of == NULL)
		plan->dests.conf++;
	else
		plan_refresh(plan, limits_of, ctx);
}

void
plan_refresh(struct plan *plan,
    void (*limits_of)(void *ctx, void *owner, struct plan_limits *out),
    void *ctx)
{
	struct list *node;

	plan->dests.conf++;
	refresh(plan, &plan->waiting, limits_of, ctx);
	refresh(plan, &plan->leased, limits_of, ctx);
	for (node = list_first(&plan->dests.all); node != NULL;
	    node = list_next(&plan->dests.all, node))
		refresh(plan, &CONTAINER_OF(node, struct plan_dest,
		    all)->ready, limits_of, ctx);
}

/* ---- a unit's state: enter() and leave() keep all counts ---- */

/* One that has had its turn has left its line already. */
static void
leave_line(struct plan *plan, struct plan_unit *pu)
{
	if (list_is_linked(&pu->seat.link))
		plan_fair_remove(&plan->dests.fair, &pu->seat);
	pu->dest->ready_count--;
}

/* Between leave() and enter() the unit is in no list, and its state is the old
 * one still. */
static void
leave(struct plan *plan, struct plan_unit *pu)
{
	plan->counts[pu->state]--;
	list_remove(&pu->link);
	if (pu->state == PLAN_WAITING)
		heap_remove(&plan->clocks, &pu->clock);
	else if (pu->state == PLAN_READY)
		leave_line(plan, pu);
	else if (pu->state == PLAN_LEASED)
		plan_dest_unlease(&plan->dests, pu->dest, pu->bytes);
}

static void
enter(struct plan *plan, struct plan_unit *pu, enum plan_state state)
{
	plan->counts[state]++;
	pu->state = (uint8_t)state;
	if (state == PLAN_WAITING) {
		list_add_last(&plan->waiting, &pu->link);
		MUST(heap_add(&plan->clocks, &pu->clock, pu->due) == OK);
	} else if (state == PLAN_READY) {
		list_add_last(&pu->dest->ready, &pu->link);
		pu->dest->ready_count++;
		plan_fair_add(&plan->dests.fair, &pu->dest->lines, &pu->seat);
	} else if (state == PLAN_LEASED) {
		list_add_last(&plan->leased, &pu->link);
		plan_dest_lease(&plan->dests, pu->dest, pu->bytes);
		pu->leased_at = plan->now;
	} else {
		/* held: among those that memory can spare */
		list_add_last(&plan->waiting, &pu->link);
	}
}

/* The destination is looked at after each change: it may have got something to
 * give, or have nothing more. */
void
plan_change(struct plan *plan, struct plan_unit *pu, enum plan_state state)
{
	leave(plan, pu);
	enter(plan, pu, state);
	plan_dest_update(&plan->dests, pu->dest);
}

static void
set_unit(struct plan *plan, struct plan_unit *pu,
    const struct plan_entry *entry)
{
	list_init(&pu->link);
	pu->owner = entry->owner;
	pu->due = entry->due;
	pu->overdue = entry->overdue;
	pu->bytes = entry->bytes;
	plan_fair_seat(&plan->dests.fair, &pu->seat, entry->client,
	    entry->sender, entry->size, entry->priority);
}

enum err
plan_add(struct plan *plan, const struct plan_entry *entry,
    struct plan_unit **out)
{
	struct plan_unit *pu = calloc(1, sizeof(*pu));

	if (pu == NULL)
		return ERR_NOMEM;
	/* Reserving for all makes later waiting infallible. */
	if (heap_reserve(&plan->clocks, plan->units + 1) != OK ||
	    (pu->dest = plan_dest_get(&plan->dests, entry->key,
	    &entry->limits)) == NULL) {
		free(pu);
		return ERR_NOMEM;
	}
	set_unit(plan, pu, entry);
	plan->units++;
	pu->dest->units++;
	/* also when due now: it becomes ready with the next tick, in order of
	 * its time */
	enter(plan, pu, entry->is_held ? PLAN_HELD : PLAN_WAITING);
	plan_dest_update(&plan->dests, pu->dest);
	*out = pu;
	return OK;
}

/* The destination may be freed with its last unit. */
void
plan_remove(struct plan *plan, struct plan_unit **pu)
{
	if (*pu == NULL)
		return;
	leave(plan, *pu);
	plan->units--;
	(*pu)->dest->units--;
	plan_dest_update(&plan->dests, (*pu)->dest);
	free(*pu);
	*pu = NULL;
}

/* ---- time passes, units are leased ---- */

/* Destinations first: a unit that comes due may find its back-off ended. */
static void
tick(struct plan *plan, int64_t now)
{
	struct heap_node *node;

	plan->now = now;
	plan_dests_tick(&plan->dests, now);
	while ((node = heap_min(&plan->clocks)) != NULL && node->key <= now)
		plan_change(plan, CONTAINER_OF(node, struct plan_unit, clock),
		    PLAN_READY);
}

bool
plan_next(struct plan *plan, int64_t now, struct plan_unit **out)
{
	struct plan_dest *d;
	struct plan_seat *seat;

	tick(plan, now);
	d = plan_turn_next(&plan->dests);
	if (d == NULL)
		return false;
	seat = plan_fair_next(&plan->dests.fair, &d->lines);
	MUST(seat != NULL);		/* or it had no turn */
	*out = CONTAINER_OF(seat, struct plan_unit, seat);
	plan_dest_pace(&plan->dests, d, now);
	plan_change(plan, *out, PLAN_LEASED);
	return true;
}

/* Not by its turn and beyond the window, for it is a fact: a deliverd that
 * lived on while queued was restarted has it. */
void
plan_take(struct plan *plan, struct plan_unit *pu)
{
	MUST(pu->state != PLAN_LEASED);
	pu->wants_hold = pu->state == PLAN_HELD;
	plan_change(plan, pu, PLAN_LEASED);
}

void
plan_back(struct plan *plan, struct plan_unit *pu)
{
	MUST(pu->state == PLAN_LEASED);
	if (pu->wants_hold) {
		pu->wants_hold = false;
		plan_change(plan, pu, PLAN_HELD);
		return;
	}
	/* in front of its line again, for it had its turn and was not tried */
	plan_dest_give_back(&plan->dests, pu->dest);
	plan_change(plan, pu, PLAN_READY);
	list_remove(&pu->link);
	list_add_first(&pu->dest->ready, &pu->link);
	plan_fair_remove(&plan->dests.fair, &pu->seat);
	plan_fair_back(&plan->dests.fair, &pu->dest->lines, &pu->seat);
}

void
plan_later(struct plan *plan, struct plan_unit *pu, int64_t due)
{
	pu->due = due;
	/* only its time was changed */
	if (pu->state == PLAN_HELD)
		return;
	plan_change(plan, pu, pu->wants_hold ? PLAN_HELD : PLAN_WAITING);
	pu->wants_hold = false;
}

void
plan_dest_ok(struct plan *plan, struct plan_unit *pu, int64_t now)
{
	plan_dest_note_ok(&plan->dests, pu->dest, now - pu->leased_at);
}

void
plan_dest_less(struct plan *plan, struct plan_unit *pu, int64_t now)
{
	plan_dest_note_less(&plan->dests, pu->dest, pu->leased_at, now);
}

/* Who says so does not say since when. */
void
plan_key_less(struct plan *plan, struct span key, int64_t now)
{
	struct plan_dest *d = map_span_get(&plan->dests.map, key);

	if (d != NULL)
		plan_dest_note_less(&plan->dests, d, now - MTIME_SECOND, now);
}

int64_t
plan_dest_failed(struct plan *plan, struct plan_unit *pu, int64_t now)
{
	return plan_dest_note_failure(&plan->dests, pu->dest, now);
}

/* Without memory there are no words. */
void
plan_dest_explain(struct plan *plan, struct plan_unit *pu,
    struct span status, struct span why)
{
	struct plan_dest *d = pu->dest;

	(void)plan;
	if (!span_copy(status, d->status, sizeof(d->status)))
		d->status[0] = '\0';
	why = span_sub(why, 0, PLAN_WHY_MAX);
	free(d->why);
	d->why = malloc(why.n + 1);
	if (d->why == NULL)
		return;
	if (why.n > 0)
		memcpy(d->why, why.p, why.n);
	d->why[why.n] = '\0';
}

uint32_t
plan_dest_park(struct plan *plan, struct plan_unit *pu)
{
	(void)plan;
	if (pu->dest->parked < UINT32_MAX)
		pu->dest->parked++;
	return pu->dest->parked;
}

void
plan_set_overdue(struct plan_unit *pu, int64_t overdue)
{
	pu->overdue = overdue;
}

/* ---- operators ---- */

/* A leased one is under way already: only its time and its destination
 * count.  Of very many units of one destination each would lift what the probe
 * for the one before has found. */
void
plan_hurry(struct plan *plan, struct plan_unit *pu, int64_t since,
    int64_t now)
{
	if (pu->due > now)
		pu->due = now;
	if (pu->state == PLAN_WAITING)
		plan_change(plan, pu, PLAN_READY);
	if (plan_unit_failed_at(pu) <= since)
		plan_dest_lift(&plan->dests, pu->dest);
}

/* A lease can't be called back; it is held when it ends. */
void
plan_hold(struct plan *plan, struct plan_unit *pu, bool is_held)
{
	if (pu->state == PLAN_LEASED)
		pu->wants_hold = is_held;
	else if (is_held && pu->state != PLAN_HELD)
		plan_change(plan, pu, PLAN_HELD);
	else if (!is_held && pu->state == PLAN_HELD)
		plan_change(plan, pu, PLAN_WAITING);
}

/* Lifting may free a destination that was only remembered. */
void
plan_lift_all(struct plan *plan)
{
	struct list *node = list_first(&plan->dests.all);

	while (node != NULL) {
		struct list *next = list_next(&plan->dests.all, node);

		plan_dest_lift(&plan->dests,
		    CONTAINER_OF(node, struct plan_dest, all));
		node = next;
	}
}

/* ---- inspection ---- */

/* INT64_MIN: something can be leased now. */
int64_t
plan_wake_at(const struct plan *plan)
{
	const struct heap_node *unit = heap_min(&plan->clocks);
	const struct heap_node *dest = heap_min(&plan->dests.clocks);
	int64_t at = PLAN_NEVER;

	if (plan_turn_may(&plan->dests))
		return INT64_MIN;
	if (unit != NULL)
		at = unit->key;
	if (dest != NULL && dest->key < at)
		at = dest->key;
	at = mtime_min(at, plan_groups_wake_at(&plan->dests.groups));
	return mtime_min(at, plan_turn_trial_at(&plan->dests));
}

void *
plan_unit_owner(const struct plan_unit *pu)
{
	return pu->owner;
}

enum plan_state
plan_unit_state(const struct plan_unit *pu)
{
	return pu->state;
}

int64_t
plan_unit_due(const struct plan_unit *pu)
{
	return pu->due;
}

int64_t
plan_unit_overdue(const struct plan_unit *pu)
{
	return pu->overdue;
}

struct span
plan_unit_key(const struct plan_unit *pu)
{
	return span_of(pu->dest->key, pu->dest->key_bytes);
}

uint32_t
plan_count(const struct plan *plan, enum plan_state state)
{
	return plan->counts[state];
}

uint32_t
plan_destinations(const struct plan *plan)
{
	return (uint32_t)map_span_count(&plan->dests.map);
}
