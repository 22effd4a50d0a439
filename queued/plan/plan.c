/*
 * Units and their states.
 *
 *	add -> WAITING -> READY -> LEASED -> WAITING, READY, or removed
 *	WAITING, READY <-> HELD; a leased one is held when its lease ends
 *
 * A unit is in exactly one list by its state: WAITING and HELD in
 * plan->waiting, READY in its destination's line, LEASED in plan->leased.
 * WAITING ones are in the heap of clocks besides, by the time they are due.
 * All counts follow from enter() and leave(), which nobody goes around.
 *
 * plan_next() is O(log n): the clocks that are over make units ready, the
 * first destination in the ring of turns gives the first of its line and goes
 * behind the others.  Room in the heaps is reserved when a unit or a
 * destination is made, so that no change of state can fail.
 */
#include "queued/plan/plan.h"

#include "common/base/check.h"
#include "queued/plan/plan_dest.h"

#include <stdlib.h>

struct plan_unit {
	void *owner;
	struct plan_dest *dest;
	struct list link;		/* dest->ready, plan->waiting or leased */
	struct heap_node clock;		/* plan->clocks while waiting */
	int64_t due;
	int64_t overdue;		/* when somebody must hear of it */
	enum plan_state state;
	bool wants_hold;		/* held while leased: at its end */
};

struct plan {
	struct plan_dests dests;
	struct heap clocks;
	struct list waiting;		/* and held; oldest first */
	struct list leased;
	uint32_t counts[PLAN_HELD + 1];
	uint32_t units;
};

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
		free_units(&CONTAINER_OF(node, struct plan_dest, all)->ready);
	plan_dests_clear(&(*plan)->dests);
	free(*plan);
	*plan = NULL;
}

/* Back-offs and windows that exist stay; the next change goes by the new
 * ones. */
void
plan_set_params(struct plan *plan, const struct plan_params *params)
{
	plan->dests.params = *params;
}

/* ---- a unit's state: enter() and leave() keep all counts ---- */

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
		pu->dest->ready_count--;
	else if (pu->state == PLAN_LEASED)
		pu->dest->leased--;
}

static void
enter(struct plan *plan, struct plan_unit *pu, enum plan_state state)
{
	plan->counts[state]++;
	pu->state = state;
	if (state == PLAN_WAITING) {
		list_add_last(&plan->waiting, &pu->link);
		MUST(heap_add(&plan->clocks, &pu->clock, pu->due) == OK);
	} else if (state == PLAN_READY) {
		list_add_last(&pu->dest->ready, &pu->link);
		pu->dest->ready_count++;
	} else if (state == PLAN_LEASED) {
		list_add_last(&plan->leased, &pu->link);
		pu->dest->leased++;
	} else {
		/* held: among those that memory can spare */
		list_add_last(&plan->waiting, &pu->link);
	}
}

/* The destination is looked at after each change: it may have got something to
 * give, or have nothing more. */
static void
change(struct plan *plan, struct plan_unit *pu, enum plan_state state)
{
	leave(plan, pu);
	enter(plan, pu, state);
	plan_dest_update(&plan->dests, pu->dest);
}

enum err
plan_add(struct plan *plan, void *unit, struct span key, int64_t due,
    int64_t overdue, bool is_held, struct plan_unit **out)
{
	struct plan_unit *pu = calloc(1, sizeof(*pu));

	if (pu == NULL)
		return ERR_NOMEM;
	/* Reserving for all makes later waiting infallible. */
	if (heap_reserve(&plan->clocks, plan->units + 1) != OK ||
	    (pu->dest = plan_dest_get(&plan->dests, key)) == NULL) {
		free(pu);
		return ERR_NOMEM;
	}
	list_init(&pu->link);
	pu->owner = unit;
	pu->due = due;
	pu->overdue = overdue;
	plan->units++;
	pu->dest->units++;
	/* also when due now: it becomes ready with the next tick, in order of
	 * its time */
	enter(plan, pu, is_held ? PLAN_HELD : PLAN_WAITING);
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

	plan_dests_tick(&plan->dests, now);
	while ((node = heap_min(&plan->clocks)) != NULL && node->key <= now)
		change(plan, CONTAINER_OF(node, struct plan_unit, clock),
		    PLAN_READY);
}

bool
plan_next(struct plan *plan, int64_t now, struct plan_unit **out)
{
	struct plan_dest *d;
	struct list *turn;

	tick(plan, now);
	turn = list_first(&plan->dests.turns);
	if (turn == NULL)
		return false;
	list_remove(turn);		/* the next time it is behind others */
	d = CONTAINER_OF(turn, struct plan_dest, turn);
	*out = CONTAINER_OF(list_first(&d->ready), struct plan_unit, link);
	/* this puts the destination back into the ring, at its end, if it may
	 * give more */
	change(plan, *out, PLAN_LEASED);
	return true;
}

/* Not by its turn and beyond the window, for it is a fact: a deliverd that
 * lived on while queued was restarted has it. */
void
plan_take(struct plan *plan, struct plan_unit *pu)
{
	MUST(pu->state != PLAN_LEASED);
	pu->wants_hold = pu->state == PLAN_HELD;
	change(plan, pu, PLAN_LEASED);
}

