/*
 * What records do to messages in memory: the same for those being written and
 * those being replayed.
 */
#ifndef MTAD_QUEUED_STORE_STORE_APPLY_H
#define MTAD_QUEUED_STORE_STORE_APPLY_H

#include "queued/store/store_private.h"
#include "queued/store/store_write.h"

/* Whether all rows of all results are the unit's own. */
bool store_apply_fits(const struct unit *u, const struct store_verdict *v);

/* Whether a rebuilt index would be wrong without it: it settles somebody, or
 * a notice went out.  Others only say when to try again. */
bool store_apply_matters(const struct store_verdict *v);

/* V fits.  *IS_OVER: the unit is no more.  Without memory the last words of
 * the other server are dropped. */
void store_apply_verdict(struct store *s, struct unit *u,
    const struct store_verdict *v, bool *is_over);

void store_apply_lease(struct store *s, struct unit *u, uint64_t lease);
void store_apply_due(struct store *s, struct unit *u, uint64_t due_at);

/* All units of M that the index has must be in memory. */
void store_apply_hold(struct store *s, struct message *m, bool is_held);

#endif
