#include "tests/unit/store/store_rig.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mtime.h"
#include "common/mail/envelope.h"
#include "common/os/clock.h"
#include "queued/store/store_private.h"

/* ---- files ---- */

void
rig_path(const struct rig *r, char *out, const char *sub, const char *name)
{
	cr_assert_lt(snprintf(out, RIG_PATH, "%s/%s/%s", r->dir, sub, name),
	    RIG_PATH);
}

static void
make_dir(struct rig *r)
{
	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/mtad-store-XXXXXX");
	cr_assert_not_null(mkdtemp(r->dir));
}

static void
remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char name[2 * RIG_PATH];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path,
		    entry->d_name);
		if (unlink(name) != 0)
			remove_tree(name);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(path);
}

static void
copy_file(const char *from, const char *to)
{
	static uint8_t bytes[1 << 16];
	int in = open(from, O_RDONLY), out;
	off_t at = 0;
	struct stat st;
	ssize_t n;

	/* removed since the directory was read */
	if (in < 0)
		return;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert_geq(out, 0);
	cr_assert_eq(fstat(in, &st), 0);
	cr_assert_eq(ftruncate(out, st.st_size), 0);
	while ((n = pread(in, bytes, sizeof(bytes), at)) > 0) {
		bool is_zero = bytes[0] == 0 &&
		    memcmp(bytes, bytes + 1, (size_t)n - 1) == 0;

		/* holes keep the copies of spares cheap */
		if (!is_zero)
			cr_assert_eq(pwrite(out, bytes, (size_t)n, at), n);
		at += n;
	}
	(void)close(in);
	(void)close(out);
}

static void
copy_tree(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	const struct dirent *entry;
	char a[2 * RIG_PATH], b[2 * RIG_PATH];

	cr_assert_not_null(dir);
	(void)mkdir(to, 0700);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, "lock.mdb") == 0)
			continue;
		(void)snprintf(a, sizeof(a), "%s/%s", from, entry->d_name);
		(void)snprintf(b, sizeof(b), "%s/%s", to, entry->d_name);
		if (entry->d_type == DT_DIR)
			copy_tree(a, b);
		else
			copy_file(a, b);
	}
	(void)closedir(dir);
}

uint64_t
rig_count_files(const struct rig *r, const char *sub, const char *prefix)
{
	char path[RIG_PATH];
	const struct dirent *entry;
	uint64_t n = 0;
	DIR *dir;

	rig_path(r, path, sub, "");
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	if (dir != NULL)
		(void)closedir(dir);
	return n;
}

/* ---- the I/O layer ---- */

static bool
fails(struct rig_io *io, long call, long first)
{
	if (first == 0 || call < first || call >= first + io->fail_count)
		return false;
	errno = io->fail_errno;
	return true;
}

static void
note_write(struct rig_io *io, int fd, size_t n, off_t at)
{
	struct rig_write *w;
	char link[64];
	ssize_t length;

	io->writes = realloc(io->writes, (io->write_count + 1) * sizeof(*w));
	w = &io->writes[io->write_count++];
	memset(w, 0, sizeof(*w));
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, w->path, sizeof(w->path) - 1);
	cr_assert_gt(length, 0);
	w->path[length] = '\0';
	w->fd = fd;
	w->at = (uint64_t)at;
	w->n = n;
	w->before = calloc(1, n);
	(void)!pread(fd, w->before, n, at);
}

static ssize_t
rig_pwrite(void *ctx, int fd, const void *p, size_t n, off_t at)
{
	struct rig_io *io = ctx;
	ssize_t done = -1;

	(void)pthread_mutex_lock(&io->lock);
	if (io->is_cut) {
		done = (ssize_t)n;
	} else if (!fails(io, ++io->pwrites, io->fail_write)) {
		if (io->short_bytes != 0 && n > io->short_bytes)
			n = io->short_bytes;
		if (io->records)
			note_write(io, fd, n, at);
		done = pwrite(fd, p, n, at);
	}
	(void)pthread_mutex_unlock(&io->lock);
	return done;
}

