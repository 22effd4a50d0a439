/* Messages with very many recipients: each of them is begun once, whatever
 * comes between, and their file goes with the last (I-01, I-02, I-04, R-15). */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "queued/store/store_list.h"
#include "queued/store/store_private.h"
#include "queued/store/store_record.h"
#include "tests/unit/store/rig_list.h"

enum { FULL = STORE_UNIT_RECIPIENTS, TOTAL = 2 * FULL + 500 };

static void
end_list(struct rig *r, uint64_t id)
{
	struct store_unit *u;

	cr_assert_eq(store_load_unit(r->s, id, 0, &u), OK);
	cr_assert(rig_verdict(r, u, 0, 0, true, 1, "begun"));
}

/* Settles all of a message. */
static void
settle(struct rig *r, uint64_t id)
{
	struct store_unit *u;

	for (uint32_t i = 0; i < 3; i++)
		if (store_load_unit(r->s, id, i, &u) == OK)
			(void)rig_verdict(r, u, 0, u->count - 1, true, 1,
			    "ok");
}

/* Marks in SEEN the recipients of message ID, FIRST and the following. */
static void
see(struct rig *r, uint64_t id, uint32_t first, uint32_t n, uint8_t *seen)
{
	struct store_unit *u;
	uint32_t found = 0;

	for (uint32_t i = 0; i < RIG_LIST_DOMAINS; i++) {
		cr_assert_eq(store_load_unit(r->s, id, i, &u), OK);
		for (uint32_t k = 0; k < u->count; k++, found++) {
			struct span a = u->recipients[k].address;
			uint32_t number =
			    (uint32_t)strtoul((const char *)a.p + 1, NULL, 10);

			cr_assert(number >= first && number < first + n);
			cr_assert_eq(seen[number]++, 0);
			cr_assert_eq(number % RIG_LIST_DOMAINS, (uint32_t)u->key.p[1] - '0');
		}
	}
	cr_assert_eq(found, n);
}

static void
check_content(struct rig *r, const struct store_message *m)
{
	struct buf b;
	size_t n = sizeof(RIG_LIST_BODY) - 1;

	buf_init(&b, 1 << 20);
	cr_assert_eq(store_content(r->s, m, 0, 1 << 20, &b), OK);
	cr_assert_eq(b.n, store_message_size(m));
	cr_assert_eq(memcmp(b.p + b.n - n, RIG_LIST_BODY, n), 0);
	cr_assert_eq(memcmp(b.p, "Received: id ", 13), 0);
	buf_clear(&b);
}

static void
begin_all_in_order(size_t width)
{
	uint8_t *seen = calloc(TOTAL, 1);
	struct store_figures f;
	struct store_unit *part;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	id = rig_list_submit(&r, TOTAL, TOTAL, width);
	/* nothing leaves before the sync */
	cr_assert_eq(rig_list_try_begin(&r, id, &part), ERR_AGAIN);
	rig_sync(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.recipients, TOTAL);
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t n = i < 2 ? FULL : TOTAL - 2 * FULL;

		cr_assert_eq(rig_list_try_begin(&r, id, &part), OK);
		cr_assert_eq(part->message->id, id + 1 + i);
		cr_assert_eq(part->message->recipients, n);
		cr_assert_eq(part->message->list.count, i * FULL);
		see(&r, id + 1 + i, i * FULL, n, seen);
		store_figures(r.s, &f);
		cr_assert_eq(f.recipients, TOTAL);
		cr_assert_eq(f.messages, 2 + i);
		rig_sync(&r);
		check_content(&r, part->message);
	}
	cr_assert_eq(rig_list_try_begin(&r, id, &part), ERR_NOT_FOUND);
	end_list(&r, id);
	store_figures(r.s, &f);
	cr_assert_eq(f.recipients, TOTAL);
	cr_assert_eq(f.messages, 3);
	rig_clear(&r);
	free(seen);
}

Test(list, each_recipient_is_begun_once_in_order)
{
	begin_all_in_order(0);
}

/* What is read of the file first ends right behind one of them. */
Test(list, recipients_that_are_long)
{
	begin_all_in_order(128);
}

static void
reopen_without_index(struct rig *r)
{
	char path[RIG_PATH];

	rig_kill(r, NULL);
	rig_path(r, path, "index", "data.mdb");
	(void)unlink(path);
	rig_open(r);
}

static void
compare(struct rig *r, char *before)
{
	char *after = rig_dump(r);

	cr_assert_str_eq(before, after);
	free(before);
	free(after);
}

/* After each step: killed, killed behind a check-point, and with the index
 * made again from the log. */
