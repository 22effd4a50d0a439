/*
 * The history of messages: the store's log tells it, the journal keeps it.
 *
 * Nothing of mail waits for it (docs/HISTORY.md); without memory or a disk
 * there is less of it, and an operator is told.  queue.history: 0 turns it off.
 */
#ifndef MTAD_QUEUED_HISTORY_H
#define MTAD_QUEUED_HISTORY_H

#include "queued/journal/journal.h"
#include "queued/queued.h"

struct store_tap;

/* Before the store is opened; it is told to TAP.  ERR_NOMEM. */
enum err history_new(struct queued *q, const struct store_tap **tap);

/* The store is open, all of its replay was told. */
enum err history_start(struct queued *q);

/* After store_close(), whose last groups are kept too. */
void history_free(struct queued *q);

/* Another configuration. */
void history_reload(struct queued *q);

/* At the end of a turn, and once a second. */
void history_turn(struct queued *q);
void history_keep_house(struct queued *q);

/* A note in the open group: KIND (journal_event.h) happened to UNIT of message
 * ID, by an operator's UID or by nobody (WHY says more, or is empty).  Without
 * memory it is left out. */
#define HISTORY_NOBODY UINT32_MAX
void history_note(struct queued *q, uint64_t id, uint32_t unit, uint8_t kind,
    uint64_t value, uint32_t uid, const char *why);

/* The journal; NULL: there is none. */
struct journal *history_journal(struct queued *q);

#endif
