/*
 * Messages with very many recipients (store_list.h): which of them are being
 * begun, and when the next block is.
 *
 * A list is no message for the planner; its parts are.  The next part is begun
 * when the one before is on disk and the planner has room for it, list by list
 * in turns: so neither memory nor the index sees more of a list than of a queue
 * of ordinary mail (I-04).  A list that waits here for nothing (held, damaged,
 * too many of them) is found again by its time, as all units are.
 */
#ifndef MTAD_QUEUED_LISTS_H
#define MTAD_QUEUED_LISTS_H

#include "queued/queued.h"

/* UNIT is a list's: it is begun from now on.  False: it was already, or there
 * is no room for one more. */
bool lists_add(struct queued *q, const struct store_unit *unit);

/* Begins one part if it may. */
void lists_turn(struct queued *q);

/* Lists wait for memory: what is in it and can wait should leave. */
bool lists_are_stuck(const struct queued *q);

void lists_clear(struct queued *q);

#endif
