/* What is appended is there, after a sync, a close, a kill (I-01, I-03). */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mail/envelope.h"
#include "common/os/clock.h"
#include "queued/store/store_private.h"
#include "queued/store/store_units.h"
#include "tests/unit/store/store_rig.h"

static struct span
whole_key(void *ctx, struct span recipient)
{
	(void)ctx;
	return recipient;
}

Test(life, an_empty_spool_opens_twice)
{
	struct rig r;
	struct store_figures f;

	rig_init(&r);
	rig_open(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 0);
	cr_assert(store_room(r.s).is_accepting);
	rig_close(&r);
	rig_open(&r);
	cr_assert_eq(r.notice_count, 0, "%s", r.notices);
	rig_clear(&r);
}

Test(life, only_one_opens_a_spool)
{
	struct rig r, other;
	char path[RIG_PATH];

	rig_init(&r);
	rig_open(&r);
	other = r;
	other.s = NULL;
	cr_assert_eq(rig_try_open(&other), ERR_EXISTS);
	/* nor when somebody takes the lock for a stale one */
	rig_path(&r, path, "lock", "");
	path[strlen(path) - 1] = '\0';
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(rig_try_open(&other), ERR_EXISTS);
	rig_close(&r);
	rig_open(&r);
	rig_clear(&r);
}

Test(life, a_message_survives_a_kill_after_its_sync)
{
	struct rig r;
	struct store_unit *u;
	char *before, *after;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example b@two.example c@one.example",
	    "Subject: x\r\n\r\nbody\r\n");
	cr_assert_eq(u->message->unit_count, 2);
	cr_assert_eq(u->count, 2);
	cr_assert(span_equal(u->recipients[1].address,
	    SPAN_LIT("c@one.example")));
	cr_assert(span_equal(u->message->sender,
	    SPAN_LIT("sender@example.org")));
	rig_sync(&r);
	cr_assert_eq(r.synced, store_synced(r.s));
	before = rig_dump(&r);
	rig_kill(&r, NULL);
	rig_open(&r);
	after = rig_dump(&r);
	cr_assert_str_eq(after, before);
	cr_assert_eq(r.unit_count, 2);
	cr_assert_eq(r.token_count, 1);
	cr_assert_eq(r.tokens[0], 1000);
	free(before);
	free(after);
	rig_clear(&r);
}

Test(life, content_is_served_from_memory_and_from_disk)
{
	struct rig r;
	struct store_unit *u;
	struct span cached;
	struct buf b;
	uint64_t id;

	buf_init(&b, 1 << 20);
	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", "the body\r\n");
	rig_sync(&r);
	cached = store_content_cached(r.s, u->message);
	cr_assert_eq(cached.n, store_message_size(u->message));
	cr_assert(span_equal(span_sub(cached, 0, 13),
	    SPAN_LIT("Received: id ")));
	cr_assert_eq(store_content(r.s, u->message, 0, 1, &b), OK);
	cr_assert(span_equal(cached, buf_span(&b)));
	id = u->message->id;
	rig_kill(&r, NULL);
	rig_open(&r);
	u = store_find_unit(r.s, id, 0);
	cr_assert_not_null(u);
	cr_assert_eq(store_content_cached(r.s, u->message).n, 0);
	buf_reset(&b);
	cr_assert_eq(store_content(r.s, u->message, 0, 1, &b), OK);
	cr_assert(span_equal(span_from(buf_span(&b), b.n - 10),
	    SPAN_LIT("the body\r\n")));
	buf_clear(&b);
	rig_clear(&r);
}

static struct span
one_key(void *ctx, struct span recipient)
{
	(void)ctx;
	(void)recipient;
	return SPAN_LIT("key");
}

