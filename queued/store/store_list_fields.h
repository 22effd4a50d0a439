/*
 * What a message says of the list that it is, or is a part of.
 *
 * Very many recipients lie in front of the body, in its file, and are begun
 * block by block.  The message that came is the *list*; each block of
 * STORE_UNIT_RECIPIENTS becomes a *part*, a message of its own that shares the
 * file.  A list has one unit, whose one recipient stands for the rest.
 */
#ifndef MTAD_QUEUED_STORE_STORE_LIST_FIELDS_H
#define MTAD_QUEUED_STORE_STORE_LIST_FIELDS_H

#include <stdint.h>

struct store_list {
	uint64_t id;		/* of the list; 0: neither list nor part */
	uint64_t bytes;		/* of all its recipients, in the file */
	uint64_t at;		/* begun; of a part: where its block lies */
	uint32_t total;		/* recipients */
	uint32_t count;		/* begun; of a part: those before it */
};

#endif
