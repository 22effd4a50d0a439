#include "queued/keep/keep_store.h"

#include "common/os/clock.h"
#include "queued/store/store_look.h"
#include "queued/store/store_read.h"
#include "queued/store/store_silent.h"
#include "queued/store/store_write.h"

#include <poll.h>
#include <stdint.h>

enum { BATCH = 256, WAIT_MS = 50 };

#define WOKEN_MAX ((size_t)1 << 30)

/* Of log at a time: there are no tokens for which more would have to be kept
 * (docs/SPOOL.md, Tokens), and small records may bring large messages into
 * memory. */
#define REPLAY_BYTES ((uint64_t)16 << 20)

/* ---- what the store tells ---- */

static void
on_unit(void *ctx, struct store_unit *unit)
{
	struct keep_store *k = ctx;

	buf_add(&k->woken, &unit, sizeof(unit));
}

static void
on_dead(void *ctx)
{
	struct keep_store *k = ctx;

	k->is_dead = true;
}

static void
on_replay(void *ctx, const uint8_t uuid[16], uint64_t group)
{
	(void)ctx;
	(void)uuid;
	(void)group;
}

static void
on_tapped(void *ctx, const struct store *s, uint64_t group,
    uint64_t written_at, struct span records)
{
	const struct keep_store *k = ctx;

	(void)written_at;
	if (k->listener != NULL)
		k->listener->on_group(k->listener->ctx, s, group, records);
}

/* Nothing waits for the listener. */
static void
on_flush(void *ctx, struct store *s)
{
	(void)ctx;
	store_journaled(s, UINT64_MAX);
}

/* ---- life ---- */

/* What the replay has left in memory is nobody's to schedule. */
static void
yield_woken(struct keep_store *k)
{
	struct store_unit *unit;

	for (size_t at = 0; at + sizeof(unit) <= k->woken.n;
	    at += sizeof(unit)) {
		memcpy(&unit, k->woken.p + at, sizeof(unit));
		store_yield_unit(k->store, &unit);
	}
	buf_clear(&k->woken);
}

enum err
keep_store_open(struct keep_store *k, uint64_t start,
    const struct keep_listener *listener, struct why *why)
{
	const struct store_params params = { .path = ".", .tap = &k->tap,
	    .replay_bytes = REPLAY_BYTES, .start_at_least = start,
		.remakes_tables = true };
	struct store_ops ops = store_silent();
	enum err e;

	*k = (struct keep_store){ .listener = listener, .tap = { .ctx = k,
	    .on_replay = on_replay, .on_group = on_tapped,
	    .on_flush = on_flush } };
	buf_init(&k->woken, WOKEN_MAX);
	/* damage was told by who looked at the copy before */
	ops.on_unit = on_unit;
	ops.on_dead = on_dead;
	e = store_open(&params, &ops, k, &k->store, why);
	if (e == OK && buf_failed(&k->woken))
		e = why_set(why, ERR_NOMEM, "no memory for the spool");
	if (e != OK) {
		keep_store_close(k);
		return e;
	}
	store_journaled(k->store, UINT64_MAX);
	/* the new life tells nothing but what was done by us */
	k->listener = NULL;
	yield_woken(k);
	return OK;
}

void
keep_store_close(struct keep_store *k)
{
	store_close(&k->store);
	buf_clear(&k->woken);
}

/* ---- turns ---- */

static enum err
turn(struct keep_store *k, int wait_ms)
{
	struct pollfd p = { .fd = store_fd(k->store), .events = POLLIN };

	store_flush(k->store, clock_mono_ms());
	if (poll(&p, 1, wait_ms) > 0)
		store_turn(k->store);
	/* there is nobody to answer */
	store_answered(k->store, store_synced(k->store));
	return k->is_dead ? ERR_IO : OK;
}

enum err
keep_store_turn(struct keep_store *k)
{
	enum err e = turn(k, 0);

	while (e == OK && store_is_behind(k->store))
		e = turn(k, WAIT_MS);
	return e;
}

enum err
keep_store_sync(struct keep_store *k)
{
	enum err e = OK;

	while (e == OK && store_synced(k->store) < store_last_group(k->store)) {
		store_want_all_synced(k->store);
		e = turn(k, WAIT_MS);
	}
	return e;
}

/* ---- messages ---- */

struct batch {
	uint64_t ids[BATCH];
	size_t n;
};

static bool
take_id(void *ctx, struct store_glance *g)
{
	struct batch *b = ctx;

	b->ids[b->n++] = store_glance_message(g)->id;
	return b->n < BATCH;
}

enum err
keep_store_each(struct keep_store *k,
    enum err (*visit)(void *ctx, struct keep_store *k, uint64_t id),
    void *ctx)
{
	const struct store_path all = STORE_PATH_ALL;
	uint64_t after = 0;
	enum err e = OK;

	while (e == OK && after != UINT64_MAX) {
		struct batch b = { .n = 0 };

		after = store_look(k->store, &all, after, BATCH, take_id, &b);
		for (size_t i = 0; i < b.n && e == OK; i++)
			e = visit(ctx, k, b.ids[i]);
		if (e == OK)
			e = keep_store_turn(k);
	}
	return e;
}

void
keep_store_yield(struct keep_store *k, uint64_t id)
{
	uint32_t n = store_count_units(k->store, id);

	for (uint32_t i = 0; i < n; i++) {
		struct store_unit *unit = store_find_unit(k->store, id, i);

		if (unit != NULL)
			store_yield_unit(k->store, &unit);
	}
}
