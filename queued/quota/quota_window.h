/*
 * A count over the period that ends now, in twenty bytes: of this period and of
 * the one before, of which that part counts which is less than a period ago.
 *
 * It is right as if what was counted in the period before had come evenly; over
 * a period that begins anywhere up to twice the limit may pass.  Times are ms; a
 * clock that goes back holds it where it is.
 */
#ifndef MTAD_QUEUED_QUOTA_QUOTA_WINDOW_H
#define MTAD_QUEUED_QUOTA_QUOTA_WINDOW_H

#include <stdint.h>

struct quota_window {
	uint32_t period_ms;		/* 0: nothing was counted yet */
	uint32_t here, before;
	int64_t begun_at;
};

/* In the PERIOD_MS that end NOW. */
uint32_t quota_window_used(const struct quota_window *w, uint32_t period_ms,
    int64_t now);

/* N more.  Of another period than before: what is used counts as of now. */
void quota_window_add(struct quota_window *w, uint32_t period_ms, int64_t now,
    uint32_t n);

/* How long until one more is within LIMIT, which is not 0; 0: it is. */
int64_t quota_window_wait(const struct quota_window *w, uint32_t period_ms,
    int64_t now, uint32_t limit);

#endif
