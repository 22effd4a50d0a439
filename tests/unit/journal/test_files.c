/* The directory of the journal: hours, bounds, indexes, damage, crashes. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "files_rig.h"

#define HOUR UINT64_C(3600000)

static const uint8_t uuid[16] = { 1, 2, 3 };

static void
open_files(struct rig *r, struct journal_files *f)
{
	cr_assert_eq(journal_files_open(r->dir_fd, &r->io, true, f), OK);
	journal_files_set_uuid(f, uuid);
}

/* One record of each ID, and the mark of GROUP. */
static enum err
append(struct journal_files *f, uint64_t id, uint64_t what, uint64_t group,
    uint64_t now)
{
	struct buf b;
	enum err e;

	buf_init(&b, 1 << 16);
	rig_put(&b, id, what);
	journal_mark_put(&b, group, now);
	e = journal_files_append(f, buf_span(&b), group, now);
	buf_clear(&b);
	return e;
}

static void
tidy(struct journal_files *f, uint64_t now)
{
	for (int i = 0; journal_files_tidy(f, now); i++)
		cr_assert_lt(i, 1000);
}

/* What the journal says of ID, asked of F in pieces of one record. */
static void
ask(struct journal_files *f, uint64_t id, char *out, size_t size)
{
	struct journal_query q = { .low = id, .high = id };
	struct buf all, piece;

	buf_init(&all, 1 << 20);
	buf_init(&piece, 1 << 20);
	for (int i = 0; !q.is_over; i++) {
		cr_assert_lt(i, 1000);
		buf_reset(&piece);
		cr_assert_eq(journal_query_step(f, &q, 1, &piece), OK);
		buf_add_span(&all, buf_span(&piece));
	}
	rig_say_records(buf_span(&all), out, size);
	buf_clear(&all);
	buf_clear(&piece);
}

#define SAYS(f, id, text) do {						\
	char said[512];							\
	ask(f, id, said, sizeof(said));					\
	cr_assert_str_eq(said, text);					\
} while (0)

#define OFF_LINE_SAYS(r, id, text) do {					\
	char said[512];							\
	rig_say(r, id, said, sizeof(said));				\
	cr_assert_str_eq(said, text);					\
} while (0)

Test(journal_files, an_hour_is_a_file)
{
	struct journal_files f;
	struct rig r;

	rig_init(&r);
	open_files(&r, &f);
	cr_assert_eq(f.position, 0);
	cr_assert_eq(append(&f, 7, 1, 10, HOUR), OK);
	cr_assert_eq(append(&f, 8, 2, 11, HOUR + 1), OK);
	cr_assert_eq(append(&f, 7, 3, 12, 2 * HOUR), OK);
	cr_assert_eq(rig_count(&r, ".log"), 2);
	SAYS(&f, 7, "1 3 ");
	tidy(&f, 2 * HOUR);
	cr_assert_eq(rig_count(&r, ".idx"), 1);
	SAYS(&f, 7, "1 3 ");
	SAYS(&f, 8, "2 ");
	SAYS(&f, 9, "");
	journal_files_close(&f);
	OFF_LINE_SAYS(&r, 7, "1 3 ");
	open_files(&r, &f);
	cr_assert_eq(f.position, 12);
	SAYS(&f, 7, "1 3 ");
	journal_files_close(&f);
	rig_clear(&r);
}

/* Two lives do not share a file, and nothing of the first is lost. */
Test(journal_files, each_life_has_its_own)
{
	struct journal_files f;
	struct rig r;

	rig_init(&r);
	for (uint64_t life = 1; life <= 3; life++) {
		open_files(&r, &f);
		cr_assert_eq(f.position, 10 * (life - 1));
		cr_assert_eq(append(&f, 7, life, 10 * life, HOUR), OK);
		tidy(&f, HOUR);
		journal_files_close(&f);
	}
	cr_assert_eq(rig_count(&r, ".log"), 3);
	OFF_LINE_SAYS(&r, 7, "1 2 3 ");
	rig_clear(&r);
}

