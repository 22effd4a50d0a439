/*
 * Which units live in memory: those that are due soon, and as many of those
 * that wait for their turn as memory allows.  The rest lies in the index of
 * the spool and is read back in time (I-04).
 */
#ifndef MTAD_QUEUED_RESIDENCE_H
#define MTAD_QUEUED_RESIDENCE_H

#include "queued/queued.h"

/* Units in the planner above which idle ones leave, and below which due ones
 * are read from the index; in the long lines at most this many wait ready.
 * Above MAX whoever comes takes another one's place. */
enum {
	RESIDENCE_MAX = 60000,
	RESIDENCE_HIGH = 40000,
	RESIDENCE_LOW = 20000,
	RESIDENCE_DEPTH = 10000,
};

/* Up to here blocks of lists are begun as they come; beyond RESIDENCE_LOW some
 * room is kept for them; a line may be so long while they find none. */
enum { LISTS_CROWD = 8000, LISTS_ROOM = 2000, LISTS_LINE = 8 };

/* Units due within this time stay in memory. */
#define RESIDENCE_HORIZON_MS INT64_C(30000)

/* How a unit enters the planner, by today's routes; but for its owner and when
 * it is overdue.  The key lies in q->scratch, *POLICY in the routes. */
struct plan_entry residence_entry(struct queued *q,
    const struct store_unit *unit, const struct route_policy **policy);

/* Gives a unit that the store has in memory to the planner; never one of a
 * list (lists.h).  ERR_NOMEM. */
enum err residence_adopt(struct queued *q, struct store_unit *unit);

/* What is in memory, in units: those in the planner that may leave it, and what
 * many recipients take besides. */
uint32_t residence_crowd(const struct queued *q);

/* The same for a unit that just came; when memory is crowded, one that is not
 * soon needed is left to the index instead.  ERR_NOMEM. */
enum err residence_welcome(struct queued *q, struct store_unit *unit);

/* There is no memory to schedule it now: it is the index's until it is found
 * there by its time. */
void residence_release(struct queued *q, struct store_unit *unit);

/* The index has the unit of PU from now on, or as soon as it can. */
void residence_move_out(struct queued *q, struct plan_unit *pu);

/* PU came from the index, unchanged: nothing new is to be found there. */
void residence_give_back(struct queued *q, struct plan_unit *pu);

/* It is due, but its destination backs off for long: it goes, put off. */
enum err residence_park(struct queued *q, struct plan_unit *pu);

/* The unit is settled (the store has freed it) or leaves: ends its plan. */
void residence_end(struct queued *q, struct plan_unit *pu);

/* Adopts what is due and not in memory, as far as there is room; a slice. */
void residence_refill(struct queued *q);

/* More may be found by refilling at once. */
bool residence_is_refilling(const struct queued *q);

/* Once a second: units that can wait leave, due ones come in. */
void residence_keep_house(struct queued *q);

/* The way of the recipient that the next lease of UNIT begins with, by today's
 * routes; how mail on it is sent; the same for the planner. */
struct route residence_route(struct queued *q, const struct store_unit *unit);
const struct route_policy *residence_policy(struct queued *q,
    const struct store_unit *unit);
struct plan_limits residence_limits(struct queued *q,
    const struct route *route);
void residence_limits_of(void *q, void *unit, struct plan_limits *out);

/* Age at which a unit is given up. */
int64_t residence_life_ms(struct queued *q,
    const struct store_unit *unit);

/* When its sender must hear of this unit if it is still here, as a moment of
 * the planner: of the delay, else of the end. */
int64_t residence_overdue(struct queued *q,
    const struct store_unit *unit);

#endif
