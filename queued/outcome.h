/*
 * What becomes of a lease: results, retry, expiry, report, removal.
 *
 * The result of each recipient, the history of the attempt, the report that it
 * causes and the removal of what is settled go into one group (I-02).
 */
#ifndef MTAD_QUEUED_OUTCOME_H
#define MTAD_QUEUED_OUTCOME_H

#include "queued/lease.h"

/* A verdict of deliverd; confirmed when it is written, also when it is about
 * something that was settled before. */
void outcome_verdict(struct queued *q, struct queued_peer *peer,
    const struct msg_verdict *verdict);

/* Tells PEER, when all that was appended is written, that LEASE is over; 0:
 * that its presence is known.  There is room among the effects for it. */
void outcome_confirm(struct queued *q, struct queued_peer *peer,
    uint64_t lease);

/* Nobody was tried: the lease is over, its unit stays as it was. */
void outcome_untried(struct queued *q, struct lease *lease);

/* The deliverd that had this lease is gone: nobody knows. */
void outcome_in_doubt(struct queued *q, struct lease *lease);

/* Nor of a lease of UNIT in a former life: it is out still in the planner, and
 * may be leased again. */
enum err outcome_doubt(struct queued *q, struct store_unit *unit);

/* UNIT, in doubt, waits for an operator with all of its message.  ERR_NOMEM,
 * ERR_IO, ERR_FULL. */
enum err outcome_hold(struct queued *q, struct store_unit *unit);

/* PU's destination backs off, and failed since PU got too old: its sender is
 * told, of the end or of the delay, and the unit is over or has a new time.
 * False: there is nothing to tell, or no room for it. */
bool outcome_overdue(struct queued *q, struct plan_unit *pu);

/* Does that for some of those whose destination just failed (plan_tell.h); to
 * be called again while it is telling.  A check-point wakes what waits for the
 * index. */
void outcome_tell(struct queued *q);
bool outcome_is_telling(const struct queued *q);

/* The sender's time for UNIT, which is not leased, is over (times.h). */
enum err outcome_late(struct queued *q, struct store_unit *unit);

/* Nobody is spoken to: RESULT, which settles them, is what came of COUNT of the
 * ROWS of UNIT, which is not leased. */
struct store_result;
enum err outcome_ours(struct queued *q, struct store_unit *unit,
    const uint32_t *rows, uint32_t count, const struct store_result *result);

/* An operator deletes what is left of a unit that is not leased. */
enum err outcome_delete(struct queued *q, struct store_unit *unit);

#endif
