/*
 * What a crash may leave, by what was asked and promised before it.
 *
 * Groups are transactions in order.  So after a crash a spool holds exactly
 * what all requests up to some group made of it: a group not before the last
 * one told as synced, and not behind the last one that had been begun.  That
 * says it all at once: nothing acknowledged is lost or altered, nothing
 * settled comes back, no group counts in part, no report is missing or there
 * twice.
 */
#ifndef MTAD_TESTS_CRASH_ORACLE_H
#define MTAD_TESTS_CRASH_ORACLE_H

#include "tests/crash/note.h"
#include "tests/crash/trace.h"

struct oracle;

/* Reads the notes of T, which stays.  NULL: no memory, or notes that
 * contradict each other. */
struct oracle *oracle_new(const struct trace *t);
void oracle_free(struct oracle **o);

/* A replay in parts puts into the index what is not answered yet: a start that
 * dies behind it may not know its tokens any more (docs/SPOOL.md, Tokens). */
void oracle_may_forget(struct oracle *o);

/* What a recovery brought back. */
struct oracle_found {
	size_t count;			/* of views */
	struct view views[VIEW_MAX];
	size_t token_count;
	uint64_t tokens[VIEW_MAX];
	uint64_t token_ids[VIEW_MAX];
};

/* Whether FOUND is right after a crash behind event POINT; otherwise says so
 * on OUT (which may be NULL).  BONES_ONLY: the index was lost. */
bool oracle_judge(const struct oracle *o, size_t point,
    const struct oracle_found *found, bool bones_only, FILE *out);

/* Figures: promises told in the whole recording. */
struct oracle_figures {
	size_t messages, reports, verdicts, synced, refused, lives;
};
void oracle_figures(const struct oracle *o, struct oracle_figures *out);

/* Changes whenever what is promised does: states of the same disk are worth
 * trying once for each. */
uint64_t oracle_bound(const struct oracle *o, size_t point);

#endif