Test(life, a_message_of_ours_has_no_trace_field)
{
	struct envelope e = { .flags = ENVELOPE_REPORT };
	struct envelope_rcpt rcpt = { .address = SPAN_LIT("a@one.example") };
	struct store_submission sub = { .is_report = true,
	    .body = SPAN_LIT("From: us\r\n"), .key_of = one_key };
	struct store_unit *u;
	struct rig r;
	struct buf b;

	buf_init(&b, 1 << 20);
	envelope_put_head(&e, &b);
	envelope_put_rcpt(&rcpt, &b);
	sub.envelope = buf_span(&b);
	rig_init(&r);
	rig_open(&r);
	cr_assert_eq(store_submit(r.s, &sub, &u), OK);
	rig_sync(&r);
	cr_assert(span_equal(store_content_cached(r.s, u->message),
	    sub.body));
	buf_clear(&b);
	rig_clear(&r);
}

/* */
Test(life, a_verdict_is_written_at_once_and_synced_within_a_second)
{
	struct rig r;
	struct store_unit *u;
	uint64_t group;
	int64_t begin;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", "x\r\n");
	rig_sync(&r);
	group = store_group(r.s);
	cr_assert_not(rig_verdict(&r, u, 0, 0, false, 2000, "later"));
	begin = clock_mono_ms();
	store_flush(r.s, begin);
	while (r.written < group)
		rig_turn(&r, 100);
	cr_assert_lt(r.synced, group);
	while (r.synced < group)
		rig_turn(&r, 2000);
	cr_assert_geq(clock_mono_ms() - begin, 400);
	cr_assert_lt(clock_mono_ms() - begin, 1500);
	rig_clear(&r);
}

/* I-04: who gives a unit back does not wait for the index. */
Test(life, a_yielded_unit_leaves_memory_with_the_check_point)
{
	struct rig r;
	struct store_unit *u;
	struct store_figures f;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", "x\r\n");
	rig_sync(&r);
	id = u->message->id;
	store_yield_unit(r.s, &u);
	cr_assert_null(u);
	cr_assert_null(store_find_unit(r.s, id, 0));
	store_figures(r.s, &f);
	cr_assert_eq(f.memory_messages, 1);
	/* taken back meanwhile it stays */
	cr_assert_eq(store_load_unit(r.s, id, 0, &u), OK);
	rig_checkpoint(&r);
	cr_assert_eq(store_find_unit(r.s, id, 0), u);
	store_yield_unit(r.s, &u);
	store_figures(r.s, &f);
	cr_assert_eq(f.memory_messages, 0);
	cr_assert_eq(store_load_unit(r.s, id, 0, &u), OK);
	/* a change makes it wait once more */
	cr_assert_eq(store_reschedule(r.s, u, 12345), OK);
	store_yield_unit(r.s, &u);
	rig_checkpoint(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.memory_messages, 0);
	cr_assert_eq(store_load_unit(r.s, id, 0, &u), OK);
	cr_assert_eq(u->due_at, 12345);
	rig_clear(&r);
}

Test(life, a_settled_message_is_gone_and_leaves_nothing)
{
	struct rig r;
	struct store_unit *u;
	struct store_figures f;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example b@one.example", "x\r\n");
	id = u->message->id;
	rig_checkpoint(&r);
	cr_assert_not(rig_verdict(&r, u, 0, 0, true, 9, "ok"));
	cr_assert_eq(u->left, 1);
	cr_assert(rig_verdict(&r, u, 1, 1, true, 9, "ok"));
	cr_assert_null(store_find_unit(r.s, id, 0));
	cr_assert_eq(store_load_unit(r.s, id, 0, &u), ERR_NOT_FOUND);
	rig_checkpoint(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages + f.units + f.recipients + f.bytes, 0);
	cr_assert_eq(f.memory_messages, 0);
	cr_assert_eq(rig_due_first(&r), UINT64_MAX);
	rig_close(&r);
	rig_open(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages + f.units + f.recipients + f.bytes, 0);
	cr_assert_eq(store_load_unit(r.s, id, 0, &u), ERR_NOT_FOUND);
	rig_clear(&r);
}

