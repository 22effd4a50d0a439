/*
 * FIRST, 2 FIRST, 4 FIRST … MAX, each less by up to a fifth.  The jitter only
 * shortens, so that MAX and a message's expiry hold as they were
 * configured.
 */
#include "queued/plan/plan_retry.h"

int64_t
plan_retry_delay(int64_t first, int64_t max, uint32_t tries, uint64_t dice)
{
	int64_t delay = first < 1 ? 1 : first;

	if (max < delay)
		max = delay;
	while (tries-- > 1 && delay < max)
		/* no overflow, whatever was configured */
		delay = delay > max / 2 ? max : delay * 2;
	if (delay > max)
		delay = max;
	/* A fifth off, in 1024ths: never later than the curve says. */
	return delay - (delay / 5) * (int64_t)(dice % 1024) / 1024;
}
