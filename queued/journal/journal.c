/*
 * Two buffers: one gathers while the other is written.  Records are appended
 * group by group, so a buffer always ends between two groups, and the mark at
 * its end says which.  What is lost moves the position all the same: the index
 * of the spool waits for the journal (docs/HISTORY.md), and must not wait for
 * a disk that does not take it.
 *
 * The files belong to the thread; what the owner wants to know of them comes
 * back with each job.
 */
#include "queued/journal/journal.h"

#include "common/base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A full disk is asked to give up this many old files for a piece. */
enum { SHED_MAX = 8, NOTICE_MAX = 200 };

#define TIDY_MS		UINT64_C(60000)

/* The job that writes. */
struct flush {
	struct store_job job;
	struct journal_files *files;
	struct buf bytes;
	uint64_t first, last;		/* groups */
	uint64_t events;
	uint64_t now;
	uint64_t keep_ms, bytes_max;
	bool is_short;
	uint64_t room;			/* that old files left, not taken yet */
	enum err result;
	uint64_t file_count, file_bytes;
};

struct journal {
	struct journal_files files;	/* the thread's */
	struct store_worker *worker;
	struct flush flush;
	struct buf gather;
	struct list waiting;		/* asks, for the flush under way */
	struct journal_ops ops;
	void *ctx;
	struct journal_figures figures;
	uint64_t gather_first;		/* group; 0: none */
	uint64_t gather_events;
	uint64_t taken, found;		/* groups */
	uint64_t lost_first, lost_last;	/* not noted yet; 0: none */
	uint64_t now;			/* as last told */
	uint64_t tidied_at;
	uint64_t keep_ms, bytes_max;
	size_t before;			/* of gather, when a group began */
	int wake_fd;
	bool is_under_way;
	bool is_short;
	bool has_failed;		/* and told so */
};

/* ---- in the thread ---- */

/* As much as BYTES and their index will take. */
static bool
make_room(struct flush *x)
{
	uint64_t need = x->bytes.n + x->bytes.n / 4;

	while (x->room < need) {
		uint64_t before = journal_files_bytes(x->files);

		if (!journal_files_shed(x->files))
			return false;
		x->room += before - journal_files_bytes(x->files);
	}
	x->room -= need;
	return true;
}

/* A write that failed is tried in another file; a full disk gets back what the
 * oldest files have. */
static enum err
append(struct flush *x)
{
	struct journal_files *f = x->files;
	enum err e = OK;

	if (!x->is_short)
		x->room = 0;
	else if (!make_room(x))
		return ERR_FULL;
	for (int i = 0; i < SHED_MAX && (i == 0 || e != OK); i++) {
		if (e == ERR_FULL && !journal_files_shed(f))
			return ERR_FULL;
		e = journal_files_append(f, buf_span(&x->bytes), x->last,
		    x->now);
		if (e != OK && e != ERR_FULL && i > 0)
			break;
	}
	return e;
}

static void
run_flush(struct store_job *job)
{
	struct flush *x = CONTAINER_OF(job, struct flush, job);
	struct journal_files *f = x->files;

	f->keep_ms = x->keep_ms;
	f->bytes_max = x->bytes_max;
	x->result = x->bytes.n > 0 ? append(x) : OK;
	(void)journal_files_tidy(f, x->now);
	x->file_count = f->n;
	x->file_bytes = journal_files_bytes(f);
}

static void
run_ask(struct store_job *job)
{
	struct journal_ask *ask = CONTAINER_OF(job, struct journal_ask, job);

	ask->result = journal_query_step(&ask->journal->files, &ask->query,
	    ask->max, &ask->out);
}

/* ---- gathering ---- */

uint64_t
journal_taken(const struct journal *j)
{
	return j->taken;
}

uint64_t
journal_found(const struct journal *j)
{
	return j->found;
}

void
journal_begin_anew(struct journal *j, uint64_t group)
{
	j->taken = group;
}

size_t
journal_gathered(const struct journal *j)
{
	return j->gather.n;
}

bool
journal_is_busy(const struct journal *j)
{
	return j->is_under_way;
}

