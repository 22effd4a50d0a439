/*
 * Destinations of the planner: window, pace, back-off, turn (plan's own
 * affair).
 *
 * A destination is in a ring of turns exactly while a unit of it may be leased
 * as far as the destination is concerned; plan_dest_update() keeps that true
 * after every change.  Each class has a ring of its own, so that one which may
 * have no more hides none of another.  A destination is freed when it has no
 * unit and nothing to remember.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_DEST_H
#define MTAD_QUEUED_PLAN_PLAN_DEST_H

#include "common/base/heap.h"
#include "common/base/rng.h"
#include "queued/plan/plan_fair.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_pace.h"
#include "queued/plan/plan_trial.h"

struct plan_dest {
	struct list all;		/* plan_dests.all */
	struct list turn;		/* plan_dests.turns, or alone */
	struct list memory;		/* plan_dests.memories: without units */
	struct list untold;		/* plan_dests.untold */
	struct list ready;		/* units, in the order they came due */
	struct plan_lines lines;	/* the same, in the order of turns */
	struct heap_node clock;		/* plan_dests.clocks: when next any … */
	int64_t blocked_until;		/* … of back-off: 0, not */
	int64_t forget_at;		/* … memory of how it was: 0, none */
	struct plan_pace pace;		/* … next turn by the rate, if … */
	bool is_paced;			/* … it is not now */
	uint8_t class;			/* enum plan_class */
	uint8_t trying_as;		/* counted in plan_dests.trying */
	bool is_proven;			/* answered since it failed or came */
	bool is_laden;			/* went to the front for its mail */
	struct plan_limits limits;
	uint32_t conf;			/* plan_dests.conf that they are of */
	uint32_t ready_count;
	uint32_t leased;
	uint32_t units;
	uint64_t leased_bytes;
	uint32_t window;		/* leases at a time */
	uint32_t calm;			/* up to here it grows with each success */
	uint32_t grown;			/* successes since it grew, above that */
	uint32_t failures;		/* in a row, as a whole */
	uint32_t parked;		/* since it failed: plan_dest_park() */
	int64_t failed_at;		/* the last of them */
	int64_t shrunk_at;
	char *why;			/* of the back-off; NULL: not known */
	char status[12];		/* its enhanced code */
	size_t key_bytes;
	uint8_t key[];
};

struct plan_dests {
	struct plan_params params;
	struct map_span map;
	struct plan_fair fair;
	struct list all;
	struct list turns[PLAN_CLASSES];
	uint32_t trying[PLAN_CLASSES];	/* that have leases, by class */
	struct list memories;
	struct list untold;		/* failed: plan_tell.h */
	uint32_t memory_count;
	struct heap clocks;
	uint32_t leased;
	uint64_t leased_bytes;
	uint32_t conf;			/* counts changes of the parameters */
	uint32_t turn;			/* number of the last one */
	struct plan_trial trial;	/* of those that are not proven */
	int64_t proven_at;		/* the last lease of one that is */
	int64_t now;			/* as told last */
	struct rng dice;
};

void plan_dests_init(struct plan_dests *ds, const struct plan_params *params);
void plan_dests_clear(struct plan_dests *ds);

/* The destination of KEY, made when new; NULL without memory. */
struct plan_dest *plan_dest_get(struct plan_dests *ds, struct span key,
    const struct plan_limits *limits);
void plan_dest_set_limits(struct plan_dests *ds, struct plan_dest *d,
    const struct plan_limits *limits);

/* As MODEL stands, of another planner; D's units and limits stay. */
void plan_dest_become(struct plan_dests *ds, struct plan_dest *d,
    const struct plan_dest *model);

/* After any change of its units, window or back-off; may free it. */
void plan_dest_update(struct plan_dests *ds, struct plan_dest *d);

/* Ends the back-offs and pauses that are over at NOW. */
void plan_dests_tick(struct plan_dests *ds, int64_t now);

/* A lease of BYTES begins; one is sent; ends; or ended before anybody tried. */
void plan_dest_lease(struct plan_dests *ds, struct plan_dest *d,
    uint32_t bytes);
void plan_dest_pace(struct plan_dests *ds, struct plan_dest *d, int64_t now);
void plan_dest_unlease(struct plan_dests *ds, struct plan_dest *d,
    uint32_t bytes);
void plan_dest_give_back(struct plan_dests *ds, struct plan_dest *d);

void plan_dest_lift(struct plan_dests *ds, struct plan_dest *d);
void plan_dest_note_ok(struct plan_dests *ds, struct plan_dest *d,
    int64_t took_ms);

/* It would take less than it got; nobody knew before SINCE. */
void plan_dest_note_less(struct plan_dests *ds, struct plan_dest *d,
    int64_t since, int64_t now);

/* Backs off, unless it does so already; the time of the next probe. */
int64_t plan_dest_note_failure(struct plan_dests *ds, struct plan_dest *d,
    int64_t now);

uint32_t plan_dest_window(const struct plan_dest *d);

#endif
