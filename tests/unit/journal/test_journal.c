/* The journal as its owner has it: groups once each, positions, questions,
 * disks that do not take it. */
#include <criterion/criterion.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "files_rig.h"

static const uint8_t uuid[16] = { 4, 5, 6 };

struct owner {
	struct rig r;
	struct journal *j;
	uint64_t position;
	int notices;
	char notice[256];
};

static void
on_position(void *ctx, uint64_t group)
{
	struct owner *o = ctx;

	cr_assert_geq(group, o->position);
	o->position = group;
}

static void
on_notice(void *ctx, const char *text)
{
	struct owner *o = ctx;

	o->notices++;
	snprintf(o->notice, sizeof(o->notice), "%s", text);
}

static const struct journal_ops ops = { on_position, on_notice };

static void
begin(struct owner *o)
{
	o->position = 0;
	cr_assert_eq(journal_open(o->r.dir_fd, &o->r.io, uuid, &ops, o,
	    &o->j), OK);
}

/* Tells a group as the log does: known ones too. */
static void
tell(struct owner *o, uint64_t group, uint64_t id, uint64_t what)
{
	struct buf *b = journal_begin(o->j, group);

	if (b == NULL)
		return;
	rig_put(b, id, what);
	journal_end(o->j, group, 1);
}

static void
turn(struct owner *o)
{
	struct pollfd p = { .fd = journal_fd(o->j), .events = POLLIN };

	cr_assert_eq(poll(&p, 1, 10000), 1);
	journal_turn(o->j);
}

struct question {
	struct journal_ask ask;
	bool is_done;
};

static void
on_done(struct journal_ask *ask)
{
	((struct question *)(void *)ask)->is_done = true;
}

static void
says(struct owner *o, uint64_t id, const char *text)
{
	struct question q = { .ask = { .query = { .low = id, .high = id },
	    .max = 1 << 16, .done = on_done } };
	char said[512];

	buf_init(&q.ask.out, 1 << 20);
	journal_ask(o->j, &q.ask, 5);
	while (!q.is_done)
		turn(o);
	cr_assert(q.ask.query.is_over);
	rig_say_records(buf_span(&q.ask.out), said, sizeof(said));
	cr_assert_str_eq(said, text);
	buf_clear(&q.ask.out);
}

Test(journal, what_has_gathered_is_found)
{
	struct owner o = { .notices = 0 };
	struct journal_figures figures;

	rig_init(&o.r);
	begin(&o);
	tell(&o, 1, 7, 1);
	cr_assert_eq(o.position, 0);
	says(&o, 7, "1 ");
	cr_assert_eq(o.position, 1);
	/* while another piece is under way */
	tell(&o, 2, 7, 2);
	journal_flush(o.j, 5);
	tell(&o, 3, 7, 3);
	says(&o, 7, "1 2 3 ");
	journal_figures(o.j, &figures);
	cr_assert_eq(figures.events, 3);
	cr_assert_eq(figures.lost, 0);
	cr_assert_eq(figures.files, 1);
	journal_close(&o.j, 5);
	cr_assert_eq(o.notices, 0);
	rig_clear(&o.r);
}

/* Whatever of the log a start replays: no event twice, none missing. */
Test(journal, a_group_is_taken_once)
{
	struct owner o = { .notices = 0 };
	char said[256];

	rig_init(&o.r);
	for (uint64_t life = 1; life <= 5; life++) {
		begin(&o);
		cr_assert_eq(journal_taken(o.j), 2 * (life - 1));
		for (uint64_t group = 1; group <= 2 * life; group++)
			tell(&o, group, 7, group);
		journal_close(&o.j, 5);
		cr_assert_eq(o.position, 2 * life);
	}
	rig_say(&o.r, 7, said, sizeof(said));
	cr_assert_str_eq(said, "1 2 3 4 5 6 7 8 9 10 ");
	rig_clear(&o.r);
}

/* A group without an event for us moves the position all the same: the index
 * waits for it. */
Test(journal, empty_groups_count)
{
	struct owner o = { .notices = 0 };

	rig_init(&o.r);
	begin(&o);
	cr_assert(journal_begin(o.j, 4) != NULL);
	journal_end(o.j, 4, 0);
	journal_wait(o.j, 5);
	cr_assert_eq(o.position, 4);
	journal_close(&o.j, 5);
	begin(&o);
	cr_assert_eq(journal_taken(o.j), 4);
	journal_close(&o.j, 5);
	rig_clear(&o.r);
}

/* A disk that fails once is tried in another file; nobody hears of it. */
Test(journal, one_failure_is_mended)
{
	struct owner o = { .notices = 0 };
	char said[64];

	rig_init(&o.r);
	begin(&o);
	tell(&o, 1, 7, 1);
	journal_wait(o.j, 5);
	o.r.fail_syncs = 1;
	tell(&o, 2, 7, 2);
	journal_wait(o.j, 5);
	cr_assert_eq(o.position, 2);
	cr_assert_eq(o.notices, 0);
	journal_close(&o.j, 5);
	rig_say(&o.r, 7, said, sizeof(said));
	cr_assert_str_eq(said, "1 2 ");
	rig_clear(&o.r);
}

static bool
note_lost(void *ctx, const struct journal_record *r)
{
	uint64_t *range = ctx;
	uint64_t at;

	if (r->type == JOURNAL_LOST)
		cr_assert_eq(journal_lost_get(r->fields, &at, &range[0],
		    &range[1]), OK);
	return true;
}

/* I-06: a disk that takes nothing costs the journal events, and nobody else
 * anything.  It is told once, counted, noted, and over when the disk is. */
