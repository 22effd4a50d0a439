/*
 * The overlay: what the log has and the index has not yet.
 *
 * Changed messages and units gather in lists; freezing turns them into bytes
 * for the index, all at one point of the log, and the check-point thread
 * applies these.  A frozen overlay is sent only when its last group is synced
 * and answered, so the index is never ahead of the log and never passes an
 * open token (SPOOL.md rules 6 and 7).  One is frozen at a time.
 */
#ifndef MTAD_QUEUED_STORE_STORE_OVERLAY_H
#define MTAD_QUEUED_STORE_STORE_OVERLAY_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "queued/store/store_worker.h"

struct message;
struct store;
struct store_index;
struct unit;

/* A point in the log: behind a group. */
struct store_position {
	uint64_t segment;
	uint64_t offset;
	uint64_t sequence;
	uint32_t sum;
};

struct store_overlay {
	struct list messages;		/* dirty */
	struct list units;
	size_t dirty;			/* in both lists */
	size_t dirty_rows;		/* … that had a row, at most */
	size_t frozen;			/* … of the frozen overlay, at most */
	struct list frozen_messages;
	struct list frozen_units;
	struct buf ops;			/* the frozen overlay */
	struct store_position at;	/* of the frozen one */
	struct store_position indexed;
	uint64_t answered;		/* sequence */
	uint64_t journaled;		/* likewise (store_tap.h) */
	uint64_t appended;		/* bytes of log, since the start */
	uint64_t appended_frozen;
	uint64_t appended_indexed;
	int64_t begun_at_ms;		/* the last freeze */
	int64_t retry_at_ms;
	bool is_frozen;
	bool is_sent;			/* the thread has it */
	bool is_awaited;		/* by somebody, until it is indexed */
	bool has_failed;		/* told the operator already */
	bool has_news;			/* of segments: they wait for it */
	bool frees;			/* segments; so it comes soon */
	int64_t frees_at_ms;		/* known since then */
	/* what the job needs and says */
	struct store_job job;
	struct store_index *index;
	uint64_t shrunk;		/* store_shrink_look() */
	enum err result;
};

void store_overlay_init(struct store_overlay *o);
void store_overlay_clear(struct store_overlay *o);

/* It changed: it will stand in the next frozen overlay. */
void store_overlay_message(struct store_overlay *o, struct message *m);
void store_overlay_unit(struct store_overlay *o, struct unit *u);

/* It is about to be freed. */
void store_overlay_forget_message(struct store_overlay *o, struct message *m);
void store_overlay_forget_unit(struct store_overlay *o, struct unit *u);

/* Whether it is time to freeze, at NOW (monotonic). */
bool store_overlay_is_due(const struct store_overlay *o, int64_t now_ms);

/* Freezes what changed up to AT; nothing after AT may have changed anything
 * yet.  Without memory nothing happens. */
void store_overlay_freeze(struct store *s, const struct store_position *at,
    int64_t now_ms);

/* The group at its end failed: back among the dirty. */
void store_overlay_thaw(struct store *s);

/* Somebody waits for what changed to be indexed: no later than at the next
 * flush it is frozen, or what is frozen waits for no more than its sync. */
void store_overlay_hurry(struct store *s);

/* Sends the frozen one, if it may go. */
void store_overlay_send(struct store *s, int64_t now_ms);

/* Freezes and applies at once, in this thread; for the recovery. */
enum err store_overlay_apply_now(struct store *s,
    const struct store_position *at);

/* Bytes of log that the index does not know. */
static inline uint64_t
store_overlay_lag(const struct store_overlay *o)
{
	return o->appended - o->appended_indexed;
}

/* Accepting should slow down: the index lags. */
bool store_overlay_is_lagging(const struct store_overlay *o);

#endif
