/*
 * A store's life: opening, turns, figures, the end.
 *
 * One thread owns it.  Four others do what waits for the disk: `log' writes and
 * syncs groups, `index' applies check-points, `segment' makes spares, `body'
 * writes the files of large bodies.  What they have done comes back through
 * store_fd() and is taken up by store_turn(), in the owner's thread; so nothing
 * here is locked.  store_flush(), at the end of each turn of the owner, hands
 * over what was appended: one write and one sync for all of it.
 */
#include "queued/store/store.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/os/clock.h"
#include "common/os/random.h"
#include "queued/store/store_aside.h"
#include "queued/store/store_body_private.h"
#include "queued/store/store_build.h"
#include "queued/store/store_group.h"
#include "queued/store/store_identity.h"
#include "queued/store/store_index_file.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_private.h"
#include "queued/store/store_recover.h"
#include "queued/store/store_spare.h"
#include "queued/store/store_write.h"
#include "queued/store/store_tap_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MODE = 0700, NOTICE_MAX = 512, PATH_BYTES = 4096 };

#define REPLAY_BYTES ((uint64_t)64 << 20)

static const char index_dir[] = "index";

void
store_notice(struct store *s, const char *event, const char *format, ...)
{
	char text[NOTICE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (strcmp(event, "index-damage") == 0)
		store_aside_damaged(s);
	s->ops.on_notice(s->ctx, event, text);
}

bool
store_is_damaged(struct store *s)
{
	if (!store_index_is_damaged(s->index))
		return false;
	if (!s->has_told_damage)
		store_notice(s, "index-damage",
		    "a page of the index can't be right");
	s->has_told_damage = true;
	return true;
}

/* ---- directories ---- */

/* MAY_MAKE: one of our own, made if need be, and never behind a link.  The
 * spool itself may be one: the operator says where it lies. */
static enum err
open_dir(struct store *s, int at, const char *name, bool may_make, int *fd,
    struct why *why)
{
	if (may_make && mkdirat(at, name, DIR_MODE) == 0) {
		if (s->io->sync_dir(s->io->ctx, at) != 0)
			return why_set(why, ERR_IO, "spool: can't be synced");
	} else if (may_make && errno != EEXIST) {
		return why_set(why, store_io_error(),
		    "directory %s: %s", name, strerror(errno));
	}
	*fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
	    (may_make ? O_NOFOLLOW : 0));
	if (*fd < 0)
		return why_set(why, store_io_error(), "directory %s: %s", name,
		    strerror(errno));
	return OK;
}

/* The lock comes first, lest two that start together make two UUIDs. */
static enum err
open_files(struct store *s, const char *path, struct why *why)
{
	enum err e = open_dir(s, AT_FDCWD, path, false, &s->dir_fd, why);

	if (e == OK)
		e = store_identity_lock(s->io, s->dir_fd, &s->lock_fd, why);
	if (e == OK)
		e = store_identity(s->io, s->dir_fd, s->uuid, why);
	if (e == OK)
		e = open_dir(s, s->dir_fd, "log", true, &s->log_fd, why);
	if (e == OK)
		e = open_dir(s, s->dir_fd, "body", true, &s->body_fd, why);
	return e;
}

/* ---- the index ---- */

static enum err
open_index(struct store *s, const char *path, struct why *why)
{
	char name[PATH_BYTES];
	enum err e;
	int fd;

	if (snprintf(name, sizeof(name), "%s/%s", path, index_dir) >=
	    (int)sizeof(name))
		return why_set(why, ERR_RANGE, "spool: path is too long");
	if ((e = open_dir(s, s->dir_fd, index_dir, true, &fd, why)) != OK)
		return e;
	e = store_aside_look(s, fd, why);
	if (e == OK)
		e = store_build_open(s, name, store_build_is_needed(fd), why);
	/* LMDB syncs its file, but not the name of a new one */
	if (e == OK && s->io->sync_dir(s->io->ctx, fd) != 0)
		e = why_set(why, ERR_IO, "index %s: can't be synced", name);
	(void)close(fd);
	return e;
}

/* ---- opening ---- */

/* A failure is tried again at the next tick: a full disk tells nobody. */
static void
on_spares(void *owner)
{
	struct store *s = owner;

	store_room_look_soon(s);
	if (s->spares.failure != OK)
		store_set_timer(s);
}

