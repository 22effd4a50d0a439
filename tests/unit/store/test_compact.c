/* What lives in a mostly dead segment is moved, whole and once, whatever comes
 * between; then the segment goes (I-01, I-02, I-05, I-06). */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "queued/store/store_group.h"
#include "queued/store/store_move.h"
#include "queued/store/store_private.h"
#include "tests/unit/store/store_rig.h"

/* A message for more destinations than can be moved: it keeps its segment. */
static void
submit_unmovable(struct rig *r)
{
	size_t n = 0, size = 64 * (STORE_MOVE_UNITS + 1);
	char *rcpts = malloc(size);

	for (int i = 0; i <= STORE_MOVE_UNITS; i++)
		n += (size_t)snprintf(rcpts + n, size - n, "%sa@d%d.example",
		    i > 0 ? " " : "", i);
	(void)rig_submit(r, rcpts, "stays\r\n");
	free(rcpts);
}

/* Begins to move the segment with least live data. */
static void
ask(struct rig *r)
{
	r->s->compact.is_forced = true;
	store_flush(r->s, clock_mono_ms());
	cr_assert_neq(r->s->compact.segment, 0);
}

/* Until what was found in it is at hand, not yet appended. */
static void
wait_for_finds(struct rig *r)
{
	for (int i = 0; i < 1000 && r->s->compact.is_busy; i++) {
		(void)usleep(1000);
		store_turn(r->s);
	}
	cr_assert_not(r->s->compact.is_busy);
}

/* Until all moves are synced. */
static void
finish(struct rig *r)
{
	for (int i = 0; i < 2000 && r->s->compact.segment != 0; i++)
		rig_turn(r, 10);
	cr_assert_eq(r->s->compact.segment, 0);
	rig_sync(r);
}

static uint64_t
move_one_segment(struct rig *r)
{
	uint64_t before = r->s->compact.moved_messages;

	ask(r);
	finish(r);
	return r->s->compact.moved_messages - before;
}

/* Whether the file of segment NUMBER is there. */
static bool
is_there(const struct rig *r, uint64_t number)
{
	char name[STORE_SEGMENT_NAME], path[RIG_PATH];

	store_segment_name(number, name);
	rig_path(r, path, "log", name);
	return access(path, F_OK) == 0;
}

/* Check-points, until SEGMENT has gone. */
static void
wait_until_gone(struct rig *r, uint64_t segment)
{
	for (int i = 0; i < 100 && is_there(r, segment); i++) {
		r->s->overlay.has_news = true;
		r->s->overlay.begun_at_ms = 0;
		rig_checkpoint(r);
		rig_turn(r, 20);
	}
	cr_assert_not(is_there(r, segment));
}

static void
spoil(const struct rig *r, uint64_t segment, uint64_t at, const char *text)
{
	char name[STORE_SEGMENT_NAME], path[RIG_PATH];
	int fd;

	store_segment_name(segment, name);
	rig_path(r, path, "log", name);
	fd = open(path, O_WRONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, text, strlen(text), (off_t)at),
	    (ssize_t)strlen(text));
	(void)close(fd);
}

static void
reopen_without_index(struct rig *r)
{
	char path[RIG_PATH];

	rig_close(r);
	rig_path(r, path, "index", "data.mdb");
	cr_assert_eq(remove(path), 0);
	rig_open(r);
	cr_assert_eq(r->notice_count, 0, "%s", r->notices);
}

/* As it is now, after a kill, and from the log alone. */
static void
check_same(struct rig *r, const char *dump)
{
	char *again = rig_dump(r);

	cr_assert_str_eq(dump, again);
	free(again);
	rig_kill(r, NULL);
	rig_open(r);
	again = rig_dump(r);
	cr_assert_str_eq(dump, again);
	free(again);
	reopen_without_index(r);
	again = rig_dump(r);
	cr_assert_str_eq(dump, again);
	free(again);
}

