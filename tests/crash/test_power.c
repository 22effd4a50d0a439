/*
 * test_power [--seed N] [--seeds N] [--states N] [--only KIND] [--lives N]
 *            [--steps N] [--seconds N] [--at-least N] [--keep]
 *            [--expect-failure]
 * test_power --again FILE --point N --kind N --item N --arg N [--sizes-kept]
 *            [--index-lost]
 *
 * Tries SEEDS histories from SEED on, at most STATES crashes of each
 * recording.  Ends with 0 when all was right and at least so many states were
 * tried; with --expect-failure, as for a mutant, when a state was found wrong:
 * that a program dies, or that nothing could be recorded, is no proof.  With
 * --keep the recording of a failure is kept; --again tries one state of it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/power.h"
#include "tests/crash/states.h"
#include "tests/crash/tree.h"

struct options {
	const char *again;		/* a recording */
	struct state state;
	struct power_params params;
	uint64_t seeds;
	long seconds;
	unsigned long at_least;		/* states */
	bool expects_failure;
};

static bool
read_number(const char *name, const char *value, struct options *o)
{
	char *end;
	unsigned long long n;

	if (value == NULL)
		return false;
	n = strtoull(value, &end, 10);
	if (*end != '\0')
		return false;
	if (strcmp(name, "--seed") == 0)
		o->params.seed = n;
	else if (strcmp(name, "--seeds") == 0)
		o->seeds = n;
	else if (strcmp(name, "--states") == 0)
		o->params.states = (unsigned)n;
	else if (strcmp(name, "--lives") == 0)
		o->params.lives = (unsigned)n;
	else if (strcmp(name, "--steps") == 0)
		o->params.steps = (unsigned)n;
	else if (strcmp(name, "--seconds") == 0)
		o->seconds = (long)n;
	else if (strcmp(name, "--at-least") == 0)
		o->at_least = n;
	else if (strcmp(name, "--point") == 0)
		o->state.point = n;
	else if (strcmp(name, "--kind") == 0)
		o->state.kind = (enum state_kind)(n % STATE_KINDS);
	else if (strcmp(name, "--item") == 0)
		o->state.item = n;
	else if (strcmp(name, "--arg") == 0)
		o->state.arg = n;
	else
		return false;
	return true;
}

static bool
read_kind(const char *value, struct options *o)
{
	for (int i = 0; value != NULL && i < HISTORY_KINDS; i++) {
		if (strcmp(value, history_name((enum history_kind)i)) == 0) {
			o->params.only = i;
			return true;
		}
	}
	return false;
}

static bool
read_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--keep") == 0) {
			o->params.keeps_failures = true;
		} else if (strcmp(argv[i], "--expect-failure") == 0) {
			o->expects_failure = true;
			o->params.stops_at_wrong = true;
		} else if (strcmp(argv[i], "--again") == 0) {
			o->again = next;
			i++;
		} else if (strcmp(argv[i], "--sizes-kept") == 0) {
			o->state.with_sizes = true;
		} else if (strcmp(argv[i], "--index-lost") == 0) {
			o->state.without_index = true;
		} else if (strcmp(argv[i], "--only") == 0) {
			if (!read_kind(next, o))
				return false;
			i++;
		} else {
			if (!read_number(argv[i], next, o))
				return false;
			i++;
		}
	}
	return true;
}

static void
print_figures(const struct power_figures *f, double seconds)
{
	printf("%lu crash states of %lu recordings (%lu events, %lu lives, "
	    "%lu messages, %lu reports, %lu verdicts, %lu refused): "
	    "%lu wrong; %.1f s\n", f->states, f->recordings, f->events,
	    f->lives, f->messages, f->reports, f->verdicts, f->refused,
	    f->failures, seconds);
	for (int i = 0; i < STATE_KINDS; i++)
		printf("%s%s %lu", i > 0 ? ", " : "  ",
		    state_name((enum state_kind)i), f->kinds[i]);
	printf(", index lost %lu, in the midst of its making %lu\n",
	    f->without_index, f->building);
}

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct options o = { .params = { .seed = 1, .states = 100,
	    .lives = 2, .steps = 60, .only = -1 }, .seeds = 7 };
	struct power_figures figures = { .states = 0 };
	char dir[] = "/dev/shm/mtad-power-XXXXXX";
	double begin = now();
	bool ok = true;

	if (!read_options(argc, argv, &o)) {
		fprintf(stderr, "unknown option\n");
		return 2;
	}
	if ((o.params.dir = mkdtemp(dir)) == NULL) {
		fprintf(stderr, "no directory in /dev/shm\n");
		return 77;
	}
	if (o.again != NULL) {
		ok = power_again(&o.params, o.again, &o.state, stdout);
		tree_remove(dir);
		return ok ? 0 : 1;
	}
	for (uint64_t i = 0; i < o.seeds && (o.expects_failure ?
	    figures.wrong == 0 : ok) && (o.seconds == 0 ||
	    now() - begin < (double)o.seconds); i++)
		ok = power_try(&o.params, o.params.seed + i, &figures, stdout);
	print_figures(&figures, now() - begin);
	if (!o.params.keeps_failures || ok)
		tree_remove(dir);
	if (o.expects_failure) {
		printf("%s\n", figures.wrong > 0 ? "caught" : "SURVIVED");
		return figures.wrong > 0 ? 0 : 1;
	}
	return ok && figures.states >= o.at_least ? 0 : 1;
}
