/*
 * Large bodies on their way in, and their files' end.
 *
 * Each body is a row of jobs for the body thread, which runs them in order:
 * open, writes, close (table, sync); so the file part of a body needs no lock.
 * The sender is told how much is taken, and may be WAITING_MAX ahead of that:
 * memory grows neither with a message nor with a slow disk (I-04).  The record
 * is appended only after the close, so it never names a file that is not whole
 * and synced (I-01).
 *
 * A file goes when the verdict that ended its message is synced: before, a
 * crash would bring the message back without its body.
 */
#include "queued/store/store_body.h"

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "queued/store/store_body_file.h"
#include "queued/store/store_body_private.h"
#include "queued/store/store_list.h"
#include "queued/store/store_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of one body that may wait for the disk. */
#define WAITING_MAX ((uint64_t)2 << 20)

/* A body on its way in; the file part belongs to the thread while jobs of it
 * are under way. */
struct body {
	uint64_t token;
	uint64_t id;
	uint64_t given;
	uint64_t taken;
	size_t jobs;
	bool is_closing;
	bool is_closed;
	bool is_dropped;
	enum err failure;
	struct store_body_file file;
};

/* A file that goes when a group is synced. */
struct burial {
	struct list link;
	uint64_t id;
	uint64_t bytes;
	uint64_t group;
};

struct store_bodies {
	struct map_u64 by_token;
	struct list burials;
	uint64_t bytes;		/* on disk */
};

enum body_step { STEP_OPEN, STEP_WRITE, STEP_CLOSE, STEP_REMOVE };

struct body_job {
	struct store_job job;
	struct body *body;		/* NULL: remove a file by its id */
	enum body_step step;
	const struct store_io *io;
	int dir_fd;
	uint64_t id;
	enum err result;
	size_t n;
	uint8_t bytes[];
};

/* ---- in the thread ---- */

static void
run(struct store_job *job)
{
	struct body_job *j = CONTAINER_OF(job, struct body_job, job);
	struct store_body_file *f = j->body != NULL ? &j->body->file : NULL;

	switch (j->step) {
	case STEP_OPEN:
		j->result = store_body_file_create(f, j->io, j->dir_fd, j->id);
		return;
	case STEP_WRITE:
		j->result = store_body_file_add(f, span_of(j->bytes, j->n));
		return;
	case STEP_CLOSE:
		j->result = store_body_file_finish(f);
		return;
	case STEP_REMOVE:
		if (f != NULL)
			store_body_file_clear(f);
		j->result = store_body_file_remove(j->io, j->dir_fd, j->id);
		return;
	}
}

/* ---- in the owner's thread ---- */

static void done(struct store_job *job, void *owner);

/* A step for the body thread, with a copy of BYTES: the caller's are gone when
 * it runs. */
static enum err
put_job(struct store *s, struct body *b, enum body_step step, uint64_t id,
    struct span bytes)
{
	struct body_job *j = calloc(1, sizeof(*j) + bytes.n);

	if (j == NULL)
		return ERR_NOMEM;
	j->job.run = run;
	j->job.done = done;
	j->body = b;
	j->step = step;
	j->io = s->io;
	j->dir_fd = s->body_fd;
	j->id = id;
	j->n = bytes.n;
	if (bytes.n > 0)
		memcpy(j->bytes, bytes.p, bytes.n);
	if (b != NULL)
		b->jobs++;
	store_worker_put(s->bodies, &j->job);
	return OK;
}

static void
body_free(struct body *b)
{
	store_body_file_clear(&b->file);
	free(b);
}

/* A step of a body that is still wanted has ended. */
static void
proceed(struct store *s, struct body *b, const struct body_job *j)
{
	if (b->failure != OK)
		return;
	b->failure = j->result;
	if (j->step == STEP_WRITE && j->result == OK) {
		b->taken += j->n;
		s->large->bytes += j->n;
	}
	if (j->step == STEP_CLOSE && j->result == OK)
		b->is_closed = true;
	if (j->step != STEP_OPEN || j->result != OK)
		s->ops.on_body(s->ctx, b->token, b->taken, b->is_closed,
		    j->result);
}

