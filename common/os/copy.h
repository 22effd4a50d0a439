/*
 * The bytes of one file put into another: shared where the file system can do
 * that, else copied inside the kernel, else read and written.
 */
#ifndef MTAD_OS_COPY_H
#define MTAD_OS_COPY_H

#include "common/base/err.h"

#include <stdint.h>

/* What can't be read is asked for again in pieces of this size. */
enum { COPY_SECTOR = 512 };

/* BYTES from AT on could not be read, or are not there: zeros stand for them. */
typedef void copy_lost(void *ctx, uint64_t at, uint64_t bytes);

/*
 * The first BYTES of FROM become all that TO, an empty file, has; not synced.
 * LOST: NULL, then what can't be read fails.  ERR_IO (with errno), ERR_RANGE
 * (FROM is shorter), ERR_FULL (disk, quota).
 */
enum err copy_file(int from, int to, uint64_t bytes, copy_lost *lost,
    void *ctx);

#endif