void
plan_back(struct plan *plan, struct plan_unit *pu)
{
	MUST(pu->state == PLAN_LEASED);
	if (pu->wants_hold) {
		pu->wants_hold = false;
		change(plan, pu, PLAN_HELD);
		return;
	}
	/* in front of its line again, for it had its turn and was not tried */
	change(plan, pu, PLAN_READY);
	list_remove(&pu->link);
	list_add_first(&pu->dest->ready, &pu->link);
}

void
plan_later(struct plan *plan, struct plan_unit *pu, int64_t due)
{
	pu->due = due;
	/* only its time was changed */
	if (pu->state == PLAN_HELD)
		return;
	change(plan, pu, pu->wants_hold ? PLAN_HELD : PLAN_WAITING);
	pu->wants_hold = false;
}

void
plan_dest_ok(struct plan *plan, struct plan_unit *pu)
{
	plan_dest_note_ok(&plan->dests, pu->dest);
}

int64_t
plan_dest_failed(struct plan *plan, struct plan_unit *pu, int64_t now)
{
	return plan_dest_note_failure(&plan->dests, pu->dest, now);
}

void
plan_dest_explain(struct plan *plan, struct plan_unit *pu, struct span why)
{
	struct plan_dest *d = pu->dest;

	(void)plan;
	why = span_sub(why, 0, PLAN_WHY_MAX);
	if (why.n > 0)
		memcpy(d->why, why.p, why.n);
	d->why_bytes = (uint8_t)why.n;
}

/* A destination that is down would let its units grow old one probe at a
 * time, hours late. */
bool
plan_next_overdue(struct plan *plan, struct plan_unit *pu, int64_t now,
    struct plan_scan *scan, struct plan_unit **out)
{
	struct list *head = &pu->dest->ready;

	if (!scan->is_begun)
		scan->next = list_first(head);
	scan->is_begun = true;
	while (scan->next != NULL) {
		struct plan_unit *u =
		    CONTAINER_OF(scan->next, struct plan_unit, link);

		scan->next = list_next(head, scan->next);
		if (u->overdue > now)
			continue;
		change(plan, u, PLAN_LEASED);
		*out = u;
		return true;
	}
	return false;
}

void
plan_set_overdue(struct plan_unit *pu, int64_t overdue)
{
	pu->overdue = overdue;
}

/* ---- operators ---- */

/* A leased one is under way already: only its time and its destination
 * count. */
void
plan_hurry(struct plan *plan, struct plan_unit *pu, int64_t now)
{
	if (pu->due > now)
		pu->due = now;
	if (pu->state == PLAN_WAITING)
		change(plan, pu, PLAN_READY);
	plan_dest_lift(&plan->dests, pu->dest);
}

/* A lease can't be called back; it is held when it ends. */
void
plan_hold(struct plan *plan, struct plan_unit *pu, bool is_held)
{
	if (pu->state == PLAN_LEASED)
		pu->wants_hold = is_held;
	else if (is_held && pu->state != PLAN_HELD)
		change(plan, pu, PLAN_HELD);
	else if (!is_held && pu->state == PLAN_HELD)
		change(plan, pu, PLAN_WAITING);
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
plan_spare_ready(struct plan *plan, int64_t horizon, uint32_t depth,
    uint32_t *looks, struct plan_unit **out)
{
	struct list *node;

	while (*looks > 0 && (node = list_first(&plan->dests.all)) != NULL) {
		struct plan_dest *d = CONTAINER_OF(node, struct plan_dest, all);

		(*looks)--;
		if (d->ready_count > depth || (d->ready_count > 0 &&
		    d->blocked_until > horizon)) {
			*out = CONTAINER_OF(list_last(&d->ready),
			    struct plan_unit, link);
			return true;
		}
		list_remove(node);
		list_add_last(&plan->dests.all, node);
	}
	return false;
}

/* ---- inspection ---- */

/* INT64_MIN: something can be leased now. */
int64_t
plan_wake_at(const struct plan *plan)
{
	const struct heap_node *unit = heap_min(&plan->clocks);
	const struct heap_node *dest = heap_min(&plan->dests.clocks);
	int64_t at = PLAN_NEVER;

	if (!list_is_empty(&plan->dests.turns))
		return INT64_MIN;
	if (unit != NULL)
		at = unit->key;
	if (dest != NULL && dest->key < at)
		at = dest->key;
	return at;
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

struct span
plan_unit_key(const struct plan_unit *pu)
{
	return span_of(pu->dest->key, pu->dest->key_bytes);
}

int64_t
plan_unit_blocked_until(const struct plan_unit *pu)
{
	return pu->dest->blocked_until;
}

int64_t
plan_blocked_until(const struct plan *plan, struct span key)
{
	const struct plan_dest *d = map_span_get(&plan->dests.map, key);

	return d != NULL ? d->blocked_until : 0;
}

struct span
plan_blocked_why(const struct plan *plan, struct span key)
{
	const struct plan_dest *d = map_span_get(&plan->dests.map, key);

	if (d == NULL || d->blocked_until == 0)
		return SPAN_NONE;
	return span_of(d->why, d->why_bytes);
}

uint32_t
plan_unit_depth(const struct plan_unit *pu)
{
	return pu->dest->ready_count;
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