/* A segment's file was removed or made a spare. */
static void
on_segment_gone(void *owner, uint64_t segment, enum err e)
{
	struct store *s = owner;
	struct store_segment *seg =
	    store_segments_find(&s->segments, segment);

	/* others may have been kept for it */
	s->overlay.has_news = true;
	if (e == OK || e == ERR_NOT_FOUND)
		store_segments_remove(&s->segments, segment);
	else if (seg != NULL)
		seg->is_going = false;		/* with the next check-point */
}

/* What a recovery fills, empty. */
static void
begin_memory(struct store *s)
{
	map_u64_init(&s->messages, &s->seed);
	list_init(&s->fresh);
	list_init(&s->held);
	store_overlay_init(&s->overlay);
	s->overlay.begun_at_ms = clock_mono_ms();
	s->overlay.journaled = s->tap != NULL ? 0 : UINT64_MAX;
	store_segments_init(&s->segments, s->io, s->log_fd);
	s->count = (struct store_counters){ .messages = 0 };
	s->start = 0;
	s->had_index = false;
}

static void
end_memory(struct store *s)
{
	store_memory_clear(s);
	store_overlay_clear(&s->overlay);
	store_segments_clear(&s->segments);
}

/* One each, for one must not wait for another: a check-point takes long, a
 * commit has clients waiting. */
static enum err
start_threads(struct store *s)
{
	enum err e;

	e = store_worker_start("log", s->wake.done_fd, s, &s->commit);
	if (e == OK)
		e = store_worker_start("index", s->wake.done_fd, s, &s->checkpoint);
	if (e == OK)
		e = store_worker_start("segment", s->wake.done_fd, s, &s->prepare);
	if (e == OK)
		e = store_worker_start("body", s->wake.done_fd, s, &s->bodies);
	if (e == OK)
		e = store_worker_start("sift", s->wake.done_fd, s, &s->sift);
	return e;
}

/* Opens the index and replays the log on top of it. */
static enum err
open_once(struct store *s, const char *path, struct why *why)
{
	enum err e = open_index(s, path, why);

	if (e != OK)
		return e;
	begin_memory(s);
	if ((e = store_recover_prepare(s, why)) != OK)
		return e;
	return store_recover(s, why);
}

/* The log is the truth: an index that can't be used is made again. */
static enum err
open_log(struct store *s, const char *path, struct why *why)
{
	struct why first = { .text = "" };
	enum err e = open_once(s, path, &first);

	/* an unknown version in the log is another matter: that must not be
	 * started with */
	if (e == ERR_CORRUPT || (e == ERR_VERSION && s->index == NULL)) {
		store_notice(s, "index-rebuilt", "%s", first.text);
		store_log_clear(s);
		if (s->index != NULL)
			end_memory(s);
		store_index_close(&s->index);
		if ((e = store_aside_move(s)) != OK)
			return why_set(why, e, "index can't be set aside");
		return open_once(s, path, why);
	}
	return e == OK ? OK : why_set(why, e, "%s", first.text);
}

