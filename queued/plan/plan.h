/*
 * The scheduler [pure]: which unit is leased next, and when others are due.
 *
 * It knows units (opaque pointers of the caller, one plan entry each) and
 * destinations (keys that common/route gives).  Time is an argument: int64
 * milliseconds of the monotonic clock.  It holds only what is in memory; the
 * caller moves far-off units to the spool's index and back (plan_spare_…).
 *
 * A destination that fails as a whole backs off as a whole: nothing of it is
 * given out until its time, then one unit as a probe.  Destinations with due
 * units take turns, so that a large backlog of one delays no other.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_H
#define MTAD_QUEUED_PLAN_PLAN_H

#include "common/base/err.h"
#include "common/base/span.h"

#define PLAN_NEVER INT64_MAX
#define PLAN_WHY_MAX 200		/* bytes kept of a reason */

struct list;
struct plan;
struct plan_unit;

struct plan_params {
	int64_t first_retry_ms;		/* of the retry curve, plan_retry.h */
	int64_t max_retry_ms;
	uint32_t window_first;		/* leases out to a new destination */
	uint32_t window_max;
	uint64_t seed;			/* of the jitter */
};

enum plan_state { PLAN_WAITING, PLAN_READY, PLAN_LEASED, PLAN_HELD };

enum err plan_new(const struct plan_params *params, struct plan **out);
void plan_free(struct plan **plan);
void plan_set_params(struct plan *plan, const struct plan_params *params);

/* A unit enters, due at DUE; KEY is copied.  UNIT is what plan_unit_owner()
 * gives back. */
enum err plan_add(struct plan *plan, void *unit, struct span key, int64_t due,
    int64_t overdue, bool is_held, struct plan_unit **out);

/* It leaves (settled, deleted, moved to the index); frees a lease it had. */
void plan_remove(struct plan *plan, struct plan_unit **pu);

/* The next unit to lease: it counts in its destination's window from now on.
 * False when nothing may be leased now. */
bool plan_next(struct plan *plan, int64_t now, struct plan_unit **out);

/* Counts a unit that is not leased as leased: someone has it already. */
void plan_take(struct plan *plan, struct plan_unit *pu);

/* The end of a lease: nobody tried (it stays in front), or try again at DUE. */
void plan_back(struct plan *plan, struct plan_unit *pu);
void plan_later(struct plan *plan, struct plan_unit *pu, int64_t due);

/* The destination of PU talked, or would not talk at all.  The latter gives
 * the time of its next probe.  PU is leased still. */
void plan_dest_ok(struct plan *plan, struct plan_unit *pu);
int64_t plan_dest_failed(struct plan *plan, struct plan_unit *pu, int64_t now);

/* Keeps the words for why PU's destination backs off (cut). */
void plan_dest_explain(struct plan *plan, struct plan_unit *pu,
    struct span why);

/* The next ready unit of PU's destination that is past its overdue time: what
 * failed for PU counts as its fresh attempt.  It leaves READY as if leased.
 * SCAN is zero before the first call; only units given by it may change
 * between two calls. */
struct plan_scan {
	struct list *next;
	bool is_begun;
};
bool plan_next_overdue(struct plan *plan, struct plan_unit *pu, int64_t now,
    struct plan_scan *scan, struct plan_unit **out);
void plan_set_overdue(struct plan_unit *pu, int64_t overdue);

/* By an operator: due now, and its destination's back-off is lifted. */
void plan_hurry(struct plan *plan, struct plan_unit *pu, int64_t now);
void plan_hold(struct plan *plan, struct plan_unit *pu, bool is_held);

/* Lifts every back-off (an operator's `retry all`). */
void plan_lift_all(struct plan *plan);

/* When to ask plan_next() again; PLAN_NEVER. */
int64_t plan_wake_at(const struct plan *plan);

/*
 * A unit that memory could best spare: held, or waiting beyond HORIZON; or the
 * last in the line of a destination that backs off beyond HORIZON or has more
 * than DEPTH of them.  LOOKS counts the candidates down that may be looked at;
 * called again and again, each of them is looked at once before any is twice.
 */
bool plan_spare_waiting(struct plan *plan, int64_t horizon, uint32_t *looks,
    struct plan_unit **out);
bool plan_spare_ready(struct plan *plan, int64_t horizon, uint32_t depth,
    uint32_t *looks, struct plan_unit **out);

/* inspection */
void *plan_unit_owner(const struct plan_unit *pu);
enum plan_state plan_unit_state(const struct plan_unit *pu);
int64_t plan_unit_due(const struct plan_unit *pu);	/* its own */
struct span plan_unit_key(const struct plan_unit *pu);

/* When its destination may be tried: 0 unless it backs off. */
int64_t plan_unit_blocked_until(const struct plan_unit *pu);
int64_t plan_blocked_until(const struct plan *plan, struct span key);

/* The words kept for it; empty when it does not back off. */
struct span plan_blocked_why(const struct plan *plan, struct span key);

/* Units of PU's destination that are ready. */
uint32_t plan_unit_depth(const struct plan_unit *pu);

uint32_t plan_count(const struct plan *plan, enum plan_state state);
uint32_t plan_destinations(const struct plan *plan);

#endif
