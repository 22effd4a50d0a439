/*
 * How destinations did of late: the share of attempts that got an answer, and
 * how long they took, for `mtactl forecast`.
 *
 * A table of a fixed size, with places by hash, so that those tried last are
 * known.  Older attempts count less and less, the last sixteen or so make the
 * figure.
 */
#ifndef MTAD_QUEUED_RATES_H
#define MTAD_QUEUED_RATES_H

#include "queued/plan/plan_forecast.h"

struct rates;

/* NULL without memory: then nothing is known. */
struct rates *rates_new(void);
void rates_free(struct rates **r);

/* One attempt: how many of its recipients, of 1,000, have their answer; or
 * nobody would talk; how long it took. */
void rates_note(struct rates *r, struct span key, uint32_t answered,
    bool is_down, uint64_t duration_ms);

/* Of KEY; attempts is 0 when it was not tried, or not for long. */
struct forecast_rates rates_of(const struct rates *r, struct span key);

#endif