static void
forget_writes(struct rig_io *io, int fd)
{
	size_t kept = 0;

	for (size_t i = 0; i < io->write_count; i++) {
		if (fd < 0 || io->writes[i].fd == fd)
			free(io->writes[i].before);
		else
			io->writes[kept++] = io->writes[i];
	}
	io->write_count = kept;
}

static int
rig_fdatasync(void *ctx, int fd)
{
	struct rig_io *io = ctx;
	int rc = -1;

	if (io->sync_delay_us > 0)
		(void)usleep(io->sync_delay_us);
	(void)pthread_mutex_lock(&io->lock);
	if (io->is_cut) {
		rc = 0;
	} else if (!fails(io, ++io->syncs, io->fail_sync)) {
		/* nobody cuts the power of a test */
		forget_writes(io, fd);
		rc = 0;
	}
	(void)pthread_mutex_unlock(&io->lock);
	return rc;
}

static int
rig_sync_dir(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	return 0;
}

static bool
is_cut(struct rig_io *io)
{
	bool cut;

	(void)pthread_mutex_lock(&io->lock);
	cut = io->is_cut;
	(void)pthread_mutex_unlock(&io->lock);
	return cut;
}

static int
rig_rename(void *ctx, int dir, const char *from, const char *to)
{
	return is_cut(ctx) ? 0 : renameat(dir, from, dir, to);
}

static int
rig_unlink(void *ctx, int dir, const char *name)
{
	return is_cut(ctx) ? 0 : unlinkat(dir, name, 0);
}

static int
rig_room(void *ctx, int dir, uint64_t *available, uint64_t *total)
{
	struct rig_io *io = ctx;
	int rc = store_io_system.room(NULL, dir, available, total);

	(void)pthread_mutex_lock(&io->lock);
	if (io->available != UINT64_MAX)
		*available = io->available;
	(void)pthread_mutex_unlock(&io->lock);
	return rc;
}

struct rig_io *
rig_io_new(void)
{
	struct rig_io *io = calloc(1, sizeof(*io));

	io->io = store_io_system;
	io->io.ctx = io;
	io->io.pwrite = rig_pwrite;
	io->io.fdatasync = rig_fdatasync;
	io->io.sync_dir = rig_sync_dir;
	io->io.rename = rig_rename;
	io->io.unlink = rig_unlink;
	io->io.room = rig_room;
	io->available = UINT64_MAX;
	io->fail_count = 1;
	io->fail_errno = EIO;
	(void)pthread_mutex_init(&io->lock, NULL);
	return io;
}

void
rig_io_free(struct rig_io **io)
{
	if (*io == NULL)
		return;
	forget_writes(*io, -1);
	free((*io)->writes);
	(void)pthread_mutex_destroy(&(*io)->lock);
	free(*io);
	*io = NULL;
}

/* ---- what the store tells ---- */

static void
on_written(void *ctx, uint64_t group)
{
	struct rig *r = ctx;

	cr_assert_gt(group, r->written);
	r->written = group;
}

static void
on_synced(void *ctx, uint64_t group)
{
	struct rig *r = ctx;

	cr_assert_geq(group, r->synced);
	r->synced = group;
}

static void
on_refused(void *ctx, uint64_t token, uint64_t id)
{
	struct rig *r = ctx;

	(void)id;
	if (r->refused_count < RIG_LIST)
		r->refused[r->refused_count] = token;
	r->refused_count++;
}

static void
on_unit(void *ctx, struct store_unit *unit)
{
	struct rig *r = ctx;

	cr_assert_gt(unit->left, 0);
	r->unit_count++;
}

static void
on_token(void *ctx, uint64_t token, uint64_t id)
{
	struct rig *r = ctx;

	cr_assert_lt(r->token_count, RIG_LIST);
	r->token_ids[r->token_count] = id;
	r->tokens[r->token_count++] = token;
}

static void
on_body(void *ctx, uint64_t token, uint64_t bytes, bool is_closed, enum err e)
{
	struct rig *r = ctx;

	(void)token;
	r->body_bytes = bytes;
	r->is_body_closed = is_closed;
	r->body_error = e;
}

static void
on_room(void *ctx)
{
	struct rig *r = ctx;

	r->room_count++;
}

static void
on_dead(void *ctx)
{
	struct rig *r = ctx;

	r->is_dead = true;
}

