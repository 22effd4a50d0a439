/*
 * The spool's file `doubts': the last start at which somebody may have died
 * who could have told of leases that were noted before.
 *
 * What became of these is looked at one by one, when each is next given out;
 * the lives of queued in between know by this file which they are.  It is not
 * synced: a power cut ends the deliverds too, so the next start writes another
 * one.
 */
#ifndef MTAD_QUEUED_STORE_STORE_DOUBT_H
#define MTAD_QUEUED_STORE_STORE_DOUBT_H

#include "queued/store/store.h"

struct store_doubt {
	uint64_t instance;	/* of queued's process then; 0: no such start */
	uint64_t start;		/* number of that life of the spool */
	uint64_t ended_at;	/* wall ms, the life before; 0: not known */
	bool is_unkept;		/* the file could not be written */
};

/* PATH is the spool's; ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO. */
enum err store_doubt_read(const char *path, struct store_doubt *out);
enum err store_doubt_write(const char *path, const struct store_doubt *doubt);

/* The present life of S, in process INSTANCE. */
struct store_doubt store_doubt_of(const struct store *s, uint64_t instance);

#endif