static enum err
read_all(struct rig *r, uint64_t id, struct buf *b)
{
	struct store_unit *u;
	enum err e = store_load_unit(r->s, id, 0, &u);

	if (e != OK)
		return e;
	buf_reset(b);
	e = store_content(r->s, u->message, 0, 1, b);
	store_yield_unit(r->s, &u);
	return e;
}

static void
check_body(struct rig *r, uint64_t id, const char *body)
{
	struct buf b;
	struct span end;

	buf_init(&b, 1 << 20);
	cr_assert_eq(read_all(r, id, &b), OK);
	end = span_from(buf_span(&b), b.n - strlen(body));
	cr_assert(span_equal(end, span_str(body)));
	buf_clear(&b);
}

/* ---- the whole state ---- */

/* One message in every state that a message can have. */
static void
make_states(struct rig *r)
{
	struct store_result result = { .first = 0, .last = 0, .outcome = 3,
	    .code = 451, .status = SPAN_LIT("4.3.0"),
	    .text = SPAN_LIT("try later"), .host = SPAN_LIT("mx.example.net") };
	struct store_verdict v = { .begun_at = 77, .due_at = 9000, .tries = 4,
	    .is_warned = true, .results = &result, .count = 1 };
	struct store_unit *u;
	bool is_over;

	(void)rig_submit(r, "new@one.example", "new\r\n");
	u = rig_submit(r, "a@one.example b@one.example c@two.example "
	    "d@three.example", "several\r\n");
	cr_assert(!rig_verdict(r, u, 1, 1, true, 500, "this one is done"));
	cr_assert(rig_verdict(r, store_find_unit(r->s, u->message->id, 1), 0,
	    0, true, 1, "unit over"));
	u = rig_submit(r, "held@one.example", "held\r\n");
	cr_assert_eq(store_hold(r->s, u->message, true), OK);
	u = rig_submit(r, "warned@one.example", "warned\r\n");
	cr_assert_eq(store_verdict(r->s, u, &v, &is_over), OK);
	u = rig_submit(r, "leased@one.example", "leased\r\n");
	cr_assert_eq(store_note_lease(r->s, u, 4711), OK);
	u = rig_submit(r, "later@one.example", "later\r\n");
	cr_assert_eq(store_reschedule(r->s, u, 123456), OK);
	rig_sync(r);
}

/* */
Test(compact, a_moved_message_has_its_whole_state)
{
	struct rig r;
	uint64_t segment;
	char *dump;

	rig_init(&r);
	rig_open(&r);
	make_states(&r);
	segment = r.s->log.end.segment;
	rig_next_segment(&r);
	dump = rig_dump(&r);
	cr_assert_eq(move_one_segment(&r), 6);
	wait_until_gone(&r, segment);
	check_same(&r, dump);
	/* and once more: the newest of three records counts */
	segment = r.s->log.end.segment;
	rig_next_segment(&r);
	(void)move_one_segment(&r);
	check_same(&r, dump);
	check_body(&r, (uint64_t)1 << 40 | 1, "new\r\n");
	check_body(&r, (uint64_t)1 << 40 | 3, "held\r\n");
	free(dump);
	rig_clear(&r);
}

/* All units are in the index only, and stay there. */
Test(compact, what_is_not_in_memory_is_moved_and_leaves_it_again)
{
	struct rig r;
	struct store_figures f;
	char *dump;

	rig_init(&r);
	rig_open(&r);
	make_states(&r);
	rig_next_segment(&r);
	rig_close(&r);
	rig_open(&r);
	dump = rig_dump(&r);
	cr_assert_eq(r.unit_count, 0);
	rig_next_segment(&r);
	cr_assert_eq(move_one_segment(&r), 6);
	rig_checkpoint(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.memory_messages, 0);
	check_same(&r, dump);
	free(dump);
	rig_clear(&r);
}

/* ---- when ---- */

