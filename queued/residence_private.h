/*
 * Residence's own: what residence.c (out of memory), residence_refill.c (in, by
 * time) and residence_lines.c (in, where a line runs short) share.
 */
#ifndef MTAD_QUEUED_RESIDENCE_PRIVATE_H
#define MTAD_QUEUED_RESIDENCE_PRIVATE_H

#include "queued/residence.h"

/* How long a line may be in a crowd: the long ones share half of memory. */
uint32_t residence_line_depth(const struct queued *q);

/* What became of a row that was looked at. */
enum residence_taken {
	RESIDENCE_PASSED,		/* it stays where it was */
	RESIDENCE_TAKEN,		/* in memory */
	RESIDENCE_PUT_OFF,		/* … no longer, and not due any more */
	RESIDENCE_FULL,			/* it stays: its line is long enough */
};

enum residence_taken residence_take_in(struct queued *q,
    const struct store_due *row);

#endif
