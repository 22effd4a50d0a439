/*
 * Looking at the planner: what keeps a unit from being leased and until when,
 * how a destination stands, and what memory could best spare.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_LOOK_H
#define MTAD_QUEUED_PLAN_PLAN_LOOK_H

#include "queued/plan/plan.h"

/* A line of more units than this is deep. */
enum { PLAN_LINE_DEPTH = 64 };

/* How much is known of a destination; the better known has the better claim
 * when leases are scarce. */
enum plan_class { PLAN_PROVEN, PLAN_NEW, PLAN_PROBED, PLAN_CLASSES };

enum plan_block {
	PLAN_BLOCK_NONE,	/* its turn comes as soon as anything may */
	PLAN_BLOCK_LEASED,	/* under way */
	PLAN_BLOCK_HELD,
	PLAN_BLOCK_TIME,	/* not due yet */
	PLAN_BLOCK_BACK_OFF,	/* its destination failed as a whole */
	PLAN_BLOCK_PROBE,	/* one of it is out to see whether that is over */
	PLAN_BLOCK_WINDOW,	/* as many of it are out as may be */
	PLAN_BLOCK_RATE,	/* by the configured rate */
	PLAN_BLOCK_SCARCE,	/* the leases of all are used up */
	PLAN_BLOCK_STOPPED,	/* suspended, as a whole */
};

/* Of a unit; *UNTIL is a moment, PLAN_NEVER when it is not known. */
enum plan_block plan_unit_block(const struct plan *plan,
    const struct plan_unit *pu, int64_t now, int64_t *until);

/* The same for a due unit of KEY that is not here; for KEY as a whole. */
enum plan_block plan_key_block(const struct plan *plan, struct span key,
    int64_t now, int64_t *until);

struct plan_dest_view {
	struct span key;		/* borrowed, as all of these */
	struct plan_limits limits;
	enum plan_class class;
	uint32_t window;
	uint32_t leased;
	uint32_t ready;
	uint32_t units;			/* in memory */
	uint32_t failures;
	int64_t blocked_until;		/* 0: not */
	int64_t stopped_until;		/* 0: not; PLAN_NEVER: no end */
	int64_t failed_at;		/* when it failed last, if FAILURES */
	struct span why;		/* for people */
	struct span status;		/* "4.4.1" */
	/* what counts of limits and advice; 0: none */
	uint32_t window_max, rate_count, rate_ms;
	struct span group;		/* empty: none */
	uint32_t group_members, group_leased;
	uint32_t group_window, group_count, group_ms;
};

/* All of them, in no order: *CURSOR begins as 0; false behind the last.  Who
 * comes or goes between two calls may be missed, or seen twice. */
bool plan_dest_next(const struct plan *plan, size_t *cursor,
    struct plan_dest_view *out);

/* False when nothing is known of KEY. */
bool plan_dest_look(const struct plan *plan, struct span key,
    struct plan_dest_view *out);

/* Units before PU in its own line. */
uint32_t plan_unit_depth(const struct plan *plan, const struct plan_unit *pu);

/* Its destination failed and did not answer since; when it did so last. */
bool plan_unit_is_probe(const struct plan_unit *pu);
int64_t plan_unit_failed_at(const struct plan_unit *pu);

/* Units of its destination in memory, if that is not known to answer; or 0. */
uint32_t plan_unit_unproven(const struct plan_unit *pu);

/* Ready units of its destination. */
uint32_t plan_unit_ready(const struct plan_unit *pu);

/*
 * A unit that memory could best spare: held, or waiting beyond HORIZON; of a
 * destination that backs off beyond HORIZON; the last of a line of more than
 * DEPTH (PLAN_LINE_DEPTH at least).  LOOKS counts down the candidates looked
 * at; called again and again, each is looked at once before any is twice.
 */
bool plan_spare_waiting(struct plan *plan, int64_t horizon, uint32_t *looks,
    struct plan_unit **out);
bool plan_spare_blocked(struct plan *plan, int64_t horizon, uint32_t *looks,
    struct plan_unit **out);
bool plan_spare_deep(struct plan *plan, uint32_t depth, uint32_t *looks,
    struct plan_unit **out);

uint32_t plan_deep_lines(const struct plan *plan);

#endif
