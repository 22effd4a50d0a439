/*
 * A store under test: a directory of its own, what the store told, an I/O
 * layer that fails and forgets, and a model that says what it should hold.
 */
#ifndef MTAD_TESTS_UNIT_STORE_STORE_RIG_H
#define MTAD_TESTS_UNIT_STORE_STORE_RIG_H

#include <pthread.h>

#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "common/os/clock.h"
#include "queued/store/store_body.h"
#include "queued/store/store_io.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"

enum { RIG_PATH = 512, RIG_LIST = 4096 };

/* A write that is not synced yet: where, and what was there before. */
struct rig_write {
	char path[RIG_PATH];
	uint64_t at;
	size_t n;
	uint8_t *before;
	int fd;
};

struct rig_io {
	struct store_io io;
	pthread_mutex_t lock;
	bool records;			/* unsynced writes */
	bool is_cut;			/* the power is gone: nothing happens */
	struct rig_write *writes;
	size_t write_count;
	long syncs, pwrites;		/* calls so far */
	long fail_sync;			/* this call and FAIL_COUNT - 1 more */
	long fail_write;
	long fail_count;
	int fail_errno;
	size_t short_bytes;		/* a write does at most so many */
	unsigned sync_delay_us;
	uint64_t available;		/* UINT64_MAX: as the system says */
};

struct rig {
	char dir[RIG_PATH];
	struct store *s;
	struct rig_io *io;
	const struct store_tap *tap;	/* NULL: nobody listens */
	uint64_t segment_bytes, memory_bytes, replay_bytes;
	uint32_t list_block;
	uint64_t written, synced;
	uint64_t refused[RIG_LIST];	/* tokens */
	size_t refused_count;
	uint64_t tokens[RIG_LIST];
	uint64_t token_ids[RIG_LIST];
	size_t token_count;
	size_t unit_count;		/* told by on_unit */
	size_t notice_count;
	char notices[4096];		/* names of events */
	char why[256];			/* the last open failed */
	size_t room_count;
	bool is_dead;
	/* of the last body */
	uint64_t body_bytes;
	bool is_body_closed;
	enum err body_error;
	uint64_t next_token;
	const char *sender;		/* of submissions; NULL: the usual */
	uint64_t arrived_at;		/* 0: 1000 */
};

/* A new directory below the working one. */
void rig_init(struct rig *r);
/* Closes if need be and removes the directory. */
void rig_clear(struct rig *r);

enum err rig_try_open(struct rig *r);
void rig_open(struct rig *r);
void rig_close(struct rig *r);
/* With an I/O layer that can fail; its spares are there. */
void rig_open_with_io(struct rig *r);

/* The same directory, after a kill -9 now: R goes on with a copy.  With the
 * recorder on, unsynced sectors survive at random (DICE not NULL). */
void rig_kill(struct rig *r, struct rng *dice);
void rig_copy(const struct rig *r, struct rig *copy, struct rng *dice);

struct rig_io *rig_io_new(void);
void rig_io_free(struct rig_io **io);
/* From now on the disk has so many bytes left. */
void rig_set_available(struct rig *r, uint64_t bytes);

/* RCPTS: addresses parted by blanks.  The token is r->next_token++. */
enum err rig_try_submit(struct rig *r, const char *rcpts, const char *body,
    struct store_unit **out);
struct store_unit *rig_submit(struct rig *r, const char *rcpts,
    const char *body);

/* One result for rows FIRST to LAST. */
bool rig_verdict(struct rig *r, struct store_unit *u, uint32_t first,
    uint32_t last, bool is_settled, uint64_t due_at, const char *text);

/* Flushes, and turns until all is synced (or refused, or dead). */
void rig_sync(struct rig *r);
/* ... and until the index has it all. */
void rig_checkpoint(struct rig *r);

/* The earliest row by time of a unit that is neither in memory nor held;
 * UINT64_MAX: there is none. */
uint64_t rig_due_first(struct rig *r);
/* Mail comes and goes until the log is in another segment; in the index. */
void rig_next_segment(struct rig *r);
/* One turn, waiting at most MS for something to do. */
void rig_turn(struct rig *r, int ms);

/* Turns until WHAT holds.  A machine that is busy with other things takes its
 * time; turns that others' events end at once are no measure of it. */
#define TURN_UNTIL(r, ms, what) do {					\
	int64_t until = mtime_add(clock_mono_ms(), MTIME_MINUTE);	\
	while (!(what) && clock_mono_ms() < until)			\
		rig_turn(r, ms);					\
} while (0)

/* Everything the store holds, as text; freed by the caller. */
char *rig_dump(struct rig *r);

uint64_t rig_count_files(const struct rig *r, const char *sub,
    const char *prefix);
void rig_path(const struct rig *r, char *out, const char *sub,
    const char *name);

#endif
