/*
 * Groups of destinations that share limits, for the same hosts stand behind
 * them (plan's own affair).
 *
 * A member whose turn could bring nothing, for the group has all it may have,
 * is parked instead of standing in its ring of turns; as many come back as may
 * lease again, those first that wait longest.  So a full group costs its members
 * nothing, however many there are.  A group lives as long as it has members.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_GROUP_H
#define MTAD_QUEUED_PLAN_PLAN_GROUP_H

#include "common/base/heap.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_pace.h"

struct plan_dest;
struct plan_dests;

struct plan_group {
	struct list parked[PLAN_CLASSES];	/* plan_dest.turn */
	uint32_t in_ring[PLAN_CLASSES];		/* members that have turns */
	struct heap_node clock;			/* while it pauses for its rate */
	struct plan_pace pace;
	bool is_paced;
	uint32_t members;
	uint32_t leased;			/* of all members */
	uint32_t window_max;			/* 0: any number */
	uint32_t rate_count, rate_ms;		/* count 0: any */
	size_t key_bytes;
	uint8_t key[];
};

struct plan_groups {
	struct map_span map;
	struct heap clocks;
};

void plan_groups_init(struct plan_groups *gs, const struct siphash_key *seed);
void plan_groups_clear(struct plan_groups *gs);	/* without members */
void plan_groups_tick(struct plan_dests *ds, int64_t now);
int64_t plan_groups_wake_at(const struct plan_groups *gs);

/* D, which is in no ring, becomes a member of KEY (empty: of none); without
 * memory it has none.  Of an older group it is one no more. */
void plan_group_join(struct plan_dests *ds, struct plan_dest *d,
    struct span key);

/* Limits of G from now on. */
void plan_group_limit(struct plan_dests *ds, struct plan_group *g,
    uint32_t window_max, uint32_t rate_count, uint32_t rate_ms);

/* D may lease for its own part: into its ring, or parked; it may not.  The turn
 * of D, which has a group, came: false if that has nothing, and D is parked. */
void plan_group_enter(struct plan_dests *ds, struct plan_dest *d);
void plan_group_leave_turn(struct plan_dests *ds, struct plan_dest *d);
bool plan_group_may(struct plan_dest *d);

/* What D leases counts for the group that it has, too. */
void plan_group_leased(struct plan_dest *d);
void plan_group_unleased(struct plan_dests *ds, struct plan_dest *d);
void plan_group_pace(struct plan_dests *ds, struct plan_dest *d, int64_t now);
void plan_group_give_back(struct plan_dests *ds, struct plan_dest *d);

#endif