Test(life, last_words_stay_with_those_they_were_said_to)
{
	struct rig r;
	struct store_unit *u;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@d.example b@d.example c@d.example", "x\r\n");
	id = u->message->id;
	rig_verdict(&r, u, 0, 1, false, 2000, "first");
	rig_verdict(&r, u, 1, 2, false, 2500, "second");
	for (int round = 0; round < 3; round++) {
		cr_assert(span_equal(u->recipients[0].text,
		    SPAN_LIT("first")));
		cr_assert(span_equal(u->recipients[1].text,
		    SPAN_LIT("second")));
		cr_assert(span_equal(u->recipients[2].host,
		    SPAN_LIT("mx.example.net")));
		cr_assert_eq(u->tries, 2);
		cr_assert_eq(u->due_at, 2500);
		/* from the log, then from the index */
		if (round == 0) {
			rig_sync(&r);
			rig_kill(&r, NULL);
			rig_open(&r);
		} else {
			rig_checkpoint(&r);
			rig_close(&r);
			rig_open(&r);
			cr_assert_eq(r.unit_count, 0);
			cr_assert_eq(store_load_unit(r.s, id, 0, &u), OK);
		}
		u = store_find_unit(r.s, id, 0);
		cr_assert_not_null(u);
	}
	rig_clear(&r);
}

/* */
Test(life, ids_are_never_used_again)
{
	struct rig r;
	uint64_t last = 0, id;

	rig_init(&r);
	for (int start = 0; start < 5; start++) {
		rig_open(&r);
		for (int i = 0; i < 3; i++) {
			id = rig_submit(&r, "a@b.example", "x")->message->id;
			cr_assert_gt(id, last);
			last = id;
		}
		/* two of five never become durable */
		if (start % 2 == 0) {
			rig_sync(&r);
			rig_close(&r);
		} else {
			rig_kill(&r, NULL);
		}
	}
	rig_clear(&r);
}

/* */
Test(life, the_index_does_not_pass_an_open_token)
{
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	(void)rig_submit(&r, "a@b.example", "x");
	rig_sync(&r);
	store_answered(r.s, store_synced(r.s));
	(void)rig_submit(&r, "a@b.example", "x");
	/* its reply never left */
	rig_close(&r);
	rig_open(&r);
	cr_assert_geq(r.token_count, 1);
	cr_assert_eq(r.tokens[r.token_count - 1], 1001);
	rig_close(&r);
	rig_open(&r);
	cr_assert_geq(r.token_count, 1);
	cr_assert_eq(r.tokens[r.token_count - 1], 1001);
	rig_checkpoint(&r);
	rig_close(&r);
	rig_open(&r);
	cr_assert_eq(r.token_count, 0);
	rig_clear(&r);
}

/* */
Test(life, a_thousand_and_one_recipients_are_two_units)
{
	struct rig r;
	struct store_unit *u, *second;
	char *rcpts = malloc(64 * 2002), *p = rcpts;
	char *before, *after;

	for (int i = 0; i < 2002; i++)
		p += sprintf(p, "%su%d@%s.example", i > 0 ? " " : "", i,
		    i % 2 ? "odd" : "even");
	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, rcpts, "x\r\n");
	cr_assert_eq(u->message->unit_count, 4);
	cr_assert_eq(u->count, 1000);
	second = store_find_unit(r.s, u->message->id, 2);
	cr_assert_eq(second->count, 1);
	cr_assert(span_equal(second->key, SPAN_LIT("even.example")));
	rig_checkpoint(&r);
	before = rig_dump(&r);
	rig_close(&r);
	rig_open(&r);
	after = rig_dump(&r);
	cr_assert_str_eq(before, after);
	free(before);
	free(after);
	free(rcpts);
	rig_clear(&r);
}

