/*
 * The log as it is told to a listener: each group once it is synced, in order,
 * nothing twice and nothing left out, whatever fails or dies in between; and
 * an index that waits for it.
 */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "queued/store/store_private.h"
#include "queued/store/store_record.h"
#include "queued/store/store_tap.h"
#include "tests/unit/store/store_rig.h"

enum { EVENTS_MAX = 4096 };

/* What was told, and how far it is kept: that outlives a kill. */
struct listener {
	struct store_tap tap;
	uint64_t last;			/* group told */
	uint64_t kept;			/* group */
	uint64_t events[EVENTS_MAX];	/* id of a message, due_at of a verdict */
	size_t count, kept_count;
	uint64_t replay;
	unsigned flushes;
};

static void
on_replay(void *ctx, const uint8_t uuid[16], uint64_t group)
{
	struct listener *l = ctx;

	(void)uuid;
	l->replay = group;
	l->last = 0;
}

static void
on_group(void *ctx, const struct store *s, uint64_t group,
    uint64_t written_at, struct span records)
{
	struct listener *l = ctx;
	struct store_result results[STORE_UNIT_RECIPIENTS];
	struct store_verdict v;
	struct store_record r;
	uint32_t unit;

	(void)s;
	cr_assert_gt(group, l->last);
	cr_assert_gt(written_at, 0);
	l->last = group;
	if (group <= l->kept)
		return;
	while (records.n > 0) {
		cr_assert_eq(store_record_next(&records, &r), OK);
		cr_assert_lt(l->count, (size_t)EVENTS_MAX);
		if (r.type == STORE_RECORD_MESSAGE) {
			l->events[l->count++] = r.id;
		} else if (r.type == STORE_RECORD_VERDICT) {
			cr_assert_eq(store_record_get_verdict(r.fields,
			    &unit, results, &v), OK);
			l->events[l->count++] = v.due_at;
		}
	}
}

static void
keep(struct listener *l, struct store *s)
{
	l->kept = l->last;
	l->kept_count = l->count;
	store_journaled(s, l->kept);
}

static void
on_flush(void *ctx, struct store *s)
{
	struct listener *l = ctx;

	l->flushes++;
	keep(l, s);
}

static void
begin(struct rig *r, struct listener *l)
{
	*l = (struct listener){ .tap = { .ctx = l, .on_replay = on_replay,
	    .on_group = on_group, .on_flush = on_flush } };
	rig_init(r);
	r->tap = &l->tap;
}

static size_t
times(const struct listener *l, uint64_t event)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += l->events[i] == event;
	return n;
}

/* A verdict that is only written may be gone after a power cut: it is told
 * once it is synced. */
Test(tap, what_is_synced_is_told)
{
	struct listener l;
	struct store_unit *u;
	struct rig r;
	uint64_t group;

	begin(&r, &l);
	rig_open(&r);
	u = rig_submit(&r, "a@b.example", "x");
	cr_expect_eq(times(&l, u->message->id), 0);
	rig_sync(&r);
	cr_expect_eq(times(&l, u->message->id), 1);
	(void)rig_verdict(&r, u, 0, 0, false, 77, "later");
	group = store_group(r.s);
	store_flush(r.s, 1);
	while (r.written < group)
		rig_turn(&r, 10);
	if (r.synced < group)
		cr_expect_eq(times(&l, 77), 0);
	store_want_all_synced(r.s);
	rig_sync(&r);
	while (r.synced < group) {
		store_flush(r.s, 2);
		rig_turn(&r, 10);
	}
	cr_expect_eq(times(&l, 77), 1);
	rig_close(&r);
	cr_expect_eq(l.flushes, 1);
	cr_expect_eq(l.kept, l.last);
	rig_clear(&r);
}

