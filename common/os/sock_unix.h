/*
 * Unix sockets bound to a path: listening on one and connecting to one.
 *
 * Close-on-exec, the caller's.  Paths of any length work: one too long for a
 * socket address is reached through its folder.
 */
#ifndef MTAD_OS_SOCK_UNIX_H
#define MTAD_OS_SOCK_UNIX_H

#include "common/base/err.h"

#include <sys/types.h>

/* Listens, non-blocking, in place of a socket that nobody serves any more.
 * ERR_EXISTS: somebody serves it, or it is no socket; ERR_RANGE: even the
 * file's own name is too long; ERR_IO. */
enum err sock_unix_listen(const char *path, mode_t mode, int backlog,
    int *sock);

/* Connects, waiting for room in the backlog; the socket blocks.
 * ERR_NOT_FOUND, ERR_DENIED, ERR_PEER (nobody serves it), ERR_RANGE, ERR_IO. */
enum err sock_unix_connect(const char *path, int *sock);

/* The same without waiting, ERR_AGAIN: the backlog is full; the socket does
 * not block. */
enum err sock_unix_try(const char *path, int *sock);

#endif