Test(life, bad_submissions_change_nothing)
{
	struct rig r;
	struct store_figures f;
	struct store_unit *u = NULL;
	struct store_submission sub = { .token = 1,
	    .envelope = SPAN_LIT("nonsense") };

	rig_init(&r);
	rig_open(&r);
	cr_assert_eq(store_submit(r.s, &sub, &u), ERR_SYNTAX);
	cr_assert_eq(rig_try_submit(&r, "", "x", &u), ERR_SYNTAX);
	cr_assert_eq(rig_try_submit(&r, "a@b.example", NULL, &u),
	    ERR_NOT_FOUND);
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 0);
	rig_clear(&r);
}

/* Each store hashes keys with a secret of its own; what they are divided into
 * does not depend on it. */
Test(life, keys_are_hashed_with_a_seed)
{
	struct siphash_key seeds[2] = { { 1, 2 }, { 3, 4 } };
	struct store_submission sub = { .key_of = whole_key };
	struct store_units u[2];
	struct envelope e = { .sender = SPAN_LIT("s@example.org") };
	struct buf b;

	buf_init(&b, 1 << 16);
	envelope_put_head(&e, &b);
	for (int i = 0; i < 40; i++) {
		char text[32];
		struct envelope_rcpt rcpt = { .address = SPAN_NONE };

		(void)snprintf(text, sizeof(text), "a%d@b.example", i % 20);
		rcpt.address = span_str(text);
		envelope_put_rcpt(&rcpt, &b);
	}
	cr_assert_eq(envelope_check(buf_span(&b), &e), OK);
	for (int i = 0; i < 2; i++) {
		store_units_init(&u[i], &seeds[i]);
		cr_assert_eq(store_units_divide(&u[i], &e, &sub), OK);
		cr_assert_eq(u[i].count, 20);
	}
	cr_assert(span_equal(buf_span(&u[0].unit_of),
	    buf_span(&u[1].unit_of)));
	cr_assert_eq(u[0].table_size, u[1].table_size);
	cr_assert_neq(memcmp(u[0].table, u[1].table, u[0].table_size *
	    sizeof(*u[0].table)), 0);
	store_units_clear(&u[0]);
	store_units_clear(&u[1]);
	buf_clear(&b);
}

Test(life, units_are_counted_though_the_first_is_over)
{
	struct store_unit *u;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example b@two.example", "x\r\n");
	id = u->message->id;
	cr_assert(rig_verdict(&r, u, 0, 0, true, 1, "ok"));
	cr_assert_null(store_find_unit(r.s, id, 0));
	cr_assert_eq(store_count_units(r.s, id), 2);
	cr_assert_not_null(store_find_unit(r.s, id, 1));
	cr_assert_eq(store_count_units(r.s, id + 1), 0);
	rig_clear(&r);
}

/* without a verdict it is in doubt after a start, and no more with it. */
Test(life, a_noted_lease_survives_a_kill)
{
	struct store_unit *u;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", "x\r\n");
	id = u->message->id;
	cr_assert_eq(store_note_lease(r.s, u, 4711), OK);
	rig_sync(&r);
	rig_kill(&r, NULL);
	rig_open(&r);
	u = store_find_unit(r.s, id, 0);
	cr_assert_eq(u->noted_lease, 4711);
	rig_verdict(&r, u, 0, 0, false, 99, "later");
	rig_sync(&r);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_eq(store_find_unit(r.s, id, 0)->noted_lease, 0);
	rig_clear(&r);
}

/* a commit of the index is durable when it returns, whatever that
 * costs, and the map is read, never written through. */
Test(life, the_index_is_synced_as_lmdb_does_it)
{
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	cr_assert_eq(store_index_risks(r.s->index), 0);
	rig_clear(&r);
}

/* what a long queue has left ready goes when it is gone; holes stand for
 * blocks here. */
