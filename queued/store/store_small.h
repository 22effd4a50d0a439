/*
 * Small files beside the log, each of a few numbers: a name of eight bytes,
 * the numbers (8 each), the sum of all that (4); little-endian.
 *
 * Written under another name and renamed: it is there whole or as it was.
 * They need no open store.
 */
#ifndef MTAD_QUEUED_STORE_STORE_SMALL_H
#define MTAD_QUEUED_STORE_STORE_SMALL_H

#include "queued/store/store_io.h"

#include <stdbool.h>
#include <stddef.h>

enum { STORE_SMALL_MAGIC = 8, STORE_SMALL_MAX = 8 };

/* What such a file is called while it lasts. */
struct store_small {
	const char *name, *new_name;
	const char *magic;		/* STORE_SMALL_MAGIC bytes */
	size_t count;			/* numbers, at most STORE_SMALL_MAX */
};

/* PATH is the spool's; IO may be NULL, for the system's.  OUT has as many as
 * WHAT says.  ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO. */
enum err store_small_read(const struct store_io *io, const char *path,
    const struct store_small *what, uint64_t *out);

/* With IS_SYNCED it outlives a power cut from now on; else then it may be
 * there, or not, or not whole.  ERR_FULL, ERR_IO. */
enum err store_small_write(const struct store_io *io, const char *path,
    const struct store_small *what, const uint64_t *numbers, bool is_synced);

#endif