void
journal_note_lost(struct journal *j, uint64_t first, uint64_t last)
{
	if (j->lost_first == 0)
		j->lost_first = first;
	if (last > j->lost_last)
		j->lost_last = last;
}

/* Before what comes next: it happened earlier. */
static void
put_lost(struct journal *j)
{
	size_t before = j->gather.n;

	if (j->lost_first == 0)
		return;
	journal_lost_put(&j->gather, j->now, j->lost_first, j->lost_last);
	if (buf_failed(&j->gather)) {
		j->gather.n = before;
		j->gather.is_failed = false;
		return;
	}
	if (j->gather_first == 0)
		j->gather_first = j->lost_first;
	j->lost_first = j->lost_last = 0;
}

struct buf *
journal_begin(struct journal *j, uint64_t group)
{
	if (group <= j->taken)
		return NULL;
	put_lost(j);
	j->before = j->gather.n;
	return &j->gather;
}

/* A group that finds no memory is left out whole. */
void
journal_end(struct journal *j, uint64_t group, uint64_t events)
{
	j->taken = group;
	j->figures.events += events;
	if (buf_failed(&j->gather) || j->gather.n > JOURNAL_GATHER_MAX) {
		j->gather.n = j->before;
		j->gather.is_failed = false;
		if (events == 0)
			return;
		j->figures.lost += events;
		journal_note_lost(j, group, group);
		return;
	}
	if (j->gather_first == 0)
		j->gather_first = group;
	j->gather_events += events;
}

/* ---- handing over ---- */

static void
put_flush(struct journal *j, uint64_t now)
{
	struct flush *x = &j->flush;

	x->first = j->gather_first;
	x->last = j->taken;
	x->events = j->gather_events;
	x->now = now;
	x->keep_ms = j->keep_ms;
	x->bytes_max = j->bytes_max;
	x->is_short = j->is_short;
	j->gather_first = 0;
	j->gather_events = 0;
	j->is_under_way = true;
	store_worker_put(j->worker, &x->job);
}

void
journal_flush(struct journal *j, uint64_t now)
{
	struct buf swap;

	j->now = now;
	if (j->is_under_way)
		return;
	put_lost(j);
	if (j->gather_first == 0) {
		/* the clock may have been set back */
		if (now - j->tidied_at < TIDY_MS)
			return;
		j->tidied_at = now;
		buf_reset(&j->flush.bytes);
		put_flush(j, now);
		return;
	}
	j->before = j->gather.n;
	journal_mark_put(&j->gather, j->taken, now);
	if (buf_failed(&j->gather)) {
		/* without a mark it would not count; memory may come */
		j->gather.n = j->before;
		j->gather.is_failed = false;
		return;
	}
	swap = j->gather;
	j->gather = j->flush.bytes;
	buf_reset(&j->gather);
	j->flush.bytes = swap;
	put_flush(j, now);
}

static void
tell_failure(struct journal *j, const struct flush *x)
{
	char text[NOTICE_MAX];

	if (x->result != OK && !j->has_failed)
		snprintf(text, sizeof(text), "history can't be written (%s): "
		    "what happens is not kept, mail goes on",
		    err_text(x->result));
	else if (x->result == OK && j->has_failed && x->bytes.n > 0)
		snprintf(text, sizeof(text), "history is written again; %"
		    PRIu64 " events were lost", j->figures.lost);
	else
		return;
	j->has_failed = x->result != OK;
	j->ops.on_notice(j->ctx, text);
}

static void
put_ask(struct journal *j, struct journal_ask *ask)
{
	store_worker_put(j->worker, &ask->job);
}

