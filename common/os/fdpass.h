/*
 * Bytes with descriptors over a connected Unix stream socket (SCM_RIGHTS).
 *
 * The receiver never gets more descriptors than it asked for, and all of them
 * close-on-exec; when a peer sends more, all of that message's are closed.
 * Neither call blocks.
 */
#ifndef MTAD_OS_FDPASS_H
#define MTAD_OS_FDPASS_H

#include "common/base/err.h"

#include <stddef.h>

#define FDPASS_MAX 16

/*
 * Sends some of the N bytes (at least 1); *SENT says how many went.  The
 * descriptors go with the first of them and stay the caller's.  ERR_AGAIN,
 * ERR_PEER when the other side is gone, ERR_IO.
 */
enum err fdpass_send(int sock, const void *p, size_t n, const int *fds,
    size_t fd_count, size_t *sent);

/*
 * Receives up to SIZE bytes and up to FD_MAX (<= FDPASS_MAX) descriptors,
 * which become the caller's.  ERR_AGAIN; ERR_PEER: end of stream, the peer is
 * gone, or it sent too many; ERR_FULL: no descriptor was free, those sent are
 * lost; ERR_IO.
 */
enum err fdpass_recv(int sock, void *p, size_t size, int *fds, size_t fd_max,
    size_t *got, size_t *fd_count);

#endif
