/*
 * Sessions that look for a host: how long they may (pool's own).
 *
 * As long as configured, while they are few.  When more than a quarter of all
 * places are taken by them, less and less, down to EARLY_LEAST_MS at three
 * quarters: ten thousand destinations that swallow packets hold up nobody for
 * long.  They back off; what was lost is one attempt.
 */
#ifndef MTAD_DELIVERD_EARLY_H
#define MTAD_DELIVERD_EARLY_H

#include "common/loop/timer.h"
#include "deliverd/session.h"

#define EARLY_LEAST_MS	INT64_C(3000)
#define EARLY_MOST_MS	INT64_C(60000)
#define EARLY_PLACES	8	/* with fewer in all, nobody is hurried */

struct early {
	struct loop *loop;
	struct list sessions;		/* the oldest first */
	uint32_t n;
	struct timer look;
};

enum err early_init(struct early *e, struct loop *loop);
void early_clear(struct early *e);	/* it is empty */

void early_add(struct early *e, struct session *s);
void early_remove(struct early *e, struct session *s);	/* or not in it */

/* How long one of N may take where there are TOTAL places; [pure]. */
int64_t early_patience_ms(uint32_t n, uint32_t total);

#endif
