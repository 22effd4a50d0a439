/*
 * The order is the promise: all rows are written, the file is synced, takes the
 * index's name, and the directory is synced before anything depends on it.  A
 * file that has the other name still is of no use to any start, and removed.
 *
 * Rows by time and terms are made from the rows of messages and units, a run of
 * some MiB at a time, which is sorted; so it takes the same memory however long
 * the queue.
 */
#include "queued/store/store_build.h"

#include "queued/store/store_index_build.h"
#include "queued/store/store_index_file.h"
#include "queued/store/store_row.h"
#include "queued/store/store_term.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_BYTES	((size_t)8 << 20)
#define RUN_MAX		((size_t)64 << 20)	/* one message more */

static const char dir_name[] = "index";
static const char name[] = "data.mdb";

struct build {
	struct store *s;
	struct store_cursor *messages, *units;
	struct store_recipient *recipients;
	struct buf ops;			/* of the run */
	size_t run_bytes;
	uint64_t next;			/* the id from which it goes on */
	/* where the units are */
	struct span key, value;
	bool has_unit;
};

/* LMDB takes an empty file for a new one. */
bool
store_build_is_needed(int index_fd)
{
	struct stat st;

	return fstatat(index_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    st.st_size == 0;
}

enum err
store_build_open(struct store *s, const char *path, bool needed,
    struct why *why)
{
	uint64_t room = s->space.index_room;

	return needed ? store_index_open_new(path, STORE_SHRINK_NAME, room,
	    &s->index, why) : store_index_open(path, room, &s->index, why);
}

/* ---- a run ---- */

static enum err
take_unit(struct build *b, enum err e)
{
	b->has_unit = e == OK;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err
put_unit(struct build *b, const struct message *m)
{
	struct store_row_key key;
	struct unit u;
	size_t at;

	if (store_row_view_unit(b->key, b->value, &u, b->recipients) != OK)
		return ERR_CORRUPT;
	u.pub.message = (struct store_message *)(uintptr_t)&m->pub;
	key = store_row_key_due(u.pub.due_at |
	    (m->pub.is_held ? STORE_DUE_HELD : 0), m->pub.id, u.pub.number);
	at = store_index_put(&b->ops, STORE_TABLE_DUE, &key);
	store_row_put_due(&b->ops, span_of(key.p, key.n), &u);
	store_index_put_end(&b->ops, at);
	store_term_unit(&b->ops, &u, true);
	return OK;
}

/* Units follow their messages in the order of ids. */
static enum err
put_message(struct build *b, struct span key, struct span value)
{
	struct message m;
	uint32_t number;
	uint64_t id;
	enum err e = OK;

	if (store_row_view_message(key, value, &m) != OK)
		return ERR_CORRUPT;
	store_term_message(&b->ops, &m, true);
	if (m.pub.is_held)
		store_term_held(&b->ops, &m, true);
	while (e == OK && b->has_unit) {
		if (!store_row_read_unit_key(b->key, &id, &number))
			return ERR_CORRUPT;
		if (id > m.pub.id)
			break;
		if (id == m.pub.id && (e = put_unit(b, &m)) != OK)
			return e;
		e = take_unit(b, store_cursor_next(b->units, &b->key,
		    &b->value));
	}
	b->next = m.pub.id + 1;
	return e;
}

static enum err
gather(struct build *b, bool *goes_on)
{
	struct store_row_key from = store_row_key_message(b->next);
	struct span key, value;
	enum err e;

	*goes_on = true;
	e = take_unit(b, store_cursor_seek(b->units, span_of(from.p, from.n),
	    &b->key, &b->value));
	if (e != OK)
		return e;
	e = store_cursor_seek(b->messages, span_of(from.p, from.n), &key,
	    &value);
	while (e == OK && b->ops.n < b->run_bytes) {
		if ((e = put_message(b, key, value)) == OK)
			e = store_cursor_next(b->messages, &key, &value);
	}
	if (e != ERR_NOT_FOUND)
		return e;
	*goes_on = false;
	return OK;
}

static enum err
run(struct build *b, bool *goes_on)
{
	struct store_index *x = b->s->index;
	enum err e = store_index_begin(x);

	if (e != OK)
		return e;
	buf_reset(&b->ops);
	b->messages = b->units = NULL;
	if ((e = store_cursor_open(x, STORE_TABLE_MESSAGE,
	    &b->messages)) == OK &&
	    (e = store_cursor_open(x, STORE_TABLE_UNIT, &b->units)) == OK)
		e = gather(b, goes_on);
	store_cursor_close(&b->units);
	store_cursor_close(&b->messages);
	/* no reading while it is written: pages are used again */
	store_index_end(x);
	if (e == OK && buf_failed(&b->ops))
		e = ERR_NOMEM;
	if (e == OK)
		e = store_index_build_sorted(x, buf_span(&b->ops));
	return e;
}

static enum err
derive(struct store *s)
{
	/* no more than what may be replayed at a time */
	struct build b = { .s = s, .run_bytes = s->replay_bytes < RUN_BYTES ?
	    (size_t)s->replay_bytes : RUN_BYTES };
	bool goes_on = true;
	enum err e = OK;

	b.recipients = calloc(STORE_UNIT_RECIPIENTS, sizeof(*b.recipients));
	if (b.recipients == NULL)
		return ERR_NOMEM;
	buf_init(&b.ops, RUN_MAX);
	while (e == OK && goes_on)
		e = run(&b, &goes_on);
	buf_clear(&b.ops);
	free(b.recipients);
	return e;
}

/* ---- its name ---- */

static enum err
take_place(struct store *s, int dir)
{
	const struct store_io *io = s->io;
	enum err e;
	int fd;

	e = store_io_open(io, dir, STORE_SHRINK_NAME, O_RDWR, &fd);
	if (e != OK)
		return e;
	if (io->fdatasync(io->ctx, fd) != 0)
		e = store_io_error();
	(void)close(fd);
	if (e == OK && io->rename(io->ctx, dir, STORE_SHRINK_NAME, name) != 0)
		e = store_io_error();
	/* of the file that had the name before: LMDB would believe it */
	(void)io->unlink(io->ctx, dir, "lock.mdb");
	(void)io->unlink(io->ctx, dir, STORE_BUILD_LOCK);
	if (e == OK && io->sync_dir(io->ctx, dir) != 0)
		e = store_io_error();
	return e;
}

enum err
store_build_end(struct store *s, struct why *why)
{
	enum err e;
	int dir;

	if (!store_index_is_new(s->index))
		return OK;
	if ((e = derive(s)) != OK)
		return why_set(why, e, "index can't be made: %s", err_text(e));
	dir = openat(s->dir_fd, dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
	    O_NOFOLLOW);
	if (dir < 0)
		return why_set(why, store_io_error(), "index: can't be read");
	store_index_finish(s->index);
	e = take_place(s, dir);
	(void)close(dir);
	if (e == OK)
		e = store_index_reopen(s->index);
	return e == OK ? OK : why_set(why, e, "index can't take its place: %s",
	    err_text(e));
}
