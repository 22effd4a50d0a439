/*
 * The spool: a log of groups that is the truth, LMDB as its index.
 *
 * docs/SPOOL.md has the format and the rules; this is its life and its clock.
 * One thread owns a store and makes all calls; the store's own threads write
 * and sync groups, check-point into the index, prepare segments and write
 * large bodies, and wake the owner through store_fd().
 *
 * Records appended (store_write.h) gather in the open group.  store_flush()
 * at the end of a turn of the loop hands it to the commit thread if none is
 * under way; all of a turn's records stand in one group (I-02).  Effects wait
 * for on_synced (or on_written) of the group they were appended to:
 * store_group() tells its number.
 */
#ifndef MTAD_QUEUED_STORE_STORE_H
#define MTAD_QUEUED_STORE_STORE_H

#include "common/base/err.h"
#include "queued/store/store_message.h"

struct store;
struct store_io;
struct store_tap;

struct store_params {
	const char *path;		/* directory, exists, ours alone */
	uint64_t segment_bytes;		/* 0: min(64 MiB, file system / 16) */
	uint64_t memory_bytes;		/* of bodies in memory, all together */
	uint64_t replay_bytes;		/* a part of a replay; 0: 64 MiB */
	uint64_t start_at_least;	/* a restore's: of the ids to come */
	uint32_t list_block;		/* recipients of a part; 0: 1,000 */
	bool remakes_tables;		/* of large bodies: salvage takes time */
	const struct store_io *io;	/* store_io.h; NULL: the system's */
	const struct store_tap *tap;	/* store_tap.h; NULL: nobody */
};

/* Called from store_open() (on_unit, on_token, on_notice: the store itself is
 * not there yet) and store_turn(); none but on_due may be NULL. */
struct store_ops {
	/* Group and all before it were written: they survive our death. */
	void (*on_written)(void *ctx, uint64_t group);
	/* … were synced: they survive the machine's. */
	void (*on_synced)(void *ctx, uint64_t group);
	/* The group failed: this submission is not kept (its unit pointers
	 * are dead after the call); all other records were appended again. */
	void (*on_refused)(void *ctx, uint64_t token, uint64_t id);
	/* After recovery: a unit that the replay left in memory. */
	void (*on_unit)(void *ctx, struct store_unit *unit);
	/* After recovery: a token of the replayed groups. */
	void (*on_token)(void *ctx, uint64_t token, uint64_t id);
	/* A large body: all bytes given so far up to BYTES are taken (credit),
	 * or it is safe (is_closed), or it failed. */
	void (*on_body)(void *ctx, uint64_t token, uint64_t bytes,
	    bool is_closed, enum err e);
	/* Room or pause came or went: see store_room(). */
	void (*on_room)(void *ctx);
	/* Log and rescue failed (SPOOL.md rule 5): what is open has no known
	 * fate.  Leave without a reply to anybody. */
	void (*on_dead)(void *ctx);
	/* Something an operator must read; EVENT is static, TEXT borrowed. */
	void (*on_notice)(void *ctx, const char *event, const char *text);
	/* From store_flush(): store_turn() is due behind it; or NULL. */
	void (*on_due)(void *ctx);
};

/* Opens or creates; recovers: replays, seals, begins a new segment.
 * ERR_VERSION for a newer format, ERR_EXISTS when another process has it open. */
enum err store_open(const struct store_params *params,
    const struct store_ops *ops, void *ctx, struct store **out,
    struct why *why);

/* Flushes, syncs, check-points, ends the threads, frees; sets *S to NULL. */
void store_close(struct store **s);

/* Readable when store_turn(), and store_flush() behind it, are due. */
int store_fd(const struct store *s);
void store_turn(struct store *s);

/* The number that the open group will have. */
uint64_t store_group(const struct store *s);
/* The last group that holds anything: the open one, or the one before it. */
uint64_t store_last_group(const struct store *s);
/* Wall ms of the last group that the start replayed; 0: there was none. */
uint64_t store_ended_at(const struct store *s);
/* Up to here all is synced. */
uint64_t store_synced(const struct store *s);

/* Verdicts are synced at the latest when so old: a power cut may repeat the
 * deliveries of that time (SPOOL.md rule 3). */
enum { STORE_UNSYNCED_MS = 1000 };

/* Hands the open group over if none is under way.  One with verdicts only is
 * synced with the next one or after that time.  NOW is monotonic ms. */
void store_flush(struct store *s, int64_t now_ms);

/* The index may hold groups up to this one: all replies that they caused have
 * left (why no token need be indexed: docs/SPOOL.md). */
void store_answered(struct store *s, uint64_t group);

struct store_room {
	bool is_accepting;		/* false: the reserve is reached */
	bool is_pausing;		/* give no credit: disk or index lags */
	uint64_t bytes;			/* a message may have */
};
struct store_room store_room(const struct store *s);

struct store_figures {
	uint64_t messages;
	uint64_t units;
	uint64_t recipients;		/* not settled */
	uint64_t bytes;			/* live content */
	uint64_t disk_bytes;		/* segments and bodies */
	uint64_t groups, syncs;
	uint64_t checkpoint_lag_bytes;
	uint64_t memory_messages;
	uint64_t longest_read_us;	/* transaction of the index so far */
};
void store_figures(const struct store *s, struct store_figures *out);

#endif