/* Of each segment a twentieth stays; nobody asks for anything. */
Test(compact, a_log_of_mostly_dead_bytes_shrinks_by_itself, .timeout = 120)
{
	char *body = malloc(50001), *dump;
	struct store_figures f;
	struct rig r;

	memset(body, 'x', 50000);
	body[50000] = '\0';
	rig_init(&r);
	rig_open(&r);
	for (int i = 0; i < 400; i++) {
		struct store_unit *u = rig_submit(&r, "a@one.example", body);

		rig_sync(&r);
		if (i % 20 != 0)
			cr_assert(rig_verdict(&r, u, 0, 0, true, 1, "ok"));
		if (i % 10 == 0)
			rig_checkpoint(&r);
	}
	dump = rig_dump(&r);
	for (int i = 0; i < 60; i++) {
		rig_checkpoint(&r);
		rig_turn(&r, 20);
	}
	cr_assert_gt(r.s->compact.moved_messages, 0);
	store_figures(&r.s[0], &f);
	/* 1 MB lives; four dead segments, spares and the open one beside */
	cr_assert_lt(f.disk_bytes, 12 << 20, "%ju", (uintmax_t)f.disk_bytes);
	check_same(&r, dump);
	free(dump);
	free(body);
	rig_clear(&r);
}

/* Mail in the open group goes before, and no group is made long. */
Test(compact, no_group_takes_more_than_a_slice)
{
	char *body = malloc(40001);
	uint64_t most = 0, group;
	struct rig r;

	memset(body, 'x', 40000);
	body[40000] = '\0';
	rig_init(&r);
	r.segment_bytes = 4 << 20;
	rig_open(&r);
	for (int i = 0; i < 60; i++)
		(void)rig_submit(&r, "a@one.example", body);
	rig_sync(&r);
	rig_next_segment(&r);
	ask(&r);
	while (r.s->compact.segment != 0) {
		uint64_t before = r.s->overlay.appended;

		group = store_group(r.s);
		rig_turn(&r, 10);
		cr_assert_leq(store_group(r.s), group + 1);
		if (r.s->overlay.appended - before > most)
			most = r.s->overlay.appended - before;
	}
	cr_assert_geq(r.s->compact.moved_messages, 60);
	cr_assert_leq(most, STORE_MOVE_SLICE + 50000);
	free(body);
	rig_clear(&r);
}

/* ---- what comes between ---- */

/* It is judged behind its record in the same group, and while that is being
 * written; the segment that it left stays, for another message in it. */
Test(compact, a_message_settled_on_its_way_does_not_return)
{
	struct store_unit *first, *second;
	struct rig r;
	uint64_t segment;
	char *dump;

	rig_init(&r);
	r.io = rig_io_new();
	rig_open(&r);
	first = rig_submit(&r, "first@one.example", "first\r\n");
	second = rig_submit(&r, "second@one.example", "second\r\n");
	submit_unmovable(&r);
	rig_sync(&r);
	segment = r.s->log.end.segment;
	rig_next_segment(&r);
	r.io->sync_delay_us = 20000;
	ask(&r);
	wait_for_finds(&r);
	/* no flush in between: the verdict joins the group of the moves */
	store_compact_flush(r.s, clock_mono_ms());
	cr_assert_not(list_is_empty(&r.s->log.open->moves));
	cr_assert(rig_verdict(&r, first, 0, 0, true, 1, "ok"));
	store_flush(r.s, clock_mono_ms());
	cr_assert(r.s->log.is_under_way);
	cr_assert(rig_verdict(&r, second, 0, 0, true, 1, "ok"));
	finish(&r);
	dump = rig_dump(&r);
	/* the segments with record and verdict go, if anything lets them */
	for (int i = 0; i < 6; i++)
		rig_next_segment(&r);
	cr_assert(is_there(&r, segment));
	rig_close(&r);
	rig_open(&r);
	check_same(&r, dump);
	free(dump);
	rig_clear(&r);
}

/* The same much later: then only the moved record, whose segment has nothing
 * else, says that the older one does not count.  WITH_KILL: of that, a start
 * has learned by its replay. */