/* Bytes behind the last mark come again from the log: they count once. */
Test(journal_files, what_a_crash_left_does_not_count_twice)
{
	struct journal_files f;
	struct rig r;
	struct buf b;
	int fd;

	rig_init(&r);
	open_files(&r, &f);
	cr_assert_eq(append(&f, 7, 1, 10, HOUR), OK);
	journal_files_close(&f);
	buf_init(&b, 1 << 16);
	rig_put(&b, 7, 2);
	journal_mark_put(&b, 11, HOUR);
	/* each cut of what was being written */
	for (size_t n = 0; n < b.n; n++) {
		fd = openat(r.dir_fd, "history/0000000000000001.log",
		    O_WRONLY);
		cr_assert_eq(lseek(fd, 0, SEEK_END) >= 0, 1);
		cr_assert_eq(pwrite(fd, b.p, n, (off_t)rig_size(&r, 1,
		    "log")), (ssize_t)n);
		open_files(&r, &f);
		cr_assert_eq(f.position, 10);
		SAYS(&f, 7, "1 ");
		cr_assert_eq(ftruncate(fd, (off_t)f.rows[0].valid), 0);
		close(fd);
		journal_files_close(&f);
	}
	/* the next life tells it again */
	fd = openat(r.dir_fd, "history/0000000000000001.log", O_WRONLY);
	cr_assert_eq(pwrite(fd, b.p, b.n - 1, (off_t)rig_size(&r, 1, "log")),
	    (ssize_t)b.n - 1);
	close(fd);
	open_files(&r, &f);
	cr_assert_eq(append(&f, 7, 2, 11, HOUR), OK);
	SAYS(&f, 7, "1 2 ");
	journal_files_close(&f);
	OFF_LINE_SAYS(&r, 7, "1 2 ");
	buf_clear(&b);
	rig_clear(&r);
}

/* A power cut leaves the end of what was not synced, and takes its begin: the
 * mark vouches for nothing.  What a disk has lost long ago is no reason to doubt
 * what came after it. */
Test(journal_files, a_mark_behind_a_hole_does_not_count)
{
	static const uint64_t position[] = { 12, 12, 11 };
	static const char *const words[] = { "", "1 ", "1 " };

	for (int hole = 0; hole < 3; hole++) {
		struct journal_files f;
		uint64_t begins[3];
		struct rig r;
		int fd;

		rig_init(&r);
		open_files(&r, &f);
		for (uint64_t i = 0; i < 3; i++) {
			begins[i] = i > 0 ? rig_size(&r, 1, "log") :
			    JOURNAL_FILE_HEAD;
			cr_assert_eq(append(&f, 7 + i, 1, 10 + i, HOUR), OK);
		}
		journal_files_close(&f);
		fd = openat(r.dir_fd, "history/0000000000000001.log",
		    O_WRONLY);
		cr_assert_eq(pwrite(fd, "\0\0\0\0\0\0\0\0", 8,
		    (off_t)begins[hole]), 8);
		close(fd);
		open_files(&r, &f);
		cr_expect_eq(f.position, position[hole]);
		SAYS(&f, 7, words[hole]);
		SAYS(&f, 9, hole == 2 ? "" : "1 ");
		if (hole == 2)
			cr_assert_eq(append(&f, 9, 1, 12, HOUR), OK);
		SAYS(&f, 9, "1 ");
		journal_files_close(&f);
		OFF_LINE_SAYS(&r, 9, "1 ");
		rig_clear(&r);
	}
}

/* A kill may have come between write and sync: what a start goes on from is on
 * the disk. */
Test(journal_files, what_a_start_finds_it_syncs)
{
	struct journal_files f;
	struct rig r;
	int syncs;

	rig_init(&r);
	open_files(&r, &f);
	cr_assert_eq(append(&f, 7, 1, 10, HOUR), OK);
	cr_assert_eq(append(&f, 7, 2, 11, HOUR), OK);
	journal_files_close(&f);
	syncs = r.syncs;
	open_files(&r, &f);
	cr_assert_eq(f.position, 11);
	cr_assert_eq(r.syncs, syncs + 1);
	SAYS(&f, 7, "1 2 ");
	journal_files_close(&f);
	/* a disk that recovers; one that does not leaves no history */
	r.fail_syncs = 1;
	r.fail_writes = 1;
	open_files(&r, &f);
	cr_assert_eq(f.position, 11);
	journal_files_close(&f);
	r.fail_syncs = 100;
	cr_assert_eq(journal_files_open(r.dir_fd, &r.io, true, &f), ERR_IO);
	r.fail_syncs = 0;
	open_files(&r, &f);
	cr_assert_eq(f.position, 11);
	SAYS(&f, 7, "1 2 ");
	journal_files_close(&f);
	rig_clear(&r);
}

