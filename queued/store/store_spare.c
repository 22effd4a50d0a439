/*
 * The thread makes, renames and removes files; the list of ready spares is the
 * owner's alone.  A job carries the spare it makes, and hands it over in
 * done().
 *
 * Order on disk: a file is filled and synced under a passing name, then
 * renamed, then the directory synced.  So whatever is called spare.N is whole,
 * and a start takes it as it is.  A recycled segment is not written again: its
 * blocks are there, and its groups name another segment and count for nothing.
 */
#include "queued/store/store_spare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	STEP_BYTES = 1 << 20, SMALL_BYTES = 256 << 10, BLOCK = 4096,
	SHARE_OF_LOG = 16,
	TOO_LARGE = 4,		/* times what is wanted */
	TOO_SMALL = 2,		/* so many times less */
};

#define KEPT_BYTES (STORE_SPARES_MAX * STORE_SPARE_LEAST)

/* Makes a spare from nothing or from a segment, or removes a segment or a
 * spare. */
struct spare_job {
	struct store_job job;
	struct store_spares *spares;
	struct store_spare *spare;	/* NULL: remove the segment */
	uint64_t segment;		/* 0: make a new file */
	bool is_removal;		/* of the spare */
	bool is_making;			/* counted in spares->making */
	uint64_t bytes;			/* ... and in making_bytes */
	enum err e;
};

static void
name_of(const char *prefix, uint64_t number, char out[STORE_SEGMENT_NAME])
{
	(void)snprintf(out, STORE_SEGMENT_NAME, "%s.%016" PRIx64, prefix,
	    number);
}

/* ---- in the thread ---- */

/* Real zeros, not fallocate(): a sync of blocks that are only allocated must
 * convert them too, and costs half as much again. */
static enum err
fill(const struct store_io *io, int fd, uint64_t bytes)
{
	uint8_t *zeros = calloc(1, STEP_BYTES);
	enum err e = OK;

	if (zeros == NULL)
		return ERR_NOMEM;
	for (uint64_t at = 0; at < bytes && e == OK; at += STEP_BYTES) {
		uint64_t n = bytes - at < STEP_BYTES ? bytes - at : STEP_BYTES;

		e = store_io_write(io, fd, zeros, (size_t)n, at);
	}
	free(zeros);
	if (e == OK && io->fdatasync(io->ctx, fd) != 0)
		e = store_io_error();
	return e;
}

/* Under another name until it is whole.  One passing name is enough: jobs run
 * one by one, and a start that makes one here and now does so before there are
 * jobs. */
static enum err
make_file(const struct store_spares *s, struct store_spare *spare)
{
	const struct store_io *io = s->io;
	const char *name = "new.segment";
	enum err e;
	int fd;

	(void)io->unlink(io->ctx, s->dir_fd, name);
	e = store_io_open(io, s->dir_fd, name, O_RDWR | O_CREAT | O_EXCL, &fd);
	if (e != OK)
		return e;
	e = fill(io, fd, spare->bytes);
	if (e == OK && (io->rename(io->ctx, s->dir_fd, name,
	    spare->name) != 0 || io->sync_dir(io->ctx, s->dir_fd) != 0))
		e = store_io_error();
	if (e != OK) {		/* under whichever name it stands */
		(void)io->unlink(io->ctx, s->dir_fd, name);
		(void)io->unlink(io->ctx, s->dir_fd, spare->name);
		(void)close(fd);
		return e;
	}
	spare->fd = fd;
	return OK;
}

/* Synced, for what depends on the removal may go only after it. */
static enum err
remove_segment(const struct store_spares *s, uint64_t segment)
{
	const struct store_io *io = s->io;
	char name[STORE_SEGMENT_NAME];

	store_segment_name(segment, name);
	if (io->unlink(io->ctx, s->dir_fd, name) != 0 ||
	    io->sync_dir(io->ctx, s->dir_fd) != 0)
		return store_io_error();
	return OK;
}

