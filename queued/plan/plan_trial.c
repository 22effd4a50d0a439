#include "queued/plan/plan_trial.h"

#include "common/base/mtime.h"

enum { WHOLE = 1000 };			/* a trial; a rate is for 1000 ms */

/* Besides the trial that is being saved for. */
static uint64_t
credit_in(uint32_t rate, uint64_t ms)
{
	return WHOLE + rate * ms;
}

static void
give(struct plan_trial *t, uint32_t rate, uint64_t credit)
{
	uint64_t most = credit_in(rate, PLAN_TRIAL_SAVED_MS);

	t->credit = t->credit + credit < most ? t->credit + credit : most;
}

/* Longer pauses give no more than what may be saved. */
void
plan_trial_tick(struct plan_trial *t, uint32_t rate, int64_t now)
{
	int64_t ms = mtime_sub(now, t->at);

	if (ms <= 0)
		return;
	t->at = now;
	give(t, rate, ms < INT32_MAX ? (uint64_t)ms * rate :
	    credit_in(rate, PLAN_TRIAL_SAVED_MS));
}

void
plan_trial_earn(struct plan_trial *t, uint32_t rate, uint32_t part)
{
	if (part != 0)
		give(t, rate, WHOLE / part);
}

bool
plan_trial_may(const struct plan_trial *t)
{
	return t->credit >= WHOLE;
}

void
plan_trial_take(struct plan_trial *t)
{
	t->credit -= t->credit < WHOLE ? t->credit : WHOLE;
}

int64_t
plan_trial_next(const struct plan_trial *t, uint32_t rate)
{
	uint64_t slice = (uint64_t)rate * PLAN_TRIAL_SLICE_MS;
	uint64_t want = slice > WHOLE ? slice : WHOLE;
	uint64_t ms = t->credit >= want ? 1 :
	    (want - t->credit + rate - 1) / rate;

	return mtime_add(t->at, (int64_t)ms);
}