Test(journal_files, old_ones_go_by_age)
{
	struct journal_files f;
	struct rig r;

	rig_init(&r);
	open_files(&r, &f);
	f.keep_ms = 3 * HOUR;
	for (uint64_t h = 1; h <= 10; h++) {
		cr_assert_eq(append(&f, h, h, h, h * HOUR), OK);
		tidy(&f, h * HOUR);
	}
	/* the file of hour 6 ended before hour 7, which is not too old */
	cr_assert_eq(rig_count(&r, ".log"), 5);
	SAYS(&f, 5, "");
	SAYS(&f, 6, "6 ");
	/* the last one stays, however old */
	tidy(&f, 1000 * HOUR);
	cr_assert_eq(rig_count(&r, ".log"), 1);
	journal_files_close(&f);
	rig_clear(&r);
}

/* A host whose clock begins in 1970 until the network is there. */
Test(journal_files, a_clock_that_was_behind_makes_nothing_old)
{
	static const uint64_t hours[] = { 1000, 1001, 0, 1002 };
	struct journal_files f;
	struct rig r;

	rig_init(&r);
	open_files(&r, &f);
	f.keep_ms = 3 * HOUR;
	for (uint64_t i = 0; i < 4; i++) {
		cr_assert_eq(append(&f, 7, i, i + 1, hours[i] * HOUR), OK);
		tidy(&f, hours[i] * HOUR);
	}
	SAYS(&f, 7, "0 1 2 3 ");
	tidy(&f, 1004 * HOUR);
	SAYS(&f, 7, "0 1 2 3 ");
	/* and what is old goes */
	tidy(&f, 1005 * HOUR);
	SAYS(&f, 7, "2 3 ");
	tidy(&f, 1006 * HOUR);
	SAYS(&f, 7, "3 ");
	journal_files_close(&f);
	rig_clear(&r);
}

Test(journal_files, old_ones_go_by_bytes)
{
	struct journal_files f;
	struct rig r;

	rig_init(&r);
	open_files(&r, &f);
	f.bytes_max = 1000;
	for (uint64_t h = 1; h <= 30; h++) {
		cr_assert_eq(append(&f, h, h, h, h * HOUR), OK);
		tidy(&f, h * HOUR);
		cr_assert_leq(journal_files_bytes(&f), 1000);
	}
	SAYS(&f, 1, "");
	SAYS(&f, 30, "30 ");
	journal_files_close(&f);
	rig_clear(&r);
}

/* A file has at most a part of all bytes, so that the oldest part is small. */
Test(journal_files, a_busy_hour_is_several_files)
{
	struct journal_files f;
	struct rig r;

	rig_init(&r);
	open_files(&r, &f);
	f.bytes_max = 1 << 20;	/* a file: 64 KiB */
	for (uint64_t i = 1; i <= 3000; i++)
		cr_assert_eq(append(&f, i, i, i, HOUR), OK);
	cr_assert_geq(f.n, 2);
	tidy(&f, HOUR);
	SAYS(&f, 1, "1 ");
	SAYS(&f, 3000, "3000 ");
	journal_files_close(&f);
	rig_clear(&r);
}

/* ---- failures ---- */

Test(journal_files, a_failed_write_does_not_count)
{
	static const int errors[] = { EIO, ENOSPC };
	struct journal_files f;
	struct rig r;

	rig_init(&r);
	open_files(&r, &f);
	cr_assert_eq(append(&f, 7, 1, 1, HOUR), OK);
	for (size_t i = 0; i < 2; i++) {
		r.fail_errno = errors[i];
		r.fail_syncs = 1;
		cr_assert_neq(append(&f, 7, 100, 2, HOUR), OK);
		cr_assert_eq(f.position, 1 + i);
		/* the head of the next file says how far this one counts */
		cr_assert_eq(append(&f, 7, 2 + i, 2 + i, HOUR), OK);
	}
	r.fail_writes = 1;
	cr_assert_neq(append(&f, 7, 100, 4, HOUR), OK);
	r.fail_opens = 1;
	cr_assert_neq(append(&f, 7, 100, 4, HOUR), OK);
	/* the head of a new file */
	r.fail_writes = 1;
	cr_assert_neq(append(&f, 7, 100, 4, HOUR), OK);
	cr_assert_eq(append(&f, 7, 4, 4, HOUR), OK);
	SAYS(&f, 7, "1 2 3 4 ");
	tidy(&f, HOUR);
	SAYS(&f, 7, "1 2 3 4 ");
	journal_files_close(&f);
	OFF_LINE_SAYS(&r, 7, "1 2 3 4 ");
	rig_clear(&r);
}

