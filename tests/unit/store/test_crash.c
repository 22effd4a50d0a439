/* What a kill, a power cut or a bad sector leaves is recovered, or told (I-01,
 * I-02, I-05). */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "queued/store/store_private.h"
#include "tests/unit/store/store_rig.h"

/* Writes N bytes of P into segment NUMBER of a closed or copied spool. */
static void
spoil(const struct rig *r, uint64_t number, uint64_t at, const void *p,
    size_t n)
{
	char name[STORE_SEGMENT_NAME], path[RIG_PATH];
	int fd;

	store_segment_name(number, name);
	rig_path(r, path, "log", name);
	fd = open(path, O_WRONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, p, n, (off_t)at), (ssize_t)n);
	(void)close(fd);
}

static void
read_segment(const struct rig *r, uint64_t number, uint64_t at, void *p,
    size_t n)
{
	char name[STORE_SEGMENT_NAME], path[RIG_PATH];
	int fd;

	store_segment_name(number, name);
	rig_path(r, path, "log", name);
	fd = open(path, O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pread(fd, p, n, (off_t)at), (ssize_t)n);
	(void)close(fd);
}

static void
remove_index(const struct rig *r)
{
	char path[RIG_PATH];

	rig_path(r, path, "index", "data.mdb");
	cr_assert_eq(unlink(path), 0);
}

/* Three groups; the dumps after the second and the third. */
static void
fill(struct rig *r, char *dumps[2], struct store_position *second,
    struct store_position *third)
{
	struct store_unit *u;

	rig_init(r);
	rig_open(r);
	u = rig_submit(r, "a@one.example b@two.example", "first\r\n");
	rig_sync(r);
	(void)rig_submit(r, "c@one.example", "second\r\n");
	rig_sync(r);
	dumps[0] = rig_dump(r);
	*second = r->s->log.end;
	rig_verdict(r, u, 0, 0, true, 0, "ok");
	(void)rig_submit(r, "d@one.example", "third\r\n");
	rig_sync(r);
	dumps[1] = rig_dump(r);
	*third = r->s->log.end;
}

/* */
Test(crash, a_torn_last_group_counts_whole_or_not_at_all, .timeout = 240)
{
	struct store_position second, third;
	struct rig r, copy;
	char *dumps[2], *dump;
	size_t n, used;
	uint8_t *group;

	fill(&r, dumps, &second, &third);
	n = third.offset - second.offset;
	group = malloc(n);
	read_segment(&r, second.segment, second.offset, group, n);
	for (used = n; used > 0 && group[used - 1] == 0; used--)
		;
	/* cut at every byte in the heads, at every seventh elsewhere */
	for (size_t cut = 0; cut <= used; cut += cut < 160 ? 1 : 7) {
		static const uint8_t zeros[1 << 16];

		rig_copy(&r, &copy, NULL);
		cr_assert_leq(n, sizeof(zeros));
		spoil(&copy, second.segment, second.offset + cut, zeros,
		    n - cut);
		rig_open(&copy);
		dump = rig_dump(&copy);
		cr_assert_str_eq(dump, cut >= used ? dumps[1] : dumps[0],
		    "cut at %zu of %zu", cut, used);
		cr_assert_eq(copy.notice_count, 0, "%s", copy.notices);
		free(dump);
		rig_clear(&copy);
	}
	free(group);
	free(dumps[0]);
	free(dumps[1]);
	rig_clear(&r);
}

Test(crash, a_flipped_bit_in_the_last_group_drops_it, .timeout = 240)
{
	struct store_position second, third;
	struct rig r, copy;
	char *dumps[2], *dump;
	uint8_t byte, group[4096];
	size_t used = sizeof(group);

	fill(&r, dumps, &second, &third);
	/* the padding is of no interest */
	read_segment(&r, second.segment, second.offset, group, used);
	while (group[used - 1] == 0)
		used--;
	for (size_t at = 0; at < used; at += at < 130 ? 3 : 17) {
		rig_copy(&r, &copy, NULL);
		read_segment(&copy, second.segment, second.offset + at, &byte,
		    1);
		byte ^= (uint8_t)(1U << (at % 8));
		spoil(&copy, second.segment, second.offset + at, &byte, 1);
		rig_open(&copy);
		dump = rig_dump(&copy);
		cr_assert_str_eq(dump, dumps[0], "flipped at %zu", at);
		free(dump);
		rig_clear(&copy);
	}
	free(dumps[0]);
	free(dumps[1]);
	rig_clear(&r);
}

