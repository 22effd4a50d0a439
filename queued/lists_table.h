/*
 * The lists that are being begun (lists.c's own).
 */
#ifndef MTAD_QUEUED_LISTS_TABLE_H
#define MTAD_QUEUED_LISTS_TABLE_H

#include <stdint.h>

enum { LISTS_RECENT = 32 };

struct lists_table {
	uint64_t recent[LISTS_RECENT];	/* parts begun last */
	uint32_t begun;			/* so many, since the start */
	uint64_t *ids;
	uint32_t n, size;
	uint32_t next;			/* whose turn it is */
	uint64_t group;			/* of the last part: one at a time */
};

#endif
