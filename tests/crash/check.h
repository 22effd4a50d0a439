/*
 * The real recovery of a spool, in processes of its own that end as by kill -9.
 */
#ifndef MTAD_TESTS_CRASH_CHECK_H
#define MTAD_TESTS_CRASH_CHECK_H

#include "tests/crash/oracle.h"

enum { CHECK_SEGMENT_BYTES = 1 << 20, CHECK_MEMORY_BYTES = 8 << 20,
	CHECK_REPLAY_BYTES = 48 << 10 };

struct check;

/* NULL: no memory. */
struct check *check_new(void);
void check_free(struct check **c);

struct check_how {
	bool goes_on;		/* accepts, delivers and recovers once more */
	bool in_parts;		/* it replays little at a time */
};

/* Recovers PATH, which it changes; FOUND is the checker's, till the next call.
 * NULL when something is wrong, which then is told on OUT: the start failed or
 * told damage, or a second recovery finds something else, or the spool does not
 * work afterwards. */
const struct oracle_found *check_recovery(struct check *c, const char *path,
    const struct check_how *how, FILE *out);

/* Everything that S holds. */
void check_look(struct store *s, struct oracle_found *found);

/* The last recovery did not fail by what it found or told: its process died, or
 * there was none. */
bool check_has_crashed(const struct check *c);

#endif
