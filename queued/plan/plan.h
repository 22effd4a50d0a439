/*
 * The scheduler [pure]: which unit is leased next, and when others are due.
 *
 * It knows units (opaque pointers of the caller, one plan entry each) and
 * destinations (keys that common/route gives).  Time is an argument: int64
 * milliseconds of the monotonic clock.  It holds only what is in memory; the
 * caller moves far-off units to the spool's index and back (plan_look.h).
 *
 * A destination has a window of leases, which grows with success and shrinks
 * when it would take less, and perhaps a rate.  One that fails as a whole backs
 * off as a whole: nothing of it is given out until its time, then one unit as a
 * probe.  Destinations take turns; within one, priorities, clients and senders
 * do (plan_fair.h).  When leases are scarce each destination may have as many
 * as are left over, and those that never answered leave room for others.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_H
#define MTAD_QUEUED_PLAN_PLAN_H

#include "common/base/err.h"
#include "common/base/list.h"
#include "queued/plan/plan_params.h"

#define PLAN_NEVER INT64_MAX
#define PLAN_WHY_MAX 200		/* bytes kept of a reason */

struct plan;
struct plan_unit;

enum plan_state { PLAN_WAITING, PLAN_READY, PLAN_LEASED, PLAN_HELD };

enum err plan_new(const struct plan_params *params, struct plan **out);
void plan_free(struct plan **plan);

/* Other parameters; asks for the limits of each destination with a unit, by
 * one of its units, whose OWNER is given. */
void plan_set_params(struct plan *plan, const struct plan_params *params,
    void (*limits_of)(void *ctx, void *owner, struct plan_limits *out),
    void *ctx);

/* A unit enters.  Its limits become those of its destination. */
enum err plan_add(struct plan *plan, const struct plan_entry *entry,
    struct plan_unit **out);

/* It leaves (settled, deleted, moved to the index); ends a lease it had. */
void plan_remove(struct plan *plan, struct plan_unit **pu);

/* The next unit to lease: it counts in its destination's window from now on.
 * False when nothing may be leased now. */
bool plan_next(struct plan *plan, int64_t now, struct plan_unit **out);

/* Counts a unit that is not leased as leased: someone has it already. */
void plan_take(struct plan *plan, struct plan_unit *pu);

/* The end of a lease: nobody tried (it stays in front), or try again at DUE. */
void plan_back(struct plan *plan, struct plan_unit *pu);
void plan_later(struct plan *plan, struct plan_unit *pu, int64_t due);

/* The destination of PU, which is leased still: it talked; it talked, but
 * would rather have less (421, a connection refused beside others); it would
 * not talk at all, which gives the time of its next probe. */
void plan_dest_ok(struct plan *plan, struct plan_unit *pu, int64_t now);
void plan_dest_less(struct plan *plan, struct plan_unit *pu, int64_t now);
int64_t plan_dest_failed(struct plan *plan, struct plan_unit *pu, int64_t now);

/* It would have less, as somebody says who has no unit of it. */
void plan_key_less(struct plan *plan, struct span key, int64_t now);

/* Keeps the words for why PU's destination backs off (cut), and their status
 * ("4.4.1"). */
void plan_dest_explain(struct plan *plan, struct plan_unit *pu,
    struct span status, struct span why);

/* Counts units of PU's destination that are put off since it failed. */
uint32_t plan_dest_park(struct plan *plan, struct plan_unit *pu);

/* From then on a failure of its destination counts as its own (plan_tell.h). */
void plan_set_overdue(struct plan_unit *pu, int64_t overdue);

/* By an operator: due now, and its destination's back-off is lifted unless that
 * failed after SINCE, when the operator asked. */
void plan_hurry(struct plan *plan, struct plan_unit *pu, int64_t since,
    int64_t now);
void plan_hold(struct plan *plan, struct plan_unit *pu, bool is_held);

/* Lifts every back-off (an operator's `retry all`). */
void plan_lift_all(struct plan *plan);

/* When to ask plan_next() again: INT64_MIN, now; PLAN_NEVER. */
int64_t plan_wake_at(const struct plan *plan);

/* inspection; more in plan_look.h */
void *plan_unit_owner(const struct plan_unit *pu);
enum plan_state plan_unit_state(const struct plan_unit *pu);
int64_t plan_unit_due(const struct plan_unit *pu);	/* its own */
int64_t plan_unit_overdue(const struct plan_unit *pu);
struct span plan_unit_key(const struct plan_unit *pu);

/* When its destination may be tried: 0 unless it backs off or is stopped.  Of one
 * that is stopped for long: when to ask again. */
int64_t plan_unit_blocked_until(const struct plan *plan,
    const struct plan_unit *pu);
int64_t plan_blocked_until(const struct plan *plan, struct span key);

/* The words kept for it; empty when it does not back off. */
struct span plan_blocked_why(const struct plan *plan, struct span key);

uint32_t plan_count(const struct plan *plan, enum plan_state state);
uint32_t plan_destinations(const struct plan *plan);

#endif
