/*
 * So many in so much time, evenly spread [pure]: 50 in a second are one each
 * 20 ms, not 50 at once.  What a late look at the clock cost is made up for,
 * as long as it was less than PLAN_PACE_SLACK_MS; no burst follows a pause.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_PACE_H
#define MTAD_QUEUED_PLAN_PLAN_PACE_H

#include <stdint.h>

enum { PLAN_PACE_SLACK_MS = 50 };

struct plan_pace {
	int64_t at;		/* when the next may go, and … */
	uint32_t part;		/* … that many parts of a ms later, of count */
};

/* One goes at NOW, of COUNT (not 0) each PERIOD_MS: P is when the next may. */
void plan_pace_take(struct plan_pace *p, uint32_t count, uint32_t period_ms,
    int64_t now);

/* It did not go after all. */
void plan_pace_back(struct plan_pace *p, uint32_t count, uint32_t period_ms);

#endif
