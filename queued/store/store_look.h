/*
 * Looking at the queue: what people ask for, in place, nothing loaded.
 *
 * Index and memory are joined at one position (docs/SPOOL.md): each call is
 * one short read transaction, and the next goes on behind the last id.  What
 * lies only in the index is shown where it lies in LMDB's pages, without a
 * copy or an allocation.  A path narrows which messages are looked at; it
 * leaves none out that matches, and whoever asks checks each.
 */
#ifndef MTAD_QUEUED_STORE_STORE_LOOK_H
#define MTAD_QUEUED_STORE_STORE_LOOK_H

#include "common/base/buf.h"
#include "queued/store/store.h"

enum { STORE_LOOK_MS = 10 };		/* at most, in one call (and a row) */

/* By what messages are found; texts are compared without regard to case. */
enum store_term {
	STORE_TERM_SENDER,		/* an address; empty: none */
	STORE_TERM_SENDER_DOMAIN,
	STORE_TERM_DOMAIN,		/* of a recipient */
	STORE_TERM_HELD,		/* no text */
	STORE_TERM_MINUTE,		/* the store's own */
	STORE_TERMS
};

struct store_path {
	bool has_term;			/* false: all messages */
	enum store_term term;
	struct span text;		/* borrowed */
	bool is_listed;			/* or these ids, ascending, once each */
	const uint64_t *ids;		/* borrowed */
	size_t id_count;
	uint64_t first, last;		/* between these ids */
};

#define STORE_PATH_ALL (struct store_path){ .last = UINT64_MAX }

/* How many messages the path may lead to, at most but for those that only
 * memory has; UINT64_MAX: a failure. */
uint64_t store_path_length(struct store *s, const struct store_path *path);

/* Narrows PATH to the ids of what arrived between FROM and UNTIL (wall ms);
 * may leave it as it is. */
void store_path_arrived(struct store *s, struct store_path *path,
    uint64_t from, uint64_t until);

/* Appends the ids of units that are due until then, not held, and not in
 * memory, and of messages whose units are in memory: candidates for what is
 * being done now.  False: more than MAX, or no memory. */
bool store_path_due(struct store *s, uint64_t until, size_t max,
    struct buf *ids);

/* The same with all that are held. */
bool store_path_awake(struct store *s, uint64_t until, size_t max,
    struct buf *ids);

/* Appends the ids on PATH of messages that are there now, ascending, each once.
 * False: more than MAX, no memory, or a damaged index. */
bool store_path_ids(struct store *s, const struct store_path *path,
    size_t max, struct buf *ids);

/* One message under the eye: borrowed for the visit. */
struct store_glance;

const struct store_message *store_glance_message(
    const struct store_glance *g);

/* Whether memory has it, which may know more than the index. */
bool store_glance_is_here(const struct store_glance *g);

/* Its units that are not settled, one by one: from the first again after
 * rewind, NULL after the last.  Valid until the next one is asked for. */
void store_glance_rewind(struct store_glance *g);
const struct store_unit *store_glance_next(struct store_glance *g);

/* Messages on PATH with an id above AFTER in order of id, at most MAX looked
 * at; returns the last id seen, UINT64_MAX at the end.  VISIT returns false
 * to stop, and changes nothing. */
uint64_t store_look(struct store *s, const struct store_path *path,
    uint64_t after, size_t max,
    bool (*visit)(void *ctx, struct store_glance *g), void *ctx);

#endif
