/*
 * Which segment, and how fast.
 *
 * Dead bytes are let be until they are most of a large log: moving costs
 * writes, and a queue that empties frees its segments by itself.  Then the
 * segment with least to move goes first.  When all are well filled, one is
 * moved that others only wait for: its messages' verdicts lie in them.
 *
 * The pace: as fast as groups are synced while there is no other mail; beside
 * mail, a share of what mail writes and a little more, so that it ends.  On a
 * disk that refuses mail there is nothing to be gained by waiting.
 */
#include "queued/store/store_compact.h"

#include "queued/store/store_group.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_move.h"
#include "queued/store/store_read.h"

enum {
	SEGMENTS_LEFT = 4,		/* dead ones that nobody minds */
	LIVE_MAX_PERCENT = 80,		/* of a segment worth moving */
	LIVE_MAX_SHORT_PERCENT = 50,	/* ... when the disk is full */
	MAIL_SHARE = 8,			/* beside mail: one part of so many */
	BYTES_PER_MS = 4096,
	RECORD_BYTES = 512,		/* beside its content, about */
};

#define CREDIT_MAX	((uint64_t)1 << 20)

void
store_compact_init(struct store_compact *c)
{
	*c = (struct store_compact){ .is_asked = true };
	store_sift_init(&c->sift);
}

void
store_compact_clear(struct store_compact *c)
{
	store_sift_clear(&c->sift);
}

/* ---- which ---- */

/* Synced, and past in the index: all that lives in it has a row. */
static bool
is_sealed(const struct store *s, const struct store_segment *seg)
{
	return seg->number < s->log.synced.segment &&
	    seg->number < s->overlay.indexed.segment && !seg->is_going &&
	    !seg->is_doomed;
}

static bool
is_movable(const struct store *s, const struct store_segment *seg)
{
	return is_sealed(s, seg) && seg->messages > 0 && !seg->is_stuck;
}

static bool
is_short(const struct store *s)
{
	return !s->space.told.is_accepting;
}

/* Least live, at most PERCENT of it. */
static struct store_segment *
emptiest(const struct store *s, unsigned percent)
{
	struct store_segment *best = NULL;

	for (size_t i = 0; i < s->segments.n; i++) {
		struct store_segment *seg = s->segments.rows[i];

		if (is_movable(s, seg) &&
		    seg->live_bytes * 100 <= seg->bytes * percent &&
		    (best == NULL || seg->live_bytes < best->live_bytes))
			best = seg;
	}
	return best;
}

/* The one for whose messages most bytes of others are kept, if these are more
 * than its own; each of those counts for the oldest that it waits for. */
static struct store_segment *
most_waited_for(const struct store *s)
{
	struct store_segment *best = NULL, *seg;

	for (size_t i = 0; i < s->segments.n; i++)
		s->segments.rows[i]->waiting_bytes = 0;
	for (size_t i = 0; i < s->segments.n; i++) {
		const struct store_segment *waits = s->segments.rows[i];
		uint64_t oldest = UINT64_MAX;

		for (size_t k = 0; k < waits->settles.n; k++) {
			if (waits->settles.p[k] < oldest)
				oldest = waits->settles.p[k];
		}
		seg = store_segments_find(&s->segments, oldest);
		if (waits->messages > 0 || !is_sealed(s, waits) ||
		    seg == NULL || !is_movable(s, seg))
			continue;
		seg->waiting_bytes += waits->bytes;
		if (seg->waiting_bytes > seg->live_bytes && (best == NULL ||
		    seg->waiting_bytes > best->waiting_bytes))
			best = seg;
	}
	return best;
}

/* Beside mail full ones are meant: what is dead then may be used again at once,
 * and what lives is soon dead.  When it is quiet, those of a log as long as this
 * one: what a backlog has left is not kept for the next. */
static uint64_t
segment_bytes(const struct store *s)
{
	return store_overlay_lag(&s->overlay) == 0 ? s->spares.wanted_bytes :
	    s->spares.segment_bytes;
}

/* NULL: nothing is to be moved. */
static struct store_segment *
choose(struct store *s)
{
	uint64_t sealed = 0, live = 0;
	struct store_segment *seg;

	if (s->compact.is_forced)
		return emptiest(s, 100);
	for (size_t i = 0; i < s->segments.n; i++) {
		if (!is_sealed(s, s->segments.rows[i]))
			continue;
		sealed += s->segments.rows[i]->bytes;
		live += s->segments.rows[i]->live_bytes;
	}
	if (sealed > 2 * live + SEGMENTS_LEFT * segment_bytes(s)) {
		seg = emptiest(s, LIVE_MAX_PERCENT);
		return seg != NULL ? seg : most_waited_for(s);
	}
	return is_short(s) ? emptiest(s, LIVE_MAX_SHORT_PERCENT) : NULL;
}

/* ---- one segment ---- */

/* IS_WHOLE: all of it was read.  What then still lives there stays, and with
 * it the segment; it is not tried again in this life of the spool. */
static void
end(struct store *s, bool is_whole)
{
	struct store_compact *c = &s->compact;
	struct store_segment *seg =
	    store_segments_find(&s->segments, c->segment);

	c->segment = 0;
	c->next = 0;
	store_sift_clear(&c->sift);
	if (seg == NULL)
		return;
	seg->pins--;
	/* it may have been passed over for its pin */
	s->overlay.has_news = true;
	if (!is_whole || seg->messages == 0)
		return;
	seg->is_stuck = true;
	if (seg->messages > c->kept)
		store_notice(s, "log-damage", "segment %ju: records of %ju "
		    "messages can't be read", (uintmax_t)seg->number,
		    (uintmax_t)(seg->messages - c->kept));
}

