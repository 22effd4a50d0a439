/*
 * How groups reach the disk (docs/SPOOL.md, Writing).
 *
 * Records gather in the open group.  At the end of a turn it is given its head,
 * place and chain and goes to the commit thread, if that is idle; a new one is
 * opened at once.  So the slower the disk, the larger the groups: nothing has
 * to be tuned, and nobody waits for a timer.
 *
 * A group handed over stands in `unsynced' until a sync.  Groups of verdicts
 * only are not synced by themselves: once written, their records are copied to
 * `loose' (should a rescue need them) and their buffer is used again.  The next
 * sync, at the latest one by the timer, covers both.
 *
 * The state changes in the owner's thread only.  `end' is moved at the
 * hand-over, `synced' when the job is done; between them lies what a failure
 * puts in doubt, and a rescue takes up again in another segment.
 */
#include "queued/store/store_log.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/os/clock.h"
#include "queued/store/store_dead.h"
#include "queued/store/store_group.h"
#include "queued/store/store_move.h"
#include "queued/store/store_private.h"
#include "queued/store/store_rescue.h"
#include "queued/store/store_tap_private.h"

#include <stdlib.h>

#define SYNC_LATE_MS (STORE_TICK_MS * 9 / 10)	/* SPOOL.md rule 3 */
#define LOOSE_MAX ((size_t)8 << 20)	/* bytes; sync earlier */

/* ---- in the commit thread ---- */

/* The order is the promise: what is vouched for is durable before, the name of
 * a new segment before its first group. */
static enum err
write_group(const struct store_commit *c)
{
	const struct store_io *io = c->io;
	enum err e = OK;

	/* a group in a new segment vouches for those in the old one */
	if (c->old_fd >= 0 && io->fdatasync(io->ctx, c->old_fd) != 0)
		return store_io_error();
	if (c->is_new &&
	    (io->rename(io->ctx, c->dir_fd, c->spare, c->name) != 0 ||
	    io->sync_dir(io->ctx, c->dir_fd) != 0))
		return store_io_error();
	if (c->bytes.n > 0)
		e = store_io_write(io, c->fd, c->bytes.p, c->bytes.n, c->at);
	if (e == OK && c->with_sync && io->fdatasync(io->ctx, c->fd) != 0)
		e = store_io_error();
	return e;
}

static void
run(struct store_job *job)
{
	struct store_commit *c = CONTAINER_OF(job, struct store_commit, job);
	int64_t begun = clock_mono_ns();

	c->result = write_group(c);
	c->took_us = (uint64_t)(clock_mono_ns() - begun) / 1000;
}

/* ---- in the owner's thread ---- */

static struct store_group_buf *
of_link(struct list *link)
{
	return CONTAINER_OF(link, struct store_group_buf, link);
}

/* The sync covers everything handed over, since one commit is under way at a
 * time. */
static void
all_synced(struct store *s)
{
	struct store_log *l = &s->log;
	struct list *link;

	store_tap_synced(s);
	while ((link = list_first(&l->unsynced)) != NULL) {
		store_move_synced(s, of_link(link));
		store_cache_keep(&s->cache, of_link(link));
	}
	buf_reset(&l->loose);
	l->loose_settles.n = 0;
	l->wants_sync = false;
	l->synced = l->end;
	s->syncs++;
	/* unless it waits to be handed over again */
	if (l->fresh == NULL)
		store_dead_synced(s);
	if (l->is_rescuing)
		store_rescue_end(s);
}

/* Verdicts that were written only: small groups, so their records are kept
 * together and their buffers used again. */
static void
written_only(struct store *s)
{
	struct store_log *l = &s->log;
	struct store_group_buf *g = of_link(list_first(&l->unsynced));
	size_t before = l->loose.n;

	/* without memory it stays in `unsynced', and the next chance to
	 * sync is taken */
	for (size_t i = 0; i < g->settles.n; i++) {
		if (store_numbers_add(&l->loose_settles,
		    g->settles.p[i]) != OK)
			return;
	}
	buf_add(&l->loose, g->bytes.p + STORE_GROUP_HEAD, g->records_bytes);
	if (buf_failed(&l->loose)) {
		/* it stays as it is */
		l->loose.n = before;
		l->loose.is_failed = false;
		return;
	}
	if (before == 0)
		l->loose_since_ms = g->handed_at_ms;
	l->loose_last = g->number;
	store_cache_give_back(&s->cache, g);
}

