/*
 * Of each seed there is a row of recordings: the first of an empty spool, each
 * further one of a spool as a power cut left it, so that a recovery is cut off
 * as well.
 */
#include "tests/crash/power.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "tests/crash/check.h"
#include "tests/crash/states.h"
#include "tests/crash/tree.h"

#define TRACE_BYTES ((size_t)1 << 30)

enum { PATH_BYTES = 512, GENERATIONS = 3, GOES_ON_EACH = 3 };

/* One recording and what is needed to judge its states. */
struct trial {
	const struct power_params *params;
	struct power_figures *figures;
	FILE *out;
	struct trace *trace;
	uint64_t seed;
	struct oracle *oracle;
	struct check *check;
	struct rng dice;
	char live[PATH_BYTES];		/* the recorded spool */
	char state[PATH_BYTES];		/* a crash's */
	char next[PATH_BYTES];		/* one to go on from */
	bool has_next;
	size_t next_at;			/* after so many states */
	bool is_next_building;		/* a power cut once more there */
	bool must_have_index;		/* a start is through with it */
	struct oracle_found base;	/* what is in it */
};

static void
join(char out[PATH_BYTES], const char *dir, const char *name)
{
	(void)snprintf(out, PATH_BYTES, "%s/%s", dir, name);
}

static void
print_note(const struct note *n, FILE *out)
{
	static const char *const kinds[] = { "", "base", "opened", "submit",
	    "verdict", "hold", "due", "lease", "dropped", "refused", "synced",
	    "answered" };

	fprintf(out, "note %s group %" PRIu64 " message %016" PRIx64
	    " unit %u rows %u-%u%s cause %" PRIx64 "\n", kinds[n->kind],
	    n->group, n->id, n->unit, n->first, n->last,
	    n->is_settled ? " settled" : "", n->cause);
}

static void
print_event(const struct trace *t, size_t i, FILE *out)
{
	static const char *const kinds[] = { "", "create", "link", "write",
	    "size", "sync", "sync failed", "rename", "unlink", "" };
	const struct trace_event *e = trace_at(t, i);

	fprintf(out, "%zu ", i);
	if (e->kind == TRACE_NOTE) {
		print_note((const struct note *)(const void *)
		    trace_data(t, e), out);
		return;
	}
	fprintf(out, "%s %" PRIu64 " in %" PRIu64 " at %" PRIu64 " n %" PRIu64
	    " %s %s%s%s\n", kinds[e->kind], e->ino, e->dir, e->at, e->n,
	    e->name, e->to, e->data == 0 ? "" : " data",
	    e->flags & TRACE_IS_DURABLE ? " durable" : "");
}

/* ---- one state ---- */

static bool
index_was_committed(const struct disk *d)
{
	return disk_syncs(d, "data.mdb") > 0;
}

/* The names that survive may be without the index, which then is made anew. */
static bool
lacks_index(const char *path)
{
	char name[PATH_BYTES + 32];
	struct stat st;

	(void)snprintf(name, sizeof(name), "%s/index/data.mdb", path);
	return stat(name, &st) != 0 || st.st_size == 0;
}

static bool
has_half_an_index(const char *path)
{
	char name[PATH_BYTES + 32];

	(void)snprintf(name, sizeof(name), "%s/index/data.mdb.new", path);
	return lacks_index(path) && access(name, F_OK) == 0;
}

static void
take_index(const char *path)
{
	char name[PATH_BYTES + 32];

	(void)snprintf(name, sizeof(name), "%s/index", path);
	tree_remove(name);
}

static void
say_state(const struct trial *t, const struct disk *d, const struct state *s)
{
	const struct trace_event *e = trace_at(t->trace, s->point);

	fprintf(t->out, "FAILED: seed %" PRIu64 " of %zu events (%s, %s; %zu "
	    "pending): --point %zu --kind %d --item %zu --arg %" PRIu64
	    "%s%s\n", t->seed, trace_count(t->trace), e->name,
	    state_name(s->kind), disk_pending(d), s->point, (int)s->kind,
	    s->item, s->arg, s->with_sizes ? " --sizes-kept" : "",
	    s->without_index ? " --index-lost" : "");
}

/* As it was when FOUND was found in it: with its index it may know more of when
 * a message was tried last. */
