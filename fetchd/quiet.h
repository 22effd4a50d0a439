/*
 * Names that could not be asked of late, and are left alone for a while: a few
 * places, in which the newest stays.  Who loses his is asked once more.
 */
#ifndef MTAD_FETCHD_QUIET_H
#define MTAD_FETCHD_QUIET_H

#include "common/base/siphash.h"
#include "common/base/span.h"

#define QUIET_PLACES	256		/* a power of two */

/* Begin with a zeroed one. */
struct quiet {
	struct {
		uint64_t hash;
		int64_t until_ms;	/* monotonic */
	} places[QUIET_PLACES];
};

void quiet_set(struct quiet *q, const struct siphash_key *seed,
    struct span name, int64_t until_ms);
bool quiet_is(const struct quiet *q, const struct siphash_key *seed,
    struct span name, int64_t now_ms);

#endif