Test(life, large_spares_go_with_the_queue_that_needed_them)
{
	char name[64], path[RIG_PATH];
	struct rig r;

	rig_init(&r);
	r.segment_bytes = 64 << 20;
	rig_open(&r);
	/* at most four are adopted: room for those that follow */
	while (r.s->spares.count < STORE_SPARES_MAX)
		rig_turn(&r, 20);
	while (r.s->spares.count > STORE_SPARES)
		cr_assert(store_spares_give_up(&r.s->spares));
	rig_close(&r);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(name, sizeof(name), "spare.%016x", 1000 + i);
		rig_path(&r, path, "log", name);
		cr_assert_eq(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
		cr_assert_eq(truncate(path, 64 << 20), 0);
	}
	rig_open(&r);
	cr_assert_geq(r.s->spares.bytes, 128 << 20);
	(void)rig_submit(&r, "a@one.example", "x\r\n");
	rig_checkpoint(&r);
	for (int i = 0; i < 100 && rig_count_files(&r, "log",
	    "spare.00000000000003e") > 0; i++)
		rig_turn(&r, 20);
	cr_assert_eq(rig_count_files(&r, "log", "spare.00000000000003e"), 0);
	cr_assert_leq(r.s->spares.bytes, 32 << 20);
	rig_clear(&r);
}

static void
wait_for_spares(struct rig *r, size_t count)
{
	for (int i = 0; i < 3000 && r->s->spares.count < count; i++)
		rig_turn(r, 20);
	cr_assert_eq(r->s->spares.count, count);
	rig_turn(r, 20);
	cr_assert_eq(r->s->spares.making, 0);
}

/* The four that a short log goes round in are there before its first mail; what
 * is missing later is filled up to two, for then mail waits for the disk. */
Test(life, four_spares_are_made_while_nobody_waits)
{
	struct rig r;

	rig_init(&r);
	r.segment_bytes = STORE_SPARE_LEAST;
	rig_open(&r);
	wait_for_spares(&r, STORE_SPARES_MAX);
	(void)rig_submit(&r, "a@one.example", "x\r\n");
	rig_sync(&r);
	while (r.s->spares.count > 1)
		cr_assert(store_spares_give_up(&r.s->spares));
	wait_for_spares(&r, STORE_SPARES);
	rig_clear(&r);
}

/* Time stands still meanwhile. */
static void
turn_at(struct rig *r, int64_t now)
{
	struct pollfd fd = { .fd = store_fd(r->s), .events = POLLIN };

	(void)poll(&fd, 1, 20);
	store_turn(r->s);
	store_flush(r->s, now);
	store_answered(r->s, store_synced(r->s));
}

/* Whoever changes many waits for the index, and it for nobody. */
Test(life, a_check_point_comes_at_once_for_those_that_wait)
{
	struct rig r;
	int64_t now;

	rig_init(&r);
	rig_open(&r);
	(void)rig_submit(&r, "a@one.example", "x\r\n");
	rig_checkpoint(&r);
	now = r.s->overlay.begun_at_ms;
	cr_assert_not(store_is_behind(r.s));
	/* a message and its unit each */
	for (int i = 0; i <= STORE_UNINDEXED_MANY / 2; i++)
		(void)rig_submit(&r, "a@one.example", "x\r\n");
	for (int i = 0; i < 1000 && store_synced(r.s) + 1 <
	    store_group(r.s); i++)
		turn_at(&r, now);
	for (int i = 0; i < 5; i++)
		turn_at(&r, now);
	cr_assert_gt(store_unindexed(r.s), STORE_UNINDEXED_MANY);
	cr_assert(store_is_behind(r.s));
	for (int i = 0; i < 1000 && store_unindexed(r.s) > 0; i++)
		turn_at(&r, now);
	cr_assert_eq(store_unindexed(r.s), 0);
	cr_assert_not(r.s->overlay.is_awaited);
	rig_clear(&r);
}