static void
check_settled_after(bool with_kill)
{
	struct store_unit *goes;
	struct rig r;
	uint64_t segment;
	char *dump;

	rig_init(&r);
	rig_open(&r);
	goes = rig_submit(&r, "goes@one.example", "goes\r\n");
	submit_unmovable(&r);
	rig_sync(&r);
	segment = r.s->log.end.segment;
	rig_next_segment(&r);
	cr_assert_eq(move_one_segment(&r), 1);
	if (with_kill) {
		rig_kill(&r, NULL);
		rig_open(&r);
		goes = store_find_unit(r.s, (uint64_t)1 << 40 | 1, 0);
	}
	rig_next_segment(&r);
	cr_assert(rig_verdict(&r, goes, 0, 0, true, 1, "ok"));
	rig_sync(&r);
	dump = rig_dump(&r);
	for (int i = 0; i < 6; i++)
		rig_next_segment(&r);
	cr_assert(is_there(&r, segment));
	check_same(&r, dump);
	free(dump);
	rig_clear(&r);
}

Test(compact, a_message_settled_after_its_move_does_not_return)
{
	check_settled_after(false);
}

Test(compact, nor_when_a_start_came_between)
{
	check_settled_after(true);
}

/* Moved twice, its first segment still there: the middle record is of a
 * segment without live messages, the last one counts. */
Test(compact, a_message_moved_twice_is_there_once)
{
	struct store_unit *u;
	struct rig r;
	uint64_t segment, second;
	char *dump;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", "twice\r\n");
	submit_unmovable(&r);
	rig_sync(&r);
	segment = r.s->log.end.segment;
	rig_next_segment(&r);
	cr_assert_eq(move_one_segment(&r), 1);
	second = u->message->place.segment;
	cr_assert_gt(second, segment);
	(void)rig_verdict(&r, u, 0, 0, false, 321, "words");
	rig_next_segment(&r);
	cr_assert_eq(move_one_segment(&r), 1);
	cr_assert_gt(u->message->place.segment, second);
	rig_next_segment(&r);
	rig_next_segment(&r);
	dump = rig_dump(&r);
	cr_assert(is_there(&r, segment));
	check_same(&r, dump);
	check_body(&r, (uint64_t)1 << 40 | 1, "twice\r\n");
	free(dump);
	rig_clear(&r);
}

Test(compact, a_message_is_readable_all_the_time)
{
	struct store_unit *u;
	struct rig r;
	uint64_t segment, id;

	rig_init(&r);
	r.memory_bytes = 0;
	r.io = rig_io_new();
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", "always here\r\n");
	id = u->message->id;
	rig_sync(&r);
	segment = r.s->log.end.segment;
	rig_next_segment(&r);
	r.io->sync_delay_us = 50000;
	ask(&r);
	wait_for_finds(&r);
	store_compact_flush(r.s, clock_mono_ms());
	check_body(&r, id, "always here\r\n");
	store_flush(r.s, clock_mono_ms());
	cr_assert(r.s->log.is_under_way);
	check_body(&r, id, "always here\r\n");
	finish(&r);
	check_body(&r, id, "always here\r\n");
	wait_until_gone(&r, segment);
	check_body(&r, id, "always here\r\n");
	cr_assert_eq(r.notice_count, 0, "%s", r.notices);
	rig_clear(&r);
}

/* ---- failures ---- */

static void
fail_next(struct rig *r, bool is_sync, long count)
{
	(void)pthread_mutex_lock(&r->io->lock);
	r->io->fail_count = count;
	if (is_sync)
		r->io->fail_sync = r->io->syncs + 1;
	else
		r->io->fail_write = r->io->pwrites + 1;
	(void)pthread_mutex_unlock(&r->io->lock);
}

/* The group with the moves fails: they go with the rescue, one of them settled
 * meanwhile. */
