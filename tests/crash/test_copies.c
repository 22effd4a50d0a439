/*
 * What is written beside the log when the power goes: the history, a backup
 * that is being taken, a restore.  Each is recorded once and recovered from
 * many states (states.h); the log has its own gate (test_power.c).
 *
 * MTAD_COPIES=N tries N times as many states.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/os/clock.h"
#include "common/os/copy_dir.h"
#include "queued/journal/journal.h"
#include "queued/keep/keep_out.h"
#include "queued/offline_restore.h"
#include "queued/store/store_stats.h"
#include "queued/survey/survey_manifest.h"
#include "tests/crash/check.h"
#include "tests/crash/mail.h"
#include "tests/crash/record.h"
#include "tests/crash/states.h"
#include "tests/crash/tree.h"

enum { PATH_BYTES = 256, TRACE_BYTES = 64 << 20 };

static struct trace *trace;
static char dir[64], state[96];
static bool is_recording;

static void
join(char out[PATH_BYTES], const char *top, const char *name)
{
	(void)snprintf(out, PATH_BYTES, "%s/%s", top, name);
}

static void
set_up(void)
{
	trace = trace_new(TRACE_BYTES);
	cr_assert_not_null(trace);
	(void)snprintf(dir, sizeof(dir), "/dev/shm/mtad-copies-XXXXXX");
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

TestSuite(copies, .init = set_up, .fini = tear_down, .timeout = 1200);

static void
begin_recording(void)
{
	trace_set_root(trace, record_start(trace, dir, true));
	is_recording = true;
}

static void
note(enum note_kind kind, uint64_t group)
{
	struct note n;

	memset(&n, 0, sizeof(n));
	n.kind = kind;
	n.group = group;
	if (is_recording)
		trace_note(trace, &n, sizeof(n));
}

/* The greatest group of a note of that kind up to POINT; 0: there is none. */
static uint64_t
noted(enum note_kind kind, size_t point)
{
	uint64_t most = 0;

	for (size_t i = 0; i <= point; i++) {
		const struct trace_event *e = trace_at(trace, i);
		const struct note *n;

		if (e->kind != TRACE_NOTE)
			continue;
		n = (const struct note *)(const void *)trace_data(trace, e);
		if (n->kind == kind && n->group > most)
			most = n->group;
	}
	return most;
}

/* What a state must be; WHAT names it in a failure. */
typedef void judge(size_t point, const char *what);

static void
try_states(size_t count, judge *judge)
{
	const char *more = getenv("MTAD_COPIES");
	struct state_list list = { .p = NULL };
	struct disk *d = disk_new(trace);
	struct rng dice;
	size_t next = 0;

	record_stop();
	is_recording = false;
	cr_assert(trace_is_whole(trace));
	rng_init(&dice, more != NULL ? clock_mono_ns() : 1);
	states_choose(trace, more != NULL ? count * strtoul(more, NULL, 10) :
	    count, &dice, &list);
	for (size_t i = 0; i < trace_count(trace); i++) {
		disk_apply(d, i);
		for (; next < list.n && list.p[next].point == i; next++) {
			const struct state_keep keep = { .d = d, .t = trace,
			    .state = &list.p[next] };
			const struct disk_choice choice =
			    states_choice(&keep);
			char what[64];

			(void)snprintf(what, sizeof(what), "event %zu, %s", i,
			    state_name(list.p[next].kind));
			tree_remove(state);
			cr_assert(disk_write_out(d, &choice, state));
			judge(i, what);
		}
	}
	fprintf(stderr, "%zu states of %zu events\n", list.n,
	    trace_count(trace));
	states_clear(&list);
	disk_free(&d);
}

/* ---- the history ---- */

enum { GROUPS = 60, PIECE = 3 };
#define BEGUN_AT	UINT64_C(1800000000000)
#define GROUP_MS	UINT64_C(900000)	/* a few to an hour's file */
#define KEPT_MS		(UINT64_C(8) * 3600000)

static const uint8_t uuid[16] = "a spool's uuid..";

static void
on_position(void *ctx, uint64_t group)
{
	(void)ctx;
	note(NOTE_SYNCED, group);
}