static enum err
open_all(struct store *s, const struct store_params *params, struct why *why)
{
	uint64_t segment_bytes;
	enum err e;

	if ((e = open_files(s, params->path, why)) != OK)
		return e;
	if ((e = store_wake_open(s)) != OK || (e = start_threads(s)) != OK ||
	    (e = random_key(&s->seed)) != OK ||
	    (e = store_bodies_init(s)) != OK)
		return why_set(why, e, "spool: %s", err_text(e));
	store_units_init(&s->units, &s->seed);
	e = store_room_init(s, params->segment_bytes, &segment_bytes);
	if (e == OK)
		e = store_spares_init(&s->spares, s->io, s->log_fd,
		    segment_bytes);
	if (e != OK)
		return why_set(why, e, "spool: %s", err_text(e));
	s->spares.on_change = on_spares;
	s->spares.on_gone = on_segment_gone;
	return open_log(s, params->path, why);
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

/* The threads first: their jobs point into everything else. */
static void
free_all(struct store *s)
{
	store_worker_stop(&s->commit);
	store_worker_stop(&s->checkpoint);
	store_worker_stop(&s->bodies);
	store_worker_stop(&s->prepare);
	store_worker_stop(&s->sift);
	store_compact_clear(&s->compact);
	store_log_clear(s);
	if (s->index != NULL)
		end_memory(s);
	store_bodies_clear(s);
	store_index_close(&s->index);
	store_spares_clear(&s->spares);
	store_cache_clear(&s->cache);
	store_units_clear(&s->units);
	buf_clear(&s->scratch);
	buf_clear(&s->block);
	free(s->glance);
	store_wake_close(s);
	close_fd(s->body_fd);
	close_fd(s->log_fd);
	close_fd(s->lock_fd);
	close_fd(s->dir_fd);
	free(s);
}

enum err
store_open(const struct store_params *params, const struct store_ops *ops,
    void *ctx, struct store **out, struct why *why)
{
	struct store *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return why_set(why, ERR_NOMEM, "no memory for the spool");
	s->io = params->io != NULL ? params->io : &store_io_system;
	s->tap = params->tap;
	s->ops = *ops;
	s->remakes_tables = params->remakes_tables;
	s->list_block = params->list_block != 0 ? params->list_block :
	    STORE_UNIT_RECIPIENTS;
	s->replay_bytes = params->replay_bytes != 0 ? params->replay_bytes :
	    REPLAY_BYTES;
	s->start_at_least = params->start_at_least;
	s->ctx = ctx;
	s->dir_fd = s->log_fd = s->body_fd = s->lock_fd = -1;
	store_wake_init(s);
	store_cache_init(&s->cache, params->memory_bytes);
	buf_init(&s->scratch, STORE_GROUP_MAX);
	buf_init(&s->block, STORE_RECORD_MAX);
	store_compact_init(&s->compact);
	list_init(&s->spares.ready);
	if ((e = open_all(s, params, why)) != OK) {
		free_all(s);
		return e;
	}
	s->space.told.is_accepting = true;
	store_flush(s, clock_mono_ms());
	*out = s;
	return OK;
}

/* ---- its life ---- */

static void
take_turns(struct store *s)
{
	(void)store_worker_turn(s->commit);
	(void)store_worker_turn(s->checkpoint);
	(void)store_worker_turn(s->prepare);
	(void)store_worker_turn(s->bodies);
	(void)store_worker_turn(s->sift);
}

void
store_turn(struct store *s)
{
	int64_t now = clock_mono_ms();

	/* before the jobs are taken up: one that ends meanwhile wakes again */
	store_wake_take(s);
	take_turns(s);
	(void)store_is_damaged(s);
	store_bodies_synced(s, s->log.synced.sequence);
	store_overlay_send(s, now);
	store_room_turn(s, now);
}

/* Whether something will have to be done without an event that tells. */
static bool
needs_timer(const struct store *s)
{
	return s->overlay.dirty > 0 || store_overlay_lag(&s->overlay) > 0 ||
	    s->overlay.has_news || s->spares.count < STORE_SPARES ||
	    (s->compact.segment != 0 && !s->compact.is_busy) ||
	    store_shrink_waits(&s->shrink) ||
	    store_synced(s) + 1 < store_group(s) || s->log.is_waiting ||
	    s->spares.failure != OK || !s->space.told.is_accepting ||
	    s->space.told.is_pausing;
}

/* While there is one, the segment that is about to go is waited for rather than
 * another file written; not for long, for the index may lag. */
static void
make_spares(struct store *s, int64_t now_ms)
{
	bool is_early = s->next_id == (s->start << STORE_START_SHIFT | 1);

	store_spares_need(&s->spares, s->segments.bytes,
	    store_room_is_scarce(s), is_early);
	if (s->spares.failure != OK || (s->spares.count > 0 &&
	    now_ms - s->overlay.frees_at_ms < STORE_TICK_MS / 2))
		return;
	store_spares_want(&s->spares, s->prepare, store_room_available(s));
}

void
store_flush(struct store *s, int64_t now_ms)
{
	if (s->is_dead)
		return;
	/* only here, so that spans given out were valid during the turn */
	store_cache_trim(&s->cache);
	store_compact_flush(s, now_ms);
	/* a rescue that waits for a spare has a seal to write, if nothing else */
	store_log_hand_over(s, now_ms, store_log_is_stuck(&s->log));
	/* between two groups only: what memory holds is then what the log
	 * says up to its end, and nothing else */
	if (!s->log.is_rescuing && store_log_is_open_empty(s) &&
	    store_overlay_is_due(&s->overlay, now_ms))
		store_overlay_freeze(s, &s->log.end, now_ms);
	store_log_sync_late(s, now_ms, false);
	store_overlay_send(s, now_ms);
	store_shrink_flush(s, now_ms);
	make_spares(s, now_ms);
	if (s->log.is_waiting)
		/* what waits may be the verdicts that make room: it gets a
		 * file of its own size, even from the reserve */
		store_spares_want_small(&s->spares, s->prepare,
		    s->log.open->bytes.n + 2 * STORE_BLOCK,
		    store_room_for_log(s));
	if (needs_timer(s))
		store_set_timer(s);
}

/* Replies up to GROUP have left, so the index may pass it: a token of these
 * groups is asked for no more (docs/SPOOL.md, Tokens). */
void
store_answered(struct store *s, uint64_t group)
{
	if (group <= s->overlay.answered)
		return;
	s->overlay.answered = group;
	store_overlay_send(s, clock_mono_ms());
}

/* The number that the open group will have, unless a write fails first. */
uint64_t
store_group(const struct store *s)
{
	return s->log.end.sequence + 1;
}

uint64_t
store_last_group(const struct store *s)
{
	return s->log.end.sequence + (store_log_is_open_empty(s) ? 0 : 1);
}

uint64_t
store_ended_at(const struct store *s)
{
	return s->ended_at;
}

uint64_t
store_synced(const struct store *s)
{
	return s->log.synced.sequence;
}

size_t
store_unindexed(const struct store *s)
{
	/* a disk that is full may wait for what a delete frees */
	return s->overlay.has_failed ? 0 :
	    s->overlay.dirty + s->overlay.frozen;
}

bool
store_is_behind(struct store *s)
{
	if (store_unindexed(s) <= STORE_UNINDEXED_MANY)
		return false;
	store_overlay_hurry(s);
	return true;
}

void
store_figures(const struct store *s, struct store_figures *out)
{
	uint64_t disk = s->spares.bytes + store_bodies_bytes(s) +
	    s->segments.bytes;

	*out = (struct store_figures){
		.messages = s->count.messages,
		.units = s->count.units,
		.recipients = s->count.recipients,
		.bytes = s->count.bytes,
		.disk_bytes = disk,
		.groups = s->groups,
		.syncs = s->syncs,
		.checkpoint_lag_bytes = store_overlay_lag(&s->overlay),
		.memory_messages = map_u64_count(&s->messages),
		.longest_read_us =
		    (uint64_t)store_index_longest_us(s->index),
	};
}

/* ---- the end ---- */

/* Everything appended is synced, or can't be. */
static void
finish_log(struct store *s)
{
	int64_t now = clock_mono_ms();

	/* at most: what is under way, a rescue, what is open, a late sync */
	for (int i = 0; i < 8 && !s->is_dead; i++) {
		store_worker_drain(s->commit);
		store_worker_drain(s->prepare);
		if (store_log_is_open_empty(s) &&
		    store_synced(s) + 1 == store_group(s))
			return;
		if (s->spares.count == 0)
			store_spares_want(&s->spares, s->prepare,
			    store_room_available(s));
		store_log_hand_over(s, now, store_log_is_stuck(&s->log));
		store_log_sync_late(s, now, true);
	}
}

static void
finish_index(struct store *s)
{
	/* one that is under way, and one for what came after it */
	for (int i = 0; i < 2 && !s->is_dead; i++) {
		if (store_log_is_open_empty(s) && !s->overlay.is_frozen &&
		    (s->overlay.dirty > 0 ||
		    store_overlay_lag(&s->overlay) > 0))
			store_overlay_freeze(s, &s->log.end, clock_mono_ms());
		/* at once, even if the last try has failed just now; what is
		 * not answered stays for the next start's replay */
		store_overlay_send(s, INT64_MAX);
		store_worker_drain(s->checkpoint);
	}
}

/* The log first: bodies and index may only follow what is synced (I-01). */
void
store_close(struct store **s)
{
	if (*s == NULL)
		return;
	finish_log(*s);
	store_bodies_synced(*s, store_synced(*s));
	store_tap_flush(*s);
	finish_index(*s);
	if (!(*s)->is_dead)
		store_aside_end(*s);
	free_all(*s);
	*s = NULL;
}
