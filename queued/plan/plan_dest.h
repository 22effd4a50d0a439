/*
 * Destinations of the planner: window, back-off, turn (plan's own affair).
 *
 * A destination is in the ring of turns exactly while a unit of it may be
 * leased; plan_dest_update() keeps that true after every change.  It is freed
 * when it has no unit and nothing to remember.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_DEST_H
#define MTAD_QUEUED_PLAN_PLAN_DEST_H

#include "common/base/heap.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/rng.h"
#include "queued/plan/plan.h"

struct plan_dest {
	struct list all;		/* plan_dests.all */
	struct list turn;		/* plan_dests.turns, or alone */
	struct list ready;		/* units, in the order they came due */
	struct heap_node clock;		/* plan_dests.clocks: end of back-off, */
					/* or of the memory of it */
	uint32_t ready_count;
	uint32_t leased;
	uint32_t units;
	uint32_t window;		/* leases at a time */
	uint32_t failures;		/* in a row, as a whole */
	int64_t blocked_until;		/* 0: not */
	uint8_t why_bytes;
	uint8_t why[PLAN_WHY_MAX];	/* of the back-off, for people */
	size_t key_bytes;
	uint8_t key[];
};

struct plan_dests {
	struct plan_params params;
	struct map_span map;
	struct list all;
	struct list turns;
	struct heap clocks;
	struct rng dice;
};

void plan_dests_init(struct plan_dests *ds, const struct plan_params *params);
void plan_dests_clear(struct plan_dests *ds);

/* The destination of KEY, made when new; NULL without memory. */
struct plan_dest *plan_dest_get(struct plan_dests *ds, struct span key);

/* After any change of its units, window or back-off; may free it. */
void plan_dest_update(struct plan_dests *ds, struct plan_dest *d);

/* Ends the back-offs that are over at NOW. */
void plan_dests_tick(struct plan_dests *ds, int64_t now);

void plan_dest_lift(struct plan_dests *ds, struct plan_dest *d);
void plan_dest_note_ok(struct plan_dests *ds, struct plan_dest *d);

/* Backs off, unless it does so already; the time of the next probe. */
int64_t plan_dest_note_failure(struct plan_dests *ds, struct plan_dest *d,
    int64_t now);

#endif