static void
done(struct store_job *job, void *owner)
{
	struct store *s = owner;
	struct store_log *l = &s->log;
	struct store_commit *c = CONTAINER_OF(job, struct store_commit, job);

	l->is_under_way = false;
	store_quick_note(&l->quick[c->with_sync], c->bytes.n, c->took_us);
	if (c->seg != NULL)
		c->seg->pins--;
	if (c->old != NULL)
		c->old->pins--;
	if (c->result != OK) {
		store_rescue_begin(s, c->result);
		return;
	}
	if (c->with_sync)
		all_synced(s);
	else
		written_only(s);
	/* nobody waits for groups of a start */
	if (s->is_recovering)
		return;
	if (c->bytes.n > 0)
		s->ops.on_written(s->ctx, l->end.sequence);
	if (c->with_sync)
		s->ops.on_synced(s->ctx, l->end.sequence);
	store_overlay_send(s, clock_mono_ms());
}

enum err
store_log_init(struct store *s, const struct store_position *end)
{
	struct store_log *l = &s->log;

	list_init(&l->unsynced);
	buf_init(&l->loose, STORE_GROUP_MAX);
	l->end = *end;
	l->synced = *end;
	l->open = store_cache_take(&s->cache);
	return l->open != NULL ? OK : ERR_NOMEM;
}

void
store_log_clear(struct store *s)
{
	struct store_log *l = &s->log;
	struct list *link;

	if (l->open == NULL)
		return;
	while ((link = list_take_first(&l->unsynced)) != NULL) {
		store_move_drop(of_link(link));
		store_cache_give_back(&s->cache, of_link(link));
	}
	store_move_drop(l->open);
	store_cache_give_back(&s->cache, l->open);
	l->open = NULL;
	buf_clear(&l->loose);
	store_numbers_clear(&l->loose_settles);
	store_numbers_clear(&l->dead);
	free(l->refused);
	l->refused = NULL;
}

struct buf *
store_log_records(struct store *s)
{
	return &s->log.open->bytes;
}

void
store_log_born(struct store *s, struct message *m, size_t at)
{
	m->group_offset = (uint32_t)at;
	list_add_last(&s->log.open->born, &m->born);
}

/* Noted with the group, for its segment is not chosen yet. */
enum err
store_log_settles(struct store *s, uint64_t segment)
{
	return store_numbers_add(&s->log.open->settles, segment);
}

bool
store_log_is_open_empty(const struct store *s)
{
	return s->log.open->bytes.n <= STORE_GROUP_HEAD;
}

/* ---- handing over ---- */

/* Now it is known where the messages of the group lie. */
static void
place_messages(struct store *s, struct store_group_buf *g)
{
	struct store_segment *seg = s->log.segment;
	struct list *node;

	while ((node = list_take_first(&g->born)) != NULL) {
		struct message *m = CONTAINER_OF(node, struct message, born);

		m->pub.place.segment = seg->number;
		m->pub.place.offset = g->offset + m->group_offset;
		m->is_placed = true;
		/* a body in a file is never leased from here */
		if (!m->pub.place.is_file) {
			m->group = g->number;
			g->wanted++;
		}
		seg->messages++;
		seg->live_bytes += m->record_bytes;
		seg->is_dirty = true;
	}
}

/* Verdicts live as long as the segments of their messages: said before the
 * group is written, for it can't be undone afterwards. */
static enum err
note_settles(struct store_segment *seg, const struct store_numbers *settles)
{
	enum err e = OK;

	for (size_t i = 0; i < settles->n && e == OK; i++) {
		/* a segment that holds both goes as a whole */
		if (settles->p[i] == seg->number)
			continue;
		e = store_numbers_add(&seg->settles, settles->p[i]);
		seg->is_dirty = true;
	}
	return e;
}

