/*
 * The journal lags behind the log by a second at most: it is written when a
 * check-point of the index waits for it, or when much has gathered.  The index
 * waits because what the journal does not have must be replayed by the next
 * start; but not for long, for a lagging index slows what is accepted.
 */
#include "queued/history.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/log/log.h"
#include "queued/history_feed.h"
#include "queued/store/store_note.h"
#include "queued/store/store_tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A journal that is at one piece for so long does not hold the index up. */
#define PATIENCE_MS	INT64_C(3000)

/* Without a check-point that asks, what has gathered is written after this. */
#define LATE_MS		INT64_C(2000)

struct history {
	struct queued *q;
	struct store_tap tap;
	struct history_feed *feed;
	struct journal *journal;	/* NULL: off, or it can't be had */
	struct watch *ready;
	uint8_t uuid[16];
	uint64_t replay;		/* the index's position at the start */
	int64_t flushed_at;		/* monotonic */
	bool is_open;			/* the store is: its turn may be taken */
};

static void
notice(struct queued *q, const char *text)
{
	if (!log_begin(q->log, LOG_HISTORY_LOST, NULL))
		return;
	log_str(q->log, "what", text);
	log_end(q->log);
}

/* ---- the journal speaks ---- */

static void
on_position(void *ctx, uint64_t group)
{
	struct history *h = ctx;

	if (h->is_open)
		store_journaled(h->q->store, group);
}

static void
on_notice(void *ctx, const char *text)
{
	struct history *h = ctx;

	notice(h->q, text);
}

static const struct journal_ops journal_ops = {
	.on_position = on_position,
	.on_notice = on_notice,
};

static void
on_ready(void *ctx, unsigned events)
{
	struct history *h = ctx;

	(void)events;
	journal_turn(h->journal);
}

/* ---- opening and closing it ---- */

static uint64_t
keep_ms(const struct conf *conf)
{
	return (uint64_t)conf->queue.history_ms + (uint64_t)mtime_max(
	    conf->queue.expire_ms, conf->queue.report_expire_ms);
}

static void
set_bounds(struct history *h)
{
	const struct conf *conf = h->q->conf;

	journal_set_bounds(h->journal, keep_ms(conf),
	    conf->queue.history_size_bytes);
}

/* It is no reason to refuse mail when it can't be had. */
static void
open_journal(struct history *h)
{
	int fd;
	enum err e;

	if (h->journal != NULL || h->q->conf->queue.history_ms == 0)
		return;
	fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	e = fd >= 0 ? journal_open(fd, &store_io_system, h->uuid,
	    &journal_ops, h, &h->journal) : ERR_IO;
	if (fd >= 0)
		(void)close(fd);
	if (e == OK)
		set_bounds(h);
	else
		notice(h->q, "the history can't be opened: there is none");
}

/* Nobody waits for it from now on. */
static void
close_journal(struct history *h)
{
	watch_free(&h->ready);
	if (h->journal != NULL)
		journal_close(&h->journal, queued_wall(h->q));
	if (h->is_open)
		store_journaled(h->q->store, UINT64_MAX);
}

static void
watch_journal(struct history *h)
{
	if (h->journal == NULL) {
		store_journaled(h->q->store, UINT64_MAX);
		return;
	}
	if (watch_new(h->q->loop, journal_fd(h->journal), on_ready, h,
	    &h->ready) != OK) {
		notice(h->q, "no memory for the history: there is none");
		close_journal(h);
		return;
	}
	watch_set(h->ready, WATCH_READ);
	/* what the replay told has only gathered: it counts when it is kept,
	 * or the next kill finds the index past it */
	journal_wait(h->journal, queued_wall(h->q));
	store_journaled(h->q->store, journal_taken(h->journal));
}

/* ---- the store speaks ---- */

static void
on_replay(void *ctx, const uint8_t uuid[16], uint64_t group)
{
	struct history *h = ctx;

	memcpy(h->uuid, uuid, sizeof(h->uuid));
	h->replay = group;
	open_journal(h);
}

static void
on_group(void *ctx, const struct store *s, uint64_t group,
    uint64_t written_at, struct span records)
{
	struct history *h = ctx;
	struct buf *out;

	(void)written_at;
	if (h->journal == NULL ||
	    (out = journal_begin(h->journal, group)) == NULL)
		return;
	journal_end(h->journal, group,
	    history_feed_group(h->feed, s, records, out));
	/* a start has a whole log to tell, and nobody to wait for it */
	if (!h->is_open && journal_gathered(h->journal) >= JOURNAL_PIECE)
		journal_wait(h->journal, queued_wall(h->q));
}

