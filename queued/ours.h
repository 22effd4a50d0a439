/*
 * Ways that end here (`via: discard`, `refuse`, `hold`): what is done with mail
 * for whom nobody is spoken to.
 */
#ifndef MTAD_QUEUED_OURS_H
#define MTAD_QUEUED_OURS_H

#include "queued/queued.h"
#include "queued/store/store_message.h"

struct plan_unit;

/* PU's turn has come and its first way is ROUTE, one of ours: the recipients
 * that go it are settled, or the message is held.  ERR_NOMEM, ERR_FULL, ERR_IO:
 * nothing was done. */
enum err ours_take(struct queued *q, struct plan_unit *pu,
    const struct route *route);

/* A message that just came, ID with N units: held at once, before any of it
 * leaves, when some recipient's way is `hold`. */
void ours_welcome(struct queued *q, uint64_t id, uint32_t n);

#endif
