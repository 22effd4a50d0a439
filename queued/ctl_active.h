/*
 * Which messages may be active, for questions about states: all others that lie
 * in the index alone are held or deferred, and no unit of them need be read.
 *
 * It is known for a moment only, and found out again as a walk goes on; ids
 * must be asked for in ascending order.
 */
#ifndef MTAD_QUEUED_CTL_ACTIVE_H
#define MTAD_QUEUED_CTL_ACTIVE_H

#include "common/base/buf.h"

struct queued;

struct ctl_active {
	struct buf ids;			/* uint64_t each, ascending */
	size_t next;			/* the first that is not behind us */
	int64_t until;			/* known up to this moment of the clock */
	bool is_hopeless;		/* they are too many */
};

void ctl_active_init(struct ctl_active *a);
void ctl_active_clear(struct ctl_active *a);

/* Finds them out, unless what is known is still good. */
void ctl_active_look(struct ctl_active *a, struct queued *q);

/* False: the message ID, which lies in the index alone, is not active. */
bool ctl_active_may_be(struct ctl_active *a, uint64_t id);

#endif
