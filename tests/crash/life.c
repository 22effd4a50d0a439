#include "tests/crash/life.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/os/clock.h"
#include "queued/store/store_private.h"
#include "tests/crash/record.h"

enum { QUIET_TURNS = 300 };

uint64_t
life_below(struct life *l, uint64_t n)
{
	return rng_below(&l->dice, n);
}

void
life_note(struct life *l, const struct note *n)
{
	trace_note(l->trace, n, sizeof(*n));
}

void
life_note_group(struct life *l, enum note_kind kind, uint64_t group)
{
	struct note n;

	memset(&n, 0, sizeof(n));
	n.kind = kind;
	n.group = group;
	life_note(l, &n);
}

/* ---- what the store tells ---- */

static void
on_written(void *ctx, uint64_t group)
{
	(void)ctx;
	(void)group;
}

static void
on_synced(void *ctx, uint64_t group)
{
	struct life *l = ctx;

	l->synced = group;
	life_note_group(l, NOTE_SYNCED, group);
}

void
life_forget(struct life *l, uint64_t id)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->mails[i].id == id)
			l->mails[i] = l->mails[--l->count];
	}
}

static void
on_refused(void *ctx, uint64_t token, uint64_t id)
{
	struct life *l = ctx;
	struct note n;

	memset(&n, 0, sizeof(n));
	n.kind = NOTE_REFUSED;
	n.group = store_synced(l->s);
	n.token = token;
	n.id = id;
	life_note(l, &n);
	life_forget(l, id);
}

static void
on_unit(void *ctx, struct store_unit *unit)
{
	(void)ctx;
	(void)unit;
}

static void
on_token(void *ctx, uint64_t token, uint64_t id)
{
	(void)ctx;
	(void)token;
	(void)id;
}

static void
on_body(void *ctx, uint64_t token, uint64_t bytes, bool is_closed,
    enum err e)
{
	struct life *l = ctx;

	(void)bytes;
	if (token != l->body_token)
		return;
	l->is_body_closed = is_closed;
	if (e != OK)
		l->has_body_failed = true;
}

static void
on_room(void *ctx)
{
	(void)ctx;
}

/* As queued does: without a reply to anybody. */
static void
on_dead(void *ctx)
{
	(void)ctx;
	record_exit(LIFE_DEAD);
}

/* A write failed: what clients have in groups not synced is left out of the
 * next one, whether they will be told or not. */
static void
drop_unsynced(struct life *l)
{
	struct note n;

	for (size_t i = 0; i < l->count; i++) {
		const struct life_mail *m = &l->mails[i];

		if (m->token == 0 || m->group <= store_synced(l->s) ||
		    m->group >= store_group(l->s))
			continue;
		memset(&n, 0, sizeof(n));
		n.kind = NOTE_DROPPED;
		n.group = store_group(l->s);
		n.id = m->id;
		life_note(l, &n);
	}
}

static void
on_notice(void *ctx, const char *event, const char *text)
{
	struct life *l = ctx;

	if (strcmp(event, "write-failed") == 0)
		drop_unsynced(l);
	if (getenv("MTAD_POWER_NOTICES") != NULL)
		fprintf(stderr, "%s: %s\n", event, text);
}

const struct store_ops life_ops = {
	.on_written = on_written, .on_synced = on_synced,
	.on_refused = on_refused, .on_unit = on_unit, .on_token = on_token,
	.on_body = on_body, .on_room = on_room, .on_dead = on_dead,
	.on_notice = on_notice,
};

/* ---- turns ---- */

void
life_flush(struct life *l)
{
	store_flush(l->s, clock_mono_ms() + l->ahead_ms);
}

void
life_turn(struct life *l, int ms)
{
	struct pollfd fd = { .fd = store_fd(l->s), .events = POLLIN };

	(void)poll(&fd, 1, ms);
	store_turn(l->s);
	life_flush(l);
}

/* Until all that was asked is synced. */
void
life_sync_all(struct life *l)
{
	life_flush(l);
	for (int i = 0; i < QUIET_TURNS &&
	    l->synced < store_last_group(l->s); i++) {
		life_turn(l, 20);
		l->ahead_ms += 1000;
	}
}

void
life_answer(struct life *l)
{
	life_note_group(l, NOTE_ANSWERED, l->synced);
	store_answered(l->s, l->synced);
}

/* ... and in the index. */
void
life_checkpoint(struct life *l)
{
	struct store_figures f;

	life_sync_all(l);
	life_answer(l);
	for (int i = 0; i < 50; i++) {
		store_figures(l->s, &f);
		if (f.checkpoint_lag_bytes == 0)
			return;
		l->ahead_ms += 2000;
		life_turn(l, 20);
	}
}