static void
on_notice(void *ctx, const char *event, const char *text)
{
	struct rig *r = ctx;
	size_t n = strlen(r->notices);

	(void)text;
	r->notice_count++;
	(void)snprintf(r->notices + n, sizeof(r->notices) - n, "%s ", event);
}

static const struct store_ops ops = {
	.on_written = on_written, .on_synced = on_synced,
	.on_refused = on_refused, .on_unit = on_unit, .on_token = on_token,
	.on_body = on_body, .on_room = on_room, .on_dead = on_dead,
	.on_notice = on_notice,
};

/* ---- life ---- */

void
rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	make_dir(r);
	r->memory_bytes = 8 << 20;
	r->segment_bytes = 1 << 20;
	r->next_token = 1000;
}

enum err
rig_try_open(struct rig *r)
{
	struct store_params params = { .path = r->dir,
	    .segment_bytes = r->segment_bytes,
	    .memory_bytes = r->memory_bytes,
	    .replay_bytes = r->replay_bytes,
	    .list_block = r->list_block,
	    .io = r->io != NULL ? &r->io->io : NULL,
	    .tap = r->tap };
	struct why why = { .text = "" };
	enum err e;

	r->written = r->synced = 0;
	r->token_count = r->unit_count = r->refused_count = 0;
	r->notices[0] = '\0';
	r->notice_count = 0;
	e = store_open(&params, &ops, r, &r->s, &why);
	(void)snprintf(r->why, sizeof(r->why), "%s", why.text);
	return e;
}

void
rig_open(struct rig *r)
{
	cr_assert_eq(rig_try_open(r), OK);
}

void
rig_close(struct rig *r)
{
	store_close(&r->s);
	cr_assert_null(r->s);
}

void
rig_clear(struct rig *r)
{
	if (r->s != NULL)
		rig_close(r);
	remove_tree(r->dir);
	rig_io_free(&r->io);
}

/* Sectors of writes that were not synced are lost or torn, backwards. */
static void
lose_writes(struct rig_io *io, const char *from, const char *to,
    struct rng *dice)
{
	unsigned share = (unsigned)rng_below(dice, 5);

	for (size_t i = io->write_count; i > 0; i--) {
		const struct rig_write *w = &io->writes[i - 1];
		char path[2 * RIG_PATH];
		int fd;

		cr_assert_eq(strncmp(w->path, from, strlen(from)), 0);
		(void)snprintf(path, sizeof(path), "%s%s", to,
		    w->path + strlen(from));
		if ((fd = open(path, O_WRONLY)) < 0)
			continue;	/* renamed since: it was synced */
		for (size_t at = 0; at < w->n; at += 512) {
			size_t n = w->n - at < 512 ? w->n - at : 512;

			if (rng_below(dice, 4) < share)
				cr_assert_eq(pwrite(fd, w->before + at, n,
				    (off_t)(w->at + at)), (ssize_t)n);
		}
		(void)close(fd);
	}
}

void
rig_copy(const struct rig *r, struct rig *copy, struct rng *dice)
{
	if (r->io != NULL && dice != NULL) {
		(void)pthread_mutex_lock(&r->io->lock);
		r->io->is_cut = true;
		(void)pthread_mutex_unlock(&r->io->lock);
	}
	/* LMDB's own crash safety is not what is tried here; what it was
	 * given before is finished */
	while (r->s != NULL && r->s->overlay.is_sent)
		(void)store_worker_drain(r->s->checkpoint);
	memset(copy, 0, sizeof(*copy));
	make_dir(copy);
	copy->replay_bytes = r->replay_bytes;
	copy->list_block = r->list_block;
	copy->memory_bytes = r->memory_bytes;
	copy->tap = r->tap;
	copy->segment_bytes = r->segment_bytes;
	copy->next_token = r->next_token;
	if (r->io != NULL)
		(void)pthread_mutex_lock(&r->io->lock);
	copy_tree(r->dir, copy->dir);
	if (r->io != NULL && dice != NULL)
		lose_writes(r->io, r->dir, copy->dir, dice);
	if (r->io != NULL)
		(void)pthread_mutex_unlock(&r->io->lock);
}

