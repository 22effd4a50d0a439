/*
 * The log's end: the open group, the one under way, those not yet synced.
 *
 * At most one write is under way.  Its group goes behind the last one, or, when
 * it does not fit there, to the front of a new segment, whose head seals the
 * old one.  Without a spare segment the open group waits.  A write or sync
 * that fails is answered by a rescue (store_rescue.h).
 */
#ifndef MTAD_QUEUED_STORE_STORE_LOG_H
#define MTAD_QUEUED_STORE_STORE_LOG_H

#include "queued/store/store_cache.h"
#include "queued/store/store_overlay.h"
#include "queued/store/store_quick.h"
#include "queued/store/store_spare.h"

struct store_refused {
	uint64_t token;
	uint64_t id;
};

/* The job of the commit thread. */
struct store_commit {
	struct store_job job;
	const struct store_io *io;
	int dir_fd;
	int fd;
	int old_fd;			/* -1, or to be synced before */
	bool is_new;			/* segment: rename its file */
	char spare[STORE_SEGMENT_NAME];
	char name[STORE_SEGMENT_NAME];
	struct span bytes;
	uint64_t at;
	bool with_sync;
	enum err result;
	uint64_t took_us;
	struct store_segment *seg, *old;	/* pinned */
};

struct store_log {
	struct store_group_buf *open;
	struct list unsynced;		/* handed over, in order */
	/* records of groups that were written without a sync, for a rescue */
	struct buf loose;
	struct store_numbers loose_settles;
	int64_t loose_since_ms;
	uint64_t loose_last;		/* sequence */
	struct store_position end;	/* behind what was handed over */
	struct store_position synced;
	struct store_segment *segment;	/* of end */
	struct store_segment *fresh;	/* taken to be the next */
	struct store_commit commit;
	struct store_quick quick[2];	/* by with_sync */
	uint64_t plain_groups;		/* handed over, without moves */
	bool is_under_way;
	bool is_waiting;		/* for a spare */
	bool wants_sync;		/* of what was only written */
	struct store_numbers dead;	/* said by the group under way */
	bool is_cutting;		/* the seal to come: STORE_GROUP_CUTS */
	/* rescue */
	bool is_rescuing;
	struct store_refused *refused;
	size_t refused_count;
};

/* END is sealed: the first group begins a new segment. */
enum err store_log_init(struct store *s, const struct store_position *end);
void store_log_clear(struct store *s);

/* Where records are appended; undo by setting its n back. */
struct buf *store_log_records(struct store *s);

/* M's record stands in the open group, its content AT there. */
void store_log_born(struct store *s, struct message *m, size_t at);

/* A verdict in the open group is about a message of SEGMENT; ERR_NOMEM. */
enum err store_log_settles(struct store *s, uint64_t segment);

bool store_log_is_open_empty(const struct store *s);

/* Hands the open group over if it can be; FORCE: an empty one too, which then
 * seals and syncs. */
void store_log_hand_over(struct store *s, int64_t now_ms, bool force);

/* A rescue waits for a segment, and with it whoever waits for its groups. */
static inline bool
store_log_is_stuck(const struct store_log *l)
{
	return l->is_rescuing && !l->is_under_way;
}

/* Syncs written groups that have waited for too long. */
void store_log_sync_late(struct store *s, int64_t now_ms, bool force);

#endif
