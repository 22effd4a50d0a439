#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>

struct sim sim;

bool
sim_chance(unsigned n)
{
	return rng_below(&sim.dice, 1000) < n;
}

uint64_t
sim_below(uint64_t n)
{
	return rng_below(&sim.dice, n);
}

void
sim_digest(uint64_t a, uint64_t b)
{
	uint64_t h = sim.digest ^ a;

	h *= UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 29;
	h ^= b;
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	sim.digest = h ^ h >> 32;
}

static void
print_time(void)
{
	fprintf(stderr, "%6jd.%03d %13jd  ",
	    (intmax_t)(sim.mono_ms / 1000), (int)(sim.mono_ms % 1000),
	    (intmax_t)sim.wall_ms);
}

void
sim_trace(const char *format, ...)
{
	va_list args;

	if (!sim.is_tracing)
		return;
	print_time();
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
}

void
sim_broken(const char *promise, const char *format, ...)
{
	va_list args;
	int n;

	if (sim.is_failed)
		return;
	sim.is_failed = true;
	n = snprintf(sim.failure, sizeof(sim.failure), "%s: ", promise);
	va_start(args, format);
	(void)vsnprintf(sim.failure + n, sizeof(sim.failure) - (size_t)n,
	    format, args);
	va_end(args);
	sim_trace("BROKEN %s", sim.failure);
}
