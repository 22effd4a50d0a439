/*
 * What residence.c keeps between two calls: where a pass over the rows of the
 * index that are due is, and what it met; the way of the unit that was asked
 * about last, for each is asked about many times in a row.
 *
 * A pass is over what may be a million rows, most of them of destinations that
 * it has met already.  What it knows of those, by the hash in the row, is kept
 * in a table of fixed size, where one may take another's place: then a row more
 * is looked at.
 */
#ifndef MTAD_QUEUED_RESIDENCE_PASS_H
#define MTAD_QUEUED_RESIDENCE_PASS_H

#include "common/route/route.h"
#include "queued/residence_lines_table.h"
#include "queued/store/store_read.h"
#include "queued/times_watch.h"

struct residence_way {
	uint64_t id;			/* 0: of none */
	uint32_t unit;
	uint32_t row;
	uint32_t generation;		/* of the configuration */
	bool is_released;		/* as the message was then */
	struct route route;
};

/* 32,768 destinations, if they fall evenly. */
enum { RESIDENCE_BUCKETS = 8192, RESIDENCE_BUCKET = 4 };

struct residence_key {
	uint64_t hash;			/* 0: none */
	int64_t until;			/* no row of it is wanted before */
	uint32_t vain;			/* rows in a row that were not wanted */
};

struct residence_pass {
	struct residence_way way;
	struct residence_key keys[RESIDENCE_BUCKETS][RESIDENCE_BUCKET];
	struct store_due cursor;
	bool has_more;			/* rows are waiting for memory */
	bool has_found;			/* some, since the pass began */
	bool has_put_off;		/* … that need not be seen for now */
	bool has_left;			/* … some that are soon wanted */
	bool was_crowded;		/* … that only newcomers were taken */
	int64_t crowd_at;		/* when that may be again */
	uint32_t number;		/* of the pass */
	uint64_t rows;			/* looked at in it */
	int64_t next_at;		/* no pass begins before this */
	struct residence_lines lines;	/* residence_lines.h */
	struct times_watch by;		/* times.h */
};

#endif
