/* Index and memory are one: order of time, walks, units that come and go
 * (I-04). */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "queued/store/store_private.h"
#include "queued/store/store_row.h"
#include "tests/unit/store/store_rig.h"

enum { MESSAGES = 60 };

/* Messages whose only units are due at 1000 + a permutation; all unloaded. */
static void
fill(struct rig *r, uint64_t ids[MESSAGES])
{
	rig_init(r);
	rig_open(r);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		struct store_unit *u = rig_submit(r, "a@b.example", "x\r\n");

		ids[i] = u->message->id;
		rig_verdict(r, u, 0, 0, false, 1000 + i * 37 % MESSAGES, "t");
	}
	rig_checkpoint(r);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		struct store_unit *u = store_find_unit(r->s, ids[i], 0);

		cr_assert_eq(store_unload_unit(r->s, &u), OK);
		cr_assert_null(store_find_unit(r->s, ids[i], 0));
	}
}

struct seen {
	uint64_t last_due;
	size_t n;
	size_t stop_at;		/* 0: never */
	size_t held;
};

static bool
see(void *ctx, const struct store_due *row)
{
	struct seen *s = ctx;

	if (!row->is_held) {
		cr_assert_geq(row->due_at, s->last_due);
		s->last_due = row->due_at;
	}
	cr_assert_eq(row->key_hash, store_key_hash(SPAN_LIT("b.example")));
	cr_assert_eq(row->arrived_at, 1000);
	s->held += row->is_held;
	s->n++;
	return s->n != s->stop_at;
}

static bool
scan(struct rig *r, struct store_due *cursor, uint64_t until, size_t looks,
    struct seen *s)
{
	return store_due_scan(r->s, cursor, until, &looks, see, s);
}

Test(read, due_rows_come_in_order_and_in_slices)
{
	struct store_due cursor = { .due_at = 0 };
	struct seen s = { .n = 0 };
	uint64_t ids[MESSAGES];
	size_t slices = 0;
	struct rig r;

	fill(&r, ids);
	cr_assert_eq(rig_due_first(&r), 1000);
	while (scan(&r, &cursor, 1029, 7, &s))
		slices++;
	cr_assert_eq(s.n, 30);
	cr_assert_eq(s.last_due, 1029);
	cr_assert_eq(slices, 4);
	/* stopped by the visitor, then on behind the last row seen */
	s = (struct seen){ .stop_at = 5 };
	cursor = (struct store_due){ .due_at = 0 };
	cr_assert(scan(&r, &cursor, UINT64_MAX, 100, &s));
	cr_assert_not(scan(&r, &cursor, UINT64_MAX, 100, &s));
	cr_assert_eq(s.n, MESSAGES);
	rig_clear(&r);
}

Test(read, units_in_memory_are_no_rows)
{
	struct store_due cursor = { .due_at = 0 };
	struct seen s = { .n = 0 };
	struct store_unit *u, *first;
	uint64_t ids[MESSAGES];
	size_t looks = 100;
	struct rig r;

	fill(&r, ids);
	cr_assert_eq(store_load_unit(r.s, ids[0], 0, &first), OK);
	cr_assert_eq(first->due_at, 1000);
	cr_assert_eq(rig_due_first(&r), 1001);
	cr_assert_eq(store_load_unit(r.s, ids[1], 0, &u), OK);
	cr_assert_eq(u->due_at, 1037);
	cr_assert_not(store_due_scan(r.s, &cursor, UINT64_MAX, &looks, see,
	    &s));
	cr_assert_eq(s.n, MESSAGES - 2);
	/* they were looked at all the same */
	cr_assert_eq(looks, 100 - MESSAGES);
	/* back into the index: seen again */
	cr_assert_eq(store_unload_unit(r.s, &first), OK);
	cr_assert_eq(rig_due_first(&r), 1000);
	/* changed: not before the index knows */
	cr_assert_eq(store_reschedule(r.s, u, 5), OK);
	cr_assert_eq(store_unload_unit(r.s, &u), ERR_AGAIN);
	rig_checkpoint(&r);
	cr_assert_eq(store_unload_unit(r.s, &u), OK);
	cr_assert_eq(rig_due_first(&r), 5);
	rig_clear(&r);
}