static void
on_notice(void *ctx, const char *text)
{
	(void)ctx;
	cr_assert_fail("the history says: %s", text);
}

static const struct journal_ops journal_ops = {
	.on_position = on_position, .on_notice = on_notice };

static struct journal *
open_journal(const char *path, const char *what)
{
	struct journal *j;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert_eq(journal_open(fd, &store_io_system, uuid, &journal_ops,
	    NULL, &j), OK, "%s", what);
	journal_set_bounds(j, KEPT_MS, UINT64_MAX);
	(void)close(fd);
	return j;
}

/* Each group has one event, of a message with its number. */
static void
tell_group(struct journal *j, uint64_t group)
{
	const struct journal_action a = {
		.at = BEGUN_AT + group * GROUP_MS, .kind = JOURNAL_HELD };
	struct buf *out = journal_begin(j, group);

	cr_assert_not_null(out);
	journal_action_put(out, group, &a);
	journal_end(j, group, 1);
}

struct seen {
	uint64_t first, last;
	const char *what;
};

static bool
see(void *ctx, const struct journal_record *r)
{
	struct seen *s = ctx;

	if (r->type != JOURNAL_ACTION)
		return true;
	cr_assert(s->first == 0 || r->id == s->last + 1,
	    "%s: group %ju behind %ju", s->what, (uintmax_t)r->id,
	    (uintmax_t)s->last);
	s->first = s->first == 0 ? r->id : s->first;
	s->last = r->id;
	return true;
}

static struct seen
read_history(const char *what)
{
	struct journal_reader *r;
	struct seen s = { .what = what };

	cr_assert_eq(journal_read_open(state, &r), OK, "%s", what);
	cr_assert_eq(journal_read_all(r, see, &s), OK, "%s", what);
	journal_read_close(&r);
	return s;
}

/* All that was told as kept is there, nothing that did not happen; it goes on
 * from what it found, whatever that is. */
static void
judge_history(size_t point, const char *what)
{
	uint64_t kept = noted(NOTE_SYNCED, point), found;
	struct seen s = read_history(what);
	struct journal *j;

	cr_assert_geq(s.last, kept, "%s: group %ju was kept, the last is %ju",
	    what, (uintmax_t)kept, (uintmax_t)s.last);
	cr_assert_leq(s.last, noted(NOTE_HOLD, point), "%s", what);
	if (kept > 0)
		cr_assert_leq(s.first, 1 + (kept * GROUP_MS) / KEPT_MS *
		    KEPT_MS / GROUP_MS, "%s", what);
	j = open_journal(state, what);
	found = journal_found(j);
	cr_assert(found >= kept && found <= s.last, "%s: found %ju of %ju",
	    what, (uintmax_t)found, (uintmax_t)s.last);
	for (uint64_t g = found + 1; g <= found + 2; g++)
		tell_group(j, g);
	journal_wait(j, BEGUN_AT + (found + 2) * GROUP_MS);
	journal_close(&j, BEGUN_AT + (found + 2) * GROUP_MS);
	cr_assert_eq(read_history(what).last, found + 2, "%s", what);
}

/* I-10: whatever a power cut leaves of it: nothing is invented, no more is
 * missing than what was not told as kept, and no start ends for it. */
Test(copies, the_history)
{
	struct journal *j;

	begin_recording();
	j = open_journal(dir, "the beginning");
	for (uint64_t g = 1; g <= GROUPS; g++) {
		note(NOTE_HOLD, g);
		tell_group(j, g);
		if (g % PIECE == 0)
			journal_wait(j, BEGUN_AT + g * GROUP_MS);
	}
	journal_close(&j, BEGUN_AT + GROUPS * GROUP_MS);
	try_states(800, judge_history);
}

/* openat2() is called by its number, so the recorder does not see it. */
enum err __wrap_file_open_beneath(int dir_fd, const char *name, int flags,
    mode_t mode, int *fd);

