/* The gate itself: recorder, disk, states, oracle. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/crash/oracle.h"
#include "tests/crash/record.h"
#include "tests/crash/states.h"
#include "tests/crash/tree.h"

enum { ROOT = 1, FILE_INO = 2, OTHER_INO = 3 };

static struct trace *trace;
static char dir[64], state[96];

static void
set_up(void)
{
	trace = trace_new(1 << 20);
	cr_assert_not_null(trace);
	trace_set_root(trace, ROOT);
	(void)snprintf(dir, sizeof(dir), "/dev/shm/mtad-gate-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(state, sizeof(state), "%s.state", dir);
}

static void
tear_down(void)
{
	record_stop();
	trace_free(&trace);
	tree_remove(dir);
	tree_remove(state);
}

TestSuite(gate, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- a disk of hand-made events ---- */

static void
create(uint64_t ino, const char *name)
{
	struct trace_event e = { .kind = TRACE_CREATE, .ino = ino,
	    .dir = ROOT };

	(void)snprintf(e.name, sizeof(e.name), "%s", name);
	trace_add(trace, &e, NULL, 0);
}

static void
fill(uint64_t ino, uint64_t at, char byte, size_t n)
{
	struct trace_event e = { .kind = TRACE_WRITE, .ino = ino, .at = at };
	char bytes[8192];

	memset(bytes, byte, sizeof(bytes));
	trace_add(trace, &e, bytes, n);
}

static void
event(enum trace_kind kind, uint64_t ino)
{
	struct trace_event e = { .kind = kind, .ino = ino };

	trace_add(trace, &e, NULL, 0);
}

static void
move(uint64_t ino, const char *name, const char *to)
{
	struct trace_event e = { .kind = TRACE_RENAME, .ino = ino,
	    .dir = ROOT, .to_dir = ROOT };

	(void)snprintf(e.name, sizeof(e.name), "%s", name);
	(void)snprintf(e.to, sizeof(e.to), "%s", to);
	trace_add(trace, &e, NULL, 0);
}

static struct disk *
disk_of_all(void)
{
	struct disk *d = disk_new(trace);

	for (size_t i = 0; i < trace_count(trace); i++)
		disk_apply(d, i);
	return d;
}

/* What a file is, in a word: a letter for each sector, - for none. */
static void
look(const char *name, char out[32])
{
	char path[160];
	uint8_t bytes[8192];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", state, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	(void)snprintf(out, 32, "%s", fd < 0 ? "-" : "");
	if (fd < 0)
		return;
	n = pread(fd, bytes, sizeof(bytes), 0);
	for (ssize_t i = 0; i < n; i += DISK_SECTOR) {
		size_t end = strlen(out);

		for (ssize_t k = i; k < n && k < i + DISK_SECTOR; k++)
			cr_assert_eq(bytes[k], bytes[i]);
		out[end] = bytes[i] != 0 ? (char)bytes[i] : '0';
		out[end + 1] = '\0';
	}
	(void)close(fd);
}

/* All outcomes of all states of the last point, each once: "a b - ". */
static void
outcomes(const struct disk *d, const char *name, char *out)
{
	struct state_list list = { .p = NULL };
	struct rng dice;

	out[0] = ' ';
	out[1] = '\0';
	rng_init(&dice, 1);
	for (int i = 0; i < 20; i++)
		states_at(d, trace_count(trace) - 1, true, &dice, &list);
	for (size_t i = 0; i < list.n; i++) {
		const struct state_keep keep = { .d = d, .t = trace,
		    .state = &list.p[i] };
		const struct disk_choice choice = states_choice(&keep);
		char word[32], padded[40];

		tree_remove(state);
		cr_assert(disk_write_out(d, &choice, state));
		look(name, word);
		(void)snprintf(padded, sizeof(padded), " %s ", word);
		if (strstr(out, padded) == NULL)
			strcat(out, padded + 1);
	}
	states_clear(&list);
}

static void
expect(const char *got, const char *const *words, size_t n)
{
	size_t length = 1;

	for (size_t i = 0; i < n; i++) {
		char padded[40];

		(void)snprintf(padded, sizeof(padded), " %s ", words[i]);
		cr_assert_not_null(strstr(got, padded), "no `%s' in `%s'",
		    words[i], got);
		length += strlen(words[i]) + 1;
	}
	cr_assert_eq(strlen(got), length, "more than expected: %s", got);
}

Test(gate, all_states_of_a_new_file_are_made)
{
	static const char *const words[] = { "-", "", "a", "0a", "aa", "00",
	    "a0" };
	struct disk *d;
	char got[512];

	create(FILE_INO, "f");
	fill(FILE_INO, 0, 'a', 1024);
	d = disk_of_all();
	cr_assert_eq(disk_pending(d), 2);
	outcomes(d, "f", got);
	expect(got, words, 7);
	disk_free(&d);
}

