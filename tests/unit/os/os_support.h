/*
 * What the tests of common/os share: a scratch directory, a census of
 * descriptors, and children for what cannot be undone.
 */
#ifndef MTAD_TESTS_OS_SUPPORT_H
#define MTAD_TESTS_OS_SUPPORT_H

/* Makes a new empty directory and enters it.  The path is borrowed, and
 * absolute; NULL on failure. */
const char *os_scratch_enter(void);

/* Removes the directory and all in it. */
void os_scratch_leave(void);

/* How many descriptors are open below 1024. */
int os_count_fds(void);

/* Runs STEP in a forked child and returns what it returned (0..99); more when
 * the child died.  STEP must not use Criterion. */
int os_in_child(int (*step)(void *), void *arg);

#endif
