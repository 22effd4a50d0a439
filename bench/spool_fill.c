/*
 * A store without peers: what is submitted is put off or held in the same
 * turn, synced, and yielded to the index.  Batches keep groups large; the
 * store says itself when its index lags, and is waited for.
 */
#include "bench/spool_fill.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/units.h"
#include "common/mail/envelope.h"
#include "common/os/clock.h"
#include "queued/store/store_io.h"
#include "queued/store/store_read.h"
#include "queued/store/store_silent.h"
#include "queued/store/store_write.h"

enum { BATCH = 512, RECIPIENTS_MAX = 100000 };

struct filler {
	const struct spool_fill *want;
	struct store *store;
	struct store_io io;
	struct buf envelope;
	struct buf key;
	uint8_t *body, *body_end;
	uint64_t now;			/* wall ms, of the begin */
	uint64_t done;
	bool is_dead;
};

/* ---- what the store tells ---- */

static void
on_number(void *ctx, uint64_t group)
{
	struct filler *f = ctx;

	if (f->store != NULL)
		store_answered(f->store, group);
}

static void
on_dead(void *ctx)
{
	struct filler *f = ctx;

	f->is_dead = true;
}

static void
on_notice(void *ctx, const char *event, const char *text)
{
	(void)ctx;
	(void)fprintf(stderr, "%s: %s\n", event, text);
}

/* ---- one message ---- */

static struct span
key_of(void *ctx, struct span recipient)
{
	struct filler *f = ctx;

	buf_reset(&f->key);
	if (f->want->via != NULL) {
		buf_add_str(&f->key, f->want->via);
		return buf_span(&f->key);
	}
	buf_add_span(&f->key,
	    span_from(recipient, span_find(recipient, '@') + 1));
	return buf_span(&f->key);
}

static uint32_t
domain_of(const struct spool_fill *want, uint64_t i, uint32_t recipient)
{
	uint32_t domains = want->domains > 0 ? want->domains : 1;

	return (uint32_t)((i * 7919 + recipient) % domains);
}

static void
make_envelope(struct filler *f, uint64_t i, uint64_t arrived_at)
{
	const struct spool_fill *want = f->want;
	unsigned sender =
	    (unsigned)(i % (want->senders > 0 ? want->senders : 1));
	char text[128];
	struct envelope e = { .helo = SPAN_LIT("client.example.org"),
	    .client = SPAN_LIT("\177\0\0\1"), .arrived_at = arrived_at };
	int n = snprintf(text, sizeof(text), "sender%u@s%u.example.org",
	    sender, sender % 100);

	e.sender = span_of(text, (size_t)n);
	buf_reset(&f->envelope);
	envelope_put_head(&e, &f->envelope);
	for (uint32_t r = 0; r == 0 || r < want->recipients; r++) {
		struct envelope_rcpt rcpt = { .address = SPAN_NONE };

		n = snprintf(text, sizeof(text), "user%llu@%.32s%u.example.net",
		    (unsigned long long)i,
		    want->domain != NULL ? want->domain : "d",
		    domain_of(want, i, r));
		rcpt.address = span_of(text, (size_t)n);
		envelope_put_rcpt(&rcpt, &f->envelope);
	}
}

/* Tried once, in vain. */
static enum err
put_off(struct filler *f, struct store_unit *u, uint64_t i)
{
	uint64_t spread = f->want->due_ms > f->want->due_from_ms ?
	    (uint64_t)(f->want->due_ms - f->want->due_from_ms) : 0;
	struct store_result result = { .last = u->count - 1,
	    .outcome = 1, .code = 451, .status = SPAN_LIT("4.4.1"),
	    .text = SPAN_LIT("4.4.1 try again later, this host is busy"),
	    .host = SPAN_LIT("mx.example.net") };
	struct store_verdict v = { .begun_at = f->now, .tries = 1,
	    .results = &result, .count = 1 };
	bool is_over;

	v.due_at = f->now + (uint64_t)f->want->due_from_ms +
	    (spread > 0 ? i * 104729 % spread : 0);
	return store_verdict(f->store, u, &v, &is_over);
}

static enum err
set_state(struct filler *f, struct store_message *m, uint64_t i)
{
	const struct spool_fill *want = f->want;
	uint64_t id = m->id;
	uint32_t units = m->unit_count;
	enum err e = OK;

	if (i % 100 < want->held)
		e = store_hold(f->store, m, true);
	for (uint32_t n = 0; n < units && e == OK; n++) {
		struct store_unit *u = store_find_unit(f->store, id, n);

		if (i % 100 >= want->held + want->active)
			e = put_off(f, u, i);
	}
	return e;
}

