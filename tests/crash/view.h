/*
 * A message as it is seen from outside: what recovery must bring back.
 *
 * The same structure is filled from a store and from the oracle's model, so
 * that both can be compared by a sum.  What the index may forget when it has
 * to be made again (when a unit is due, who was tried how often) is left out
 * of the `bones'.
 */
#ifndef MTAD_TESTS_CRASH_VIEW_H
#define MTAD_TESTS_CRASH_VIEW_H

#include <stdio.h>

#include "queued/store/store_read.h"

enum { VIEW_UNITS = 4, VIEW_RCPTS = 4, VIEW_BLOCK = 6, VIEW_MAX = 512 };

struct view_rcpt {
	bool is_settled;
	uint8_t outcome;
	uint16_t code;
	uint32_t text;			/* a sum */
};

struct view_unit {
	bool is_here;			/* not settled */
	uint32_t count, tries;
	uint64_t due_at, lease;
	struct view_rcpt rcpts[VIEW_RCPTS];
};

struct view {
	uint64_t id;
	bool is_report, is_held, is_warned;
	uint32_t units, left;
	uint64_t list;			/* the list's id, of list and parts */
	uint32_t total, begun;		/* of a list; of a part: before it */
	uint64_t content;		/* a sum; 0: could not be read */
	uint64_t content_n;
	struct view_unit unit[VIEW_UNITS];
};

uint64_t view_sum(const void *p, size_t n);
uint64_t view_digest(const struct view *v);
uint64_t view_bones(const struct view *v);
void view_print(const struct view *v, FILE *out);

/* Of S's message M, its content read and checked. */
void view_fill(struct view *v, struct store *s, const struct store_message *m,
    struct store_unit *const *units);

#endif
