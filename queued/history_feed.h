/*
 * From records of the spool's log to records of the history journal: accepted
 * messages, attempts and their results, what was done to a message.
 *
 * Off the path of mail: it is called with groups that are synced, or replayed.
 */
#ifndef MTAD_QUEUED_HISTORY_FEED_H
#define MTAD_QUEUED_HISTORY_FEED_H

#include "common/base/buf.h"

struct history_feed;
struct store;

/* NULL: no memory. */
struct history_feed *history_feed_new(void);
void history_feed_free(struct history_feed **f);

/* Appends to OUT what a group says (its records, as store_tap.h gives them);
 * returns how many events that were.  Records that contradict themselves are
 * passed over.  OUT's failure is the caller's to see. */
uint64_t history_feed_group(struct history_feed *f, const struct store *s,
    struct span records, struct buf *out);

#endif