Test(list, a_start_finds_what_was_begun, .timeout = 120)
{
	struct store_unit *part;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	id = rig_list(&r, TOTAL);
	for (uint32_t i = 0; i < 4; i++) {
		char *before = rig_dump(&r);

		rig_kill(&r, NULL);
		rig_open(&r);
		compare(&r, before);
		before = rig_dump(&r);
		rig_checkpoint(&r);
		rig_kill(&r, NULL);
		rig_open(&r);
		compare(&r, before);
		before = rig_dump(&r);
		reopen_without_index(&r);
		compare(&r, before);
		if (i == 3)
			break;
		part = rig_list_begin(&r, id);
		check_content(&r, part->message);
	}
	end_list(&r, id);
	rig_sync(&r);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 1);
	reopen_without_index(&r);
	/* the list is no more, its parts need the file */
	cr_assert_eq(rig_count_files(&r, "body", "body."), 1);
	for (uint32_t i = 0; i < 3; i++) {
		struct store_unit *u;

		cr_assert_eq(store_load_unit(r.s, id + 1 + i, 0, &u), OK);
		check_content(&r, u->message);
		settle(&r, id + 1 + i);
		rig_sync(&r);
		rig_checkpoint(&r);
	}
	for (int i = 0; i < 100 && rig_count_files(&r, "body", "body.") > 0;
	    i++)
		rig_turn(&r, 20);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 0);
	cr_assert_eq(r.notice_count, 0, "%s", r.notices);
	rig_clear(&r);
}

/* Whoever ends first: the file stays for the others. */
Test(list, the_file_stays_while_anybody_needs_it)
{
	struct store_unit *part;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	id = rig_list(&r, FULL + 10);
	part = rig_list_begin(&r, id);
	settle(&r, id + 1);
	rig_sync(&r);
	rig_turn(&r, 20);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 1);
	cr_assert_eq(rig_list_try_begin(&r, id, &part), OK);
	end_list(&r, id);
	rig_sync(&r);
	rig_turn(&r, 20);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 1);
	check_content(&r, part->message);
	/* killed before the file is unlinked, the next start does it */
	settle(&r, id + 2);
	rig_sync(&r);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 0);
	rig_clear(&r);
}

/* What was not begun goes with one verdict. */
Test(list, it_may_end_before_all_are_begun)
{
	struct store_figures f;
	struct store_unit *part;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	id = rig_list(&r, TOTAL);
	cr_assert_eq(rig_list_try_begin(&r, id, &part), OK);
	end_list(&r, id);
	store_figures(r.s, &f);
	cr_assert_eq(f.recipients, FULL);
	cr_assert_eq(f.messages, 1);
	rig_sync(&r);
	reopen_without_index(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.recipients, FULL);
	settle(&r, id + 1);
	rig_sync(&r);
	rig_clear(&r);
}

/* A list that says more or less than its file: never delivered in part. */
Test(list, a_list_that_contradicts_its_file_is_set_aside)
{
	static const uint32_t said[] = { 400, 600 };
	struct store_unit *part;
	struct rig r;
	uint64_t id = 0;

	rig_init(&r);
	rig_open(&r);
	for (size_t i = 0; i < 2; i++) {
		id = rig_list_submit(&r, 500, said[i], 0);
		rig_sync(&r);
		cr_assert_eq(rig_list_try_begin(&r, id, &part), ERR_CORRUPT);
		cr_assert_eq(rig_list_try_begin(&r, id, &part), ERR_CORRUPT);
	}
	cr_assert_eq(r.notice_count, 2);
	rig_clear(&r);
}

Test(list, damage_of_its_file_costs_the_list_alone)
{
	struct store_unit *part, *other;
	char path[RIG_PATH], name[64];
	struct rig r;
	uint64_t id;
	int fd;

	rig_init(&r);
	rig_open(&r);
	id = rig_list_submit(&r, TOTAL, TOTAL, 0);
	other = rig_submit(&r, "a@b.example", "body");
	rig_sync(&r);
	(void)snprintf(name, sizeof(name), "body.%016jx", (uintmax_t)id);
	rig_path(&r, path, "body", name);
	fd = open(path, O_WRONLY);
	cr_assert_eq(pwrite(fd, "X", 1, 1000), 1);
	(void)close(fd);
	cr_assert_eq(rig_list_try_begin(&r, id, &part), ERR_CORRUPT);
	cr_assert_not_null(strstr(r.notices, "content-damage"));
	cr_assert_not(other->message->is_quarantined);
	rig_clear(&r);
}