Test(crash, recovering_twice_gives_the_same)
{
	struct store_position second, third;
	char *dumps[2], *dump;
	struct rig r;

	fill(&r, dumps, &second, &third);
	for (int i = 0; i < 5; i++) {
		rig_kill(&r, NULL);
		rig_open(&r);
		dump = rig_dump(&r);
		cr_assert_str_eq(dump, dumps[1]);
		free(dump);
	}
	free(dumps[0]);
	free(dumps[1]);
	rig_clear(&r);
}

/* The last group is lost, a start seals without it, then it comes back.
 * (R-04) */
Test(crash, bytes_beyond_a_seal_do_not_exist)
{
	struct store_position second, third;
	static uint8_t group[1 << 16], zeros[1 << 16];
	struct rig r;
	char *dumps[2], *dump;
	size_t n;

	fill(&r, dumps, &second, &third);
	n = third.offset - second.offset;
	cr_assert_leq(n, sizeof(group));
	read_segment(&r, second.segment, second.offset, group, n);
	rig_kill(&r, NULL);
	spoil(&r, second.segment, second.offset, zeros, n);
	rig_open(&r);
	/* of the same sequence and chain as the one that was lost */
	(void)rig_submit(&r, "other@one.example", "other\r\n");
	rig_sync(&r);
	dump = rig_dump(&r);
	rig_kill(&r, NULL);
	spoil(&r, second.segment, second.offset, group, n);
	for (int i = 0; i < 2; i++) {
		char *again;

		rig_open(&r);
		again = rig_dump(&r);
		cr_assert_str_eq(again, dump);
		free(again);
		rig_close(&r);
		/* then without the index */
		remove_index(&r);
	}
	free(dump);
	free(dumps[0]);
	free(dumps[1]);
	rig_clear(&r);
}

Test(crash, the_index_is_made_again_from_the_log)
{
	struct store_position second, third;
	char *dumps[2], *dump;
	struct rig r;

	fill(&r, dumps, &second, &third);
	rig_checkpoint(&r);
	rig_close(&r);
	remove_index(&r);
	rig_open(&r);
	dump = rig_dump(&r);
	cr_assert_str_eq(dump, dumps[1]);
	free(dump);
	free(dumps[0]);
	free(dumps[1]);
	rig_clear(&r);
}

/* */
Test(crash, an_index_of_nonsense_is_set_aside)
{
	struct store_position second, third;
	char *dumps[2], *dump, path[RIG_PATH];
	struct rig r;
	FILE *f;

	fill(&r, dumps, &second, &third);
	rig_checkpoint(&r);
	rig_close(&r);
	rig_path(&r, path, "index", "data.mdb");
	f = fopen(path, "r+");
	for (int i = 0; i < 8192; i++)
		(void)fputc('x', f);
	(void)fclose(f);
	rig_open(&r);
	cr_assert_not_null(strstr(r.notices, "index-rebuilt"));
	dump = rig_dump(&r);
	cr_assert_str_eq(dump, dumps[1]);
	free(dump);
	free(dumps[0]);
	free(dumps[1]);
	rig_clear(&r);
}

/* The log was put back to an older state than the index. */
Test(crash, an_index_ahead_of_the_log_is_set_aside)
{
	struct store_position second, third;
	static const uint8_t zeros[1 << 16];
	char *dumps[2], *dump;
	struct rig r, copy;

	fill(&r, dumps, &second, &third);
	rig_copy(&r, &copy, NULL);
	spoil(&copy, second.segment, second.offset, zeros,
	    third.offset - second.offset);
	/* a seal at the second group, then the index of the third */
	rig_open(&copy);
	rig_close(&copy);
	rig_checkpoint(&r);
	rig_close(&r);
	{
		char from[RIG_PATH], to[RIG_PATH], command[3 * RIG_PATH];

		rig_path(&r, from, "index", "data.mdb");
		rig_path(&copy, to, "index", "data.mdb");
		(void)snprintf(command, sizeof(command), "cp %s %s", from, to);
		cr_assert_eq(system(command), 0);
	}
	rig_open(&copy);
	cr_assert_not_null(strstr(copy.notices, "index-rebuilt"));
	dump = rig_dump(&copy);
	cr_assert_str_eq(dump, dumps[0]);
	free(dump);
	free(dumps[0]);
	free(dumps[1]);
	rig_clear(&copy);
	rig_clear(&r);
}