Test(journal_files, an_index_that_fails_is_done_without)
{
	struct journal_files f;
	struct rig r;

	rig_init(&r);
	open_files(&r, &f);
	cr_assert_eq(append(&f, 7, 1, 1, HOUR), OK);
	cr_assert_eq(append(&f, 7, 2, 2, 2 * HOUR), OK);
	r.fail_opens = 1;
	tidy(&f, 2 * HOUR);
	cr_assert_eq(rig_count(&r, ".idx"), 0);
	SAYS(&f, 7, "1 2 ");
	journal_files_close(&f);
	rig_clear(&r);
}

/* ---- damage ---- */

/* Each bit of a file in turn: what is not hit is still read, nothing is read
 * wrong, and the journal goes on. */
static void
with_each_bit(bool has_index)
{
	struct journal_files f;
	struct rig r;
	uint64_t bits;

	rig_init(&r);
	open_files(&r, &f);
	for (uint64_t i = 1; i <= 3; i++)
		cr_assert_eq(append(&f, i, i, i, HOUR), OK);
	cr_assert_eq(append(&f, 1, 4, 4, 2 * HOUR), OK);
	if (has_index)
		tidy(&f, 2 * HOUR);
	journal_files_close(&f);
	bits = 8 * rig_size(&r, 1, "log");
	for (uint64_t bit = 0; bit < bits; bit++) {
		size_t found = 0;

		rig_flip(&r, 1, "log", bit);
		open_files(&r, &f);
		for (uint64_t id = 1; id <= 3; id++) {
			char want[8], said[64];

			snprintf(want, sizeof(want), "%d ", (int)id);
			ask(&f, id, said, sizeof(said));
			if (strncmp(said, want, 2) == 0)
				found++;
			else if (id == 1)
				cr_assert_str_eq(said, "4 ");
			else
				cr_assert_str_eq(said, "");
		}
		cr_assert_geq(found, 2, "bit %d", (int)bit);
		cr_assert_eq(f.position, 4);
		cr_assert_eq(append(&f, 9, 9, 9, HOUR), OK);
		journal_files_close(&f);
		rig_flip(&r, 1, "log", bit);
		/* the file of this round */
		cr_assert_eq(unlinkat(r.dir_fd,
		    "history/0000000000000003.log", 0), 0);
	}
	rig_clear(&r);
}

Test(journal_files, each_bit_of_a_file)
{
	with_each_bit(false);
}

Test(journal_files, each_bit_of_a_file_with_an_index)
{
	with_each_bit(true);
}

Test(journal_files, each_bit_of_an_index)
{
	struct journal_files f;
	struct rig r;
	uint64_t bits;

	rig_init(&r);
	open_files(&r, &f);
	for (uint64_t i = 1; i <= 3; i++)
		cr_assert_eq(append(&f, i, i, i, HOUR), OK);
	cr_assert_eq(append(&f, 9, 9, 9, 2 * HOUR), OK);
	tidy(&f, 2 * HOUR);
	journal_files_close(&f);
	bits = 8 * rig_size(&r, 1, "idx");
	for (uint64_t bit = 0; bit < bits; bit++) {
		rig_flip(&r, 1, "idx", bit);
		open_files(&r, &f);
		SAYS(&f, 1, "1 ");
		SAYS(&f, 2, "2 ");
		SAYS(&f, 3, "3 ");
		cr_assert_gt(f.damaged, 0, "bit %d", (int)bit);
		/* it is made anew */
		tidy(&f, 2 * HOUR);
		SAYS(&f, 2, "2 ");
		cr_assert(f.rows[0].has_index);
		journal_files_close(&f);
	}
	rig_clear(&r);
}

