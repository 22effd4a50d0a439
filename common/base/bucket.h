/*
 * A token bucket: COUNT tokens every PERIOD, at most BURST at once.
 *
 * Exact integers, so that one an hour works like a thousand a second.  Time
 * is an argument (monotonic ms); a time before the last one counts as it.
 */
#ifndef MTAD_BASE_BUCKET_H
#define MTAD_BASE_BUCKET_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_COUNT_MAX 1000000u
#define BUCKET_PERIOD_MAX_MS 1000000000u	/* about eleven days */

struct bucket {
	uint32_t count;
	uint32_t period_ms;
	uint32_t burst;
	int64_t level;			/* in tokens times period_ms */
	int64_t at_ms;			/* when level was right */
};

/* Starts full.  ERR_RANGE for a 0 or a number above its maximum (BURST has
 * COUNT's); B is untouched then. */
enum err bucket_init(struct bucket *b, uint32_t count, uint32_t period_ms,
    uint32_t burst, int64_t now_ms);

/* Takes N tokens, or none and false. */
bool bucket_take(struct bucket *b, uint32_t n, int64_t now_ms);

/* How long until bucket_take() of N will do; 0: now; N above BURST: never,
 * INT64_MAX. */
int64_t bucket_wait_ms(const struct bucket *b, uint32_t n, int64_t now_ms);

#endif
