/*
 * A jump is a change of the difference between the two clocks from one look to
 * the next: they are looked at each second at least, so what is smaller than a
 * jump, a slew or a small step, is followed, and never adds up to one.
 *
 * A machine that slept has jumped as well: its monotonic clock stood still.
 * That time does not count as a message's age, for nothing could be tried.
 */
#include "queued/plan/plan_clock.h"

#include "common/base/mtime.h"

static bool
is_jump(int64_t by)
{
	return by > PLAN_CLOCK_JUMP_MS || by < -PLAN_CLOCK_JUMP_MS;
}

/* A clock that was ahead of ours while we were away looks like a long stop, and
 * is taken for one. */
void
plan_clock_begin(struct plan_clock *c, int64_t offset_ms, int64_t seen,
    int64_t wall, int64_t mono)
{
	int64_t since = mtime_sub(wall, seen);

	*c = (struct plan_clock){ .offset_ms = offset_ms,
	    .drift_ms = mtime_sub(wall, mono) };
	if (seen == 0 || since >= -PLAN_CLOCK_JUMP_MS)
		return;
	c->offset_ms = mtime_add(offset_ms, since);
	c->jumped_ms = since;
	c->jumps++;
}

int64_t
plan_clock_now(struct plan_clock *c, int64_t wall, int64_t mono)
{
	int64_t drift = mtime_sub(wall, mono);
	int64_t by = mtime_sub(drift, c->drift_ms);

	c->drift_ms = drift;
	if (is_jump(by)) {
		c->offset_ms = mtime_add(c->offset_ms, by);
		c->jumped_ms = by;
		c->jumps++;
	}
	return mtime_sub(wall, c->offset_ms);
}

int64_t
plan_clock_shown(const struct plan_clock *c, int64_t at)
{
	return mtime_add(at, c->offset_ms);
}
