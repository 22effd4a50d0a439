/*
 * Histories to be recorded: clients, verdicts, operators, faults, kills.
 *
 * A history is a row of lives of one spool in a directory.  Each life is a
 * process of its own, that works with the real store and ends in order, by
 * kill -9 at any event, or by a log that can't be written.  What it asks and
 * what it is promised is noted in the recording.
 */
#ifndef MTAD_TESTS_CRASH_HISTORY_H
#define MTAD_TESTS_CRASH_HISTORY_H

#include "tests/crash/oracle.h"

enum history_kind {
	HISTORY_MIXED,
	HISTORY_SEGMENTS,	/* filled, emptied, recycled */
	HISTORY_FAULTS,		/* failed writes and syncs */
	HISTORY_BODIES,		/* large ones */
	HISTORY_KILLS,		/* many short lives */
	HISTORY_CHECKPOINTS,	/* after each few steps */
	HISTORY_REBUILD,	/* the index is taken away between lives */
	HISTORY_COMPACTION,	/* mostly dead segments are emptied */
	HISTORY_SHRINK,		/* the index's file is made anew */
	HISTORY_KINDS
};

const char *history_name(enum history_kind kind);

struct history_params {
	const char *path;	/* of the spool; empty, or as a crash left it */
	enum history_kind kind;
	uint64_t seed;
	unsigned lives;
	unsigned steps;		/* of each */
	const struct oracle_found *base;	/* what is there; or NULL */
};

/* Records one into T, which is empty.  False when a life ended as none may;
 * said on OUT. */
bool history_record(struct trace *t, const struct history_params *params,
    FILE *out);

#endif