/* A million bytes of nothing in the middle, and a file that lost its end. */
Test(journal_files, a_hole_and_a_lost_end)
{
	struct journal_files f;
	struct rig r;
	struct buf b;
	int fd;

	rig_init(&r);
	open_files(&r, &f);
	buf_init(&b, 2 << 20);
	rig_put(&b, 1, 1);
	for (size_t i = 0; i < 1000000; i++)
		buf_add_byte(&b, i % 7 == 0 ? 0xff : 3);
	rig_put(&b, 1, 2);
	rig_put(&b, 1, 3);
	journal_mark_put(&b, 5, HOUR);
	cr_assert_eq(journal_files_append(&f, buf_span(&b), 5, HOUR), OK);
	cr_assert_eq(append(&f, 1, 4, 6, 2 * HOUR), OK);
	SAYS(&f, 1, "1 2 3 4 ");
	journal_files_close(&f);
	fd = openat(r.dir_fd, "history/0000000000000001.log", O_WRONLY);
	cr_assert_eq(ftruncate(fd, (off_t)rig_size(&r, 1, "log") - 30), 0);
	close(fd);
	open_files(&r, &f);
	SAYS(&f, 1, "1 2 4 ");
	journal_files_close(&f);
	buf_clear(&b);
	rig_clear(&r);
}

/* Groups of another spool say nothing about ours; what they tell stays. */
Test(journal_files, another_spool_begins_anew)
{
	static const uint8_t other[16] = { 9 };
	struct journal_files f;
	struct rig r;

	rig_init(&r);
	open_files(&r, &f);
	cr_assert_eq(append(&f, 7, 1, 1000, HOUR), OK);
	journal_files_close(&f);
	cr_assert_eq(journal_files_open(r.dir_fd, &r.io, true, &f), OK);
	cr_assert_eq(f.position, 1000);
	journal_files_set_uuid(&f, other);
	cr_assert_eq(f.position, 0);
	cr_assert_eq(append(&f, 7, 2, 3, HOUR), OK);
	journal_files_close(&f);
	OFF_LINE_SAYS(&r, 7, "1 2 ");
	rig_clear(&r);
}

Test(journal_files, a_reader_of_no_history_finds_nothing)
{
	struct journal_reader *reader;
	struct journal_end end;
	struct rig r;

	rig_init(&r);
	cr_assert_eq(journal_read_open(r.dir, &reader), OK);
	cr_assert_eq(journal_read_end(reader, 1, 0, 0, &end), ERR_NOT_FOUND);
	cr_assert_eq(journal_read_position(reader), 0);
	journal_read_close(&reader);
	cr_assert_eq(journal_read_open("there-is-none", &reader),
	    ERR_NOT_FOUND);
	rig_clear(&r);
}

/* Which groups of which spool it tells of, whatever came after. */
Test(journal_files, groups_of_each_spool)
{
	static const uint8_t other[16] = { 9 }, none[16] = { 7 };
	struct journal_reader *reader;
	struct journal_files f;
	uint8_t first[16];
	uint64_t after = 1, until = 1;
	struct rig r;

	rig_init(&r);
	open_files(&r, &f);
	memcpy(first, f.uuid, sizeof(first));
	cr_assert_eq(append(&f, 7, 1, 1000, HOUR), OK);
	cr_assert_eq(append(&f, 7, 1, 2000, 2 * HOUR), OK);
	journal_files_close(&f);
	cr_assert_eq(journal_files_open(r.dir_fd, &r.io, true, &f), OK);
	journal_files_set_uuid(&f, other);
	cr_assert_eq(append(&f, 8, 2, 30, 3 * HOUR), OK);
	cr_assert_eq(append(&f, 8, 2, 40, 3 * HOUR), OK);
	journal_files_close(&f);
	cr_assert_eq(journal_read_open(r.dir, &reader), OK);
	cr_assert_eq(journal_read_groups(reader, none, &after, &until),
	    ERR_NOT_FOUND);
	cr_assert_eq(journal_read_groups(reader, first, &after, &until), OK);
	cr_assert_eq(after, 0);
	cr_assert_eq(until, 2000);
	cr_assert_eq(journal_read_groups(reader, other, &after, &until), OK);
	cr_assert_eq(after, 0);
	cr_assert_eq(until, 40);
	/* the oldest file is gone: it begins where the next one does */
	cr_assert_eq(unlinkat(r.dir_fd, "history/0000000000000001.log", 0),
	    0);
	journal_read_close(&reader);
	cr_assert_eq(journal_read_open(r.dir, &reader), OK);
	cr_assert_eq(journal_read_groups(reader, first, &after, &until), OK);
	cr_assert_eq(after, 1000);
	cr_assert_eq(until, 2000);
	journal_read_close(&reader);
	rig_clear(&r);
}
