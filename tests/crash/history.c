/*
 * Only what was told as synced is acted on further, as the daemon does: no
 * lease and no verdict of a message whose acceptance is not durable yet.
 *
 * The clock given to store_flush() runs ahead at will, so that check-points
 * and late syncs come when the dice say so.
 */
#include "tests/crash/history.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/os/clock.h"
#include "queued/store/store_private.h"
#include "tests/crash/check.h"
#include "tests/crash/mail.h"
#include "tests/crash/record.h"

enum { MAIL_MAX = 64, LIFE_ENDED = 0, LIFE_FAILED = 1, DEAD = 5 };
enum { STREAM_MIN = 70000, CHUNK = 48 << 10, PATH_BYTES = 512 };
enum { QUIET_TURNS = 300 };

struct mail {
	uint64_t id;
	uint64_t group;		/* acted on once this is synced */
	uint64_t token;
};

struct life {
	struct store *s;
	struct trace *trace;
	struct rng dice;
	enum history_kind kind;
	bool has_cycles;	/* whole segments come and go */
	uint64_t synced;
	int64_t ahead_ms;
	uint64_t now;		/* due times, made up */
	uint64_t next_token;
	struct mail mails[MAIL_MAX];
	size_t count;
	/* a body on its way in */
	uint64_t body_token;
	size_t body_n, body_at;
	bool is_body_closed, has_body_failed;
	/* segments: filled, then emptied */
	bool is_emptying;
	uint64_t stays;			/* a message; 0: none */
	size_t filled;
};

static const char *const names[HISTORY_KINDS] = {
	"mixed", "segments", "faults", "bodies", "kills", "checkpoints",
	"rebuild", "compaction", "shrink",
};

const char *
history_name(enum history_kind kind)
{
	return names[kind];
}

/* Where the index's file is made anew, for each second seed: the others are
 * small, and full of it. */
static bool
has_cycles(enum history_kind kind, uint64_t seed)
{
	return kind == HISTORY_SEGMENTS || kind == HISTORY_COMPACTION ||
	    (kind == HISTORY_SHRINK && seed % 2 == 0);
}

static uint64_t
below(struct life *l, uint64_t n)
{
	return rng_below(&l->dice, n);
}

static void
note(struct life *l, const struct note *n)
{
	trace_note(l->trace, n, sizeof(*n));
}

static void
note_group(struct life *l, enum note_kind kind, uint64_t group)
{
	struct note n;

	memset(&n, 0, sizeof(n));
	n.kind = kind;
	n.group = group;
	note(l, &n);
}

/* ---- what the store tells ---- */

static void
on_written(void *ctx, uint64_t group)
{
	(void)ctx;
	(void)group;
}

static void
on_synced(void *ctx, uint64_t group)
{
	struct life *l = ctx;

	l->synced = group;
	note_group(l, NOTE_SYNCED, group);
}

static void
forget(struct life *l, uint64_t id)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->mails[i].id == id)
			l->mails[i] = l->mails[--l->count];
	}
}

static void
on_refused(void *ctx, uint64_t token, uint64_t id)
{
	struct life *l = ctx;
	struct note n;

	memset(&n, 0, sizeof(n));
	n.kind = NOTE_REFUSED;
	n.group = store_synced(l->s);
	n.token = token;
	n.id = id;
	note(l, &n);
	forget(l, id);
}

static void
on_unit(void *ctx, struct store_unit *unit)
{
	(void)ctx;
	(void)unit;
}

static void
on_token(void *ctx, uint64_t token, uint64_t id)
{
	(void)ctx;
	(void)token;
	(void)id;
}

static void
on_body(void *ctx, uint64_t token, uint64_t bytes, bool is_closed,
    enum err e)
{
	struct life *l = ctx;

	(void)bytes;
	if (token != l->body_token)
		return;
	l->is_body_closed = is_closed;
	l->has_body_failed = e != OK;
}

static void
on_room(void *ctx)
{
	(void)ctx;
}

/* As queued does: without a reply to anybody. */
static void
on_dead(void *ctx)
{
	(void)ctx;
	record_exit(DEAD);
}

/* A write failed: what clients have in groups not synced is left out of the
 * next one, whether they will be told or not. */