static void
check_failed_move(bool is_sync)
{
	struct store_unit *u, *gone;
	struct rig r;
	uint64_t segment, id;
	char *dump;

	rig_init(&r);
	r.memory_bytes = 0;
	r.io = rig_io_new();
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", "kept\r\n");
	gone = rig_submit(&r, "gone@one.example", "gone\r\n");
	id = u->message->id;
	rig_sync(&r);
	segment = r.s->log.end.segment;
	rig_next_segment(&r);
	while (r.s->spares.count < STORE_SPARES)
		rig_turn(&r, 10);
	ask(&r);
	wait_for_finds(&r);
	fail_next(&r, is_sync, 1);
	store_flush(r.s, clock_mono_ms());
	cr_assert(r.s->log.is_under_way);
	cr_assert(rig_verdict(&r, gone, 0, 0, true, 1, "ok"));
	while (r.s->compact.segment != 0) {
		check_body(&r, id, "kept\r\n");
		rig_turn(&r, 10);
	}
	rig_sync(&r);
	cr_assert_not_null(strstr(r.notices, "write-rescued"));
	cr_assert_eq(r.notice_count, 2, "%s", r.notices);
	check_body(&r, id, "kept\r\n");
	cr_assert_gt(u->message->place.segment, segment + 1);
	cr_assert_eq(CONTAINER_OF(u->message, struct message,
	    pub)->generation, 1);
	dump = rig_dump(&r);
	wait_until_gone(&r, segment);
	check_same(&r, dump);
	check_body(&r, id, "kept\r\n");
	free(dump);
	rig_clear(&r);
}

Test(compact, moves_whose_sync_fails_go_with_the_rescue)
{
	check_failed_move(true);
}

Test(compact, moves_whose_write_fails_go_with_the_rescue)
{
	check_failed_move(false);
}

Test(compact, moves_of_a_store_that_dies_are_where_they_were)
{
	struct rig r;
	uint64_t id;

	rig_init(&r);
	r.io = rig_io_new();
	rig_open(&r);
	id = rig_submit(&r, "a@one.example", "kept\r\n")->message->id;
	rig_sync(&r);
	rig_next_segment(&r);
	ask(&r);
	wait_for_finds(&r);
	fail_next(&r, true, 1000);
	store_flush(r.s, clock_mono_ms());
	while (!r.is_dead)
		rig_turn(&r, 10);
	rig_kill(&r, NULL);
	rig_open(&r);
	check_body(&r, id, "kept\r\n");
	rig_clear(&r);
}

/* It is told, put under quarantine and stays, with its segment; the others
 * go.  Nothing vouches for it with a new sum. */
Test(compact, damaged_content_is_not_moved_as_good)
{
	struct store_unit *good, *bad;
	struct rig r;
	struct buf b;
	uint64_t segment, id;

	rig_init(&r);
	rig_open(&r);
	bad = rig_submit(&r, "bad@one.example", "bad\r\n");
	good = rig_submit(&r, "good@one.example", "good\r\n");
	rig_sync(&r);
	segment = r.s->log.end.segment;
	spoil(&r, segment, bad->message->place.offset + 30, "X");
	rig_next_segment(&r);
	cr_assert_eq(move_one_segment(&r), 1);
	cr_assert_not_null(strstr(r.notices, "content-damage"));
	cr_assert_null(strstr(r.notices, "log-damage"));
	cr_assert(bad->message->is_quarantined);
	cr_assert_eq(bad->message->place.segment, segment);
	cr_assert_gt(good->message->place.segment, segment);
	id = bad->message->id;
	rig_checkpoint(&r);
	rig_close(&r);
	rig_open(&r);
	buf_init(&b, 1 << 20);
	cr_assert_eq(read_all(&r, id, &b), ERR_CORRUPT);
	buf_clear(&b);
	/* once it is settled by somebody, its segment goes */
	cr_assert_eq(store_load_unit(r.s, id, 0, &bad), OK);
	cr_assert(bad->message->is_quarantined);
	cr_assert(rig_verdict(&r, bad, 0, 0, true, 1, "deleted"));
	rig_next_segment(&r);
	wait_until_gone(&r, segment);
	rig_clear(&r);
}

