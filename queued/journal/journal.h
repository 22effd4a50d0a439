/*
 * The history journal: what happened to each message, kept while it lives and
 * for a time after it is gone (I-10).
 *
 * It is derived from the log of the spool, group by group, once a group is
 * synced, and again from what a start replays; each group is taken once.  Its
 * owner gathers records in memory; a thread of its own writes and syncs them
 * in large pieces.  Mail never waits for it and never fails because of it:
 * what can't be kept is counted, told, and noted in the journal itself.
 * docs/HISTORY.md has the format and the argument.
 */
#ifndef MTAD_QUEUED_JOURNAL_JOURNAL_H
#define MTAD_QUEUED_JOURNAL_JOURNAL_H

#include "queued/journal/journal_read.h"
#include "queued/store/store_worker.h"

struct journal;

enum {
	JOURNAL_PIECE = 1 << 20,	/* bytes gathered that are written now */
	JOURNAL_GATHER_MAX = 16 << 20,	/* beyond it events are lost */
};

/* Called from journal_turn(), journal_wait() and journal_close(). */
struct journal_ops {
	/* All up to GROUP is durable here, or was told as lost. */
	void (*on_position)(void *ctx, uint64_t group);
	/* Something an operator must read; borrowed. */
	void (*on_notice)(void *ctx, const char *text);
};

/* Opens SPOOL_FD's journal or makes it; UUID is the spool's.  ERR_IO,
 * ERR_FULL, ERR_NOMEM: there is none then. */
enum err journal_open(int spool_fd, const struct store_io *io,
    const uint8_t uuid[16], const struct journal_ops *ops, void *ctx,
    struct journal **out);

/* Writes what has gathered, ends the thread, frees; sets *J to NULL.  NOW is
 * wall ms: a file may be begun for it. */
void journal_close(struct journal **j, uint64_t now);

/* Files whose last event is older than KEEP_MS go, and the oldest while all
 * are more than BYTES_MAX.  IS_SHORT: the disk has no room for mail; the
 * journal then takes room from nobody but itself. */
void journal_set_bounds(struct journal *j, uint64_t keep_ms,
    uint64_t bytes_max);
void journal_set_short(struct journal *j, bool is_short);

/* The last group that was taken; at the opening the one that was found. */
uint64_t journal_taken(const struct journal *j);
uint64_t journal_found(const struct journal *j);

/* The log ends before what was found: all behind GROUP is new. */
void journal_begin_anew(struct journal *j, uint64_t group);

/* Where the records of GROUP are appended; NULL when it was taken before or
 * there is no room.  The end counts EVENTS. */
struct buf *journal_begin(struct journal *j, uint64_t group);
void journal_end(struct journal *j, uint64_t group, uint64_t events);

/* Events of FIRST to LAST are known to be missing. */
void journal_note_lost(struct journal *j, uint64_t first, uint64_t last);

/* Hands over what has gathered, if the thread is idle; NOW is wall ms. */
void journal_flush(struct journal *j, uint64_t now);
size_t journal_gathered(const struct journal *j);
bool journal_is_busy(const struct journal *j);

/* The same, and waits for it: for a start, when nobody waits for us. */
void journal_wait(struct journal *j, uint64_t now);

/* Readable when journal_turn() has something to take up. */
int journal_fd(const struct journal *j);
void journal_turn(struct journal *j);

/* A question: records of the ids of QUERY, at least all that were synced
 * when it was asked.  DONE is called from journal_turn() with a piece in OUT;
 * the question may then be asked again, to go on.  The caller frees OUT. */
struct journal_ask {
	struct journal_query query;
	struct buf out;
	size_t max;
	enum err result;
	void (*done)(struct journal_ask *ask);
	/* the journal's */
	struct store_job job;
	struct journal *journal;
	struct list waiting;
};
void journal_ask(struct journal *j, struct journal_ask *ask, uint64_t now);

struct journal_figures {
	uint64_t events;	/* taken since the start */
	uint64_t lost;		/* of them; counted in groups when not known */
	uint64_t written;	/* bytes */
	uint64_t writes;	/* each with a sync */
	uint64_t files;
	uint64_t bytes;		/* on disk */
};
void journal_figures(const struct journal *j, struct journal_figures *out);

#endif