enum err
__wrap_file_open_beneath(int dir_fd, const char *name, int flags, mode_t mode,
    int *fd)
{
	int opened = openat(dir_fd, name, flags, mode);

	if (opened < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	*fd = opened;
	return OK;
}

/* ---- a spool that works ---- */

enum { BEFORE = 6, LARGE = 5, COPIED = 1, RESTORED = 2 };

struct spool {
	struct store *s;
	uint64_t token;
	int64_t ahead_ms;
};

static struct oracle_found truth;	/* at the moment of the copy */

static void
ignore(void *ctx)
{
	(void)ctx;
}

static void
ignore_group(void *ctx, uint64_t group)
{
	(void)ctx;
	(void)group;
}

static void
ignore_token(void *ctx, uint64_t token, uint64_t id)
{
	(void)ctx;
	(void)token;
	(void)id;
}

static void
ignore_unit(void *ctx, struct store_unit *unit)
{
	(void)ctx;
	(void)unit;
}

static bool is_body_closed;

static void
on_body(void *ctx, uint64_t token, uint64_t bytes, bool is_closed, enum err e)
{
	(void)ctx;
	(void)token;
	(void)bytes;
	cr_assert_eq(e, OK);
	is_body_closed = is_closed;
}

static void
on_told(void *ctx, const char *event, const char *text)
{
	(void)ctx;
	/* a copy has no index */
	cr_assert(strstr(event, "damage") == NULL, "%s: %s", event, text);
}

static const struct store_ops ops = {
	.on_written = ignore_group, .on_synced = ignore_group,
	.on_refused = ignore_token, .on_unit = ignore_unit,
	.on_token = ignore_token, .on_body = on_body, .on_room = ignore,
	.on_dead = ignore, .on_notice = on_told,
};

static void
open_spool(struct spool *sp, const char *path, const char *what)
{
	struct store_params params = { .path = path,
	    .segment_bytes = CHECK_SEGMENT_BYTES,
	    .memory_bytes = CHECK_MEMORY_BYTES, .list_block = VIEW_BLOCK };
	struct why why = { .text = "" };

	memset(sp, 0, sizeof(*sp));
	sp->token = 1;
	cr_assert_eq(store_open(&params, &ops, sp, &sp->s, &why), OK,
	    "%s: %s", what, why.text);
}

static void
turn(struct spool *sp)
{
	struct pollfd fd = { .fd = store_fd(sp->s), .events = POLLIN };

	(void)poll(&fd, 1, 5);
	store_turn(sp->s);
	store_flush(sp->s, clock_mono_ms() + sp->ahead_ms);
}

static void
settle(struct spool *sp)
{
	store_flush(sp->s, clock_mono_ms() + sp->ahead_ms);
	for (int i = 0; i < 1000 && store_synced(sp->s) <
	    store_last_group(sp->s); i++) {
		turn(sp);
		sp->ahead_ms += 1000;
	}
	store_answered(sp->s, store_synced(sp->s));
}

/* Each fifth has its body in a file. */
static void
mail(struct spool *sp)
{
	struct mail_order order = { .token = sp->token++, .units = 2,
	    .rcpts = 1, .body_n = 3000 };
	struct store_unit *u;
	struct note n;

	if (order.token % LARGE == 0) {
		order.is_streamed = true;
		cr_assert_eq(store_body_open(sp->s, order.token), OK);
		cr_assert_eq(mail_stream(sp->s, order.token, order.body_n, 0,
		    order.body_n), OK);
		is_body_closed = false;
		cr_assert_eq(store_body_close(sp->s, order.token), OK);
		while (!is_body_closed)
			turn(sp);
	}
	cr_assert_eq(mail_submit(sp->s, &order, &u, &n), OK);
	settle(sp);
}

/* The oldest that is there is delivered. */
static void
deliver(struct spool *sp)
{
	const struct mail_result result = { .is_settled = true };
	static struct oracle_found now;
	struct store_unit *u;
	struct note n;

	check_look(sp->s, &now);
	for (uint32_t i = 0; now.count > 0 && i < VIEW_UNITS; i++) {
		if (!now.views[0].unit[i].is_here)
			continue;
		cr_assert_eq(store_load_unit(sp->s, now.views[0].id, i, &u),
		    OK);
		cr_assert_eq(mail_verdict(sp->s, u, &result, &n), OK);
	}
	settle(sp);
}

static void
expect_truth(const char *path, const char *what)
{
	static struct oracle_found now;
	struct spool sp;

	open_spool(&sp, path, what);
	check_look(sp.s, &now);
	cr_assert_eq(now.count, truth.count, "%s: %zu messages of %zu", what,
	    now.count, truth.count);
	for (size_t i = 0; i < now.count; i++)
		cr_assert(now.views[i].id == truth.views[i].id &&
		    view_digest(&now.views[i]) ==
		    view_digest(&truth.views[i]), "%s: message %zu", what, i);
	store_close(&sp.s);
}

/* ---- a backup beside mail ---- */

static void
add_text(void *ctx, struct span text)
{
	if (ctx != NULL)
		buf_add_span(ctx, text);
}

static void
no_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)done;
	(void)total;
}

