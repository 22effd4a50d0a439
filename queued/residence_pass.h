/*
 * What residence.c keeps between two calls: where a pass over the rows of the
 * index that are due is, and what it met; the way of the unit that was asked
 * about last, for each is asked about many times in a row.
 */
#ifndef MTAD_QUEUED_RESIDENCE_PASS_H
#define MTAD_QUEUED_RESIDENCE_PASS_H

#include "common/route/route.h"
#include "queued/store/store_read.h"

struct residence_way {
	uint64_t id;			/* 0: of none */
	uint32_t unit;
	uint32_t row;
	uint32_t generation;		/* of the configuration */
	struct route route;
};

struct residence_pass {
	struct residence_way way;
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