static void
done(struct store_job *job, void *owner)
{
	struct body_job *j = CONTAINER_OF(job, struct body_job, job);
	struct store *s = owner;
	struct body *b = j->body;

	if (b != NULL) {
		/* the callback may drop it: this job still counts */
		if (!b->is_dropped)
			proceed(s, b, j);
		b->jobs--;
		if (b->is_dropped && b->jobs == 0)
			body_free(b);
	}
	free(j);
}

/* The id is the future message's own: it names the file.  PARTS ids behind it
 * are kept free. */
static enum err
open_body(struct store *s, uint64_t token, uint64_t parts)
{
	struct body *b = calloc(1, sizeof(*b));
	enum err e;

	if (b == NULL)
		return ERR_NOMEM;
	b->token = token;
	b->id = s->next_id;
	store_body_file_init(&b->file);
	if ((e = map_u64_add(&s->large->by_token, token, b)) != OK) {
		free(b);
		return e;
	}
	if ((e = put_job(s, b, STEP_OPEN, b->id, SPAN_NONE)) != OK) {
		(void)map_u64_remove(&s->large->by_token, token);
		free(b);
		return e;
	}
	s->next_id += 1 + parts;
	return OK;
}

enum err
store_body_open(struct store *s, uint64_t token)
{
	return open_body(s, token, 0);
}

enum err
store_list_open(struct store *s, uint64_t token)
{
	return open_body(s, token, STORE_LIST_PARTS);
}

enum err
store_body_add(struct store *s, uint64_t token, struct span bytes)
{
	struct body *b = map_u64_get(&s->large->by_token, token);
	enum err e;

	if (b == NULL || b->is_closing)
		return ERR_NOT_FOUND;
	if (b->failure != OK)
		return b->failure;
	if (!s->space.told.is_accepting ||
	    b->given - b->taken + bytes.n > WAITING_MAX)
		return ERR_FULL;
	e = put_job(s, b, STEP_WRITE, b->id, bytes);
	if (e == OK)
		b->given += bytes.n;
	return e;
}

enum err
store_body_close(struct store *s, uint64_t token)
{
	struct body *b = map_u64_get(&s->large->by_token, token);

	if (b == NULL || b->is_closing)
		return ERR_NOT_FOUND;
	if (b->failure != OK)
		return b->failure;
	b->is_closing = true;
	return put_job(s, b, STEP_CLOSE, b->id, SPAN_NONE);
}

/* No longer by its token; freed with its last job. */
static void
forget(struct store *s, struct body *b)
{
	(void)map_u64_remove(&s->large->by_token, b->token);
	b->is_dropped = true;
	if (b->jobs == 0)
		body_free(b);
}

void
store_body_drop(struct store *s, uint64_t token)
{
	struct body *b = map_u64_get(&s->large->by_token, token);

	if (b == NULL)
		return;
	s->large->bytes -= b->taken;
	/* without memory the next start removes it */
	(void)put_job(s, b, STEP_REMOVE, b->id, SPAN_NONE);
	forget(s, b);
}

enum err
store_bodies_closed(struct store *s, const struct store_submission *sub,
    uint64_t *id, struct store_record_message *r)
{
	struct body *b = map_u64_get(&s->large->by_token, sub->token);

	if (b == NULL || !b->is_closed)
		return ERR_NOT_FOUND;
	if (sub->list_bytes > b->file.bytes)
		return ERR_SYNTAX;
	*id = b->id;
	r->is_file = true;
	r->body_bytes = b->file.bytes - sub->list_bytes;
	if (sub->list_total > 0)
		r->list = (struct store_list){ .id = b->id,
		    .bytes = sub->list_bytes, .total = sub->list_total };
	r->file_crc = b->file.sum;
	return OK;
}

/* The record is appended: the file is the message's now. */
void
store_bodies_submitted(struct store *s, uint64_t token)
{
	forget(s, map_u64_get(&s->large->by_token, token));
}

/* ---- the end of bodies ---- */

void
store_bodies_bury(struct store *s, const struct message *m)
{
	struct burial *b;

	/* what a replay ends, the sweep after it removes */
	if (s->is_recovering || store_list_is_shared(s, m) ||
	    (b = calloc(1, sizeof(*b))) == NULL)
		return;
	b->id = store_file_id(&m->pub);
	b->bytes = m->pub.list.bytes + m->pub.place.body_bytes;
	/* after a failed write the record stands in a later group: then
	 * that one is the first to be synced */
	b->group = store_group(s);
	list_add_last(&s->large->burials, &b->link);
}