Test(compact, a_record_that_cannot_be_found_keeps_its_segment)
{
	struct store_unit *good, *bad;
	struct rig r;
	uint64_t segment;

	rig_init(&r);
	rig_open(&r);
	bad = rig_submit(&r, "bad@one.example", "bad\r\n");
	rig_sync(&r);
	good = rig_submit(&r, "good@one.example", "good\r\n");
	rig_sync(&r);
	segment = r.s->log.end.segment;
	/* the head of its group: only the index knows of it now */
	spoil(&r, segment, bad->message->place.offset / STORE_BLOCK *
	    STORE_BLOCK, "damage");
	rig_next_segment(&r);
	cr_assert_eq(move_one_segment(&r), 1);
	cr_assert_not_null(strstr(r.notices, "log-damage"));
	cr_assert_gt(good->message->place.segment, segment);
	rig_next_segment(&r);
	cr_assert(is_there(&r, segment));
	check_body(&r, bad->message->id, "bad\r\n");
	/* and is not tried again and again */
	r.s->compact.is_forced = true;
	rig_turn(&r, 10);
	cr_assert_neq(r.s->compact.segment, segment);
	rig_clear(&r);
}

/* ---- room ---- */

/* One spare, and a segment that is nearly full: that spare is for verdicts. */
Test(compact, the_last_spare_is_left)
{
	char *body = malloc(200001);
	struct rig r;

	memset(body, 'x', 200000);
	body[200000] = '\0';
	rig_init(&r);
	r.io = rig_io_new();
	rig_open(&r);
	(void)rig_submit(&r, "a@one.example", body);
	rig_sync(&r);
	rig_next_segment(&r);
	while (r.s->spares.count < STORE_SPARES)
		rig_turn(&r, 10);
	while (r.s->log.end.offset + 400000 < r.s->log.segment->bytes) {
		(void)rig_submit(&r, "b@one.example", body);
		rig_sync(&r);
	}
	rig_set_available(&r, 0);
	rig_turn(&r, 1);
	while (r.s->spares.count > 1)
		cr_assert(store_spares_give_up(&r.s->spares));
	ask(&r);
	for (int i = 0; i < 30; i++)
		rig_turn(&r, 10);
	cr_assert_eq(r.s->compact.moved_messages, 0);
	cr_assert_eq(r.s->spares.count, 1);
	rig_set_available(&r, UINT64_MAX);
	finish(&r);
	cr_assert_eq(r.s->compact.moved_messages, 1);
	free(body);
	rig_clear(&r);
}

/* Half of each segment lives and the disk is full: with one spare nothing is
 * moved; with two, one is used, a segment goes, and mail is taken again. */
Test(compact, a_full_disk_is_freed_without_the_last_spare)
{
	char *body = malloc(90001);
	struct store_unit *u;
	struct rig r;
	uint64_t spares = 99;

	memset(body, 'x', 90000);
	body[90000] = '\0';
	rig_init(&r);
	r.io = rig_io_new();
	rig_open(&r);
	for (int i = 0; i < 60; i++) {
		u = rig_submit(&r, "a@one.example", body);
		rig_sync(&r);
		if (i % 3 != 0)
			cr_assert(rig_verdict(&r, u, 0, 0, true, 1, "ok"));
	}
	while (r.s->spares.count < STORE_SPARES)
		rig_turn(&r, 10);
	rig_checkpoint(&r);
	rig_set_available(&r, 0);
	while (rig_try_submit(&r, "a@one.example", body, &u) == OK) {
		rig_sync(&r);
		rig_turn(&r, 1);
	}
	cr_assert_not(store_room(r.s).is_accepting);
	for (int i = 0; i < 400 && !store_room(r.s).is_accepting; i++) {
		rig_checkpoint(&r);
		r.s->overlay.has_news = true;
		r.s->overlay.begun_at_ms = 0;
		rig_turn(&r, 5);
		if (r.s->spares.count + r.s->spares.making < spares)
			spares = r.s->spares.count + r.s->spares.making;
	}
	cr_assert_gt(r.s->compact.moved_messages, 0);
	cr_assert_geq(spares, 1);
	cr_assert(store_room(r.s).is_accepting);
	rig_clear(&r);
	free(body);
}
