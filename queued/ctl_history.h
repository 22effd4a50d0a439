/*
 * What happened to a message, and why it is where it is: `message history`,
 * `message explain` (I-10).
 */
#ifndef MTAD_QUEUED_CTL_HISTORY_H
#define MTAD_QUEUED_CTL_HISTORY_H

#include "queued/ctl_private.h"
#include "queued/journal/journal_record.h"

/* The one message of a range of ids is ID: true when that was the answer. */
typedef bool ctl_found(struct ctl_session *s, uint64_t id);

/* All events of the only message whose id lies between LOW and HIGH.  ON_FOUND
 * may answer in its place; NULL. */
void ctl_history_begin(struct ctl_session *s, uint64_t low, uint64_t high,
    ctl_found *on_found);

/* Every record about the ids from LOW to HIGH goes to EACH, and END answers;
 * IS_READ: these were all that the history has.  False: none is kept. */
typedef void ctl_each(struct ctl_session *s, const struct journal_record *r);
typedef void ctl_end_of(struct ctl_session *s, bool is_read);
bool ctl_history_scan(struct ctl_session *s, uint64_t low, uint64_t high,
    ctl_each *each, ctl_end_of *end);

/* What it waited for is synced. */
void ctl_history_synced(struct ctl_session *s);

/* The session is over, or its question. */
void ctl_history_end(struct ctl_session *s);

/* What keeps a queued message; of one that is gone its events. */
void ctl_explain_begin(struct ctl_session *s, uint64_t low, uint64_t high);

#endif