static void
done_flush(struct store_job *job, void *owner)
{
	struct journal *j = owner;
	struct flush *x = CONTAINER_OF(job, struct flush, job);
	struct list *node;

	j->is_under_way = false;
	j->figures.files = x->file_count;
	j->figures.bytes = x->file_bytes;
	if (x->result != OK) {
		j->figures.lost += x->events;
		journal_note_lost(j, x->first, x->last);
	} else if (x->bytes.n > 0) {
		j->figures.written += x->bytes.n;
		j->figures.writes++;
	}
	tell_failure(j, x);
	if (x->first != 0)
		j->ops.on_position(j->ctx, x->last);
	/* what a flood has left is not kept */
	if (x->bytes.size > 2 * (size_t)JOURNAL_PIECE)
		buf_clear(&x->bytes);
	if (list_is_empty(&j->waiting))
		return;
	journal_flush(j, j->now);
	while ((node = list_take_first(&j->waiting)) != NULL)
		put_ask(j, CONTAINER_OF(node, struct journal_ask, waiting));
}

void
journal_wait(struct journal *j, uint64_t now)
{
	store_worker_drain(j->worker);
	journal_flush(j, now);
	store_worker_drain(j->worker);
}

/* ---- questions ---- */

static void
done_ask(struct store_job *job, void *owner)
{
	struct journal_ask *ask = CONTAINER_OF(job, struct journal_ask, job);

	(void)owner;
	ask->done(ask);
}

/* What has gathered is written first; a flush under way may not have all. */
void
journal_ask(struct journal *j, struct journal_ask *ask, uint64_t now)
{
	ask->journal = j;
	ask->job.run = run_ask;
	ask->job.done = done_ask;
	buf_reset(&ask->out);
	j->now = now;
	if (j->is_under_way && j->gather_first != 0) {
		list_add_last(&j->waiting, &ask->waiting);
		return;
	}
	journal_flush(j, now);
	put_ask(j, ask);
}

/* ---- life ---- */

enum err
journal_open(int spool_fd, const struct store_io *io, const uint8_t uuid[16],
    const struct journal_ops *ops, void *ctx, struct journal **out)
{
	struct journal *j = calloc(1, sizeof(*j));
	enum err e;

	if (j == NULL)
		return ERR_NOMEM;
	j->ops = *ops;
	j->ctx = ctx;
	j->keep_ms = j->bytes_max = UINT64_MAX;
	/* a mark fits in, whatever has gathered */
	buf_init(&j->gather, JOURNAL_GATHER_MAX + JOURNAL_PIECE);
	buf_init(&j->flush.bytes, JOURNAL_GATHER_MAX + JOURNAL_PIECE);
	list_init(&j->waiting);
	j->flush.files = &j->files;
	j->flush.job.run = run_flush;
	j->flush.job.done = done_flush;
	j->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = j->wake_fd >= 0 ? journal_files_open(spool_fd, io, true,
	    &j->files) : ERR_FULL;
	if (e != OK) {
		if (j->wake_fd >= 0)
			(void)close(j->wake_fd);
		free(j);
		return e;
	}
	journal_files_set_uuid(&j->files, uuid);
	j->taken = j->found = j->files.position;
	e = store_worker_start("history", j->wake_fd, j, &j->worker);
	if (e != OK)
		journal_close(&j, 0);
	else
		*out = j;
	return e;
}

void
journal_close(struct journal **j, uint64_t now)
{
	if (*j == NULL)
		return;
	if ((*j)->worker != NULL) {
		journal_wait(*j, now);
		store_worker_stop(&(*j)->worker);
	}
	journal_files_close(&(*j)->files);
	buf_clear(&(*j)->gather);
	buf_clear(&(*j)->flush.bytes);
	(void)close((*j)->wake_fd);
	free(*j);
	*j = NULL;
}

void
journal_set_bounds(struct journal *j, uint64_t keep_ms, uint64_t bytes_max)
{
	j->keep_ms = keep_ms;
	j->bytes_max = bytes_max;
}

void
journal_set_short(struct journal *j, bool is_short)
{
	j->is_short = is_short;
}

int
journal_fd(const struct journal *j)
{
	return j->wake_fd;
}

void
journal_turn(struct journal *j)
{
	uint64_t count;

	(void)!read(j->wake_fd, &count, sizeof(count));
	(void)store_worker_turn(j->worker);
}

void
journal_figures(const struct journal *j, struct journal_figures *out)
{
	*out = j->figures;
}
