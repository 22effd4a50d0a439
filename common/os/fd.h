/*
 * Descriptors: flags, copies, and closing what must not be inherited.
 *
 * Everything that this room opens is close-on-exec.  ERR_IO leaves errno.
 */
#ifndef MTAD_OS_FD_H
#define MTAD_OS_FD_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Closes *FD unless it is negative, sets it to -1, keeps errno. */
void fd_close(int *fd);

enum err fd_set_nonblock(int fd, bool is_on);
enum err fd_set_cloexec(int fd, bool is_on);

/* A copy that is closed by exec, numbered 3 or above. */
enum err fd_dup(int fd, int *copy);

/* Makes TO another name of FD, closing what TO was. */
enum err fd_dup_to(int fd, int to);

/* Two ends of a Unix stream, both closed by exec. */
enum err fd_pair(int ends[2]);

/* Opens /dev/null on whichever of 0, 1, 2 is closed, so that no socket ever
 * becomes somebody's standard error. */
enum err fd_fill_standard(void);

/* Closes every descriptor from FIRST on, but those in KEEP (any order). */
void fd_close_from(int first, const int *keep, size_t n);

/* Makes every descriptor from FIRST on close itself at exec. */
void fd_cloexec_from(int first);

#endif
