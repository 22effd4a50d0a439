/*
 * A pass over the rows of the index that are due (residence.c's own): where it
 * is, and what it met.
 */
#ifndef MTAD_QUEUED_RESIDENCE_PASS_H
#define MTAD_QUEUED_RESIDENCE_PASS_H

#include "queued/store/store_read.h"

struct residence_pass {
	struct store_due cursor;
	bool has_more;			/* rows are waiting for memory */
	bool has_found;			/* some, since the pass began */
	uint32_t number;		/* of the pass */
	uint64_t rows;			/* looked at in it */
	int64_t next_at;		/* no pass begins before this */
	uint64_t full_key;		/* hash of a destination … */
	uint64_t full_rows;		/* … rows of which were in vain */
};

#endif