static enum survey_verdict
look_at_copy(const char *path, bool is_sealing)
{
	const struct survey_spool copy = { .path = path,
	    .is_sealing = is_sealing };
	const struct survey_sink sink = { .text = add_text,
	    .progress = no_progress };

	return survey_check(&copy, &sink);
}

/* Each line of the list as mtactl takes it, mail in between. */
static void
copy_files(struct spool *sp, const struct survey_manifest *m,
    struct copy_dir *d)
{
	struct why why = { .text = "" };
	char path[PATH_BYTES];
	struct buf line;

	buf_init(&line, 4096);
	survey_manifest_put_head(&line, m);
	cr_assert_eq(copy_dir_note(d, buf_span(&line), &why), OK);
	for (size_t i = 0; i < m->n; i++) {
		char name[PATH_BYTES];
		int fd;

		(void)snprintf(name, sizeof(name), "spool/%s",
		    m->files[i].name);
		join(path, dir, name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		cr_assert_geq(fd, 0, "%s", path);
		cr_assert_eq(copy_dir_add(d, m->files[i].name,
		    m->files[i].bytes, fd, NULL, NULL, &why), OK, "%s",
		    why.text);
		(void)close(fd);
		buf_reset(&line);
		survey_manifest_put_file(&line, m->files[i].name,
		    m->files[i].bytes);
		cr_assert_eq(copy_dir_note(d, buf_span(&line), &why), OK);
		mail(sp);
		deliver(sp);
	}
	cr_assert_eq(copy_dir_sync(d, &why), OK);
	buf_clear(&line);
}

static void
back_up(struct spool *sp)
{
	struct survey_spool spool = { .is_live = true };
	struct survey_manifest m = { .n = 0 };
	char from[PATH_BYTES], to[PATH_BYTES];
	struct why why = { .text = "" };
	struct survey_sink sink = { .text = add_text };
	struct copy_dir d;
	struct buf list;

	buf_init(&list, 1 << 20);
	join(from, dir, "spool");
	join(to, dir, "copy");
	store_pin(sp->s);
	check_look(sp->s, &truth);
	spool.path = from;
	spool.until = store_synced_at(sp->s);
	sink.ctx = &list;
	cr_assert_eq(survey_list(&spool, &sink), SURVEY_SOUND);
	cr_assert_eq(survey_manifest_parse(buf_span(&list), false, &m), OK);
	cr_assert_eq(copy_dir_open(to, keep_folders, SURVEY_MANIFEST_NEW, &d,
	    &why), OK, "%s", why.text);
	copy_files(sp, &m, &d);
	copy_dir_close(&d);
	cr_assert_eq(look_at_copy(to, true), SURVEY_SOUND);
	note(NOTE_SYNCED, COPIED);
	store_unpin(sp->s);
	survey_manifest_clear(&m);
	buf_clear(&list);
}

static bool
is_called_complete(const char *path)
{
	struct survey_manifest m = { .n = 0 };
	struct why why = { .text = "" };
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is = fd >= 0 && survey_manifest_read(fd, &m, &why) == OK &&
	    m.is_complete;

	survey_manifest_clear(&m);
	if (fd >= 0)
		(void)close(fd);
	return is;
}

/* What a restore makes of it, and what a start of queued. */
static void
judge_backup(size_t point, const char *what)
{
	char path[PATH_BYTES], manifest[PATH_BYTES];
	static const char *const names[] = { SURVEY_MANIFEST,
		SURVEY_MANIFEST_NEW };
	bool is_complete;

	join(path, state, "copy");
	is_complete = is_called_complete(path);
	cr_assert(is_complete || noted(NOTE_SYNCED, point) < COPIED,
	    "%s: a backup that was finished is none", what);
	cr_assert_eq(look_at_copy(path, false) == SURVEY_SOUND, is_complete,
	    "%s: called complete %d", what, is_complete);
	if (!is_complete)
		return;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		join(manifest, path, names[i]);
		(void)unlink(manifest);
	}
	expect_truth(path, what);
}

