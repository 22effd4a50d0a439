/*
 * The order is the promise: the copy is synced before it takes the name, the
 * name before anything is removed that only the new file does without.  Both
 * files say the same until the next check-point, which waits for the new one to
 * be open; so whichever of them a crash leaves, a start goes on from it.
 *
 * The old file's blocks are freed by the last close, which takes a while on a
 * large one: the thread does that too.
 */
#include "queued/store/store_shrink.h"

#include "common/base/mtime.h"
#include "common/os/clock.h"
#include "queued/store/store_index_file.h"
#include "queued/store/store_private.h"
#include "queued/store/store_probe.h"

#include <fcntl.h>
#include <unistd.h>

#define LEAST_BYTES	((uint64_t)16 << 20)	/* of a file: else let it be */
#define COPY_MAX	((uint64_t)16 << 20)	/* some ten ms of reading */
#define AIR_MS		(5 * MTIME_SECOND)	/* mail may come back at once */
#define RETRY_MS	(60 * MTIME_SECOND)
#define PROBE_MS	((int64_t)500)

enum { AIR_PARTS = 4 };		/* at most one of them is used */

static const char dir_name[] = "index";
static const char name[] = "data.mdb";
static const char lock_name[] = "index/lock.mdb";

uint64_t
store_shrink_look(struct store_index *x)
{
	struct store_index_size size;

	if (store_index_file_bytes(x) < LEAST_BYTES ||
	    store_index_fill(x, &size) != OK || size.used_bytes > COPY_MAX ||
	    size.used_bytes > size.file_bytes / AIR_PARTS)
		return 0;
	return size.used_bytes;
}

void
store_shrink_note(struct store *s, uint64_t bytes, int64_t now_ms)
{
	struct store_shrink *k = &s->shrink;

	if (k->bytes == 0)
		k->since_ms = now_ms;
	k->bytes = bytes;
}

/* ---- in the thread ---- */

static enum err
make_copy(const struct store_shrink *k, int dir)
{
	const struct store_io *io = k->io;
	struct why why = { .text = "" };
	enum err e;
	int fd;

	/* what a failed try may have left */
	(void)io->unlink(io->ctx, dir, STORE_SHRINK_NAME);
	e = store_io_open(io, dir, STORE_SHRINK_NAME, O_RDWR | O_CREAT |
	    O_EXCL, &fd);
	if (e != OK)
		return e;
	e = store_index_copy(k->index, fd);
	if (e == OK && io->fdatasync(io->ctx, fd) != 0)
		e = store_io_error();
	(void)close(fd);
	/* a page that was damaged since the start is found here at the latest */
	return e != OK ? e : store_probe(dir, STORE_SHRINK_NAME,
	    mtime_add(clock_mono_ms(), PROBE_MS), NULL, &why);
}

static enum err
take_place(struct store_shrink *k, int dir)
{
	const struct store_io *io = k->io;

	k->old_fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (io->rename(io->ctx, dir, STORE_SHRINK_NAME, name) != 0)
		return store_io_error();
	k->has_moved = true;
	return io->sync_dir(io->ctx, dir) == 0 ? OK : store_io_error();
}

static void
run(struct store_job *job)
{
	struct store_shrink *k = CONTAINER_OF(job, struct store_shrink, job);
	int dir = openat(k->dir_fd, dir_name, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC | O_NOFOLLOW);

	if (dir < 0) {
		k->result = store_io_error();
		return;
	}
	k->result = make_copy(k, dir);
	if (k->result == OK)
		k->result = take_place(k, dir);
	if (!k->has_moved)
		(void)k->io->unlink(k->io->ctx, dir, STORE_SHRINK_NAME);
	(void)close(dir);
}

static void
let_go(struct store_job *job)
{
	struct store_shrink *k = CONTAINER_OF(job, struct store_shrink, job);

	if (k->old_fd >= 0)
		(void)close(k->old_fd);
	k->old_fd = -1;
}

/* ---- in the owner's thread ---- */

/* A copy that has the name, but perhaps not on disk: should the old file come
 * back, it must find all that it knows of.  Another copy ends that. */
static void
note_doubt(struct store *s)
{
	struct store_shrink *k = &s->shrink;
	bool is_unsure = k->result != OK && (k->has_moved || k->is_unsure);

	if (is_unsure && !k->is_unsure)
		s->pins++;
	else if (!is_unsure && k->is_unsure)
		s->pins--;
	k->is_unsure = is_unsure;
}

/* LMDB believes the lock file if another process has it open, and what that
 * says is about the old file: so it begins with a new one, too. */
static void
open_new(struct store *s)
{
	(void)s->io->unlink(s->io->ctx, s->dir_fd, lock_name);
	/* a check-point that then fails revives it */
	if (store_index_reopen(s->index) != OK)
		s->overlay.has_news = true;
}

static void
done_with_all(struct store_job *job, void *owner)
{
	struct store *s = owner;

	(void)job;
	s->shrink.is_busy = false;
}

static void
done(struct store_job *job, void *owner)
{
	struct store *s = owner;
	struct store_shrink *k = &s->shrink;
	int64_t now = clock_mono_ms();

	k->is_copying = false;
	note_doubt(s);
	if (k->has_moved)
		open_new(s);
	if (k->result != OK)
		k->retry_at_ms = mtime_add(now, RETRY_MS);
	/* the next check-point looks again */
	k->bytes = 0;
	job->run = let_go;
	job->done = done_with_all;
	store_worker_put(s->checkpoint, job);
	store_overlay_send(s, now);
}

static bool
is_time(const struct store *s, int64_t now_ms)
{
	const struct store_shrink *k = &s->shrink;

	if (k->is_forced)
		return true;
	if (now_ms < k->retry_at_ms)
		return false;
	return k->is_unsure || (k->bytes > 0 &&
	    now_ms - k->since_ms >= AIR_MS &&
	    k->bytes <= store_room_available(s) / 2);
}

/* Pinned: somebody reads the old file, and what was synced of it. */
void
store_shrink_flush(struct store *s, int64_t now_ms)
{
	struct store_shrink *k = &s->shrink;
	unsigned pins = s->pins - (k->is_unsure ? 1 : 0);

	if (!is_time(s, now_ms) || k->is_busy || pins > 0 || s->is_dead ||
	    s->overlay.is_sent || s->overlay.has_failed)
		return;
	k->is_busy = k->is_copying = true;
	k->is_forced = false;
	k->has_moved = false;
	k->old_fd = -1;
	k->io = s->io;
	k->index = s->index;
	k->dir_fd = s->dir_fd;
	k->job.run = run;
	k->job.done = done;
	store_worker_put(s->checkpoint, &k->job);
}

bool
store_shrink_waits(const struct store_shrink *k)
{
	return !k->is_busy && (k->bytes > 0 || k->is_unsure);
}