/* What the listener does not have stays in the replay. */
Test(tap, the_index_waits)
{
	struct listener l;
	struct rig r;

	begin(&r, &l);
	rig_open(&r);
	keep(&l, r.s);
	(void)rig_submit(&r, "a@b.example", "x");
	rig_sync(&r);
	store_answered(r.s, store_synced(r.s));
	for (int i = 0; i < 300 && store_awaits_journal(r.s) == 0; i++) {
		store_flush(r.s, INT64_MAX / 2);
		rig_turn(&r, 10);
	}
	cr_assert_neq(store_awaits_journal(r.s), 0);
	cr_assert_leq(store_awaits_journal(r.s), l.last);
	for (int i = 0; i < 20; i++)
		rig_turn(&r, 10);
	cr_expect_lt(r.s->overlay.indexed.sequence,
	    store_awaits_journal(r.s));
	keep(&l, r.s);
	cr_expect_eq(store_awaits_journal(r.s), 0);
	rig_checkpoint(&r);
	rig_close(&r);
	rig_clear(&r);
}

/* A group that fails: its message is refused and never told, all else is told
 * with the group that takes it up. */
Test(tap, a_rescue_tells_what_it_carries)
{
	struct listener l;
	struct store_unit *u;
	uint64_t id;
	struct rig r;

	begin(&r, &l);
	r.io = rig_io_new();
	rig_open(&r);
	while (r.s->spares.count < STORE_SPARES)
		rig_turn(&r, 10);
	u = rig_submit(&r, "a@b.example", "x");
	rig_sync(&r);
	(void)rig_verdict(&r, u, 0, 0, false, 99, "later");
	id = rig_submit(&r, "c@d.example", "y")->message->id;
	(void)pthread_mutex_lock(&r.io->lock);
	r.io->fail_sync = r.io->syncs + 1;
	r.io->fail_count = 1;
	(void)pthread_mutex_unlock(&r.io->lock);
	rig_sync(&r);
	cr_assert_eq(r.refused_count, 1);
	cr_expect_eq(times(&l, id), 0);
	cr_expect_eq(times(&l, 99), 1);
	rig_close(&r);
	rig_clear(&r);
}

/* ---- at random ---- */

/* Events that were synced: they must have been told, once. */
struct truth {
	uint64_t events[EVENTS_MAX];
	size_t count;
};

static void
one_life(struct rig *r, struct listener *l, struct truth *t, struct rng *dice)
{
	struct store_unit *u = NULL;

	for (uint64_t steps = 5 + rng_below(dice, 30); steps > 0; steps--) {
		uint64_t due = 1000000 + rng_u64(dice) % 1000000000;

		if (u == NULL || rng_below(dice, 3) > 0) {
			u = rig_submit(r, "a@b.example", "x");
			t->events[t->count++] = u->message->id;
		} else if (!rig_verdict(r, u, 0, 0, rng_below(dice, 2) == 0,
		    due, "words")) {
			t->events[t->count++] = due;
		} else {
			t->events[t->count++] = due;
			u = NULL;
		}
		if (rng_below(dice, 4) == 0)
			rig_sync(r);
		if (rng_below(dice, 10) == 0)
			keep(l, r->s);
		if (rng_below(dice, 20) == 0) {
			store_answered(r->s, store_synced(r->s));
			store_flush(r->s, INT64_MAX / 2);
		}
	}
	store_want_all_synced(r->s);
	store_want_sync(r->s);
	rig_sync(r);
}

/* I-10: over many deaths, with the listener behind by any amount. */
Test(tap, nothing_twice_nothing_missing, .timeout = 60)
{
	struct listener l;
	struct truth t = { .count = 0 };
	struct rng dice;
	struct rig r;

	rng_init(&dice, 4711);
	begin(&r, &l);
	rig_open(&r);
	for (int life = 0; life < 25; life++) {
		uint64_t kept;
		size_t count;

		one_life(&r, &l, &t, &dice);
		/* what was not kept dies with it, as the journal's memory;
		 * the rig closes what it has killed, which does not count */
		kept = l.kept;
		count = l.kept_count;
		rig_kill(&r, NULL);
		l.kept = kept;
		l.count = l.kept_count = count;
		rig_open(&r);
		cr_assert_leq(l.replay, l.kept);
		for (size_t i = 0; i < t.count; i++)
			cr_assert_eq(times(&l, t.events[i]), 1,
			    "life %d: event %zu of %zu told %zu times", life,
			    i, t.count, times(&l, t.events[i]));
		cr_assert_eq(l.count, t.count);
	}
	rig_close(&r);
	rig_clear(&r);
}