Test(gate, what_is_synced_stays)
{
	static const char *const words[] = { "ab", "aa" };
	struct disk *d;
	char got[512];

	create(FILE_INO, "f");
	fill(FILE_INO, 0, 'a', 1024);
	event(TRACE_SYNC, FILE_INO);
	event(TRACE_SYNC, ROOT);
	fill(FILE_INO, 512, 'b', 512);
	d = disk_of_all();
	cr_assert_eq(disk_syncs(d, "f"), 1);
	outcomes(d, "f", got);
	expect(got, words, 2);
	disk_free(&d);
}

/* The name of a synced file is lost without a sync of its directory. */
Test(gate, a_file_and_its_name_are_synced_apart)
{
	static const char *const words[] = { "-", "a" };
	struct disk *d;
	char got[512];

	create(FILE_INO, "f");
	fill(FILE_INO, 0, 'a', 512);
	event(TRACE_SYNC, FILE_INO);
	d = disk_of_all();
	outcomes(d, "f", got);
	expect(got, words, 2);
	disk_free(&d);
}

/* A rename over another file: the old one or the new one, never none. */
Test(gate, a_rename_is_whole)
{
	static const char *const words[] = { "a", "b" };
	struct disk *d;
	char got[512];

	create(FILE_INO, "f");
	fill(FILE_INO, 0, 'a', 512);
	event(TRACE_SYNC, FILE_INO);
	create(OTHER_INO, "g");
	fill(OTHER_INO, 0, 'b', 512);
	event(TRACE_SYNC, OTHER_INO);
	event(TRACE_SYNC, ROOT);
	move(OTHER_INO, "g", "f");
	d = disk_of_all();
	outcomes(d, "f", got);
	expect(got, words, 2);
	disk_free(&d);
}

/* After a sync that failed the kernel holds the pages for clean. */
Test(gate, a_later_sync_does_not_heal_a_failed_one)
{
	static const char *const words[] = { "0b", "ab" };
	struct disk *d;
	char got[512];

	create(FILE_INO, "f");
	event(TRACE_SYNC, ROOT);
	fill(FILE_INO, 0, 'a', 512);
	event(TRACE_SYNC_FAILED, FILE_INO);
	fill(FILE_INO, 512, 'b', 512);
	event(TRACE_SYNC, FILE_INO);
	d = disk_of_all();
	outcomes(d, "f", got);
	expect(got, words, 2);
	disk_free(&d);
}

/* ... but writing them again does, and the old bytes can't come back. */
Test(gate, what_was_synced_again_outdates_what_is_in_doubt)
{
	static const char *const words[] = { "b" };
	struct disk *d;
	char got[512];

	create(FILE_INO, "f");
	event(TRACE_SYNC, ROOT);
	fill(FILE_INO, 0, 'a', 512);
	event(TRACE_SYNC_FAILED, FILE_INO);
	fill(FILE_INO, 0, 'b', 512);
	event(TRACE_SYNC, FILE_INO);
	d = disk_of_all();
	outcomes(d, "f", got);
	expect(got, words, 1);
	disk_free(&d);
}

/* ---- the recorder ---- */

