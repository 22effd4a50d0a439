/*
 * Fills a spool with messages through the store's own calls, for tests and
 * benches that need a long queue at once.
 *
 * Message I has sender I % senders, its first recipient in domain
 * I * 7919 % domains (further ones in the next domains); of each hundred in a
 * row the first `held` are held, the next `active` are due now, the rest was
 * tried once and waits.  So what a selection must find is known by counting.
 */
#ifndef MTAD_BENCH_SPOOL_FILL_H
#define MTAD_BENCH_SPOOL_FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct spool_fill {
	const char *path;		/* directory, made if need be */
	uint64_t count;
	uint32_t senders, domains;	/* different ones; 0: one */
	uint32_t recipients;		/* of each message; 0: one */
	uint32_t held, active;		/* of each hundred */
	int64_t age_ms;			/* of the oldest; the newest has 0 */
	int64_t due_ms;			/* the deferred: within this time, … */
	int64_t due_from_ms;		/* … but not before this */
	size_t bytes_min, bytes_max;	/* of a body, in turn */
	bool is_synced;			/* else one sync at the end */
	const char *via;		/* NULL: units by domain, for MX */
	const char *domain;		/* before its number; NULL: "d" */
};

/* Returns when the index has everything.  ERR_IO, ERR_FULL, ERR_NOMEM, …,
 * told by WHY. */
enum err spool_fill(const struct spool_fill *fill, struct why *why);

#endif