/* The frame of a synced group in the middle is damaged: told, and what its
 * records say counts. */
Test(crash, damage_in_the_middle_is_told_and_its_records_count)
{
	struct store_position second, third;
	char *dumps[2], *dump;
	struct store_figures f;
	struct rig r;
	uint64_t id;

	fill(&r, dumps, &second, &third);
	id = rig_submit(&r, "e@one.example", "fourth\r\n")->message->id;
	rig_sync(&r);
	rig_kill(&r, NULL);
	/* the third group; the fourth says that it was synced */
	spoil(&r, second.segment, second.offset + 50, "damage", 6);
	rig_open(&r);
	cr_assert_not_null(strstr(r.notices, "log-damage"));
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 4);
	cr_assert_eq(f.recipients, 4);
	cr_assert_not_null(store_find_unit(r.s, id, 0));
	dump = rig_dump(&r);
	rig_kill(&r, NULL);
	free(dumps[0]);
	rig_open(&r);
	dumps[0] = rig_dump(&r);
	cr_assert_str_eq(dump, dumps[0]);
	free(dump);
	free(dumps[0]);
	free(dumps[1]);
	rig_clear(&r);
}

/* */
Test(crash, damaged_content_is_found_when_read)
{
	struct store_unit *u;
	struct rig r;
	struct buf b;
	uint64_t id;

	buf_init(&b, 1 << 20);
	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", "some content\r\n");
	id = u->message->id;
	rig_checkpoint(&r);
	spoil(&r, u->message->place.segment, u->message->place.offset + 40,
	    "X", 1);
	rig_close(&r);
	rig_open(&r);
	cr_assert_eq(store_load_unit(r.s, id, 0, &u), OK);
	cr_assert_eq(store_content(r.s, u->message, 0, 1, &b), ERR_CORRUPT);
	cr_assert(u->message->is_quarantined);
	cr_assert_not_null(strstr(r.notices, "content-damage"));
	buf_clear(&b);
	rig_clear(&r);
}

/* ---- random histories against the store's own promises ---- */

enum { SNAPSHOTS = 64, UNITS = 400 };

struct history {
	struct rig r;
	struct rng dice;
	/* what the store held when group NUMBER was handed over */
	struct {
		uint64_t group;
		char *dump;
	} shots[SNAPSHOTS];
	size_t shot_count;
	uint64_t now;
	uint64_t moved;			/* by compaction, in former lives */
};

static void
take_shot(struct history *h, uint64_t group)
{
	if (h->shot_count == SNAPSHOTS) {
		free(h->shots[0].dump);
		memmove(&h->shots[0], &h->shots[1],
		    (SNAPSHOTS - 1) * sizeof(h->shots[0]));
		h->shot_count--;
	}
	h->shots[h->shot_count].group = group;
	h->shots[h->shot_count++].dump = rig_dump(&h->r);
}

static void
forget_shots(struct history *h)
{
	while (h->shot_count > 0)
		free(h->shots[--h->shot_count].dump);
}

struct pick {
	struct rng *dice;
	uint64_t id;
	uint32_t unit;
	size_t seen;
};

static bool
pick_unit(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct pick *p = ctx;

	for (; *units != NULL; units++) {
		if (rng_below(p->dice, ++p->seen) == 0) {
			p->id = m->id;
			p->unit = (*units)->number;
		}
	}
	return true;
}

/* Any unit that lives, wherever it is. */
static struct store_unit *
any_unit(struct history *h)
{
	struct pick p = { .dice = &h->dice };
	struct store_unit *u = NULL;

	(void)store_walk(h->r.s, 0, 10000, pick_unit, &p);
	if (p.seen == 0)
		return NULL;
	cr_assert_eq(store_load_unit(h->r.s, p.id, p.unit, &u), OK);
	return u;
}

