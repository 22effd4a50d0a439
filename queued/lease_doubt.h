/*
 * Leases of a former life whose end nobody can tell (I-03).
 */
#ifndef MTAD_QUEUED_LEASE_DOUBT_H
#define MTAD_QUEUED_LEASE_DOUBT_H

#include "queued/queued.h"

/* Which leases of former lives nobody could tell of: as an earlier start kept
 * it; from now on, all that were noted before this one; again, if that could
 * not be kept. */
void lease_doubt_begin(struct queued *q);
void lease_doubt_all(struct queued *q);
void lease_doubt_keep(struct queued *q);

/* Some seconds after the start those that were not presented do not count. */
bool lease_is_waiting(const struct queued *q);
void lease_stop_waiting(struct queued *q);

/* UNIT, which is not leased, may have been out when all that knew of it died,
 * and that was not recorded yet. */
bool lease_is_in_doubt(const struct queued *q, const struct store_unit *unit);

/* PU's unit is about to be leased.  If it may have been out when all that knew
 * of it died, that is recorded as an attempt in doubt; by the route's in_doubt it is
 * held then: *IS_HELD.  ERR_NOMEM, ERR_IO. */
enum err lease_doubt(struct queued *q, struct plan_unit *pu, bool *is_held);

#endif