static void
drop_unsynced(struct life *l)
{
	struct note n;

	for (size_t i = 0; i < l->count; i++) {
		const struct mail *m = &l->mails[i];

		if (m->token == 0 || m->group <= store_synced(l->s) ||
		    m->group >= store_group(l->s))
			continue;
		memset(&n, 0, sizeof(n));
		n.kind = NOTE_DROPPED;
		n.group = store_group(l->s);
		n.id = m->id;
		note(l, &n);
	}
}

static void
on_notice(void *ctx, const char *event, const char *text)
{
	struct life *l = ctx;

	if (strcmp(event, "write-failed") == 0)
		drop_unsynced(l);
	if (getenv("MTAD_POWER_NOTICES") != NULL)
		fprintf(stderr, "%s: %s\n", event, text);
}

static const struct store_ops ops = {
	.on_written = on_written, .on_synced = on_synced,
	.on_refused = on_refused, .on_unit = on_unit, .on_token = on_token,
	.on_body = on_body, .on_room = on_room, .on_dead = on_dead,
	.on_notice = on_notice,
};

/* ---- turns ---- */

static void
flush(struct life *l)
{
	store_flush(l->s, clock_mono_ms() + l->ahead_ms);
}

static void
turn(struct life *l, int ms)
{
	struct pollfd fd = { .fd = store_fd(l->s), .events = POLLIN };

	(void)poll(&fd, 1, ms);
	store_turn(l->s);
	flush(l);
}

/* Until all that was asked is synced. */
static void
sync_all(struct life *l)
{
	flush(l);
	for (int i = 0; i < QUIET_TURNS &&
	    l->synced < store_last_group(l->s); i++) {
		turn(l, 20);
		l->ahead_ms += 1000;
	}
}

static void
answer(struct life *l)
{
	note_group(l, NOTE_ANSWERED, l->synced);
	store_answered(l->s, l->synced);
}

/* ... and in the index. */
static void
checkpoint(struct life *l)
{
	struct store_figures f;

	sync_all(l);
	answer(l);
	for (int i = 0; i < 50; i++) {
		store_figures(l->s, &f);
		if (f.checkpoint_lag_bytes == 0)
			return;
		l->ahead_ms += 2000;
		turn(l, 20);
	}
}

/* ---- mail ---- */

static void
keep(struct life *l, const struct note *n)
{
	MUST(l->count < MAIL_MAX);
	l->mails[l->count++] = (struct mail){ .id = n->id, .group = n->group,
	    .token = n->token };
}

static size_t
body_bytes(struct life *l)
{
	if (l->has_cycles)
		return 60000 + below(l, 120000);
	switch (below(l, 12)) {
	case 0:
		return 100000 + below(l, 300000);
	case 1:
		return 4000 + below(l, 30000);
	default:
		return below(l, 3000);
	}
}

static void
accept_one(struct life *l)
{
	struct mail_order order = { .token = l->next_token++,
	    .units = 1 + (uint32_t)below(l, 2) * (uint32_t)below(l, 4),
	    .rcpts = 1 + (uint32_t)below(l, 2) * (uint32_t)below(l, 4),
	    .body_n = body_bytes(l) };
	struct store_unit *u;
	struct note n;

	if (l->count + 8 > MAIL_MAX || mail_submit(l->s, &order, &u, &n) != OK)
		return;
	note(l, &n);
	keep(l, &n);
	l->filled += order.body_n;
}

/* Several clients in one turn make one group. */
static void
accept_some(struct life *l)
{
	uint64_t n = 1 + below(l, 5);

	while (n-- > 0)
		accept_one(l);
}

/* A step of a body on its way in: opened, given in chunks, closed, submitted,
 * or dropped by its client. */
static void
stream(struct life *l)
{
	struct mail_order order = { .token = l->body_token, .units = 1,
	    .rcpts = 1, .body_n = l->body_n, .is_streamed = true };
	struct store_unit *u;
	struct note n;

	if (l->body_token == 0) {
		if (l->count + 8 > MAIL_MAX)
			return;
		l->body_token = l->next_token++;
		l->body_n = STREAM_MIN + below(l, 200000);
		l->body_at = 0;
		l->is_body_closed = l->has_body_failed = false;
		if (store_body_open(l->s, l->body_token) != OK)
			l->body_token = 0;
	} else if (l->has_body_failed || below(l, 20) == 0) {
		store_body_drop(l->s, l->body_token);
		l->body_token = 0;
	} else if (l->body_at < l->body_n) {
		(void)mail_stream(l->s, l->body_token, l->body_n, l->body_at,
		    CHUNK);
		l->body_at += CHUNK;
		if (l->body_at >= l->body_n)
			(void)store_body_close(l->s, l->body_token);
	} else if (l->is_body_closed) {
		if (mail_submit(l->s, &order, &u, &n) == OK) {
			note(l, &n);
			keep(l, &n);
		} else {
			store_body_drop(l->s, order.token);
		}
		l->body_token = 0;
	}
}

