/*
 * Whether LMDB may be let loose on the index's file.
 *
 * LMDB believes its pages: a wrong one makes it read beyond its map, go in
 * circles, or quietly miss rows.  So before each start the file is walked here
 * with plain reads, every number checked before it is used: heads, places of
 * nodes, order of keys, each page used once and none of them free, counts, and
 * the sums of the rows.  It reads what mdb_env_open() would make the newest
 * state, and changes nothing.
 */
#ifndef MTAD_QUEUED_STORE_STORE_PROBE_H
#define MTAD_QUEUED_STORE_STORE_PROBE_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct store_probe_result {
	uint64_t pages;			/* the file's, by its own account */
	uint64_t free_pages;
	uint64_t rows;
	bool is_partial;		/* time was up: leaves were passed over */
};

/* NAME below DIR_FD.  UNTIL_MS (monotonic; INT64_MAX: no limit): from then on
 * only branches are looked at, which is a hundredth of it.  ERR_CORRUPT with
 * what is wrong and where in WHY; ERR_NOT_FOUND, ERR_IO, ERR_NOMEM.  RESULT
 * may be NULL. */
enum err store_probe(int dir_fd, const char *name, int64_t until_ms,
    struct store_probe_result *result, struct why *why);

#endif
