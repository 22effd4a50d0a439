/*
 * Crash states of a recording: which point, and what of the pending survives.
 *
 * For each point of the recording there are: all pending lost; all kept; each
 * single one lost; each single one kept alone; files only and names only; each
 * directory's names alone; each write torn at sectors and at pages, from the
 * front and from the back; random sectors, random writes, random names.  The
 * dangerous moments (names changing, seals, commits of the index, promises)
 * weigh more when only some of all states are tried.
 */
#ifndef MTAD_TESTS_CRASH_STATES_H
#define MTAD_TESTS_CRASH_STATES_H

#include "common/base/rng.h"
#include "tests/crash/disk.h"

enum state_kind {
	STATE_NONE,		/* all pending lost */
	STATE_ALL,		/* all kept: a kill, or a lucky cut */
	STATE_LOSE_ONE,
	STATE_KEEP_ONE,
	STATE_FILES_ONLY,	/* no change of names survives */
	STATE_NAMES_ONLY,	/* … only these do */
	STATE_ONE_DIR_LOST,	/* changes of names in directory ARG */
	STATE_TORN_FRONT,	/* of item ITEM the parts before ARG, */
	STATE_TORN_BACK,	/* or those from ARG on; all else kept */
	STATE_RANDOM_SECTORS,
	STATE_RANDOM_WRITES,
	STATE_RANDOM_NAMES,
	STATE_KINDS
};

struct state {
	size_t point;		/* behind this event */
	enum state_kind kind;
	size_t item;		/* of what is pending */
	uint64_t arg;
	bool with_sizes;	/* disk.h */
	bool without_index;	/* and the index is lost */
};

const char *state_name(enum state_kind kind);

/* All states of the point that D is at, appended to *LIST (N, SIZE; freed by
 * the caller); AIMED: more of the torn and random ones. */
struct state_list {
	struct state *p;
	double *keys;		/* of states_choose() */
	size_t n, size;
};
void states_at(const struct disk *d, size_t point, bool is_aimed,
    struct rng *dice, struct state_list *list);
void states_clear(struct state_list *list);

/* How much the point behind event E counts; 0: the disk is as before. */
unsigned states_weight(const struct trace *t, size_t event);

/* Those MAX that chance and weight choose of all states of T, by point. */
void states_choose(const struct trace *t, size_t max,
    struct rng *dice, struct state_list *out);

/* What survives in STATE on D, which is at its point; both must live on. */
struct state_keep {
	const struct disk *d;
	const struct trace *t;
	const struct state *state;
};
struct disk_choice states_choice(const struct state_keep *keep);

#endif