static void
submit_some(struct history *h)
{
	static const char *const rcpts[] = {
		"a@one.example", "a@one.example b@one.example",
		"a@one.example b@two.example c@three.example d@two.example",
	};
	static const char *const bodies[] = { "", "short\r\n",
	    "0123456789012345678901234567890123456789012345678901234\r\n" };
	char *large;

	if (rng_below(&h->dice, 6) == 0) {
		large = malloc(200001);
		memset(large, 'x', 200000);
		large[200000] = '\0';
		(void)rig_submit(&h->r, rcpts[0], large);
		free(large);
		return;
	}
	(void)rig_submit(&h->r, rcpts[rng_below(&h->dice, 3)],
	    bodies[rng_below(&h->dice, 3)]);
}

static void
judge_some(struct history *h, struct store_unit *u)
{
	uint32_t first = (uint32_t)rng_below(&h->dice, u->count);
	uint32_t last = first +
	    (uint32_t)rng_below(&h->dice, u->count - first);

	(void)rig_verdict(&h->r, u, first, last, rng_below(&h->dice, 3) > 0,
	    h->now + rng_below(&h->dice, 100), "words");
}

static void
act(struct history *h)
{
	struct store_unit *u;
	struct store_figures f;

	h->now++;
	store_figures(h->r.s, &f);
	if (f.units < 30 && rng_below(&h->dice, 2) == 0) {
		submit_some(h);
		return;
	}
	if ((u = any_unit(h)) == NULL)
		return;
	switch (rng_below(&h->dice, 8)) {
	case 0:
		cr_assert_eq(store_hold(h->r.s, u->message,
		    !u->message->is_held), OK);
		return;
	case 1:
		cr_assert_eq(store_reschedule(h->r.s, u, h->now), OK);
		return;
	case 2:
		cr_assert_eq(store_note_lease(h->r.s, u, h->now), OK);
		return;
	case 3:
		(void)store_unload_unit(h->r.s, &u);
		return;
	default:
		judge_some(h, u);
	}
}

/* After a crash the store holds what it held at some group that it had
 * handed over, and not before the last one that it said was synced. */
static void
check_recovered(struct history *h, uint64_t synced, unsigned round)
{
	char *dump = rig_dump(&h->r);
	bool is_known = false;

	for (size_t i = 0; i < h->shot_count && !is_known; i++)
		is_known = h->shots[i].group >= synced &&
		    strcmp(h->shots[i].dump, dump) == 0;
	cr_assert(is_known, "round %u: after group %ju:\n%s\nlast:\n%s", round,
	    (uintmax_t)synced, dump, h->shots[h->shot_count - 1].dump);
	free(dump);
}

/* Every message that lives has its content. */
static bool
check_content(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct rig *r = ctx;
	struct buf b;

	(void)units;
	buf_init(&b, 1 << 20);
	cr_assert_eq(store_content(r->s, m, 0, 1, &b), OK);
	cr_assert_eq(b.n, store_message_size(m));
	buf_clear(&b);
	return true;
}

/* Which messages there are, and how much of them: lines without a blank in
 * front. */
static char *
skeleton(struct rig *r)
{
	char *dump = rig_dump(r), *to = dump;

	for (char *line = dump; *line != '\0';) {
		size_t n = strcspn(line, "\n") + 1;

		if (line[0] != ' ') {
			memmove(to, line, n);
			to += n;
		}
		line += n;
	}
	*to = '\0';
	return dump;
}

/* From the log alone the same messages come back, no more and no less; only
 * when they are due may be older. */
static void
rebuild_and_check(struct history *h)
{
	char *before, *after;

	rig_close(&h->r);
	rig_open(&h->r);
	before = skeleton(&h->r);
	rig_close(&h->r);
	remove_index(&h->r);
	rig_open(&h->r);
	after = skeleton(&h->r);
	cr_assert_str_eq(before, after);
	cr_assert_eq(h->r.notice_count, 0, "%s", h->r.notices);
	(void)store_walk(h->r.s, 0, 10000, check_content, &h->r);
	free(before);
	free(after);
}