Test(read, a_yielded_unit_goes_with_the_next_check_point)
{
	struct store_unit *u;
	uint64_t ids[MESSAGES];
	struct rig r;

	fill(&r, ids);
	cr_assert_eq(store_load_unit(r.s, ids[0], 0, &u), OK);
	cr_assert_eq(store_reschedule(r.s, u, 7), OK);
	store_yield_unit(r.s, &u);
	cr_assert_null(u);
	cr_assert_null(store_find_unit(r.s, ids[0], 0));
	rig_checkpoint(&r);
	cr_assert_eq(rig_due_first(&r), 7);
	cr_assert_eq(map_u64_count(&r.s->messages), 0);
	rig_clear(&r);
}

/* Holding a message holds its units wherever they are. */
Test(read, hold_reaches_units_that_are_not_in_memory)
{
	struct store_due cursor = { .due_at = 0 };
	struct seen s = { .n = 0 };
	struct store_unit *u;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@b.example c@d.example e@f.example", "x\r\n");
	id = u->message->id;
	rig_checkpoint(&r);
	for (uint32_t i = 0; i < 3; i++) {
		u = store_find_unit(r.s, id, i);
		cr_assert_eq(store_unload_unit(r.s, &u), OK);
	}
	cr_assert_eq(rig_due_first(&r), 1000);
	cr_assert_eq(store_load_unit(r.s, id, 0, &u), OK);
	cr_assert_eq(store_hold(r.s, u->message, true), OK);
	cr_assert_null(store_find_unit(r.s, id, 1));
	rig_checkpoint(&r);
	cr_assert_eq(store_unload_unit(r.s, &u), OK);
	cr_assert_eq(map_u64_count(&r.s->messages), 0);
	cr_assert_eq(rig_due_first(&r), UINT64_MAX);
	cr_assert_not(scan(&r, &cursor, INT64_MAX, 9, &s));
	cr_assert_eq(s.n, 0);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_eq(store_load_unit(r.s, id, 1, &u), OK);
	cr_assert(u->message->is_held);
	cr_assert_eq(store_hold(r.s, u->message, false), OK);
	rig_checkpoint(&r);
	cr_assert_eq(store_unload_unit(r.s, &u), OK);
	cr_assert_eq(rig_due_first(&r), 1000);
	rig_clear(&r);
}

struct walked {
	uint64_t last;
	size_t n;
	struct rig *deletes;
};

static bool
walk(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct walked *w = ctx;

	cr_assert_gt(m->id, w->last);
	cr_assert_not_null(units[0]);
	cr_assert_null(units[m->unit_count]);
	w->last = m->id;
	w->n++;
	if (w->deletes != NULL && m->id % 2 == 0) {
		for (; *units != NULL; units++)
			rig_verdict(w->deletes, *units, 0,
			    (*units)->count - 1, true, 0, "deleted");
	}
	return true;
}

Test(read, a_walk_joins_index_and_memory)
{
	struct walked w = { .n = 0 };
	struct store_unit *u;
	struct store_figures f;
	uint64_t ids[MESSAGES], after = 0;
	struct rig r;

	fill(&r, ids);
	/* some only in memory, some in both, some gone but in the index */
	for (int i = 0; i < 10; i++)
		(void)rig_submit(&r, "new@b.example", "y");
	for (int i = 0; i < 5; i++)
		cr_assert_eq(store_load_unit(r.s, ids[i * 3], 0, &u), OK);
	cr_assert_eq(store_load_unit(r.s, ids[50], 0, &u), OK);
	cr_assert(rig_verdict(&r, u, 0, 0, true, 0, "ok"));
	while (after != UINT64_MAX)
		after = store_walk(r.s, after, 11, walk, &w);
	cr_assert_eq(w.n, MESSAGES + 10 - 1);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, w.n);
	/* what was read for the walk is not kept */
	cr_assert_eq(f.memory_messages, 10 + 5 + 1);
	/* a walk that deletes as it goes */
	w = (struct walked){ .deletes = &r };
	for (after = 0; after != UINT64_MAX;)
		after = store_walk(r.s, after, 11, walk, &w);
	cr_assert_eq(w.n, MESSAGES + 10 - 1);
	w = (struct walked){ .n = 0 };
	for (after = 0; after != UINT64_MAX;)
		after = store_walk(r.s, after, 11, walk, &w);
	store_figures(r.s, &f);
	cr_assert_eq(w.n, f.messages);
	cr_assert_lt(w.n, MESSAGES);
	rig_checkpoint(&r);
	rig_close(&r);
	rig_open(&r);
	store_figures(r.s, &f);
	cr_assert_eq(w.n, f.messages);
	rig_clear(&r);
}

