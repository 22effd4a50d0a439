/*
 * Lives one after the other, a process each.
 */
#include "tests/crash/history.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "queued/store/store_body.h"
#include "queued/store/store_private.h"
#include "queued/store/store_write.h"
#include "tests/crash/check.h"
#include "tests/crash/life.h"
#include "tests/crash/record.h"

enum { LIFE_ENDED = 0, LIFE_FAILED = 1, PATH_BYTES = 512 };

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

static bool
remember(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct life *l = ctx;

	(void)units;
	if (l->count < LIFE_MAILS)
		l->mails[l->count++] = (struct life_mail){ .id = m->id };
	return true;
}

static void
live(struct life *l, const struct history_params *p, unsigned number)
{
	struct store_params params = { .path = p->path,
	    .segment_bytes = CHECK_SEGMENT_BYTES,
	    .memory_bytes = CHECK_MEMORY_BYTES, .list_block = VIEW_BLOCK,
	    .replay_bytes = p->kind == HISTORY_REBUILD ?
	    CHECK_REPLAY_BYTES : 0 };
	struct why why = { .text = "" };

	if (store_open(&params, &life_ops, l, &l->s, &why) != OK) {
		/* a fault may forbid a start, the next one must do */
		fprintf(stderr, "no start: %s\n", why.text);
		record_exit(record_failures() > 0 ? LIFE_DEAD : LIFE_FAILED);
	}
	l->synced = store_synced(l->s);
	life_note_group(l, NOTE_OPENED, l->synced);
	(void)store_walk(l->s, 0, LIFE_MAILS, remember, l);
	for (unsigned i = 0; i < p->steps; i++) {
		life_act(l);
		if (life_below(l, 2) == 0)
			life_pause(l);
	}
	/* the last one, and some of the others, in order */
	if (number + 1 == p->lives || life_below(l, 3) == 0) {
		record_fail_nothing();
		if (l->body_token != 0)
			store_body_drop(l->s, l->body_token);
		life_checkpoint(l);
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
		    life_below(&l, (uint64_t)p->steps * 5));
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
	return code == LIFE_ENDED || code == RECORD_KILLED || code == LIFE_DEAD;
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
