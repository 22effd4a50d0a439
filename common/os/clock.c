/*
 * Two clocks.  Intervals and deadlines are monotonic, so that a clock that is
 * set wakes nobody early; wall time is for people and for what outlives a
 * start.
 */
#include "common/os/clock.h"

#include <time.h>

static int64_t
read_ns(clockid_t clock)
{
	struct timespec t = { 0 };

	/* cannot fail for the two clocks that every kernel has */
	(void)clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t
clock_mono_ms(void)
{
	return read_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t
clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

int64_t
clock_wall_ms(void)
{
	return read_ns(CLOCK_REALTIME) / 1000000;
}
