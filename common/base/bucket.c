#include "common/base/bucket.h"

#include "common/base/mtime.h"

/*
 * The level counts in 1/period_ms tokens: each millisecond adds exactly
 * `count`, and a token costs exactly `period_ms`.  The maxima keep every
 * product below 10^15.
 */

/* Full at the start: the first burst of a client is no abuse. */
enum err
bucket_init(struct bucket *b, uint32_t count, uint32_t period_ms,
    uint32_t burst, int64_t now_ms)
{
	if (count == 0 || count > BUCKET_COUNT_MAX)
		return ERR_RANGE;
	if (period_ms == 0 || period_ms > BUCKET_PERIOD_MAX_MS)
		return ERR_RANGE;
	if (burst == 0 || burst > BUCKET_COUNT_MAX)
		return ERR_RANGE;
	*b = (struct bucket){
		.count = count,
		.period_ms = period_ms,
		.burst = burst,
		.level = (int64_t)burst * period_ms,
		.at_ms = now_ms,
	};
	return OK;
}

/* The level at NOW_MS.  Whether it is full by then is asked by division,
 * because the product of a long time would overflow. */
static int64_t
level_at(const struct bucket *b, int64_t now_ms)
{
	int64_t full = (int64_t)b->burst * b->period_ms;
	int64_t missing = full - b->level;
	uint64_t passed;

	if (now_ms <= b->at_ms)
		return b->level;
	passed = (uint64_t)now_ms - (uint64_t)b->at_ms;
	if (passed >= (uint64_t)(missing / b->count + 1))
		return full;
	return b->level + (int64_t)passed * b->count;
}

/* A time that went back changes nothing, and is not remembered: else the way
 * forward would fill the bucket twice. */
bool
bucket_take(struct bucket *b, uint32_t n, int64_t now_ms)
{
	int64_t cost = (int64_t)n * b->period_ms;

	b->level = level_at(b, now_ms);
	if (now_ms > b->at_ms)
		b->at_ms = now_ms;
	if (cost > b->level)
		return false;
	b->level -= cost;
	return true;
}

/* Rounded up: a wait that ends a moment too early would be for nothing. */
int64_t
bucket_wait_ms(const struct bucket *b, uint32_t n, int64_t now_ms)
{
	int64_t missing;

	if (n > b->burst)
		return INT64_MAX;
	missing = (int64_t)n * b->period_ms - level_at(b, now_ms);
	if (missing <= 0)
		return 0;
	missing = missing / b->count + (missing % b->count != 0);
	/* a clock that went back has to come to at_ms first */
	if (now_ms < b->at_ms)
		return mtime_add(missing, mtime_sub(b->at_ms, now_ms));
	return missing;
}
