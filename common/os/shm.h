/*
 * Memory shared between processes through a sealed memfd.
 *
 * The maker passes the descriptor on; whoever attaches checks that its size is
 * fixed for good, so that no peer can make an access fault.
 */
#ifndef MTAD_OS_SHM_H
#define MTAD_OS_SHM_H

#include "common/base/err.h"

#include <stddef.h>

struct shm {
	void *p;		/* page-aligned, zeroed when made */
	size_t n;
	int fd;
};

/* NAME is for /proc only.  ERR_NOMEM, ERR_IO. */
enum err shm_make(const char *name, size_t n, struct shm *out);

/* Maps N bytes of FD, which becomes the shm's; on failure it stays the
 * caller's.  ERR_DENIED: not a sealed memfd of exactly N bytes; ERR_NOMEM. */
enum err shm_attach(int fd, size_t n, struct shm *out);

/* Unmaps and closes; harmless when repeated. */
void shm_close(struct shm *s);

#endif