static void
copy_for_next(struct trial *t, const struct disk *d,
    const struct disk_choice *choice, const struct oracle_found *found,
    bool is_building, bool without_index)
{
	if (t->next_at > 0 && t->next_at-- > 0)
		return;
	/* best one in which the index is being made: it is begun once more */
	if (t->has_next && (t->is_next_building || !is_building))
		return;
	t->is_next_building = is_building;
	tree_remove(t->next);
	t->has_next = disk_write_out(d, choice, t->next);
	if (without_index)
		take_index(t->next);
	memcpy(&t->base, found, sizeof(t->base));
}

static bool
try_state(struct trial *t, const struct disk *d, const struct state *s,
    unsigned number)
{
	const struct state_keep keep = { .d = d, .t = t->trace, .state = s };
	const struct disk_choice choice = states_choice(&keep);
	const struct oracle_found *found;
	struct check_how how = { .goes_on = number % GOES_ON_EACH == 0,
	    .in_parts = number % 2 == 0 };
	bool is_bare, is_building, ok;

	tree_remove(t->state);
	if (!disk_write_out(d, &choice, t->state)) {
		fprintf(t->out, "a state can't be made\n");
		return false;
	}
	if (s->without_index)
		take_index(t->state);
	if (t->must_have_index && !s->without_index && lacks_index(t->state)) {
		fprintf(t->out, "the index is gone\n");
		t->figures->wrong++;
		say_state(t, d, s);
		return false;
	}
	is_bare = lacks_index(t->state) || !index_was_committed(d);
	is_building = has_half_an_index(t->state);
	found = check_recovery(t->check, t->state, &how, t->out);
	ok = found != NULL && oracle_judge(t->oracle, s->point, found,
	    is_bare, t->out);
	t->figures->states++;
	t->figures->kinds[s->kind]++;
	t->figures->without_index += is_bare;
	t->figures->building += is_building;
	t->figures->wrong += !ok && !check_has_crashed(t->check);
	if (ok)
		copy_for_next(t, d, &choice, found, is_building,
		    s->without_index);
	else
		say_state(t, d, s);
	return ok;
}

/* ---- one recording ---- */

/* The model of the disk with nothing lost is the real one, or something was
 * not recorded. */
static bool
recording_is_whole(struct trial *t, const struct disk *d)
{
	char why[256] = "";

	if (!trace_is_whole(t->trace)) {
		fprintf(t->out, "the recording is too long\n");
		return false;
	}
	if (disk_is_like(d, t->live, why))
		return true;
	fprintf(t->out, "seed %" PRIu64 ": not all was recorded: %s\n",
	    t->seed, why);
	return false;
}

static void
keep_failure(const struct trial *t)
{
	char path[PATH_BYTES + 64];

	if (!t->params->keeps_failures)
		return;
	(void)snprintf(path, sizeof(path), "%s/failed-%" PRIu64 ".trace",
	    t->params->dir, t->seed);
	if (trace_save(t->trace, path))
		fprintf(t->out, "kept as %s\n", path);
}

/* Its name is durable before a start goes on; an operator may take it away. */
static void
look_at_index(struct trial *t, const struct trace_event *e)
{
	if (e->kind == TRACE_NOTE)
		t->must_have_index |= ((const struct note *)(const void *)
		    trace_data(t->trace, e))->kind == NOTE_OPENED;
	else if (e->kind == TRACE_UNLINK && strcmp(e->name, "data.mdb") == 0)
		t->must_have_index = false;
}

static bool
try_states(struct trial *t)
{
	struct state_list list = { .p = NULL };
	struct disk *d = disk_new(t->trace);
	size_t next = 0;
	bool ok = true, stops = false;

	MUST(d != NULL);
	t->must_have_index = false;
	states_choose(t->trace, t->params->states, &t->dice, &list);
	t->next_at = rng_below(&t->dice, list.n);
	for (size_t i = 0; i < trace_count(t->trace) && !stops; i++) {
		disk_apply(d, i);
		look_at_index(t, trace_at(t->trace, i));
		for (; next < list.n && list.p[next].point == i && !stops;
		    next++) {
			if (try_state(t, d, &list.p[next], (unsigned)next))
				continue;
			ok = false;
			t->figures->failures++;
			stops = t->params->stops_at_wrong ?
			    t->figures->wrong > 0 : t->figures->failures >= 5;
		}
	}
	if (!ok)
		keep_failure(t);
	else
		ok = recording_is_whole(t, d);
	states_clear(&list);
	disk_free(&d);
	return ok;
}