/* A piece that could not be read is tried again some time, with the rest. */
static void
done(struct store_job *job, void *owner)
{
	struct store *s = owner;
	struct store_compact *c = &s->compact;

	(void)job;
	c->is_busy = false;
	c->next = 0;
	if (c->sift.result != OK)
		end(s, false);
}

static void
read_on(struct store *s)
{
	struct store_compact *c = &s->compact;

	c->is_busy = true;
	c->sift.job.run = store_sift_run;
	c->sift.job.done = done;
	store_worker_put(s->sift, &c->sift.job);
}

static void
begin(struct store *s, struct store_segment *seg)
{
	struct store_compact *c = &s->compact;
	int fd;

	if (store_segments_open(&s->segments, seg, &fd) != OK)
		return;
	seg->pins++;
	c->segment = seg->number;
	c->kept = 0;
	c->sift.index = s->index;
	c->sift.fd = fd;
	c->sift.segment = seg->number;
	c->sift.offset = c->sift.record_at = c->sift.records_end = 0;
	c->sift.window.n = 0;
	c->sift.end = seg->bytes;
	c->is_forced = false;
	read_on(s);
}

/* ---- its messages ---- */

/* It stays: in its segment, under quarantine if it is its content. */
static enum err
keep_back(struct store *s, struct message *m, const struct store_find *find,
    enum err why)
{
	s->compact.kept++;
	if (!find->is_sound)
		store_read_quarantine(s, m);
	else if (why == ERR_CORRUPT)
		store_notice(s, "index-damage", "units of message %s",
		    store_id_text(m->pub.id).p);
	return OK;
}

/* It may have been settled or moved since it was found. */
static enum err
move(struct store *s, const struct store_find *find)
{
	struct store_compact *c = &s->compact;
	struct message *m;
	enum err e = store_memory_load(s, find->id, &m);

	if (e != OK)
		return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
	if (m->is_placed && m->move == NULL &&
	    m->pub.place.segment == c->segment &&
	    m->pub.place.offset == find->offset) {
		e = !find->is_sound ? ERR_CORRUPT : store_move_append(s, m,
		    span_sub(buf_span(&c->sift.content), find->at, find->n));
		c->moved_messages += e == OK;
		if (e == ERR_CORRUPT || e == ERR_RANGE)
			e = keep_back(s, m, find, e);
	}
	store_memory_release(s, m);
	return e;
}

/* Without memory, or an index that can't be read, it is left for later. */
static void
move_some(struct store *s, size_t budget)
{
	struct store_compact *c = &s->compact;
	const struct store_sift *f = &c->sift;
	size_t used = 0;

	while (c->next < f->count && used < budget) {
		const struct store_find *find = &f->finds[c->next];

		if (move(s, find) != OK) {
			end(s, false);
			return;
		}
		used += find->n + RECORD_BYTES;
		c->next++;
	}
	c->moved_bytes += used;
	c->credit -= used < c->credit ? used : c->credit;
	c->plain_groups = s->log.plain_groups;
}

/* ---- the pace ---- */

static void
add_credit(struct store *s, int64_t now_ms)
{
	struct store_compact *c = &s->compact;
	int64_t ms = now_ms - c->credited_at_ms;

	c->credit += (s->overlay.appended - c->appended) / MAIL_SHARE;
	if (ms > 0)
		c->credit += (uint64_t)ms * BYTES_PER_MS;
	if (c->credit > CREDIT_MAX)
		c->credit = CREDIT_MAX;
	c->appended = s->overlay.appended;
	c->credited_at_ms = now_ms;
}

/* Bytes to be moved now; at least a slice, or the groups would be many. */
static size_t
budget(struct store *s, int64_t now_ms)
{
	struct store_compact *c = &s->compact;
	bool is_quiet = store_log_is_open_empty(s) &&
	    s->log.plain_groups == c->plain_groups;

	add_credit(s, now_ms);
	return is_quiet || is_short(s) || c->credit >= STORE_MOVE_SLICE ?
	    STORE_MOVE_SLICE : 0;
}

/* What is moved may begin a new segment only while another spare is left. */
static bool
has_room(const struct store *s)
{
	const struct store_log *l = &s->log;
	uint64_t rest = l->segment->bytes > l->end.offset ?
	    l->segment->bytes - l->end.offset : 0;

	return s->spares.count >= STORE_SPARES ||
	    rest >= l->open->bytes.n + 2 * STORE_MOVE_SLICE;
}

static bool
may_append(const struct store *s)
{
	const struct store_log *l = &s->log;

	return !l->is_under_way && !l->is_waiting && !l->is_rescuing &&
	    !store_overlay_is_lagging(&s->overlay) && has_room(s);
}

/* All that was found is on its way, or will be in the group that is open. */
static void
go_on(struct store *s, int64_t now_ms)
{
	struct store_compact *c = &s->compact;
	size_t bytes;

	if (c->next < c->sift.count && may_append(s) &&
	    (bytes = budget(s, now_ms)) > 0)
		move_some(s, bytes);
	if (c->segment == 0 || c->next < c->sift.count)
		return;
	if (!store_sift_is_over(&c->sift))
		read_on(s);
	else if (list_is_empty(&s->log.open->moves))
		end(s, true);
}

void
store_compact_flush(struct store *s, int64_t now_ms)
{
	struct store_compact *c = &s->compact;
	struct store_segment *seg;

	if (c->is_busy || s->is_dead)
		return;
	if (c->segment != 0) {
		go_on(s, now_ms);
		return;
	}
	if (!c->is_asked && !c->is_forced)
		return;
	c->is_asked = false;
	if ((seg = choose(s)) != NULL)
		begin(s, seg);
}