void
rig_kill(struct rig *r, struct rng *dice)
{
	struct rig copy;
	bool has_io = r->io != NULL;
	bool records = has_io && r->io->records;
	unsigned delay = has_io ? r->io->sync_delay_us : 0;

	rig_copy(r, &copy, dice);
	rig_clear(r);
	*r = copy;
	if (has_io) {
		r->io = rig_io_new();
		r->io->records = records;
		r->io->sync_delay_us = delay;
	}
}

void
rig_turn(struct rig *r, int ms)
{
	struct pollfd fd = { .fd = store_fd(r->s), .events = POLLIN };

	(void)poll(&fd, 1, ms);
	store_turn(r->s);
	store_flush(r->s, clock_mono_ms());
}

void
rig_sync(struct rig *r)
{
	int64_t until = mtime_add(clock_mono_ms(), MTIME_MINUTE);

	store_flush(r->s, clock_mono_ms());
	while (!r->is_dead && clock_mono_ms() < until) {
		if (store_synced(r->s) + 1 == store_group(r->s) &&
		    store_log_is_open_empty(r->s))
			return;
		/* not in a second */
		store_log_sync_late(r->s, clock_mono_ms(), true);
		rig_turn(r, 10);
	}
	cr_assert(r->is_dead, "not synced in time");
}

void
rig_checkpoint(struct rig *r)
{
	struct store_figures f;
	int64_t until;

	rig_sync(r);
	store_answered(r->s, store_synced(r->s));
	until = mtime_add(clock_mono_ms(), MTIME_MINUTE);
	while (clock_mono_ms() < until) {
		store_figures(r->s, &f);
		if (f.checkpoint_lag_bytes == 0 && r->s->overlay.dirty == 0 &&
		    !r->s->overlay.is_frozen)
			return;
		/* now, not in a second; what is moved meanwhile, too */
		store_answered(r->s, store_synced(r->s));
		r->s->overlay.begun_at_ms = 0;
		rig_turn(r, 10);
	}
	cr_assert(false, "not in the index in time");
}

static bool
note_due(void *ctx, const struct store_due *row)
{
	uint64_t *first = ctx;

	if (row->is_held)
		return true;
	*first = row->due_at;
	return false;
}

uint64_t
rig_due_first(struct rig *r)
{
	struct store_due cursor = { .due_at = 0 };
	uint64_t first = UINT64_MAX;
	size_t looks = SIZE_MAX;

	(void)store_due_scan(r->s, &cursor, UINT64_MAX, &looks, note_due,
	    &first);
	return first;
}