static uint32_t
any_number(void *ctx, uint32_t n)
{
	return (uint32_t)below(ctx, n);
}

/* A unit that is not settled, of a message that was told as synced. */
static struct store_unit *
any_unit(struct life *l)
{
	const struct mail *m;
	struct store_unit *u;
	uint32_t first;

	if (l->count == 0)
		return NULL;
	m = &l->mails[below(l, l->count)];
	if (m->group > l->synced)
		return NULL;
	first = any_number(l, VIEW_UNITS);
	for (uint32_t i = 0; i < VIEW_UNITS; i++) {
		if (store_load_unit(l->s, m->id, (first + i) % VIEW_UNITS,
		    &u) == OK)
			return u;
	}
	forget(l, m->id);
	return NULL;
}

/* Delivered, put off, or failed: then a report stands in the same group. */
static void
settle_with_report(struct life *l, struct store_unit *u,
    struct mail_result *result)
{
	struct mail_order order = { .token = l->next_token++, .units = 1,
	    .rcpts = 1, .body_n = 200 + below(l, 2000), .is_report = true };
	struct store_unit *report;
	struct note said, verdict;

	if (l->count + 1 > MAIL_MAX || store_reserve(l->s, 8192) != OK ||
	    mail_submit(l->s, &order, &report, &said) != OK)
		return;
	note(l, &said);
	keep(l, &said);
	/* the report goes with the verdict */
	MUST(mail_verdict(l->s, u, result, &verdict) == OK);
	verdict.cause = said.id;
	note(l, &verdict);
}

static void
judge(struct life *l, struct store_unit *u)
{
	struct mail_result result = { .first = (uint32_t)below(l, u->count),
	    .is_settled = below(l, 3) > 0, .due_at = l->now + below(l, 1000),
	    .is_warned = below(l, 12) == 0, .words = (unsigned)below(l, 9) };
	struct note n;

	result.last = result.first +
	    (uint32_t)below(l, u->count - result.first);
	if (below(l, 2) == 0) {
		result.first = 0;
		result.last = u->count - 1;
	}
	/* a report's failure is not reported */
	if (result.is_settled && !u->message->is_report && below(l, 4) == 0) {
		settle_with_report(l, u, &result);
		return;
	}
	if (mail_verdict(l->s, u, &result, &n) == OK)
		note(l, &n);
}

static void
operate(struct life *l, struct store_unit *u)
{
	struct note n;

	memset(&n, 0, sizeof(n));
	n.group = store_group(l->s);
	n.id = u->message->id;
	n.unit = u->number;
	switch (below(l, 4)) {
	case 0:
		n.kind = NOTE_HOLD;
		n.is_held = !u->message->is_held;
		if (store_hold(l->s, u->message, n.is_held) == OK)
			note(l, &n);
		return;
	case 1:
		n.kind = NOTE_DUE;
		n.value = l->now + below(l, 1000);
		if (store_reschedule(l->s, u, n.value) == OK)
			note(l, &n);
		return;
	case 2:
		n.kind = NOTE_LEASE;
		n.value = 1 + below(l, 1000);
		if (store_note_lease(l->s, u, n.value) == OK)
			note(l, &n);
		return;
	default:
		(void)store_unload_unit(l->s, &u);
	}
}

/* ---- faults ---- */

static void
fail_something(struct life *l)
{
	static const int errors[] = { EIO, ENOSPC, EDQUOT };
	enum record_class class = (enum record_class)below(l,
	    RECORD_CLASSES);

	/* mostly the log, where it hurts */
	if (below(l, 2) == 0)
		class = below(l, 2) == 0 ? RECORD_LOG_WRITE : RECORD_LOG_SYNC;
	/* once, or so often that the rescue fails too */
	record_fail(class, (unsigned)below(l, 3), below(l, class ==
	    RECORD_LOG_SYNC ? 2 : 6) == 0 ? 6 : 1, errors[below(l, 3)]);
}

/* ---- whole segments ---- */

/* A verdict that is written only, then a group that may begin a new segment
 * and so vouches for it. */