static void
count(struct trial *t)
{
	struct power_figures *f = t->figures;
	struct oracle_figures o;

	oracle_figures(t->oracle, &o);
	f->recordings++;
	f->events += trace_count(t->trace);
	f->messages += o.messages;
	f->reports += o.reports;
	f->verdicts += o.verdicts;
	f->refused += o.refused;
	f->lives += o.lives;
}

static bool
try_recording(struct trial *t, const struct history_params *h)
{
	bool ok;

	trace_reset(t->trace);
	if (!history_record(t->trace, h, t->out)) {
		keep_failure(t);
		return false;
	}
	t->oracle = oracle_new(t->trace);
	if (t->oracle == NULL) {
		fprintf(t->out, "seed %" PRIu64 ": the notes make no sense\n",
		    t->seed);
		keep_failure(t);
		return false;
	}
	count(t);
	if (h->kind == HISTORY_REBUILD)
		oracle_may_forget(t->oracle);
	ok = try_states(t);
	oracle_free(&t->oracle);
	return ok;
}

/* ---- one seed ---- */

static bool
trial_init(struct trial *t, const struct power_params *p)
{
	t->params = p;
	t->trace = trace_new(TRACE_BYTES);
	t->check = check_new();
	join(t->live, p->dir, "live");
	join(t->state, p->dir, "state");
	join(t->next, p->dir, "next");
	return t->trace != NULL && t->check != NULL;
}

static void
trial_clear(struct trial *t)
{
	tree_remove(t->live);
	tree_remove(t->state);
	tree_remove(t->next);
	trace_free(&t->trace);
	check_free(&t->check);
}

static bool
try_generations(struct trial *t, struct history_params *h)
{
	const struct oracle_found *base = NULL;
	bool ok = true;

	for (unsigned i = 0; i < GENERATIONS && ok; i++) {
		tree_remove(t->live);
		if (i > 0 && !t->has_next)
			return true;
		if ((i > 0 ? rename(t->next, t->live) :
		    mkdir(t->live, 0700)) != 0)
			return false;
		if (i > 0)
			base = &t->base;
		h->base = base;
		/* tokens differ from those before */
		h->seed = t->seed * GENERATIONS + i;
		t->has_next = t->is_next_building = false;
		ok = try_recording(t, h);
	}
	return ok;
}

bool
power_try(const struct power_params *p, uint64_t seed,
    struct power_figures *figures, FILE *out)
{
	struct trial *t = calloc(1, sizeof(*t));
	struct history_params h = { .lives = p->lives, .steps = p->steps };
	bool ok;

	MUST(t != NULL);
	t->figures = figures;
	t->out = out;
	t->seed = seed;
	rng_init(&t->dice, seed);
	ok = trial_init(t, p);
	h.path = t->live;
	h.kind = p->only >= 0 ? (enum history_kind)p->only :
	    (enum history_kind)(seed % HISTORY_KINDS);
	if (h.kind == HISTORY_FAULTS)
		h.lives *= 2;
	if (h.kind == HISTORY_KILLS) {
		h.lives *= 3;
		h.steps = h.steps / 3 + 1;
	}
	ok = ok && try_generations(t, &h);
	trial_clear(t);
	free(t);
	return ok;
}

/* ---- a recording that was kept ---- */

bool
power_again(const struct power_params *p, const char *recording,
    const struct state *state, FILE *out)
{
	struct power_figures figures = { .states = 0 };
	struct trial *t = calloc(1, sizeof(*t));
	struct disk *d = NULL;
	bool ok;

	MUST(t != NULL);
	t->figures = &figures;
	t->out = out;
	ok = trial_init(t, p) && trace_load(t->trace, recording) &&
	    (t->oracle = oracle_new(t->trace)) != NULL &&
	    (d = disk_new(t->trace)) != NULL;
	if (ok && p->only == HISTORY_REBUILD)
		oracle_may_forget(t->oracle);
	for (size_t i = 0; ok && i < trace_count(t->trace) &&
	    i <= state->point; i++) {
		disk_apply(d, i);
		look_at_index(t, trace_at(t->trace, i));
		print_event(t->trace, i, out);
	}
	ok = ok && try_state(t, d, state, 0);
	oracle_free(&t->oracle);
	disk_free(&d);
	trial_clear(t);
	free(t);
	return ok;
}