static void
work(void)
{
	static const char text[] = "some bytes";
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	cr_assert_eq(mkdirat(at, "sub", 0700), 0);
	fd = openat(at, "sub/log.1", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(pwrite(fd, text, sizeof(text), 5000),
	    (ssize_t)sizeof(text));
	cr_assert_eq(fdatasync(fd), 0);
	cr_assert_eq(write(fd, text, 4), 4);
	cr_assert_eq(ftruncate(fd, 4000), 0);
	(void)close(fd);
	cr_assert_eq(renameat(at, "sub/log.1", at, "sub/log.2"), 0);
	fd = openat(at, "gone", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	(void)close(fd);
	cr_assert_eq(unlinkat(at, "gone", 0), 0);
	cr_assert_eq(fsync(at), 0);
	(void)close(at);
}

static void
start(void)
{
	trace_reset(trace);
	trace_set_root(trace, record_start(trace, dir, true));
}

Test(gate, what_is_recorded_is_what_was_done)
{
	char why[256] = "";
	struct disk *d;

	start();
	work();
	record_stop();
	d = disk_of_all();
	cr_assert(disk_is_like(d, dir, why), "%s", why);
	disk_free(&d);
}

/* The test of the test: a recorder that misses something is found out. */
Test(gate, what_is_not_recorded_is_missed)
{
	static const char *const missed[] = { "", "log.", "gone" };

	for (size_t i = 0; i < 3; i++) {
		char why[256] = "";
		struct disk *d;

		start();
		record_overlook(missed[i]);
		work();
		record_stop();
		d = disk_of_all();
		/* what was made and removed leaves no trace */
		cr_assert_eq(disk_is_like(d, dir, why), i == 2, "%s", why);
		disk_free(&d);
		tree_remove(dir);
		cr_assert_eq(mkdir(dir, 0700), 0);
	}
}

Test(gate, calls_fail_when_told)
{
	char path[160];
	int fd;

	start();
	(void)snprintf(path, sizeof(path), "%s/log.1", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	record_fail(RECORD_LOG_WRITE, 1, 1, 28);
	cr_assert_eq(pwrite(fd, "ab", 2, 0), 2);
	cr_assert_eq(pwrite(fd, "ab", 2, 0), -1);
	cr_assert_eq(pwrite(fd, "ab", 2, 0), 2);
	record_fail(RECORD_LOG_SYNC, 0, 1, 5);
	cr_assert_eq(fdatasync(fd), -1);
	cr_assert_eq(fdatasync(fd), 0);
	cr_assert_eq(record_failures(), 2);
	(void)close(fd);
}

/* ---- the oracle ---- */

static struct oracle_found found;

static struct note
mail(uint64_t id, uint64_t group)
{
	struct note n;

	memset(&n, 0, sizeof(n));
	n.kind = NOTE_SUBMIT;
	n.id = id;
	n.group = group;
	n.view.id = id;
	n.view.units = n.view.left = 1;
	n.view.unit[0].is_here = true;
	n.view.unit[0].count = 1;
	return n;
}

static struct note
other(enum note_kind kind, uint64_t id, uint64_t group)
{
	struct note n;

	memset(&n, 0, sizeof(n));
	n.kind = kind;
	n.id = id;
	n.group = group;
	n.is_settled = true;
	return n;
}

static void
say(struct note n)
{
	trace_note(trace, &n, sizeof(n));
}

static bool
is_right(size_t count, const struct note *mails)
{
	struct oracle *o = oracle_new(trace);
	bool right;

	cr_assert_not_null(o);
	found.count = count;
	for (size_t i = 0; i < count; i++)
		found.views[i] = mails[i].view;
	right = oracle_judge(o, trace_count(trace) - 1, &found, false, NULL);
	oracle_free(&o);
	return right;
}

Test(gate, the_oracle_knows_what_may_be)
{
	struct note mails[2] = { mail(7, 2), mail(8, 3) };

	say(other(NOTE_OPENED, 0, 1));
	say(mails[0]);
	cr_assert(is_right(0, mails) && is_right(1, mails));
	say(other(NOTE_SYNCED, 0, 2));
	cr_assert(!is_right(0, mails), "lost");
	say(mails[1]);
	cr_assert(is_right(1, mails) && is_right(2, mails));
	cr_assert(!is_right(1, mails + 1), "lost, though a later one is there");
	mails[0].view.content = 5;
	cr_assert(!is_right(1, mails), "altered");
	mails[0].view.content = 0;
	say(other(NOTE_VERDICT, 7, 4));
	cr_assert(is_right(2, mails) && is_right(1, mails + 1));
	say(other(NOTE_SYNCED, 0, 4));
	cr_assert(!is_right(2, mails), "resurrected");
	cr_assert(is_right(1, mails + 1));
}

Test(gate, the_oracle_wants_a_report_with_its_verdict)
{
	struct note first = mail(7, 2), report = mail(8, 3);
	struct note verdict = other(NOTE_VERDICT, 7, 4);

	verdict.cause = 8;
	say(other(NOTE_OPENED, 0, 1));
	say(first);
	say(report);
	say(verdict);
	cr_assert(is_right(1, &first));
	cr_assert(is_right(1, &report));
	cr_assert(!is_right(2, (struct note[]){ first, report }));
}

/* A recovery that came to group 2 makes what was asked after it void. */
Test(gate, the_oracle_follows_from_life_to_life)
{
	struct note mails[3] = { mail(7, 2), mail(8, 3), mail(9, 4) };

	say(other(NOTE_OPENED, 0, 1));
	say(mails[0]);
	say(other(NOTE_SYNCED, 0, 2));
	say(mails[1]);
	say(other(NOTE_OPENED, 0, 3));
	cr_assert(is_right(1, mails) && !is_right(2, mails));
	say(mails[2]);
	cr_assert(is_right(2, (struct note[]){ mails[0], mails[2] }));
}
