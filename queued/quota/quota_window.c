#include "queued/quota/quota_window.h"

/* As of NOW: its period began at most PERIOD_MS ago. */
static struct quota_window
roll(const struct quota_window *w, uint32_t period_ms, int64_t now)
{
	struct quota_window r = *w;
	int64_t age;

	if (r.period_ms != period_ms) {
		r.here = r.period_ms == 0 ? 0 :
		    quota_window_used(w, r.period_ms, now);
		r.before = 0;
		r.period_ms = period_ms;
		r.begun_at = now;
	}
	if (r.begun_at > now)
		r.begun_at = now;
	age = now - r.begun_at;
	if (age >= 2 * (int64_t)period_ms) {
		r.here = r.before = 0;
		r.begun_at = now;
	} else if (age >= period_ms) {
		r.before = r.here;
		r.here = 0;
		r.begun_at += period_ms;
	}
	return r;
}

/* Of the period before, at AGE ms of this one; rounded up. */
static uint32_t
rest_of(const struct quota_window *w, int64_t age)
{
	uint64_t left = (uint64_t)(w->period_ms - age);

	return (uint32_t)((w->before * left + w->period_ms - 1) /
	    w->period_ms);
}

static uint32_t
sum(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

uint32_t
quota_window_used(const struct quota_window *w, uint32_t period_ms,
    int64_t now)
{
	const struct quota_window r = roll(w, period_ms, now);

	return sum(r.here, rest_of(&r, now - r.begun_at));
}

void
quota_window_add(struct quota_window *w, uint32_t period_ms, int64_t now,
    uint32_t n)
{
	*w = roll(w, period_ms, now);
	w->here = sum(w->here, n);
}

/* The age of a period at which of BEFORE no more than ROOM is left. */
static int64_t
age_for(uint32_t before, uint32_t room, uint32_t period_ms)
{
	return (int64_t)(period_ms - (uint64_t)room * period_ms / before);
}

int64_t
quota_window_wait(const struct quota_window *w, uint32_t period_ms,
    int64_t now, uint32_t limit)
{
	const struct quota_window r = roll(w, period_ms, now);
	const int64_t age = now - r.begun_at;

	if (sum(r.here, rest_of(&r, age)) < limit)
		return 0;
	if (r.here < limit)
		return age_for(r.before, limit - 1 - r.here, period_ms) - age;
	return period_ms - age + age_for(r.here, limit - 1, period_ms);
}
