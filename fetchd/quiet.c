#include "fetchd/quiet.h"

void
quiet_set(struct quiet *q, const struct siphash_key *seed, struct span name,
    int64_t until_ms)
{
	uint64_t hash = siphash(seed, name);

	q->places[hash % QUIET_PLACES].hash = hash;
	q->places[hash % QUIET_PLACES].until_ms = until_ms;
}

bool
quiet_is(const struct quiet *q, const struct siphash_key *seed,
    struct span name, int64_t now_ms)
{
	uint64_t hash = siphash(seed, name);

	return q->places[hash % QUIET_PLACES].hash == hash &&
	    now_ms < q->places[hash % QUIET_PLACES].until_ms;
}
