/*
 * The inside of a store: for its files, and queued/survey that checks them.
 * All of it belongs to the owner's thread, which shares only jobs with the
 * others (store_worker.h); a frozen overlay is bytes that nobody changes.
 */
#ifndef MTAD_QUEUED_STORE_STORE_PRIVATE_H
#define MTAD_QUEUED_STORE_STORE_PRIVATE_H

#include "common/base/map.h"
#include "common/mail/queue_id.h"
#include "queued/store/store.h"
#include "queued/store/store_cache.h"
#include "queued/store/store_compact.h"
#include "queued/store/store_index.h"
#include "queued/store/store_io.h"
#include "queued/store/store_log.h"
#include "queued/store/store_object.h"
#include "queued/store/store_overlay.h"
#include "queued/store/store_room.h"
#include "queued/store/store_segment.h"
#include "queued/store/store_shrink.h"
#include "queued/store/store_spare.h"
#include "queued/store/store_units.h"
#include "queued/store/store_wake.h"
#include "queued/store/store_worker.h"

struct store_record_message;

struct store_counters {
	uint64_t messages;
	uint64_t units;
	uint64_t recipients;
	uint64_t bytes;
};

struct store {
	const struct store_io *io;
	const struct store_tap *tap;
	struct store_ops ops;
	void *ctx;
	uint64_t memory_bytes;
	uint64_t replay_bytes;		/* of log, then the index takes it */
	uint32_t list_block;
	bool remakes_tables;
	int dir_fd, log_fd, body_fd, lock_fd;
	struct store_wake wake;
	bool is_dead;
	bool has_told_damage;		/* of the index's pages */
	bool is_recovering;
	unsigned pins;			/* store_pin() */

	struct store_worker *commit, *checkpoint, *prepare, *bodies, *sift;

	struct map_u64 messages;	/* struct message by id */
	struct list fresh;		/* messages without a row, by id */
	struct list held;		/* ... whose hold is news, by id */
	uint64_t more_here;		/* recipients of those, but the first */
	struct store_counters count;
	uint64_t next_id;
	uint64_t next_segment;
	uint64_t start;			/* number of this life of the spool */
	uint64_t start_at_least;	/* store_params */
	uint64_t ended_at;		/* the life before, if it was replayed */
	bool had_index;			/* at the start */
	uint8_t uuid[16];
	struct siphash_key seed;

	struct store_log log;
	struct store_cache cache;
	struct store_segments segments;
	struct store_spares spares;
	struct store_overlay overlay;
	struct store_compact compact;
	struct store_index *index;
	struct store_shrink shrink;
	struct store_bodies *large;

	struct store_space space;
	uint64_t groups, syncs;

	size_t looked;			/* messages, since the last trim */
	struct store_glance *glance;	/* store_look.c's; NULL: none yet */
	struct buf scratch;		/* an envelope's head, a row */
	struct buf block;		/* of a list, being begun */
	struct store_units units;	/* of the submission being made */
};

/* store.c: tells the operator; EVENT is static. */
/* ids as store_id_text(id).p, which is how people know them */
void store_notice(struct store *s, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct store_id_text {
	char p[QUEUE_ID_SIZE];
};

static inline struct store_id_text
store_id_text(uint64_t id)
{
	struct store_id_text text;

	queue_id_format(id, text.p);
	return text;
}

/* store.c: whether the index is damaged; says so once.  A reader that was told
 * has not seen all. */
bool store_is_damaged(struct store *s);

/* store_write.c: room for a record of BYTES in the open group, and its head AT;
 * ERR_NOMEM, ERR_IO.  Then the message R of the record that was put there, whose
 * last CONTENT bytes are its content; on failure the record is taken back. */
enum err store_write_begin(struct store *s, size_t bytes, size_t *at);
enum err store_write_birth(struct store *s,
    const struct store_record_message *r, uint64_t id, size_t at,
    size_t content, struct message **out);

#endif
