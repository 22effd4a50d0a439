/*
 * How many leases may be tried on destinations that are not known to answer,
 * while others do answer [pure]: so many a second, and one more for so many
 * leases that the others get.
 *
 * Trials that fail cost as much as mail that arrives, and there may be ten
 * thousand to make; like this they have a part of the machine that the others
 * hardly notice, and each has its turn all the same.  They come in bursts of
 * some milliseconds, for each alone would cost a wake-up.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_TRIAL_H
#define MTAD_QUEUED_PLAN_PLAN_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PLAN_TRIAL_SLICE_MS = 20,	/* one wake-up for so much time */
	PLAN_TRIAL_SAVED_MS = 40,	/* what was not used counts so long */
};

struct plan_trial {
	int64_t at;			/* up to here CREDIT was given */
	uint64_t credit;		/* in thousandths of a trial */
};

/* Time has passed: RATE trials a second (not 0). */
void plan_trial_tick(struct plan_trial *t, uint32_t rate, int64_t now);

/* Others have got a lease, which counts as the PARTth of a trial. */
void plan_trial_earn(struct plan_trial *t, uint32_t rate, uint32_t part);

bool plan_trial_may(const struct plan_trial *t);
void plan_trial_take(struct plan_trial *t);	/* if it may */

/* When to look again, if it may not now. */
int64_t plan_trial_next(const struct plan_trial *t, uint32_t rate);

#endif
