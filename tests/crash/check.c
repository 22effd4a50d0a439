/*
 * A child opens the spool, writes what it found into memory that it shares
 * with its parent, and ends without closing.  So each recovery is that of a
 * fresh process, a crash in it is a finding, and the next one comes after a
 * kill.
 */
#include "tests/crash/check.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "queued/store/store_silent.h"
#include "tests/crash/mail.h"
#include "tests/crash/model.h"

enum { NOTICES_BYTES = 2048, TURN_MS = 50, TURNS_MAX = 400 };
enum { CHILD_OK = 0, CHILD_FAILED = 1 };
enum { TOKEN = 1 << 30 };	/* of mail after a recovery */

struct shared {
	struct oracle_found first;	/* after this recovery */
	struct oracle_found last;	/* at its end */
	char notices[NOTICES_BYTES];
	char why[256];
};

struct check {
	struct shared *shared;
	bool has_crashed;
	bool in_parts;
	struct oracle_found found;
};

enum step { STEP_LOOK, STEP_GO_ON, STEP_CLOSE };

struct check *
check_new(void)
{
	struct check *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->shared = mmap(NULL, sizeof(*c->shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->shared == MAP_FAILED) {
		free(c);
		return NULL;
	}
	return c;
}

void
check_free(struct check **c)
{
	if (*c == NULL)
		return;
	(void)munmap((*c)->shared, sizeof(*(*c)->shared));
	free(*c);
	*c = NULL;
}

/* ---- in the child ---- */

static void
on_token(void *ctx, uint64_t token, uint64_t id)
{
	struct shared *sh = ctx;
	struct oracle_found *f = &sh->first;

	if (f->token_count == VIEW_MAX)
		return;
	f->token_ids[f->token_count] = id;
	f->tokens[f->token_count++] = token;
}

static void
on_notice(void *ctx, const char *event, const char *text)
{
	struct shared *sh = ctx;
	size_t n = strlen(sh->notices);

	(void)snprintf(sh->notices + n, sizeof(sh->notices) - n, "%s (%s); ",
	    event, text);
}

struct look {
	struct store *s;
	struct oracle_found *found;
};

static bool
look_at(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct look *l = ctx;

	if (l->found->count == VIEW_MAX)
		return false;
	view_fill(&l->found->views[l->found->count++], l->s, m, units);
	return true;
}

void
check_look(struct store *s, struct oracle_found *found)
{
	struct look l = { .s = s, .found = found };
	uint64_t after = 0;

	found->count = 0;
	while (after != UINT64_MAX && found->count < VIEW_MAX)
		after = store_walk(s, after, 64, look_at, &l);
}

static void
turn(struct store *s, int64_t ahead_ms)
{
	struct pollfd fd = { .fd = store_fd(s), .events = POLLIN };

	(void)poll(&fd, 1, TURN_MS);
	store_turn(s);
	store_flush(s, clock_mono_ms() + ahead_ms);
}

/* Until all is synced and, if it may be, in the index. */
static bool
settle(struct store *s)
{
	struct store_figures f;
	int64_t ahead_ms = 0;

	store_flush(s, clock_mono_ms());
	for (int i = 0; i < TURNS_MAX; i++) {
		store_answered(s, store_synced(s));
		store_figures(s, &f);
		if (store_synced(s) == store_last_group(s) &&
		    f.checkpoint_lag_bytes == 0)
			return true;
		/* check-points and late syncs come now, not in a second */
		turn(s, ahead_ms += 2000);
	}
	return false;
}

/* One recipient of the first message is done with. */
static bool
deliver(struct store *s, const struct oracle_found *found)
{
	const struct mail_result result = { .is_settled = true };
	struct store_unit *u;
	struct note note;

	if (found->count == 0)
		return true;
	for (uint32_t i = 0; i < VIEW_UNITS; i++) {
		if (!found->views[0].unit[i].is_here)
			continue;
		return store_load_unit(s, found->views[0].id, i, &u) == OK &&
		    mail_verdict(s, u, &result, &note) == OK;
	}
	return false;
}

static bool
go_on(struct store *s, struct shared *sh)
{
	const struct mail_order order = { .token = TOKEN, .units = 2,
	    .rcpts = 1, .body_n = 3000 };
	struct store_unit *u;
	struct note note;

	if (mail_submit(s, &order, &u, &note) != OK || !deliver(s, &sh->first))
		return false;
	return settle(s);
}

static void
run_child(struct check *c, const char *path, enum step step)
{
	struct store_params params = { .path = path,
	    .segment_bytes = CHECK_SEGMENT_BYTES,
	    .memory_bytes = CHECK_MEMORY_BYTES, .list_block = VIEW_BLOCK,
	    .replay_bytes = c->in_parts ? CHECK_REPLAY_BYTES : 0 };
	struct store_ops ops = store_silent();
	struct shared *sh = c->shared;
	struct why why = { .text = "" };
	struct store *s;

	ops.on_token = on_token;
	ops.on_notice = on_notice;
	if (store_open(&params, &ops, sh, &s, &why) != OK) {
		(void)snprintf(sh->why, sizeof(sh->why), "%.250s", why.text);
		_exit(CHILD_FAILED);
	}
	check_look(s, &sh->first);
	if (step == STEP_GO_ON && !go_on(s, sh)) {
		(void)snprintf(sh->why, sizeof(sh->why),
		    "it does not work after the recovery");
		_exit(CHILD_FAILED);
	}
	if (step == STEP_GO_ON)
		check_look(s, &sh->last);
	if (step == STEP_CLOSE)
		store_close(&s);
	_exit(CHILD_OK);
}

/* ---- in the parent ---- */

/* What must not be told when a disk kept its word. */
static bool
tells_damage(const char *notices)
{
	return strstr(notices, "damage") != NULL ||
	    strstr(notices, "index-rebuilt") != NULL;
}

static bool
run_step(struct check *c, const char *path, enum step step, FILE *out)
{
	struct shared *sh = c->shared;
	int status;
	pid_t pid;

	sh->first.count = sh->first.token_count = sh->last.count = 0;
	sh->notices[0] = sh->why[0] = '\0';
	(void)fflush(NULL);
	c->has_crashed = true;
	pid = fork();
	if (pid == 0)
		run_child(c, path, step);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		fprintf(out, "no process\n");
		return false;
	}
	c->has_crashed = !WIFEXITED(status);
	if (c->has_crashed || WEXITSTATUS(status) != CHILD_OK) {
		fprintf(out, "the recovery failed (status %x): %s %s\n",
		    (unsigned)status, sh->why, sh->notices);
		return false;
	}
	if (tells_damage(sh->notices)) {
		fprintf(out, "damage is told: %s\n", sh->notices);
		return false;
	}
	return true;
}

