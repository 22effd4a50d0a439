/*
 * The oracle's model of a spool: messages, and what requests do to them.
 */
#ifndef MTAD_TESTS_CRASH_MODEL_H
#define MTAD_TESTS_CRASH_MODEL_H

#include "tests/crash/note.h"

/* Sums of all messages, in any order. */
struct model_sums {
	uint64_t digest, bones;
};

struct model {
	struct view v[VIEW_MAX];
	size_t n;
	struct model_sums sums;
};

void model_clear(struct model *m);

/* False when the request makes no sense there. */
bool model_apply(struct model *m, const struct note *n);

struct model_sums model_sums_of(const struct view *v, size_t n);

#endif