/* Not while a backup links to it. */
static enum err
recycle(const struct store_spares *s, uint64_t segment,
    struct store_spare *spare)
{
	const struct store_io *io = s->io;
	char name[STORE_SEGMENT_NAME];
	struct stat st;
	enum err e;
	int fd;

	store_segment_name(segment, name);
	e = store_io_open(io, s->dir_fd, name, O_RDWR, &fd);
	if (e != OK)
		return e;
	if (fstat(fd, &st) != 0 || st.st_nlink != 1)
		e = ERR_DENIED;
	else if (io->rename(io->ctx, s->dir_fd, name, spare->name) != 0 ||
	    io->sync_dir(io->ctx, s->dir_fd) != 0)
		e = store_io_error();
	if (e != OK) {
		(void)close(fd);
		return e;
	}
	spare->fd = fd;
	return OK;
}

/* What can't be recycled is removed; on_gone hears of that alone. */
static void
run(struct store_job *job)
{
	struct spare_job *j = CONTAINER_OF(job, struct spare_job, job);
	const struct store_io *io = j->spares->io;

	if (j->is_removal) {
		/* not synced: a name that comes back is a spare again */
		(void)io->unlink(io->ctx, j->spares->dir_fd, j->spare->name);
		(void)close(j->spare->fd);
		j->e = ERR_DENIED;
		return;
	}
	if (j->segment == 0) {
		j->e = make_file(j->spares, j->spare);
		return;
	}
	j->e = j->spare != NULL ?
	    recycle(j->spares, j->segment, j->spare) : ERR_DENIED;
	if (j->e != OK) {
		free(j->spare);
		j->spare = NULL;
		j->e = remove_segment(j->spares, j->segment);
	}
}

/* ---- in the owner's thread ---- */

static void
add_ready(struct store_spares *s, struct store_spare *spare)
{
	list_add_last(&s->ready, &spare->link);
	s->count++;
	s->bytes += spare->bytes;
}

/* Frees the job.  Only a new file that failed says that the disk gives none. */
static void
done(struct store_job *job, void *owner)
{
	struct spare_job *j = CONTAINER_OF(job, struct spare_job, job);
	struct store_spares *s = j->spares;

	if (j->is_making) {
		s->making--;
		s->making_bytes -= j->bytes;
		s->new_bytes -= j->segment == 0 ? j->bytes : 0;
	}
	if (j->spare != NULL && j->e == OK)
		add_ready(s, j->spare);
	else
		free(j->spare);
	if (j->segment == 0 && !j->is_removal) {
		s->failure = j->e;
		s->is_barren = j->e != OK;
	} else if (!j->is_removal) {
		s->on_gone(owner, j->segment, j->e);
	}
	free(j);
	s->on_change(owner);
}

static struct store_spare *
spare_new(struct store_spares *s, uint64_t bytes)
{
	struct store_spare *spare = calloc(1, sizeof(*spare));

	if (spare == NULL)
		return NULL;
	list_init(&spare->link);
	spare->bytes = bytes;
	spare->fd = -1;
	name_of("spare", s->next_number++, spare->name);
	return spare;
}

/* On failure SPARE is still the caller's. */
static enum err
put_job(struct store_spares *s, struct store_worker *w, uint64_t segment,
    struct store_spare *spare)
{
	struct spare_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return ERR_NOMEM;
	j->job.run = run;
	j->job.done = done;
	j->spares = s;
	j->segment = segment;
	j->spare = spare;
	j->is_removal = spare != NULL && spare->fd >= 0;
	j->is_making = spare != NULL && !j->is_removal;
	if (j->is_making) {
		j->bytes = spare->bytes;
		s->making++;
		s->making_bytes += spare->bytes;
		s->new_bytes += segment == 0 ? spare->bytes : 0;
	}
	store_worker_put(w, &j->job);
	return OK;
}

static uint64_t
at_most(uint64_t bytes, uint64_t max)
{
	return bytes < max ? bytes : max;
}