static void
crash_and_check(struct history *h, unsigned round)
{
	uint64_t synced = store_synced(h->r.s);

	rig_kill(&h->r, &h->dice);
	rig_open(&h->r);
	check_recovered(h, synced, round);
	cr_assert_null(strstr(h->r.notices, "damage"), "%s", h->r.notices);
	cr_assert_null(strstr(h->r.notices, "rebuilt"), "%s", h->r.notices);
	(void)store_walk(h->r.s, 0, 10000, check_content, &h->r);
	if (rng_below(&h->dice, 3) == 0) {
		/* at once again, before anything was written */
		forget_shots(h);
		take_shot(h, 0);
		rig_kill(&h->r, &h->dice);
		rig_open(&h->r);
		check_recovered(h, 0, round);
	}
	if (rng_below(&h->dice, 6) == 0)
		rebuild_and_check(h);
	forget_shots(h);
	take_shot(h, store_synced(h->r.s));
}

static void
flush(struct history *h)
{
	uint64_t group = store_group(h->r.s);

	store_flush(h->r.s, clock_mono_ms());
	if (store_group(h->r.s) != group)
		take_shot(h, group);
}

static void
turn_some(struct history *h)
{
	flush(h);
	if (rng_below(&h->dice, 3) == 0) {
		(void)usleep((useconds_t)rng_below(&h->dice, 1000));
		store_turn(h->r.s);
		flush(h);
	}
	if (rng_below(&h->dice, 4) == 0)
		store_answered(h->r.s, UINT64_MAX);
	/* let a segment be moved, needed or not */
	if (rng_below(&h->dice, 6) == 0)
		h->r.s->compact.is_forced = true;
	/* let check-points come at any time */
	if (rng_below(&h->dice, 8) == 0)
		h->r.s->overlay.begun_at_ms = INT64_MIN / 2;
}

static void
run_history(uint64_t seed, unsigned rounds)
{
	static struct history h;

	memset(&h, 0, sizeof(h));
	rng_init(&h.dice, seed);
	rig_init(&h.r);
	h.r.io = rig_io_new();
	h.r.io->records = true;
	h.r.io->sync_delay_us = 1000;
	rig_open(&h.r);
	take_shot(&h, store_synced(h.r.s));
	for (unsigned round = 0; round < rounds; round++) {
		uint64_t steps = 1 + rng_below(&h.dice, 120);

		for (uint64_t i = 0; i < steps; i++) {
			act(&h);
			if (rng_below(&h.dice, 2) == 0)
				turn_some(&h);
		}
		h.moved += h.r.s->compact.moved_messages;
		if (rng_below(&h.dice, 10) == 0) {
			store_answered(h.r.s, UINT64_MAX);
			rig_close(&h.r);
			rig_open(&h.r);
			forget_shots(&h);
			take_shot(&h, store_synced(h.r.s));
			continue;
		}
		crash_and_check(&h, round);
	}
	/* or nothing was learned about it */
	cr_assert_gt(h.moved, 20);
	forget_shots(&h);
	rig_clear(&h.r);
}

/* MTAD_HISTORIES=N in the environment: N times as many. */
static void
run_histories(uint64_t seed)
{
	const char *text = getenv("MTAD_HISTORIES");
	long n = text != NULL ? atol(text) : 1;

	for (long i = 0; i < n; i++)
		run_history(seed + 100 * (uint64_t)i, 40);
}

Test(crash, random_histories_survive_power_cuts_1, .timeout = 3000)
{
	run_histories(1);
}

Test(crash, random_histories_survive_power_cuts_2, .timeout = 3000)
{
	run_histories(2);
}

Test(crash, random_histories_survive_power_cuts_3, .timeout = 3000)
{
	run_histories(3);
}

/* ---- aimed at rare orders ---- */

/* A written verdict lies in the old segment when a new one is begun: the new
 * segment's first group vouches for it, so it must be durable before. */
