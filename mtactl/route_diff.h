/*
 * `route diff` for people and for programs: recipients of the queue as they
 * come, each with the destination that it has and the one that it would have.
 *
 * Rows are shown up to a limit; all are counted, by pairs of destinations, of
 * which ROUTE_DIFF_PAIRS are kept apart.
 */
#ifndef MTAD_MTACTL_ROUTE_DIFF_H
#define MTAD_MTACTL_ROUTE_DIFF_H

#include "common/base/arena.h"
#include "common/base/map.h"
#include "mtactl/output.h"

#define ROUTE_DIFF_PAIRS	1000
#define ROUTE_DIFF_ROWS		20	/* shown, unless said otherwise */

struct route_diff {
	struct output *out;		/* borrowed */
	struct json json;
	uint64_t limit;			/* rows to be shown */
	struct arena *arena;
	struct map_span pairs;
	struct buf form;		/* scratch: what pairs are found by */
	uint64_t messages, recipients;	/* looked at */
	uint64_t moved_messages, moved_recipients;
	uint64_t rows;
	uint64_t others;		/* recipients of pairs beyond the limit */
	uint64_t lists;			/* of very many recipients: not looked at */
};

struct route_diff_row {
	uint64_t id;
	struct span sender, recipient;
	struct span before, after;	/* destinations */
};

/* FILE has the rules that are tried; LIMIT 0: ROUTE_DIFF_ROWS.  ERR_NOMEM. */
enum err route_diff_init(struct route_diff *d, struct output *out,
    const char *file, uint64_t limit);
void route_diff_clear(struct route_diff *d);

/* A recipient: true when it would move. */
bool route_diff_row(struct route_diff *d, const struct route_diff_row *row);

/* After the recipients of one. */
void route_diff_message(struct route_diff *d, bool is_list, bool is_moved);

void route_diff_end(struct route_diff *d);

#endif