static void
fill_more(struct life *l)
{
	struct store_unit *u = any_unit(l);
	struct mail_result put_off = { .due_at = l->now, .words = 3 };
	struct note n;

	if (u != NULL && below(l, 2) == 0) {
		put_off.last = u->count - 1;
		if (mail_verdict(l->s, u, &put_off, &n) == OK)
			note(l, &n);
		flush(l);
		turn(l, 2);
	}
	accept_one(l);
	if (below(l, 3) == 0)
		sync_all(l);
	l->is_emptying = l->filled > (1 << 20) + (1 << 18);
}

static void
settle_all_of(struct life *l, uint64_t id)
{
	struct mail_result result = { .is_settled = true };
	struct store_unit *u;
	struct note n;

	for (uint32_t i = 0; i < VIEW_UNITS; i++) {
		if (store_load_unit(l->s, id, i, &u) != OK)
			continue;
		result.last = u->count - 1;
		if (mail_verdict(l->s, u, &result, &n) == OK)
			note(l, &n);
	}
	forget(l, id);
}

/* NULL: none but the one that stays. */
static const struct mail *
oldest_of(const struct life *l)
{
	const struct mail *oldest = NULL;

	for (size_t i = 0; i < l->count; i++) {
		if (l->mails[i].id != l->stays &&
		    (oldest == NULL || l->mails[i].id < oldest->id))
			oldest = &l->mails[i];
	}
	return oldest;
}

/* The oldest go first, all of them or nearly; then what is known of it is
 * frozen at once, or check-pointed.  One may stay for long: its segment then
 * needs the verdicts about its neighbours, which lie in later ones. */
static void
empty(struct life *l)
{
	size_t left = l->kind == HISTORY_COMPACTION ? 2 + below(l, 3) :
	    below(l, 2);
	const struct mail *oldest;

	sync_all(l);
	if (l->stays == 0 && l->count > 0)
		l->stays = l->mails[below(l, l->count)].id;
	else if (below(l, 4) == 0)
		l->stays = 0;
	while (l->count > left && (oldest = oldest_of(l)) != NULL) {
		settle_all_of(l, oldest->id);
		if (below(l, 3) == 0)
			turn(l, 1);
	}
	l->filled = 0;
	l->is_emptying = false;
	if (below(l, 2) == 0)
		checkpoint(l);
	/* written only, and frozen */
	flush(l);
	l->ahead_ms += 3000;
	turn(l, 5);
	turn(l, 5);
}

/* The index's file is made anew, with mail coming meanwhile or without. */
static void
shrink(struct life *l)
{
	if (below(l, 2) == 0)
		checkpoint(l);
	l->s->shrink.is_forced = true;
	flush(l);
	if (below(l, 2) == 0)
		accept_one(l);
	for (int i = 0; i < 20 && l->s->shrink.is_busy; i++) {
		turn(l, 5);
		l->ahead_ms += 1000;
	}
}

static void
compact(struct life *l)
{
	checkpoint(l);
	l->s->compact.is_forced = true;
	for (int i = 0; i < 8; i++)
		turn(l, 5);
	if (below(l, 2) == 0)
		checkpoint(l);
}

static void
cycle(struct life *l)
{
	if (!l->is_emptying) {
		fill_more(l);
		if (l->kind == HISTORY_SHRINK && below(l, 8) == 0)
			shrink(l);
		return;
	}
	/* before a segment goes, for the new file, or after it */
	if (l->kind == HISTORY_SHRINK && below(l, 2) == 0)
		shrink(l);
	empty(l);
	if (l->kind == HISTORY_COMPACTION)
		compact(l);
}

/* ---- a life ---- */

static void
act(struct life *l)
{
	struct store_unit *u;

	l->now++;
	if (l->has_cycles && below(l, 4) > 0) {
		cycle(l);
		return;
	}
	if (l->kind == HISTORY_FAULTS && below(l, 12) == 0)
		fail_something(l);
	if (l->body_token != 0 || below(l, l->kind == HISTORY_BODIES ? 3 :
	    40) == 0)
		stream(l);
	if (below(l, 10) < (l->count < 12 ? 5U : 2U)) {
		accept_some(l);
		return;
	}
	if ((u = any_unit(l)) == NULL)
		return;
	if (below(l, 5) == 0)
		operate(l, u);
	else
		judge(l, u);
}