void
store_bodies_synced(struct store *s, uint64_t group)
{
	struct list *link;

	while (s->pins == 0 &&
	    (link = list_first(&s->large->burials)) != NULL) {
		struct burial *b = CONTAINER_OF(link, struct burial, link);

		if (b->group > group ||
		    put_job(s, NULL, STEP_REMOVE, b->id, SPAN_NONE) != OK)
			return;
		s->large->bytes -= b->bytes;
		list_remove(link);
		free(b);
	}
}

/* As the directory has them: nobody counts them otherwise. */
uint64_t
store_bodies_count(const struct store *s)
{
	int fd = openat(s->body_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	uint64_t n = 0, id;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	while ((entry = readdir(dir)) != NULL)
		n += store_name_number(entry->d_name, "body.", &id);
	(void)closedir(dir);
	return n;
}

/* Only what is surely nobody's goes: a message that can't be read keeps it. */
static bool
is_of(struct store *s, uint64_t id, uint64_t file)
{
	struct message *m;
	enum err e = store_memory_load(s, id, &m);
	bool is_its;

	if (e != OK)
		return e != ERR_NOT_FOUND;
	is_its = m->pub.place.is_file && store_file_id(&m->pub) == file;
	store_memory_release(s, m);
	return is_its;
}

/* Parts may need it when their list is no more. */
static bool
is_wanted(struct store *s, uint64_t id)
{
	bool is_its = is_of(s, id, id);

	for (uint64_t n = 1; !is_its && n <= STORE_LIST_PARTS; n++)
		is_its = is_of(s, id + n, id);
	return is_its;
}

static void
sweep_file(struct store *s, const char *name)
{
	struct stat st;
	uint64_t id;

	if (!store_name_number(name, "body.", &id))
		return;
	if (!is_wanted(s, id))
		(void)s->io->unlink(s->io->ctx, s->body_fd, name);
	else if (fstatat(s->body_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		s->large->bytes += (uint64_t)st.st_size;
}

enum err
store_bodies_sweep(struct store *s)
{
	int fd = openat(s->body_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return ERR_IO;
	}
	while ((entry = readdir(dir)) != NULL)
		sweep_file(s, entry->d_name);
	(void)closedir(dir);
	return OK;
}

/* A list lies in front of the body. */
static struct store_body_place
place_of(struct store *s, const struct message *m)
{
	return (struct store_body_place){ .io = s->io, .dir_fd = s->body_fd,
	    .id = store_file_id(&m->pub), .sum = m->file_crc,
	    .bytes = m->pub.list.bytes + m->pub.place.body_bytes,
	    .remakes_table = s->remakes_tables };
}

enum err
store_bodies_read(struct store *s, const struct message *m, uint64_t offset,
    size_t n, struct buf *out)
{
	const struct store_body_place place = place_of(s, m);

	return store_body_file_read(&place, m->pub.list.bytes + offset, n,
	    out);
}

enum err
store_bodies_read_list(struct store *s, const struct message *m,
    uint64_t offset, size_t n, struct buf *out)
{
	const struct store_body_place place = place_of(s, m);

	return store_body_file_read(&place, offset, n, out);
}

/* ---- life ---- */

enum err
store_bodies_init(struct store *s)
{
	struct store_bodies *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return ERR_NOMEM;
	map_u64_init(&l->by_token, &s->seed);
	list_init(&l->burials);
	s->large = l;
	return OK;
}

void
store_bodies_clear(struct store *s)
{
	struct store_bodies *l = s->large;
	struct list *link;
	struct body *b;
	size_t cursor = 0;

	if (l == NULL)
		return;
	while ((b = map_u64_next(&l->by_token, &cursor)) != NULL) {
		(void)map_u64_remove(&l->by_token, b->token);
		body_free(b);
	}
	map_u64_clear(&l->by_token);
	while ((link = list_take_first(&l->burials)) != NULL)
		free(CONTAINER_OF(link, struct burial, link));
	free(l);
	s->large = NULL;
}

uint64_t
store_bodies_bytes(const struct store *s)
{
	return s->large->bytes;
}