static bool
count(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	(void)units;
	*(uint64_t *)ctx = m->id;
	return true;
}

Test(read, one_message_is_shown_by_its_id)
{
	uint64_t ids[MESSAGES], seen = 0;
	struct rig r;

	fill(&r, ids);
	cr_assert_eq(store_show(r.s, ids[7], count, &seen), OK);
	cr_assert_eq(seen, ids[7]);
	cr_assert_eq(store_show(r.s, 12345, count, &seen), ERR_NOT_FOUND);
	cr_assert_eq(map_u64_count(&r.s->messages), 0);
	rig_clear(&r);
}

/* Ten thousand messages lie in the index; memory holds what is loaded. */
Test(read, memory_does_not_grow_with_the_queue, .timeout = 120)
{
	struct store_figures f;
	struct store_unit *u;
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	for (int i = 0; i < 10000; i++) {
		u = rig_submit(&r, "a@b.example", "x\r\n");
		store_yield_unit(r.s, &u);
		if (i % 500 == 0)
			rig_checkpoint(&r);
	}
	rig_checkpoint(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 10000);
	cr_assert_eq(f.memory_messages, 0);
	cr_assert_leq(r.s->cache.bytes, r.memory_bytes);
	rig_close(&r);
	rig_open(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 10000);
	cr_assert_eq(f.recipients, 10000);
	cr_assert_eq(f.memory_messages, 0);
	rig_clear(&r);
}

/* Rows that are damaged count as seen: a scan in slices passes them, though
 * there are more of them than a slice has. */
Test(read, damaged_due_rows_are_passed_over)
{
	struct store_due cursor = { .due_at = 0 };
	struct seen got = { .n = 0 };
	struct store_unit *u;
	struct buf ops;
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	buf_init(&ops, 1 << 16);
	for (int i = 1; i <= 8; i++) {
		u = rig_submit(&r, "a@b.example", "x\r\n");
		cr_assert_eq(store_reschedule(r.s, u, (uint64_t)i * 100), OK);
		if (i >= 2 && i <= 7) {
			struct store_row_key key = store_row_key_due(
			    (uint64_t)i * 100, u->message->id, 0);
			size_t at = store_index_put(&ops, STORE_TABLE_DUE,
			    &key);

			buf_add_str(&ops, "damaged");
			store_index_put_end(&ops, at);
		}
		store_yield_unit(r.s, &u);
	}
	rig_checkpoint(&r);
	cr_assert_eq(store_index_apply(r.s->index, buf_span(&ops)), OK);
	for (int i = 0; i < 10 && scan(&r, &cursor, 5000, 2, &got); i++)
		;
	cr_assert_eq(got.n, 2);
	cr_assert_not_null(strstr(r.notices, "index-damage"));
	buf_clear(&ops);
	rig_clear(&r);
}

/* A key that is none can't be passed over, for a scan could not go on from
 * there: it is told, and the next start makes the index anew. */
Test(read, a_due_row_without_a_place_ends_the_index)
{
	static const uint8_t none[1];
	/* behind all others */
	struct store_row_key bad = { .p = { 0, 0, 1 }, .n = 3 };
	uint64_t ids[MESSAGES];
	struct store_due cursor = { .due_at = 0 };
	struct seen s = { .n = 0 };
	struct store_figures f;
	struct buf ops;
	struct rig r;
	size_t at;

	fill(&r, ids);
	buf_init(&ops, 4096);
	at = store_index_put(&ops, STORE_TABLE_DUE, &bad);
	buf_add(&ops, none, sizeof(none));
	store_index_put_end(&ops, at);
	cr_assert_eq(store_index_apply(r.s->index, buf_span(&ops)), OK);
	buf_clear(&ops);
	(void)scan(&r, &cursor, UINT64_MAX, 100, &s);
	cr_assert_eq(s.n, MESSAGES);
	cr_assert_not_null(strstr(r.notices, "index-damage"), "%s", r.notices);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_not_null(strstr(r.notices, "index-rebuilt"), "%s",
	    r.notices);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, MESSAGES);
	rig_clear(&r);
}