static enum err
submit(struct filler *f)
{
	const struct spool_fill *want = f->want;
	uint64_t i = f->done;
	size_t spread = want->bytes_max > want->bytes_min ?
	    want->bytes_max - want->bytes_min + 1 : 1;
	size_t bytes = want->bytes_min + (size_t)(i % spread);
	uint64_t age = want->count > 1 ? (uint64_t)((double)want->age_ms *
	    (double)(want->count - 1 - i) / (double)(want->count - 1)) : 0;
	struct store_submission sub = { .arrived_at = f->now - age,
	    .trace_head = SPAN_LIT("Received: from client.example.org by "
	    "mail.example.org with ESMTP id "),
	    .trace_tail = SPAN_LIT("; Sun, 22 Nov 2026 10:00:00 +0000\r\n"),
	    .body = span_of(f->body_end - bytes, bytes),
	    .key_of = key_of, .ctx = f };
	struct store_unit *u;
	uint64_t id;
	uint32_t units;
	enum err e;

	make_envelope(f, i, sub.arrived_at);
	sub.envelope = buf_span(&f->envelope);
	if ((e = store_submit(f->store, &sub, &u)) != OK)
		return e;
	id = u->message->id;
	units = u->message->unit_count;
	e = set_state(f, u->message, i);
	for (uint32_t n = 0; n < units; n++) {
		u = store_find_unit(f->store, id, n);
		store_yield_unit(f->store, &u);
	}
	f->done++;
	return e;
}

/* ---- the whole ---- */

static void
turn(struct filler *f, int ms)
{
	struct pollfd fd = { .fd = store_fd(f->store), .events = POLLIN };

	store_flush(f->store, clock_mono_ms());
	(void)poll(&fd, 1, ms);
	store_turn(f->store);
}

/* While the index lags, memory holds what it has not yet. */
static bool
must_wait(struct filler *f)
{
	struct store_room room = store_room(f->store);
	struct store_figures figures;

	store_figures(f->store, &figures);
	return room.is_pausing || figures.memory_messages > 40000;
}

static enum err
fill_all(struct filler *f, struct why *why)
{
	enum err e = OK;

	while (f->done < f->want->count && e == OK) {
		if (f->is_dead)
			return why_set(why, ERR_IO, "the spool's disk failed");
		if (must_wait(f)) {
			turn(f, 100);
			continue;
		}
		for (int i = 0; i < BATCH && f->done < f->want->count &&
		    e == OK; i++)
			e = submit(f);
		turn(f, 0);
	}
	return e == OK ? OK : why_set(why, e, "message %llu: %s",
	    (unsigned long long)f->done, err_text(e));
}

static int
skip_sync(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	return 0;
}

/* Spares are zeros, written so that later syncs are cheap; ours are not. */
static ssize_t
write_data(void *ctx, int fd, const void *p, size_t n, off_t at)
{
	const uint8_t *bytes = p;
	struct stat st;

	if (n == 0 || bytes[0] != 0 || memcmp(bytes, bytes + 1, n - 1) != 0)
		return store_io_system.pwrite(ctx, fd, p, n, at);
	if (fstat(fd, &st) != 0 || (st.st_size < at + (off_t)n &&
	    ftruncate(fd, at + (off_t)n) != 0))
		return -1;
	return (ssize_t)n;
}

static enum err
prepare(struct filler *f, struct why *why)
{
	const struct spool_fill *want = f->want;
	size_t bytes = want->bytes_max > want->bytes_min ? want->bytes_max :
	    want->bytes_min;
	struct store_params params = { .path = want->path,
	    .memory_bytes = 16 << 20, .io = &f->io };
	struct store_ops ops = store_silent();

	if (want->recipients > RECIPIENTS_MAX)
		return why_set(why, ERR_RANGE, "too many recipients");
	f->io = store_io_system;
	if (!want->is_synced) {
		f->io.fdatasync = skip_sync;
		f->io.pwrite = write_data;
	}
	if (mkdir(want->path, 0700) != 0 && errno != EEXIST)
		return why_set(why, ERR_IO, "%s: %s", want->path,
		    strerror(errno));
	f->body = malloc(bytes + 1);
	if (f->body == NULL)
		return why_set(why, ERR_NOMEM, "no memory");
	/* lines of 64, seen from the end, which all have in common */
	for (size_t i = 0; i < bytes; i++)
		f->body[bytes - 1 - i] = (uint8_t)(i % 64 == 0 ? '\n' :
		    i % 64 == 1 ? '\r' : 'a' + i % 23);
	f->body_end = f->body + bytes;
	f->now = (uint64_t)clock_wall_ms();
	ops.on_synced = on_number;
	ops.on_dead = on_dead;
	ops.on_notice = on_notice;
	return store_open(&params, &ops, f, &f->store, why);
}

enum err
spool_fill(const struct spool_fill *fill, struct why *why)
{
	struct filler f = { .want = fill };
	enum err e;

	buf_init(&f.envelope, 64 << 20);
	buf_init(&f.key, 4096);
	e = prepare(&f, why);
	if (e == OK)
		e = fill_all(&f, why);
	store_close(&f.store);
	buf_clear(&f.envelope);
	buf_clear(&f.key);
	free(f.body);
	return e;
}
