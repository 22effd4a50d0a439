/*
 * Lines of which only the front is in memory.
 *
 * Memory holds so much of a long line, the index the rest.  A pass over all
 * that is due (residence_refill()) comes by in its own time; by then a
 * destination that is fast has stood still.  So it is noted where the rest of
 * its line begins, and more is read from there as soon as the front runs short.
 *
 * The table is small: of what is not in it the passes take care.
 */
#ifndef MTAD_QUEUED_RESIDENCE_LINES_H
#define MTAD_QUEUED_RESIDENCE_LINES_H

#include "queued/queued.h"
#include "queued/residence_lines_table.h"

/* Units of the destination KEY are in the index, or will be, from ROW on.
 * IS_NEW: they went there just now, and may not be seen yet.  A ROW that was
 * written under another key, before a reload, is left to the passes. */
void residence_lines_note(struct queued *q, struct span key,
    const struct store_due *row, bool is_new);

/* Reads on where a line runs short; a slice. */
void residence_lines_turn(struct queued *q);

/* When to do that again, as far as time decides; PLAN_NEVER. */
int64_t residence_lines_at(const struct queued *q);

#endif
