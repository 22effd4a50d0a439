/*
 * Exact: milliseconds and COUNTths of them, so that three a second are three
 * a second for years.  A rate slower than one a second makes up for nothing:
 * there a moment too early is worse than one too late.
 */
#include "queued/plan/plan_pace.h"

#include "common/base/mtime.h"

void
plan_pace_take(struct plan_pace *p, uint32_t count, uint32_t period_ms,
    int64_t now)
{
	int64_t slack = period_ms / count < MTIME_SECOND ?
	    PLAN_PACE_SLACK_MS : 0;
	uint64_t parts;

	/* another rate may have been in force before */
	if (p->part >= count || p->at > now || p->at < mtime_sub(now, slack)) {
		p->at = now;
		p->part = 0;
	}
	parts = (uint64_t)p->part + period_ms;
	p->at = mtime_add(p->at, (int64_t)(parts / count));
	p->part = (uint32_t)(parts % count);
}

void
plan_pace_back(struct plan_pace *p, uint32_t count, uint32_t period_ms)
{
	p->at = mtime_sub(p->at, (int64_t)(period_ms / count));
}