static void
make_spool(struct spool *sp)
{
	char path[PATH_BYTES];

	join(path, dir, "spool");
	cr_assert_eq(mkdir(path, 0700), 0);
	open_spool(sp, path, "a new one");
	for (int i = 0; i < BEFORE; i++)
		mail(sp);
	deliver(sp);
}

/* It is whole and as of its moment, or it is refused. */
Test(copies, a_backup_beside_mail)
{
	struct spool sp;
	char path[PATH_BYTES];

	/* closed, so that no thread of it makes a file while the recording's
	 * beginning is taken */
	make_spool(&sp);
	store_close(&sp.s);
	begin_recording();
	join(path, dir, "spool");
	open_spool(&sp, path, "the spool once more");
	back_up(&sp);
	record_stop();
	store_close(&sp.s);
	try_states(250, judge_backup);
}

/* ---- a restore ---- */

static struct creds_user
owner_of(uid_t uid, gid_t gid)
{
	return (struct creds_user){ uid, gid };
}

/* In TOP, as a person calls it: what an earlier one left is removed first. */
static int
restore(const char *top)
{
	const struct survey_sink sink = { .text = add_text,
	    .progress = no_progress };
	char spool[PATH_BYTES], copy[PATH_BYTES], left[PATH_BYTES + 16];
	const struct offline_restore o = { .spool = spool, .dir = copy,
	    .may_set_aside = true, .does_release = true, .sink = &sink,
	    .owner_of = owner_of };

	join(spool, top, "spool");
	join(copy, top, "copy");
	(void)snprintf(left, sizeof(left), "%s.restoring", spool);
	tree_remove(left);
	return offline_restore(&o);
}

/* A process of its own, for it keeps the lock until it ends. */
static int
restore_apart(const char *top)
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	if ((pid = fork()) == 0)
		_exit(restore(top));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool
read_identity(const char *top, const char *name, char out[PATH_BYTES])
{
	char path[PATH_BYTES];
	ssize_t n;
	int fd;

	join(path, top, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, out, PATH_BYTES - 1);
	(void)close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The spool that was there before, in its place or aside. */
static bool
has_former(void)
{
	char former[PATH_BYTES], found[PATH_BYTES];

	cr_assert(read_identity(dir, "spool.aside.1/spool", former));
	return (read_identity(state, "spool/spool", found) &&
	    strcmp(found, former) == 0) ||
	    (read_identity(state, "spool.aside.1/spool", found) &&
	    strcmp(found, former) == 0);
}

/* Whatever was cut off: the spool that was there is there; and the restore can
 * be made again. */
static void
judge_restore(size_t point, const char *what)
{
	char path[PATH_BYTES];

	join(path, state, "spool");
	cr_assert(has_former(), "%s: the spool is no more", what);
	if (noted(NOTE_SYNCED, point) >= RESTORED) {
		expect_truth(path, what);
		return;
	}
	cr_assert_eq(restore_apart(state), SURVEY_SOUND, "%s", what);
	expect_truth(path, what);
}

/* Of a spool whose history ends with the copy: nothing came after it. */
Test(copies, a_restore)
{
	struct spool sp;

	make_spool(&sp);
	back_up(&sp);
	store_close(&sp.s);
	begin_recording();
	cr_assert_eq(restore_apart(dir), SURVEY_SOUND);
	note(NOTE_SYNCED, RESTORED);
	try_states(60, judge_restore);
}