/* A seal that cuts bytes off lives as long as the segment it cuts. */
static enum err
note_cut(struct store *s, struct store_segment *seg)
{
	const struct store_log *l = &s->log;

	if (seg == l->segment || (!l->is_rescuing && !l->is_cutting) ||
	    l->synced.segment == 0)
		return OK;
	seg->is_dirty = true;
	seg->cuts = l->synced.segment;
	return store_numbers_add(&seg->settles, l->synced.segment);
}

/* Takes a spare to be the next segment; its file is renamed by the commit. */
static enum err
take_spare(struct store *s)
{
	struct store_commit *c = &s->log.commit;
	struct store_segment *seg;
	struct store_spare spare;
	enum err e;

	if (s->spares.count == 0)
		return ERR_AGAIN;
	e = store_segments_add(&s->segments, s->next_segment, 0, -1, &seg);
	if (e != OK)
		return e;
	s->next_segment++;
	MUST(store_spares_take(&s->spares, &spare) == OK);
	store_segments_adopt(&s->segments, seg, spare.fd, spare.bytes);
	memcpy(c->spare, spare.name, sizeof(c->spare));
	store_segment_name(seg->number, c->name);
	s->log.fresh = seg;
	return OK;
}

/* By the thread, unless the way there would take longer; a new segment always
 * does. */
static void
put_commit(struct store *s)
{
	struct store_commit *c = &s->log.commit;

	if (!c->is_new && c->old == NULL && !s->is_recovering &&
	    store_quick_may(&s->log.quick[c->with_sync], c->bytes.n)) {
		store_worker_run_here(s->commit, &c->job);
		store_wake_due(s);
	} else
		store_worker_put(s->commit, &c->job);
}

/* Segments are pinned while the thread has their descriptors: a check-point may
 * find them over meanwhile. */
static void
start_commit(struct store *s, struct span bytes, uint64_t at, bool is_new,
    bool with_sync, struct store_segment *old)
{
	struct store_log *l = &s->log;
	struct store_commit *c = &l->commit;

	c->io = s->io;
	c->dir_fd = s->log_fd;
	c->seg = l->segment;
	c->fd = l->segment->fd;
	c->seg->pins++;
	c->old = old;
	c->old_fd = old != NULL ? old->fd : -1;
	if (old != NULL)
		old->pins++;
	c->is_new = is_new;
	c->bytes = bytes;
	c->at = at;
	c->with_sync = with_sync;
	c->job.run = run;
	c->job.done = done;
	l->is_under_way = true;
	put_commit(s);
}

static bool
has_unsynced(const struct store_log *l)
{
	return l->loose.n > 0 || !list_is_empty(&l->unsynced);
}

/* Whether what was only written has waited for long enough. */
static bool
is_sync_late(const struct store_log *l, int64_t now_ms)
{
	return !list_is_empty(&l->unsynced) || l->wants_sync ||
	    l->loose.n >= LOOSE_MAX ||
	    (l->loose.n > 0 && now_ms - l->loose_since_ms >= SYNC_LATE_MS);
}

/* Head, tail and place of the open group, which then is under way. */
static enum err
finish(struct store *s, struct store_group_buf *g, struct store_segment *seg,
    int64_t now_ms)
{
	struct store_log *l = &s->log;
	bool is_new = seg != l->segment;
	struct store_group_head head = {
		.sequence = l->end.sequence + 1,
		.segment = seg->number,
		.offset = is_new ? 0 : l->end.offset,
		.synced = l->synced.sequence,
		.written_at = (uint64_t)clock_wall_ms(),
		.start = s->start,
		.chain = l->end.sum,
	};
	enum err e;

	if (l->is_rescuing) {
		/* what failed does not exist: it is cut off by the seal */
		head.previous_segment = l->synced.segment;
		head.previous_length = l->synced.offset;
		head.chain = l->synced.sum;
		head.flags = STORE_GROUP_CUTS;
	} else if (is_new) {
		head.previous_segment = l->end.segment;
		head.previous_length = l->end.offset;
		head.flags = l->is_cutting ? STORE_GROUP_CUTS : 0;
	}
	g->records_bytes = g->bytes.n - STORE_GROUP_HEAD;
	if ((e = store_group_end(&g->bytes, &head, &g->sum)) != OK)
		return e;
	g->number = head.sequence;
	g->segment = head.segment;
	g->offset = head.offset;
	g->handed_at_ms = now_ms;
	l->segment = seg;
	l->end = (struct store_position){ .segment = head.segment,
	    .offset = head.offset + g->bytes.n, .sequence = head.sequence,
	    .sum = g->sum };
	if (l->end.offset > seg->bytes) {
		s->segments.bytes += l->end.offset - seg->bytes;
		seg->bytes = l->end.offset;
	}
	s->overlay.appended += g->bytes.n;
	s->groups++;
	return OK;
}