Test(journal, a_disk_that_fails_costs_events_only)
{
	struct owner o = { .notices = 0 };
	struct journal_figures figures;
	struct journal_reader *reader;
	uint64_t lost[2] = { 0, 0 };
	char said[64];

	rig_init(&o.r);
	begin(&o);
	tell(&o, 1, 7, 1);
	journal_wait(o.j, 5);
	o.r.fail_writes = 1000;
	for (uint64_t group = 2; group <= 4; group++) {
		tell(&o, group, 7, group);
		journal_wait(o.j, 5);
		cr_assert_eq(o.position, group);
	}
	cr_assert_eq(o.notices, 1);
	o.r.fail_writes = 0;
	tell(&o, 5, 7, 5);
	journal_wait(o.j, 5);
	cr_assert_eq(o.notices, 2);
	cr_assert(strstr(o.notice, "3 events") != NULL, "%s", o.notice);
	journal_figures(o.j, &figures);
	cr_assert_eq(figures.lost, 3);
	journal_close(&o.j, 5);
	rig_say(&o.r, 7, said, sizeof(said));
	cr_assert_str_eq(said, "1 5 ");
	cr_assert_eq(journal_read_open(o.r.dir, &reader), OK);
	cr_assert_eq(journal_read_all(reader, note_lost, lost), OK);
	cr_assert_eq(lost[0], 2);
	cr_assert_eq(lost[1], 4);
	journal_read_close(&reader);
	rig_clear(&o.r);
}

/* I-06: on a full disk the newest events take the place of the oldest. */
Test(journal, a_full_disk_gives_the_oldest_up)
{
	struct owner o = { .notices = 0 };
	char said[64];

	rig_init(&o.r);
	begin(&o);
	for (uint64_t group = 1; group <= 3; group++) {
		tell(&o, group, 7, group);
		journal_wait(o.j, group * 3600000);
	}
	o.r.fail_errno = ENOSPC;
	o.r.fail_writes = 1;
	tell(&o, 4, 7, 4);
	journal_wait(o.j, 3 * 3600000);
	cr_assert_eq(o.notices, 0);
	journal_set_short(o.j, true);
	/* what the second file had is enough for two pieces */
	for (uint64_t group = 5; group <= 6; group++) {
		tell(&o, group, 7, group);
		journal_wait(o.j, 3 * 3600000);
	}
	journal_close(&o.j, 5);
	rig_say(&o.r, 7, said, sizeof(said));
	cr_assert_str_eq(said, "3 4 5 6 ");
	rig_clear(&o.r);
}

/* More than memory may hold is left out group by group, and said. */
Test(journal, a_flood_is_bounded)
{
	struct owner o = { .notices = 0 };
	struct journal_figures figures;
	uint64_t group = 0;

	rig_init(&o.r);
	begin(&o);
	journal_flush(o.j, 5);
	do {
		struct buf *b = journal_begin(o.j, ++group);

		for (uint64_t i = 0; i < 10000; i++)
			rig_put(b, i, i);
		journal_end(o.j, group, 10000);
		journal_figures(o.j, &figures);
		cr_assert_leq(journal_gathered(o.j), JOURNAL_GATHER_MAX);
	} while (figures.lost == 0);
	cr_assert_eq(figures.lost, 10000);
	journal_wait(o.j, 5);
	cr_assert_eq(o.position, group);
	journal_close(&o.j, 5);
	rig_clear(&o.r);
}

/* ---- what a restore asks ---- */

static void
put_delivered(struct buf *b, uint64_t id, uint64_t unit, uint64_t first,
    uint64_t last, uint8_t outcome, bool is_settled)
{
	struct journal_result result = { .first = first, .last = last,
	    .outcome = outcome, .is_settled = is_settled, .code = 250,
	    .host = JOURNAL_NO_HOST };
	struct journal_attempt a = { .unit = unit, .at = 77, .tries = 1 };
	struct buf list;

	buf_init(&list, 4096);
	cr_assert(journal_result_put(&list, &result));
	a.results = buf_span(&list);
	journal_attempt_put(b, id, 0, &a);
	buf_clear(&list);
}

Test(journal, who_was_delivered_is_known)
{
	struct owner o = { .notices = 0 };
	struct journal_reader *reader;
	struct journal_end end;
	struct buf *b;

	rig_init(&o.r);
	begin(&o);
	b = journal_begin(o.j, 1);
	put_delivered(b, 5, 0, 0, 9, 1, false);
	put_delivered(b, 5, 0, 3, 4, 0, true);
	put_delivered(b, 5, 1, 0, 0, 2, true);
	journal_end(o.j, 1, 3);
	journal_close(&o.j, 5);
	cr_assert_eq(journal_read_open(o.r.dir, &reader), OK);
	cr_assert_eq(journal_read_end(reader, 5, 0, 3, &end), OK);
	cr_assert_eq(end.outcome, 0);
	cr_assert_eq(end.at, 77);
	cr_assert_eq(end.code, 250);
	cr_assert_eq(journal_read_end(reader, 5, 1, 0, &end), OK);
	cr_assert_eq(end.outcome, 2);
	/* deferred only; no such row; no such message */
	cr_assert_eq(journal_read_end(reader, 5, 0, 5, &end), ERR_NOT_FOUND);
	cr_assert_eq(journal_read_end(reader, 5, 1, 1, &end), ERR_NOT_FOUND);
	cr_assert_eq(journal_read_end(reader, 6, 0, 3, &end), ERR_NOT_FOUND);
	cr_assert_eq(journal_read_position(reader), 1);
	cr_assert_eq(journal_read_uuid(reader)[0], 4);
	cr_assert_eq(journal_read_damaged(reader), 0);
	journal_read_close(&reader);
	rig_clear(&o.r);
}
