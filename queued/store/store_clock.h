/*
 * The spool's file `clock': how far the wall clock is from the time in which
 * the spool's moments are kept (queued/plan/plan_clock.h), and when it was
 * last known to be.
 *
 * It is read before the store opens, and needs none.  Written under another
 * name, synced and renamed: it is there whole or as it was.
 */
#ifndef MTAD_QUEUED_STORE_STORE_CLOCK_H
#define MTAD_QUEUED_STORE_STORE_CLOCK_H

#include "queued/store/store_io.h"

struct store_clock {
	int64_t offset_ms;		/* wall time minus spool time */
	int64_t seen_at;		/* wall ms */
};

/* PATH is the spool's; IO may be NULL, for the system's.  ERR_NOT_FOUND when
 * there is none yet, ERR_CORRUPT, ERR_IO. */
enum err store_clock_read(const struct store_io *io, const char *path,
    struct store_clock *out);
enum err store_clock_write(const struct store_io *io, const char *path,
    const struct store_clock *clock);

#endif