static bool
is_same(const struct oracle_found *a, const struct oracle_found *b)
{
	return a->count == b->count && model_sums_of(a->views, a->count).digest
	    == model_sums_of(b->views, b->count).digest;
}

static void
print_both(const struct oracle_found *a, const struct oracle_found *b,
    FILE *out)
{
	for (size_t i = 0; i < a->count; i++)
		view_print(&a->views[i], out);
	fprintf(out, "and then:\n");
	for (size_t i = 0; i < b->count; i++)
		view_print(&b->views[i], out);
}

static bool
again(struct check *c, const char *path, enum step step, const char *what,
    FILE *out)
{
	if (!run_step(c, path, step, out)) {
		fprintf(out, "… %s\n", what);
		return false;
	}
	if (is_same(&c->found, &c->shared->first))
		return true;
	fprintf(out, "%s finds something else:\n", what);
	print_both(&c->found, &c->shared->first, out);
	return false;
}

static const struct oracle_found *
recover_and_go_on(struct check *c, const char *path, FILE *out)
{
	struct oracle_found *keep = malloc(sizeof(*keep));
	bool ok = keep != NULL &&
	    again(c, path, STEP_GO_ON, "a second recovery", out);

	if (ok) {
		memcpy(keep, &c->found, sizeof(*keep));
		memcpy(&c->found, &c->shared->last, sizeof(c->found));
		ok = again(c, path, STEP_CLOSE, "a recovery after more mail",
		    out);
		memcpy(&c->found, keep, sizeof(c->found));
	}
	free(keep);
	return ok ? &c->found : NULL;
}

const struct oracle_found *
check_recovery(struct check *c, const char *path, const struct check_how *how,
    FILE *out)
{
	c->in_parts = how->in_parts;
	if (!run_step(c, path, STEP_LOOK, out))
		return NULL;
	memcpy(&c->found, &c->shared->first, sizeof(c->found));
	if (how->goes_on)
		return recover_and_go_on(c, path, out);
	return again(c, path, STEP_LOOK, "a second recovery", out) ?
	    &c->found : NULL;
}

bool
check_has_crashed(const struct check *c)
{
	return c->has_crashed;
}
