/*
 * A list and its parts, to be shown as the one message that came (ctl_show.c).
 */
#ifndef MTAD_QUEUED_CTL_WHOLE_H
#define MTAD_QUEUED_CTL_WHOLE_H

#include <stdint.h>

struct ctl_whole {
	uint64_t id;			/* of the list */
	uint64_t first;			/* of what is left of it; 0: nothing */
	uint32_t total, left, parts;
};

#endif