void
rig_next_segment(struct rig *r)
{
	uint64_t segment = r->s->log.end.segment;
	static char body[300001];

	memset(body, 'j', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	while (r->s->log.end.segment == segment) {
		struct store_unit *u = rig_submit(r, "j@junk.example", body);

		rig_sync(r);
		cr_assert(rig_verdict(r, u, 0, 0, true, 1, "ok"));
		rig_sync(r);
	}
	rig_checkpoint(r);
}

/* ---- mail ---- */

static struct span
key_of(void *ctx, struct span recipient)
{
	(void)ctx;
	return span_from(recipient, span_find(recipient, '@') + 1);
}

void
rig_open_with_io(struct rig *r)
{
	rig_init(r);
	r->io = rig_io_new();
	rig_open(r);
	/* the spares are made through the same layer */
	while (r->s->spares.count < STORE_SPARES)
		rig_turn(r, 10);
}

void
rig_set_available(struct rig *r, uint64_t bytes)
{
	(void)pthread_mutex_lock(&r->io->lock);
	r->io->available = bytes;
	(void)pthread_mutex_unlock(&r->io->lock);
	store_room_look_soon(r->s);
}

enum err
rig_try_submit(struct rig *r, const char *rcpts, const char *body,
    struct store_unit **out)
{
	const char *sender = r->sender != NULL ? r->sender :
	    "sender@example.org";
	uint64_t at = r->arrived_at != 0 ? r->arrived_at : 1000;
	struct envelope e = { .sender = span_str(sender),
	    .helo = SPAN_LIT("client.example.org"), .arrived_at = at };
	struct store_submission sub = { .token = r->next_token,
	    .arrived_at = at, .trace_head = SPAN_LIT("Received: id "),
	    .trace_tail = SPAN_LIT("; now\r\n"), .body = span_str(body),
	    .key_of = key_of };
	struct span all = span_str(rcpts);
	struct buf b;
	enum err err;

	buf_init(&b, 8 << 20);
	envelope_put_head(&e, &b);
	while (all.n > 0) {
		size_t n = span_find(all, ' ');
		struct envelope_rcpt rcpt =
		    { .address = span_sub(all, 0, n) };

		envelope_put_rcpt(&rcpt, &b);
		all = span_from(all, n + 1);
	}
	sub.envelope = buf_span(&b);
	sub.is_streamed = body == NULL;
	sub.body = body == NULL ? SPAN_NONE : sub.body;
	err = store_submit(r->s, &sub, out);
	buf_clear(&b);
	if (err == OK)
		r->next_token++;
	return err;
}

struct store_unit *
rig_submit(struct rig *r, const char *rcpts, const char *body)
{
	struct store_unit *u = NULL;

	cr_assert_eq(rig_try_submit(r, rcpts, body, &u), OK);
	return u;
}

bool
rig_verdict(struct rig *r, struct store_unit *u, uint32_t first, uint32_t last,
    bool is_settled, uint64_t due_at, const char *text)
{
	struct store_result result = { .first = first, .last = last,
	    .outcome = is_settled ? 0 : 1, .is_settled = is_settled,
	    .code = 450, .status = SPAN_LIT("4.2.0"),
	    .text = span_str(text), .host = SPAN_LIT("mx.example.net") };
	struct store_verdict v = { .begun_at = 5, .due_at = due_at,
	    .tries = u->tries + 1, .history = SPAN_LIT("history"),
	    .results = &result, .count = 1 };
	bool is_over;

	cr_assert_eq(store_verdict(r->s, u, &v, &is_over), OK);
	return is_over;
}

/* ---- looking ---- */

static bool
dump_message(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	FILE *out = ctx;

	fprintf(out, "%016jx left %u/%u held %d warned %d report %d size %ju "
	    "arrived %ju from %.*s\n", (uintmax_t)m->id, m->left,
	    m->recipients, m->is_held, m->is_warned, m->is_report,
	    (uintmax_t)store_message_size(m), (uintmax_t)m->arrived_at,
	    (int)m->sender.n, m->sender.p);
	if (m->list.id != 0)
		fprintf(out, " list %016jx at %ju of %ju, %u of %u\n",
		    (uintmax_t)m->list.id, (uintmax_t)m->list.at,
		    (uintmax_t)m->list.bytes, m->list.count, m->list.total);
	for (; *units != NULL; units++) {
		const struct store_unit *u = *units;

		fprintf(out, " unit %u key %.*s due %ju last %ju lease %ju "
		    "tries %u left %u\n", u->number, (int)u->key.n,
		    u->key.p, (uintmax_t)u->due_at, (uintmax_t)u->last_at,
		    (uintmax_t)u->noted_lease >=
		    STORE_LEASED_UNINDEXED ? 0 : (uintmax_t)u->noted_lease,
		    u->tries, u->left);
		for (uint32_t i = 0; i < u->count; i++) {
			const struct store_recipient *p = &u->recipients[i];

			fprintf(out, "  %.*s settled %d outcome %u %u %.*s "
			    "%.*s from %.*s\n", (int)p->address.n,
			    p->address.p, p->is_settled, p->outcome, p->code,
			    (int)p->status.n, p->status.p, (int)p->text.n,
			    p->text.p, (int)p->host.n, p->host.p);
		}
	}
	return true;
}

char *
rig_dump(struct rig *r)
{
	struct store_figures f;
	uint64_t after = 0;
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	store_figures(r->s, &f);
	fprintf(out, "messages %ju units %ju recipients %ju bytes %ju\n",
	    (uintmax_t)f.messages, (uintmax_t)f.units,
	    (uintmax_t)f.recipients, (uintmax_t)f.bytes);
	while (after != UINT64_MAX)
		after = store_walk(r->s, after, 7, dump_message, out);
	(void)fclose(out);
	return text;
}
