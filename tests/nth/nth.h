/*
 * The Nth call fails: a scenario is played again and again, each time with one
 * call of the code under test failing once.
 *
 * Whose calls fail is decided by where they are made: run-nth gives the return
 * addresses of all calls in the product's files.  Each play is a process of
 * its own; it ends well when the scenario's accounts agree, no memory leaks and
 * no sanitizer complains.
 */
#ifndef MTAD_TESTS_NTH_NTH_H
#define MTAD_TESTS_NTH_NTH_H

#include <stdbool.h>

/* Plays it all once; what it made it frees.  Does not return when something is
 * wrong: nth_fail(). */
void nth_scenario(void);

/* Ends the play: the accounts do not agree. */
void nth_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* What the scenario itself has others do does not fail; nests. */
void nth_pause(void);
void nth_resume(void);

/* Nor what this thread does: it plays somebody else. */
void nth_stay_out(void);

/* The call that was to fail has failed. */
bool nth_has_struck(void);

/* For the summary: something allowed, but worth a line, WORD is static. */
void nth_note(const char *word);

#endif