/* A write that fails takes neither of the two records without the other. */
Test(list, a_failed_write_keeps_part_and_progress)
{
	struct store_unit *part;
	char *before;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	r.io = rig_io_new();
	rig_open(&r);
	while (r.s->spares.count < STORE_SPARES)
		rig_turn(&r, 10);
	id = rig_list(&r, TOTAL);
	cr_assert_eq(rig_list_try_begin(&r, id, &part), OK);
	before = rig_dump(&r);
	(void)pthread_mutex_lock(&r.io->lock);
	r.io->fail_sync = r.io->syncs + 1;
	r.io->fail_count = 1;
	(void)pthread_mutex_unlock(&r.io->lock);
	rig_sync(&r);
	cr_assert_not(r.is_dead);
	cr_assert_not_null(strstr(r.notices, "write-rescued"));
	cr_assert_eq(r.refused_count, 0);
	rig_kill(&r, NULL);
	rig_open(&r);
	compare(&r, before);
	before = rig_dump(&r);
	reopen_without_index(&r);
	compare(&r, before);
	rig_clear(&r);
}

static void
move_one_segment(struct rig *r)
{
	r->s->compact.is_forced = true;
	store_flush(r->s, clock_mono_ms());
	cr_assert_neq(r->s->compact.segment, 0);
	for (int i = 0; i < 2000 && r->s->compact.segment != 0; i++)
		rig_turn(r, 10);
	cr_assert_eq(r->s->compact.segment, 0);
	rig_sync(r);
}

/* List and parts are moved as any message is; what is begun afterwards, and
 * what was before, is so when the index is made again, too. */
Test(list, list_and_parts_move, .timeout = 120)
{
	struct store_unit *part;
	struct rig r;
	uint64_t id, moved;
	char *before;

	rig_init(&r);
	r.segment_bytes = 1 << 20;
	rig_open(&r);
	id = rig_list(&r, TOTAL);
	part = rig_list_begin(&r, id);
	for (int i = 0; i < 2; i++) {
		rig_next_segment(&r);
		before = rig_dump(&r);
		moved = r.s->compact.moved_messages;
		move_one_segment(&r);
		cr_assert_geq(r.s->compact.moved_messages - moved, 2 - i);
		compare(&r, before);
		rig_checkpoint(&r);
		before = rig_dump(&r);
		reopen_without_index(&r);
		compare(&r, before);
		before = rig_dump(&r);
		part = rig_list_begin(&r, id);
		check_content(&r, part->message);
		free(before);
	}
	before = rig_dump(&r);
	reopen_without_index(&r);
	compare(&r, before);
	end_list(&r, id);
	for (uint32_t i = 1; i <= 3; i++)
		settle(&r, id + i);
	rig_sync(&r);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_eq(rig_count_files(&r, "body", "body."), 0);
	cr_assert_eq(r.notice_count, 0, "%s", r.notices);
	rig_clear(&r);
}

/* In the segment that is written: a head of the list's own, of that type. */
static void
spoil_progress(struct rig *r, uint64_t id)
{
	uint8_t head[12] = { STORE_RECORD_BEGUN, 1, 0, 0 }, *log, *hit;
	char path[RIG_PATH], name[STORE_SEGMENT_NAME];
	size_t n = (size_t)r->s->log.end.offset;
	int fd;

	for (int i = 0; i < 8; i++)
		head[4 + i] = (uint8_t)(id >> 8 * i);
	store_segment_name(r->s->log.end.segment, name);
	rig_path(r, path, "log", name);
	fd = open(path, O_RDWR);
	log = malloc(n);
	cr_assert_eq(pread(fd, log, n, 0), (ssize_t)n);
	hit = memmem(log, n, head, sizeof(head));
	cr_assert_not_null(hit);
	cr_assert_eq(pwrite(fd, "X", 1, hit - log + 1), 1);
	(void)close(fd);
	free(log);
}

/* The record of a list's progress may be lost to damage: the part beside it
 * says the same. */
Test(list, progress_that_can_not_be_read_is_known_by_the_part)
{
	struct store_unit *part;
	char *before;
	struct rig r;
	uint64_t id;

	rig_init(&r);
	rig_open(&r);
	id = rig_list(&r, FULL + 10);
	cr_assert_eq(rig_list_try_begin(&r, id, &part), OK);
	(void)rig_submit(&r, "a@b.example", "beside it");
	rig_sync(&r);
	(void)rig_submit(&r, "a@b.example", "so that all that is synced");
	rig_sync(&r);
	before = rig_dump(&r);
	spoil_progress(&r, id);
	reopen_without_index(&r);
	cr_assert_not_null(strstr(r.notices, "log-damage"));
	compare(&r, before);
	cr_assert_eq(rig_list_try_begin(&r, id, &part), OK);
	cr_assert_eq(part->message->id, id + 2);
	cr_assert_eq(part->message->recipients, 10);
	rig_clear(&r);
}