/* A sixteenth of the log, so that what is kept ready and what waits to be
 * removed stay a small part of it.  In steps of two: its length wavers, and
 * what was large enough a moment ago comes back to be used again. */
void
store_spares_need(struct store_spares *s, uint64_t log_bytes, bool is_scarce,
    bool is_early)
{
	uint64_t bytes = STORE_SPARE_LEAST;

	while (bytes < s->segment_bytes &&
	    bytes * 2 <= log_bytes / SHARE_OF_LOG)
		bytes *= 2;
	s->wanted_bytes = at_most(bytes, s->segment_bytes);
	s->reserve_bytes = is_scarce ? STORE_SPARES * s->segment_bytes : 0;
	s->wanted_count = is_early && !is_scarce &&
	    s->wanted_bytes == STORE_SPARE_LEAST ? STORE_SPARES_MAX :
	    STORE_SPARES;
}

/* The reserve is for small ones, too: those that are there may be all it has,
 * and two more make it whole. */
static size_t
count_max(const struct store_spares *s)
{
	return STORE_SPARES_MAX + (s->reserve_bytes > 0 ? STORE_SPARES : 0U);
}

/* Too few, or on a disk that is nearly full, too small.  After a try that
 * failed one more is wanted in any case: nothing else would tell that the disk
 * gives files again, and without it there is no room. */
static bool
has_enough(const struct store_spares *s)
{
	size_t count = s->count + s->making;

	if (s->is_barren)
		return s->making > 0 || count > STORE_SPARES_MAX;
	return count >= count_max(s) || (count >= s->wanted_count &&
	    s->bytes + s->making_bytes >= s->reserve_bytes);
}

void
store_spares_want(struct store_spares *s, struct store_worker *w,
    uint64_t available)
{
	while (!has_enough(s)) {
		uint64_t bytes = s->reserve_bytes > 0 ? s->segment_bytes :
		    s->wanted_bytes;
		struct store_spare *spare;

		if (available < bytes ||
		    (spare = spare_new(s, bytes)) == NULL)
			return;
		if (put_job(s, w, 0, spare) != OK) {
			free(spare);
			return;
		}
		available -= bytes;
	}
}

void
store_spares_want_small(struct store_spares *s, struct store_worker *w,
    uint64_t bytes, uint64_t left)
{
	struct store_spare *spare;

	if (bytes < SMALL_BYTES)
		bytes = SMALL_BYTES;
	bytes = (bytes + BLOCK - 1) / BLOCK * BLOCK;
	if (s->count + s->making > 0 || s->failure != OK || left < bytes ||
	    (spare = spare_new(s, bytes)) == NULL)
		return;
	if (put_job(s, w, 0, spare) != OK)
		free(spare);
}

enum err
store_spares_make_now(struct store_spares *s)
{
	struct store_spare *spare = spare_new(s,
	    at_most(STORE_SPARE_FIRST, s->segment_bytes));
	enum err e;

	if (spare == NULL)
		return ERR_NOMEM;
	if ((e = make_file(s, spare)) != OK) {
		free(spare);
		return e;
	}
	add_ready(s, spare);
	return OK;
}

/* The directory still has the spare's name: the commit thread renames it. */
enum err
store_spares_take(struct store_spares *s, struct store_spare *out)
{
	struct list *link = list_take_first(&s->ready);
	struct store_spare *spare;

	if (link == NULL)
		return ERR_AGAIN;
	spare = CONTAINER_OF(link, struct store_spare, link);
	s->count--;
	s->bytes -= spare->bytes;
	*out = *spare;
	list_init(&out->link);
	free(spare);
	return OK;
}

/* The directory is not synced: should the name come back after a crash, the
 * next start takes it for a spare again. */
bool
store_spares_give_up(struct store_spares *s)
{
	struct store_spare spare;

	if (store_spares_take(s, &spare) != OK)
		return false;
	(void)s->io->unlink(s->io->ctx, s->dir_fd, spare.name);
	(void)close(spare.fd);
	return true;
}

