/*
 * Lines of ready units inside a destination (plan's own affair): who is next.
 *
 * By priority, then by client, then by sender.  Priorities get turns by weight
 * (two times as many for each three points, so none starves), clients and
 * senders get equal turns, where a large message costs more than one.  So a
 * sender's bulk delays another sender's message by a turn, not by its length.
 * Choosing is O(1): it looks at the 19 priorities at most, and at the first
 * lines.
 *
 * Lines exist while units stand in them.  Without memory for one its unit is
 * served before the others instead.
 */
#ifndef MTAD_QUEUED_PLAN_PLAN_FAIR_H
#define MTAD_QUEUED_PLAN_PLAN_FAIR_H

#include "common/base/list.h"
#include "common/base/map.h"
#include "queued/plan/plan_look.h"

struct plan_line;

/* A unit's place; zero while it stands in no line. */
struct plan_seat {
	struct list link;
	struct plan_line *line;		/* NULL: among the rest */
	uint64_t client;		/* hashes: plan_fair_seat() */
	uint64_t sender;
	int8_t priority;
	uint8_t cost;			/* in turns */
};

/* The lines of one destination. */
struct plan_lines {
	struct list bands;		/* one for each priority in use */
	struct list rest;		/* seats that found no memory */
	uint64_t pass;			/* of the band that was served last */
	uint64_t salt;			/* tells destinations apart */
};

/* What all destinations share. */
struct plan_fair {
	struct map_u64 map;		/* lines by what they are for */
	struct siphash_key seed;
	struct list spare;
	uint32_t n_spare;
	struct list deep;		/* deep lines */
	uint32_t n_deep;
	uint64_t salt;
};

void plan_fair_init(struct plan_fair *f, const struct siphash_key *seed);
void plan_fair_clear(struct plan_fair *f);	/* seats are in none */
void plan_lines_init(struct plan_fair *f, struct plan_lines *lines);

/* Whose unit this is, before its first place.  Senders that differ only in
 * what VERP puts into them (behind a `+`, around a `=`, digits) are one;
 * so are the clients of an IPv6 /64. */
void plan_fair_seat(const struct plan_fair *f, struct plan_seat *seat,
    struct span client, struct span sender, uint64_t size, int8_t priority);

/* To the end of its line; or, as it had its turn in vain, before all. */
void plan_fair_add(struct plan_fair *f, struct plan_lines *lines,
    struct plan_seat *seat);
void plan_fair_back(struct plan_fair *f, struct plan_lines *lines,
    struct plan_seat *seat);

/* Out of its line, without a turn. */
void plan_fair_remove(struct plan_fair *f, struct plan_seat *seat);

/* Takes the next one out: its line has had a turn; NULL: there is none. */
struct plan_seat *plan_fair_next(struct plan_fair *f,
    struct plan_lines *lines);

/* Seats in the line that SEAT stands in, or would stand in. */
uint32_t plan_fair_depth(const struct plan_fair *f,
    const struct plan_lines *lines, const struct plan_seat *seat);

/* The last seat of a line with more than DEPTH of them (PLAN_LINE_DEPTH at
 * least); LOOKS counts down the lines looked at.  NULL: none of those. */
struct plan_seat *plan_fair_spare(struct plan_fair *f, uint32_t depth,
    uint32_t *looks);

#endif
