/*
 * Directories on a real disk: removing them, comparing two.
 */
#ifndef MTAD_TESTS_CRASH_TREE_H
#define MTAD_TESTS_CRASH_TREE_H

#include <stdbool.h>

/* PATH and all below; what is not there is fine. */
void tree_remove(const char *path);

/* Same names, sizes and contents (but of lock files); else says in WHY (256
 * bytes) what differs. */
bool tree_compare(const char *a, const char *b, char *why);

#endif
