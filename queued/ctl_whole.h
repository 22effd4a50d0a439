/*
 * A list and its parts, to be shown as the one message that came (ctl_show.c).
 * Numbers are of recipients.
 */
#ifndef MTAD_QUEUED_CTL_WHOLE_H
#define MTAD_QUEUED_CTL_WHOLE_H

#include <stdbool.h>
#include <stdint.h>

struct ctl_whole {
	uint64_t id;			/* of the list */
	uint64_t first;			/* of what is left of it; 0: nothing */
	uint32_t total, left, parts;
	uint32_t begun;			/* are in parts, or were */
	/* by the history, of all its parts */
	uint32_t delivered, failed, expired, deleted;
	uint32_t told;			/* were begun; in whole blocks */
	bool is_deleted;		/* the list, before all were begun */
};

#endif
