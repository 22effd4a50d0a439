/*
 * What queued counts since its start.
 */
#ifndef MTAD_QUEUED_FIGURES_H
#define MTAD_QUEUED_FIGURES_H

#include <stdint.h>

struct queued_figures {
	uint64_t accepted;		/* messages */
	uint64_t delivered;		/* recipients */
	uint64_t deferred;		/* attempts */
	uint64_t failed;		/* recipients, expired ones too */
	uint64_t reports;
	uint64_t refused;		/* submissions */
};

#endif