/* One far too small would come round for ever, one far too large would keep
 * its blocks from others.  A few more than two are kept while they are
 * small: many segments end at once, and the next two are wanted soon. */
static bool
is_of_use(const struct store_spares *s, uint64_t bytes)
{
	size_t count = s->count + s->making;
	uint64_t all = s->bytes + s->making_bytes;

	if (bytes < at_most(STORE_SPARE_LEAST, s->wanted_bytes) ||
	    bytes < s->wanted_bytes / TOO_SMALL || count >= count_max(s))
		return false;
	return !has_enough(s) ? bytes <= s->wanted_bytes * TOO_LARGE ||
	    all < s->reserve_bytes : all + bytes <= KEPT_BYTES;
}

void
store_spares_trim(struct store_spares *s, struct store_worker *w)
{
	struct list *link, *next;

	if (s->reserve_bytes > 0)
		return;
	for (link = list_first(&s->ready); link != NULL; link = next) {
		struct store_spare *spare =
		    CONTAINER_OF(link, struct store_spare, link);

		next = list_next(&s->ready, link);
		if (spare->bytes <= s->wanted_bytes * TOO_LARGE)
			continue;
		if (put_job(s, w, 0, spare) != OK)
			return;
		list_remove(link);
		s->count--;
		s->bytes -= spare->bytes;
	}
}

enum err
store_spares_bury(struct store_spares *s, struct store_worker *w,
    uint64_t segment, uint64_t bytes)
{
	struct store_spare *spare = NULL;
	enum err e;

	if (is_of_use(s, bytes))
		spare = spare_new(s, bytes);
	if ((e = put_job(s, w, segment, spare)) != OK)
		free(spare);
	return e;
}

/* ---- life ---- */

/* One too many, or one that can't be opened, goes.  Its number is passed over
 * in any case, so that no new spare takes a name that is there. */
static enum err
adopt(struct store_spares *s, const char *name, uint64_t number)
{
	struct store_spare *spare;
	struct stat st;
	int fd;

	if (number >= s->next_number)
		s->next_number = number + 1;
	if (s->count >= STORE_SPARES_MAX ||
	    store_io_open(s->io, s->dir_fd, name, O_RDWR, &fd) != OK) {
		(void)s->io->unlink(s->io->ctx, s->dir_fd, name);
		return OK;
	}
	if (fstat(fd, &st) != 0) {
		(void)close(fd);
		return ERR_IO;
	}
	if ((spare = calloc(1, sizeof(*spare))) == NULL) {
		(void)close(fd);
		return ERR_NOMEM;
	}
	list_init(&spare->link);
	name_of("spare", number, spare->name);
	spare->fd = fd;
	spare->bytes = (uint64_t)st.st_size;
	add_ready(s, spare);
	return OK;
}

enum err
store_spares_init(struct store_spares *s, const struct store_io *io,
    int dir_fd, uint64_t segment_bytes)
{
	const struct dirent *entry;
	enum err e = OK;
	uint64_t number;
	DIR *dir;
	int fd;

	*s = (struct store_spares){ .io = io, .dir_fd = dir_fd,
	    .segment_bytes = segment_bytes, .next_number = 1 };
	store_spares_need(s, 0, false, false);
	list_init(&s->ready);
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	if ((dir = fdopendir(fd)) == NULL) {
		(void)close(fd);
		return ERR_IO;
	}
	while (e == OK && (errno = 0, entry = readdir(dir)) != NULL) {
		if (store_name_number(entry->d_name, "spare.", &number))
			e = adopt(s, entry->d_name, number);
	}
	/* a new one must not take the name of one that is there */
	if (e == OK && errno != 0)
		e = ERR_IO;
	(void)closedir(dir);
	return e;
}

/* The files stay for the next life. */
void
store_spares_clear(struct store_spares *s)
{
	struct store_spare spare;

	while (store_spares_take(s, &spare) == OK)
		(void)close(spare.fd);
}