static void
on_flush(void *ctx, struct store *s)
{
	struct history *h = ctx;

	if (h->journal == NULL)
		return;
	journal_wait(h->journal, queued_wall(h->q));
	store_journaled(s, journal_taken(h->journal));
}

/* ---- life ---- */

enum err
history_new(struct queued *q, const struct store_tap **tap)
{
	struct history *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return ERR_NOMEM;
	h->q = q;
	h->tap.ctx = h;
	h->tap.on_replay = on_replay;
	h->tap.on_group = on_group;
	h->tap.on_flush = on_flush;
	h->feed = history_feed_new();
	if (h->feed == NULL) {
		free(h);
		return ERR_NOMEM;
	}
	q->history = h;
	*tap = &h->tap;
	return OK;
}

/* Its position must lie between the index's and the log's end: what is before
 * it and was not replayed is lost; one beyond the end is of another log. */
static void
check_position(struct history *h)
{
	uint64_t taken, last = store_last_group(h->q->store);

	if (h->journal == NULL)
		return;
	taken = journal_taken(h->journal);
	if (taken > last) {
		notice(h->q, "the history is of a longer log than there is: "
		    "it begins anew");
		journal_begin_anew(h->journal, last);
	} else if (journal_found(h->journal) != 0 &&
	    journal_found(h->journal) < h->replay) {
		notice(h->q, "some history before this start is missing");
		journal_note_lost(h->journal, journal_found(h->journal) + 1,
		    h->replay);
	}
}

enum err
history_start(struct queued *q)
{
	struct history *h = q->history;

	h->is_open = true;
	check_position(h);
	watch_journal(h);
	h->flushed_at = queued_now(q);
	return OK;
}

void
history_free(struct queued *q)
{
	struct history *h = q->history;

	if (h == NULL)
		return;
	h->is_open = false;
	close_journal(h);
	history_feed_free(&h->feed);
	free(h);
	q->history = NULL;
}

void
history_reload(struct queued *q)
{
	struct history *h = q->history;

	if (h == NULL || !h->is_open)
		return;
	if (q->conf->queue.history_ms == 0) {
		close_journal(h);
	} else if (h->journal != NULL) {
		set_bounds(h);
	} else {
		open_journal(h);
		h->replay = store_synced(q->store);
		check_position(h);
		watch_journal(h);
	}
}

/* ---- its time ---- */

static void
flush(struct history *h)
{
	struct queued *q = h->q;

	journal_set_short(h->journal, !store_room(q->store).is_accepting);
	journal_flush(h->journal, queued_wall(q));
	h->flushed_at = queued_now(q);
}

void
history_turn(struct queued *q)
{
	struct history *h = q->history;
	uint64_t awaited;

	if (h->journal == NULL || journal_is_busy(h->journal))
		return;
	awaited = store_awaits_journal(q->store);
	if ((awaited != 0 && journal_taken(h->journal) >= awaited) ||
	    journal_gathered(h->journal) >= JOURNAL_PIECE)
		flush(h);
}

/* What is passed here was not kept: the next start would find it missing. */
void
history_keep_house(struct queued *q)
{
	struct history *h = q->history;
	int64_t age = queued_now(q) - h->flushed_at;

	if (h->journal == NULL)
		return;
	if (!journal_is_busy(h->journal) && age >= LATE_MS)
		flush(h);
	else if (journal_is_busy(h->journal) && age >= PATIENCE_MS &&
	    store_awaits_journal(q->store) != 0)
		store_journaled(q->store, store_awaits_journal(q->store));
}

void
history_note(struct queued *q, uint64_t id, uint32_t unit, uint8_t kind,
    uint64_t value, uint32_t uid, const char *why)
{
	struct store_note n = { .kind = kind, .unit = unit,
	    .at = queued_wall(q), .value = value };
	char by[STORE_NOTE_BY_MAX + 1];

	if (q->history->journal == NULL)
		return;
	if (uid != HISTORY_NOBODY)
		snprintf(by, sizeof(by), "uid %u", uid);
	else
		snprintf(by, sizeof(by), "%s", why);
	n.by = span_str(by);
	(void)store_note(q->store, id, &n);
}

struct journal *
history_journal(struct queued *q)
{
	return q->history->journal;
}