static void
pause_a_little(struct life *l)
{
	flush(l);
	switch (below(l, 6)) {
	case 0:
		sync_all(l);
		break;
	case 1:
	case 2:
		turn(l, 2);
		break;
	case 3:
		l->ahead_ms += 1200;
		turn(l, 1);
		break;
	default:
		store_turn(l->s);
		flush(l);
	}
	if (below(l, 4) == 0)
		answer(l);
	if (below(l, l->kind == HISTORY_CHECKPOINTS ? 6 : 30) == 0)
		checkpoint(l);
	if (l->kind == HISTORY_SHRINK && below(l, 6) == 0)
		shrink(l);
}

static bool
remember(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct life *l = ctx;

	(void)units;
	if (l->count < MAIL_MAX)
		l->mails[l->count++] = (struct mail){ .id = m->id };
	return true;
}

static void
live(struct life *l, const struct history_params *p, unsigned number)
{
	struct store_params params = { .path = p->path,
	    .segment_bytes = CHECK_SEGMENT_BYTES,
	    .memory_bytes = CHECK_MEMORY_BYTES };
	struct why why = { .text = "" };

	if (store_open(&params, &ops, l, &l->s, &why) != OK) {
		/* a fault may forbid a start, the next one must do */
		fprintf(stderr, "no start: %s\n", why.text);
		record_exit(record_failures() > 0 ? DEAD : LIFE_FAILED);
	}
	l->synced = store_synced(l->s);
	note_group(l, NOTE_OPENED, l->synced);
	(void)store_walk(l->s, 0, MAIL_MAX, remember, l);
	for (unsigned i = 0; i < p->steps; i++) {
		act(l);
		if (below(l, 2) == 0)
			pause_a_little(l);
	}
	/* the last one, and some of the others, in order */
	if (number + 1 == p->lives || below(l, 3) == 0) {
		record_fail_nothing();
		if (l->body_token != 0)
			store_body_drop(l->s, l->body_token);
		checkpoint(l);
		store_close(&l->s);
	}
	record_exit(LIFE_ENDED);
}

/* Between lives, by an operator. */
static void
take_index_away(const char *path)
{
	char name[PATH_BYTES];
	int fd;

	(void)snprintf(name, sizeof(name), "%s/index", path);
	if ((fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return;
	(void)unlinkat(fd, "data.mdb", 0);
	(void)fsync(fd);
	(void)close(fd);
}

static void
run_life(struct trace *t, const struct history_params *p, unsigned number)
{
	static struct life l;
	struct rng *dice = &l.dice;

	rng_init(dice, p->seed * 64 + number);
	l.trace = t;
	l.kind = p->kind;
	l.has_cycles = has_cycles(p->kind, p->seed);
	/* one life more than a token can know of */
	l.next_token = (p->seed * 64 + number) << 16 | 1;
	if (record_start(t, p->path, number == 0) == 0)
		_exit(LIFE_FAILED);
	if (p->kind == HISTORY_REBUILD && number > 0)
		take_index_away(p->path);
	if (number + 1 < p->lives)
		record_kill_at(trace_count(t) + 20 +
		    below(&l, (uint64_t)p->steps * 5));
	live(&l, p, number);
}

static void
note_base(struct trace *t, const struct oracle_found *base)
{
	struct note n;

	for (size_t i = 0; base != NULL && i < base->count; i++) {
		memset(&n, 0, sizeof(n));
		n.kind = NOTE_BASE;
		n.id = base->views[i].id;
		n.view = base->views[i];
		trace_note(t, &n, sizeof(n));
	}
}

static bool
is_fine(int status)
{
	int code;

	if (!WIFEXITED(status))
		return false;
	code = WEXITSTATUS(status);
	return code == LIFE_ENDED || code == RECORD_KILLED || code == DEAD;
}

bool
history_record(struct trace *t, const struct history_params *p, FILE *out)
{
	struct stat st;

	if (stat(p->path, &st) != 0)
		return false;
	trace_set_root(t, st.st_ino);
	note_base(t, p->base);
	for (unsigned i = 0; i < p->lives; i++) {
		int status;
		pid_t pid;

		(void)fflush(NULL);
		if ((pid = fork()) == 0)
			run_life(t, p, i);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return false;
		if (!is_fine(status)) {
			fprintf(out, "life %u of %s, seed %ju, ended with "
			    "status %x\n", i, names[p->kind],
			    (uintmax_t)p->seed, (unsigned)status);
			return false;
		}
		trace_unlock_dead(t);
	}
	return true;
}
