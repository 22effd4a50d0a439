/*
 * What the planner knows of a destination, and of all of them (plan's own
 * affair; plan_dest.h has what becomes of it).
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_DEST_STATE_H
#define MTAD_QUEUED_PLAN_PLAN_DEST_STATE_H

#include "common/base/heap.h"
#include "common/base/rng.h"
#include "queued/plan/plan_fair.h"
#include "queued/plan/plan_group.h"
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
	bool is_parked;			/* its group has no turn for it */
	struct plan_group *group;	/* NULL: none */
	struct plan_limits limits;
	struct plan_advice advice;	/* but for the group's name */
	int64_t stopped_until;		/* by both; 0: not */
	int64_t stop_told_at;		/* plan_tell_stopped() */
	uint32_t rate_count, rate_ms;	/* by both; count 0: any */
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
	struct plan_groups groups;
	plan_advisor *advisor;		/* NULL: none */
	void *advisor_ctx;
};

#endif
