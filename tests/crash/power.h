/*
 * The gate: histories are recorded, power is cut, the real recovery judged.
 */
#ifndef MTAD_TESTS_CRASH_POWER_H
#define MTAD_TESTS_CRASH_POWER_H

#include "tests/crash/history.h"
#include "tests/crash/states.h"

struct power_params {
	uint64_t seed;			/* the first */
	const char *dir;		/* to work in, on a tmpfs; exists */
	unsigned states;		/* of each recording, at most */
	unsigned lives, steps;
	int only;			/* enum history_kind; -1: in turn */
	bool keeps_failures;		/* recordings, in DIR */
	bool stops_at_wrong;		/* … state; go on until one is found */
};

struct power_figures {
	unsigned long building;		/* of the states: half an index made */
	unsigned long recordings, states, failures;
	unsigned long wrong;		/* of the failures: told, or found in
					   a spool that was recovered */
	unsigned long events, messages, reports, verdicts, refused, lives;
	unsigned long kinds[16];	/* enum state_kind */
	unsigned long without_index;
};

/* One history of seed SEED and what crashes make of it, and of one crash in
 * three what goes on from there.  Adds to FIGURES; false when a history could
 * not be recorded or judged at all. */
bool power_try(const struct power_params *p, uint64_t seed,
    struct power_figures *figures, FILE *out);

/* One STATE of a recording that was kept; prints what was recorded before. */
bool power_again(const struct power_params *p, const char *recording,
    const struct state *state, FILE *out);

#endif