/* During a rescue nothing fits: a segment that failed is written no more. */
static bool
fits(const struct store_log *l)
{
	size_t n = l->open->bytes.n + STORE_GROUP_TAIL;

	n = (n + STORE_BLOCK - 1) / STORE_BLOCK * STORE_BLOCK;
	return l->segment != NULL && !l->is_rescuing &&
	    l->end.offset + n <= l->segment->bytes;
}

/* The segment for the open group: the one being written, or a new one. */
static enum err
choose_segment(struct store *s, struct store_segment **out)
{
	struct store_log *l = &s->log;
	enum err e = OK;

	if (l->fresh == NULL && fits(l)) {
		*out = l->segment;
		return OK;
	}
	/* all memory is had before a spare is taken: there is no way back */
	if (buf_reserve(&l->open->bytes,
	    STORE_GROUP_TAIL + STORE_BLOCK) == NULL)
		return ERR_NOMEM;
	if (l->fresh == NULL)
		e = take_spare(s);
	if (e == OK)
		e = store_dead_state(s);
	l->is_waiting = e == ERR_AGAIN;
	*out = l->fresh;
	return e;
}

/* All that can fail comes before finish(), which itself fails before the end
 * moves: then the group stays open, and the next flush tries again. */
void
store_log_hand_over(struct store *s, int64_t now_ms, bool force)
{
	struct store_log *l = &s->log;
	struct store_group_buf *g = l->open, *next;
	struct store_segment *seg, *old = NULL;
	bool with_sync, is_new;

	if (l->is_under_way || s->is_dead ||
	    (store_log_is_open_empty(s) && !force))
		return;
	/* there must always be an open group */
	if ((next = store_cache_take(&s->cache)) == NULL)
		return;
	if (choose_segment(s, &seg) != OK ||
	    note_settles(seg, &g->settles) != OK ||
	    note_cut(s, seg) != OK) {
		store_cache_give_back(&s->cache, next);
		return;
	}
	is_new = seg != l->segment;
	/* its head vouches for those, so they are synced before */
	if (is_new && has_unsynced(l))
		old = l->segment;
	/* what is over can be written again soon, and be used instead of a
	 * new file */
	if (is_new && l->dead.n > 0) {
		s->overlay.frees = true;
		s->overlay.frees_at_ms = now_ms;
	}
	if (finish(s, g, seg, now_ms) != OK) {
		store_cache_give_back(&s->cache, next);
		return;
	}
	l->open = next;
	l->fresh = NULL;
	place_messages(s, g);
	l->plain_groups += list_is_empty(&g->moves);
	store_move_place(s, g, seg);
	with_sync = g->needs_sync || force || is_sync_late(l, now_ms);
	list_add_last(&l->unsynced, &g->link);
	store_cache_show(&s->cache, g);
	start_commit(s, buf_span(&g->bytes), g->offset, is_new, with_sync,
	    old);
}

/* A job without bytes: only the sync. */
void
store_log_sync_late(struct store *s, int64_t now_ms, bool force)
{
	struct store_log *l = &s->log;

	if (l->is_under_way || s->is_dead || !has_unsynced(l) ||
	    (!force && !is_sync_late(l, now_ms)))
		return;
	start_commit(s, SPAN_NONE, 0, false, true, NULL);
}
