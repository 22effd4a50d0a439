/*
 * When will this queue be empty? [pure]  A planner of its own is given the
 * units of the present queue and the destinations as they stand, and run in
 * virtual time, with next hops that behave as those of late did.
 *
 * It holds some FORECAST_UNITS units: of a larger queue each stands for
 * several of its destination (or, of very many destinations, for some of
 * others), so that a million messages take no more memory or time than this.
 * The same question has the same answer: its dice do not roll anew.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_FORECAST_H
#define MTAD_QUEUED_PLAN_PLAN_FORECAST_H

#include "queued/plan/plan.h"

enum {
	FORECAST_UNITS = 10000,		/* and one for each group */
	FORECAST_GROUPS = 4096,		/* destinations that are kept apart */
	FORECAST_ATTEMPTS = 3000000,	/* then it gives up */
};

struct forecast;

/* How a destination did of late. */
struct forecast_rates {
	uint32_t attempts;		/* that this rests on; 0: none */
	uint32_t success;		/* of 1,000 */
	uint32_t down;			/* … where nobody would talk */
	uint64_t duration_us;		/* of one attempt */
};

struct forecast_params {
	const struct plan *like;	/* the one that plans; borrowed */
	int64_t now;
	uint64_t units;			/* to come, for the measure */
	uint32_t connections;		/* to all destinations; 0: any number */
	/* asked for once for each destination */
	struct forecast_rates (*rates)(void *ctx, struct span key);
	void *ctx;
};

/* ERR_NOMEM. */
enum err forecast_new(const struct forecast_params *params,
    struct forecast **out);
void forecast_free(struct forecast **f);

/* A unit with RECIPIENTS that went to the destination GROUP when it came.
 * True: it is to be added itself, and stands for those that are counted next.
 * Held ones are only counted. */
bool forecast_count(struct forecast *f, struct span group,
    uint32_t recipients);
void forecast_count_held(struct forecast *f, uint32_t recipients);

/* The unit that was counted last, as it would enter the planner (owner and
 * overdue do not count), after TRIES attempts; it is given up at EXPIRES.
 * ERR_NOMEM. */
struct forecast_unit {
	struct plan_entry entry;
	int64_t expires;
	uint32_t tries, recipients;
	uint32_t connections;		/* to its destination; 0: any number */
};
enum err forecast_add(struct forecast *f, const struct forecast_unit *u);

/* No further unit comes; params.like is not needed any more. */
void forecast_begin(struct forecast *f);

/* At most STEPS begins and ends of attempts; true when it is over. */
bool forecast_run(struct forecast *f, uint32_t steps);

/* In recipients, and milliseconds from now; -1: not foreseen. */
struct forecast_result {
	uint64_t recipients;		/* but those held */
	uint64_t held;
	uint64_t delivered;		/* or refused: gone with an answer */
	uint64_t expired;
	uint64_t left;			/* given up: too many attempts */
	uint64_t untried;		/* of destinations without attempts */
	uint32_t destinations;
	uint32_t weight;		/* units that one stands for */
	int64_t half_ms, most_ms, all_ms;	/* a half, 90 %, all gone */
};
void forecast_result(const struct forecast *f, struct forecast_result *out);

struct forecast_dest {
	struct span key;		/* borrowed */
	uint64_t recipients, expired, left;
	int64_t gone_ms;		/* when the last was gone; -1 */
	struct forecast_rates rates;
};
/* When it is over: destinations, those that take longest first; false behind
 * the last. */
bool forecast_dest(const struct forecast *f, uint32_t row,
    struct forecast_dest *out);

#endif
