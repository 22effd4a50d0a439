/*
 * simulate [-r EVERY] [-t] [-m] [-q] FIRST COUNT: plays histories FIRST,
 * FIRST + 1, … of queued.
 *
 *   -r EVERY  every EVERYth is played twice and must end the same
 *   -t        what happens is told
 *   -m        must fail: the program was made with a mistake in it
 *   -a        anything goes: what never happened is no failure
 *
 * A history that breaks a promise is named; `simulate -t SEED 1' plays it
 * again.  Ends with 0 when all held and all that must happen did.
 */
#include "common/base/check.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_history.h"
#include "tests/sim/sim_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAILURES_TOLD = 10 };

struct options {
	uint64_t first, count, every;
	bool must_fail, may_lack;
};

static const struct {
	const char *text;
	bool must_happen;
} rows[SIM_COUNT_COUNT] = {
#define SIM_COUNT(id, must_happen, text) { text, must_happen },
#include "tests/sim/sim_counts.def"
#undef SIM_COUNT
};

/* Whether a second run of SEED ends as the first did. */
static bool
repeats(uint64_t seed)
{
	uint64_t first = sim.digest;
	uint64_t counts[SIM_COUNT_COUNT];

	memcpy(counts, sim.counts, sizeof(counts));
	(void)sim_history(seed);
	memcpy(sim.counts, counts, sizeof(counts));
	sim.counts[SIM_REPLAYS]++;
	if (sim.digest == first)
		return true;
	sim.is_failed = true;
	(void)snprintf(sim.failure, sizeof(sim.failure),
	    "two histories of one seed");
	return false;
}

static uint64_t
play(const struct options *o)
{
	uint64_t failed = 0;

	for (uint64_t i = 0; i < o->count; i++) {
		uint64_t seed = o->first + i;

		if (sim_history(seed) && (o->every == 0 ||
		    i % o->every != 0 || repeats(seed)))
			continue;
		if (failed++ < FAILURES_TOLD)
			printf("FAILED: simulate -t %" PRIu64 " 1: %s\n", seed,
			    sim.failure);
		if (o->must_fail)
			break;
	}
	return failed;
}

/* What never happened was not tried. */
static bool
tell_counts(const struct options *o)
{
	bool is_whole = true;

	for (size_t i = 0; i < SIM_COUNT_COUNT; i++) {
		bool is_lacking = rows[i].must_happen && sim.counts[i] == 0;

		printf("%12" PRIu64 "  %s%s\n", sim.counts[i], rows[i].text,
		    is_lacking && !o->may_lack ? "  <- NEVER HAPPENED" : "");
		is_whole &= !is_lacking;
	}
	return is_whole || o->may_lack;
}

static int
usage(void)
{
	fprintf(stderr, "usage: simulate [-r EVERY] [-t] [-m] [-a] FIRST "
	    "COUNT\n");
	return 2;
}

int
main(int argc, char **argv)
{
	struct options o = { .every = 0 };
	uint64_t failed;
	bool is_whole;
	int c;

	while ((c = getopt(argc, argv, "r:tma")) != -1) {
		switch (c) {
		case 'r':
			o.every = strtoull(optarg, NULL, 10);
			break;
		case 't':
			sim.is_tracing = o.may_lack = true;
			break;
		case 'm':
			o.must_fail = true;
			break;
		case 'a':
			o.may_lack = true;
			break;
		default:
			return usage();
		}
	}
	if (argc - optind != 2)
		return usage();
	o.first = strtoull(argv[optind], NULL, 10);
	o.count = strtoull(argv[optind + 1], NULL, 10);
	failed = play(&o);
	sim_conf_free();
	if (o.must_fail) {
		printf("%s\n", failed > 0 ? "caught" : "SURVIVED");
		return failed > 0 ? 0 : 1;
	}
	is_whole = tell_counts(&o);
	printf("%" PRIu64 " of %" PRIu64 " histories failed\n", failed,
	    o.count);
	return failed == 0 && is_whole ? 0 : 1;
}