Test(crash, what_was_only_written_is_synced_before_a_new_segment)
{
	char *large = malloc(900001), *dump;
	struct store_unit *u;
	struct rig r, copy;
	struct rng dice;
	uint64_t group;

	memset(large, 'x', 900000);
	large[900000] = '\0';
	rig_init(&r);
	r.io = rig_io_new();
	r.io->records = true;
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", large);
	rig_sync(&r);
	group = store_group(r.s);
	rig_verdict(&r, u, 0, 0, false, 77, "written only");
	while (r.written < group)
		rig_turn(&r, 10);
	cr_assert_lt(r.synced, group);
	(void)rig_submit(&r, "b@one.example", large);
	rig_sync(&r);
	cr_assert_gt(r.s->log.end.segment, u->message->place.segment);
	dump = rig_dump(&r);
	rng_init(&dice, 5);
	for (int i = 0; i < 10; i++) {
		char *again;

		rig_copy(&r, &copy, &dice);
		rig_open(&copy);
		again = rig_dump(&copy);
		cr_assert_str_eq(again, dump);
		free(again);
		rig_clear(&copy);
	}
	free(dump);
	free(large);
	rig_clear(&r);
}

/* A group that was never synced survives behind a torn one: the seal that
 * cuts it off must live as long as the segment that holds it. */
Test(crash, a_seal_that_cuts_lives_as_long_as_what_it_cuts)
{
	struct store_position second;
	struct store_unit *u;
	struct rig r;
	uint64_t group;
	char *dump, *again;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@one.example", "x\r\n");
	rig_sync(&r);
	dump = rig_dump(&r);
	second = r.s->log.end;
	for (int i = 0; i < 2; i++) {
		group = store_group(r.s);
		rig_verdict(&r, u, 0, 0, false, 77, "written only");
		while (r.written < group)
			rig_turn(&r, 10);
	}
	cr_assert_lt(r.synced, group);
	rig_kill(&r, NULL);
	spoil(&r, second.segment, second.offset, "torn", 4);
	rig_open(&r);
	again = rig_dump(&r);
	cr_assert_str_eq(dump, again);
	cr_assert_eq(r.notice_count, 0, "%s", r.notices);
	cr_assert_eq(r.s->log.segment->settles.n, 1);
	cr_assert_eq(r.s->log.segment->settles.p[0], second.segment);
	free(dump);
	free(again);
	rig_clear(&r);
}

/* Small records that load messages take memory, too: an operator's hold of all
 * is replayed in parts. (I-04) */
Test(crash, a_replay_counts_what_it_loads)
{
	struct store_unit *units[60];
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	for (int i = 0; i < 60; i++)
		units[i] = rig_submit(&r, "a@one.example", "x\r\n");
	rig_checkpoint(&r);
	for (int i = 0; i < 60; i++) {
		cr_assert_eq(store_hold(r.s, units[i]->message, true), OK);
		if (i % 10 == 9)
			rig_sync(&r);
	}
	rig_kill(&r, NULL);
	r.replay_bytes = 36 << 10;	/* the groups have 24 KiB */
	rig_open(&r);
	cr_assert_not_null(strstr(r.notices, "index-replay"));
	rig_clear(&r);
}

/* What a replay gives to the index on its way is synced before: when that sync
 * fails, the index knows nothing of it. */
Test(crash, a_replay_in_parts_syncs_before_it_indexes)
{
	struct span key, value;
	struct store_index *index;
	struct why why;
	struct rig r;
	char path[RIG_PATH];

	rig_init(&r);
	r.io = rig_io_new();
	rig_open(&r);
	for (int i = 0; i < 5; i++) {
		(void)rig_submit(&r, "a@one.example", "x\r\n");
		rig_sync(&r);
	}
	rig_kill(&r, NULL);
	r.replay_bytes = 1;
	r.io->fail_sync = 1;
	r.io->fail_count = 1000000;
	cr_assert_eq(rig_try_open(&r), ERR_IO);
	rig_path(&r, path, "index", "");
	cr_assert_eq(store_index_open(path, 0, &index, &why), OK);
	cr_assert_eq(store_index_begin(index), OK);
	key = store_index_meta_key();
	cr_assert_eq(store_index_get(index, STORE_TABLE_META, key, &value),
	    ERR_NOT_FOUND);
	store_index_end(index);
	store_index_close(&index);
	r.io->fail_sync = 0;
	rig_open(&r);
	cr_assert_eq(r.s->count.messages, 5);
	cr_assert_gt(r.s->overlay.indexed.sequence, 4);
	/* who waits for a long one is told how far it is */
	cr_assert_not_null(strstr(r.notices, "index-replay"));
	rig_clear(&r);
}
