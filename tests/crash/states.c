#include "tests/crash/states.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "tests/crash/note.h"

enum { ITEMS_MAX = 24, TORN_FEW = 1, TORN_AIMED = 3 };
enum { PAGE_PARTS = DISK_PAGE / DISK_SECTOR };

static const char *const names[STATE_KINDS] = {
	[STATE_NONE] = "all lost", [STATE_ALL] = "all kept",
	[STATE_LOSE_ONE] = "one lost", [STATE_KEEP_ONE] = "one kept",
	[STATE_FILES_ONLY] = "names lost", [STATE_NAMES_ONLY] = "files lost",
	[STATE_ONE_DIR_LOST] = "a directory lost",
	[STATE_TORN_FRONT] = "torn behind", [STATE_TORN_BACK] = "torn before",
	[STATE_RANDOM_SECTORS] = "random sectors",
	[STATE_RANDOM_WRITES] = "random writes",
	[STATE_RANDOM_NAMES] = "random names",
};

const char *
state_name(enum state_kind kind)
{
	return names[kind];
}

/* ---- what survives ---- */

/* A throw that depends on nothing but the state and the part. */
static bool
toss(const struct state *s, size_t i, size_t p)
{
	uint64_t x = s->arg + 0x9e3779b97f4a7c15U * (i + 1) +
	    0xc2b2ae3d27d4eb4fU * (p + 1);

	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdU;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53U;
	x ^= x >> 33;
	/* some states keep most, some lose most */
	return (x & 15) < 2 + (s->arg & 3) * 4;
}

static const struct trace_event *
item(const struct state_keep *k, size_t i)
{
	return trace_at(k->t, disk_pending_event(k->d, i));
}

static bool
is_of_file(const struct trace_event *e)
{
	return e->kind == TRACE_WRITE || e->kind == TRACE_SIZE;
}

static bool
keeps(const void *ctx, size_t i, size_t p)
{
	const struct state_keep *k = ctx;
	const struct state *s = k->state;

	switch (s->kind) {
	case STATE_NONE:
		return false;
	case STATE_LOSE_ONE:
		return i != s->item;
	case STATE_KEEP_ONE:
		return i == s->item;
	case STATE_FILES_ONLY:
		return is_of_file(item(k, i));
	case STATE_NAMES_ONLY:
		return !is_of_file(item(k, i));
	case STATE_ONE_DIR_LOST:
		return is_of_file(item(k, i)) || item(k, i)->dir != s->arg;
	case STATE_TORN_FRONT:
		return i != s->item || p < s->arg;
	case STATE_TORN_BACK:
		return i != s->item || p >= s->arg;
	case STATE_RANDOM_SECTORS:
		return toss(s, i, is_of_file(item(k, i)) ? p : 0);
	case STATE_RANDOM_WRITES:
		return toss(s, i, 0);
	case STATE_RANDOM_NAMES:
		return is_of_file(item(k, i)) || toss(s, i, 0);
	case STATE_ALL:
	case STATE_KINDS:
		break;
	}
	return true;
}

struct disk_choice
states_choice(const struct state_keep *keep)
{
	return (struct disk_choice){ .keeps = keeps, .ctx = keep,
	    .with_sizes = keep->state->with_sizes };
}

/* ---- all states of a point ---- */

static void
add(struct state_list *list, const struct state *s)
{
	if (list->n == list->size) {
		list->size = list->size > 0 ? list->size * 2 : 1024;
		list->p = realloc(list->p, list->size * sizeof(*list->p));
		MUST(list->p != NULL);
	}
	list->p[list->n++] = *s;
}

static void
add_torn(const struct disk *d, struct state s, struct rng *dice,
    unsigned count, struct state_list *list)
{
	size_t parts = disk_pending_parts(d, s.item);

	for (unsigned i = 0; i < count && parts > 1; i++) {
		s.kind = rng_below(dice, 2) == 0 ? STATE_TORN_FRONT :
		    STATE_TORN_BACK;
		s.arg = 1 + rng_below(dice, parts - 1);
		/* each second one at a page */
		if (i % 2 == 1 && parts > PAGE_PARTS)
			s.arg = (1 + rng_below(dice, (parts - 1) /
			    PAGE_PARTS)) * PAGE_PARTS;
		s.with_sizes = rng_below(dice, 2) == 0;
		add(list, &s);
	}
}

static void
add_random(struct state s, struct rng *dice, unsigned count,
    struct state_list *list)
{
	for (unsigned i = 0; i < count; i++) {
		s.kind = (enum state_kind)(STATE_RANDOM_SECTORS +
		    rng_below(dice, 3));
		s.arg = rng_u64(dice);
		s.with_sizes = rng_below(dice, 2) == 0;
		add(list, &s);
	}
}

static void
add_dirs(const struct disk *d, const struct trace *t, struct state s,
    struct state_list *list)
{
	uint64_t last = 0;

	s.kind = STATE_ONE_DIR_LOST;
	for (size_t i = 0; i < disk_pending(d); i++) {
		const struct trace_event *e =
		    trace_at(t, disk_pending_event(d, i));

		if (is_of_file(e) || e->dir == last)
			continue;
		s.arg = last = e->dir;
		add(list, &s);
	}
}

static void
states_of(const struct disk *d, const struct trace *t, size_t point,
    bool is_aimed, struct rng *dice, struct state_list *list)
{
	size_t n = disk_pending(d), i = n > ITEMS_MAX ? n - ITEMS_MAX : 0;
	unsigned torn = is_aimed ? TORN_AIMED : TORN_FEW;
	struct state s = { .point = point, .kind = STATE_ALL };

	add(list, &s);
	if (n == 0)
		return;
	for (s.kind = STATE_NONE; s.kind <= STATE_NAMES_ONLY; s.kind++) {
		if (s.kind == STATE_NONE || s.kind >= STATE_FILES_ONLY)
			add(list, &s);
	}
	s.kind = STATE_NONE;
	s.with_sizes = true;
	add(list, &s);
	s.with_sizes = false;
	add_dirs(d, t, s, list);
	/* the newest ones; the older were the newest before */
	for (; i < n; i++) {
		s.item = i;
		s.kind = STATE_LOSE_ONE;
		add(list, &s);
		s.kind = STATE_KEEP_ONE;
		add(list, &s);
		add_torn(d, s, dice, i + 1 == n ? 2 * torn : 1, list);
	}
	s.item = 0;
	add_random(s, dice, 2 + 2 * torn, list);
}

void
states_at(const struct disk *d, size_t point, bool is_aimed,
    struct rng *dice, struct state_list *list)
{
	states_of(d, disk_trace(d), point, is_aimed, dice, list);
}

void
states_clear(struct state_list *list)
{
	free(list->p);
	free(list->keys);
	memset(list, 0, sizeof(*list));
}

/* ---- choosing ---- */

static bool
is_index(const char *name)
{
	return strncmp(name, "data.mdb", 8) == 0;
}

/* A promise makes the same disk worth another look. */
static unsigned
note_weight(const struct note *n)
{
	return n->kind == NOTE_SYNCED || n->kind == NOTE_REFUSED ||
	    n->kind == NOTE_OPENED ? 10 : 0;
}

unsigned
states_weight(const struct trace *t, size_t event)
{
	const struct trace_event *e = trace_at(t, event);

	if ((e->flags & TRACE_IS_BASE) != 0)
		return 0;
	if ((e->flags & TRACE_IS_DURABLE) != 0)
		return 12;	/* a commit of the index */
	switch (e->kind) {
	case TRACE_RENAME:
		/* another file in the index's place: rare, and all of it */
		return is_index(e->name) ? 64 : 16;
	case TRACE_UNLINK:
	case TRACE_SYNC_FAILED:
		return 16;
	case TRACE_NOTE:
		return note_weight((const struct note *)(const void *)
		    trace_data(t, e));
	case TRACE_SYNC:
	case TRACE_LINK:
		return 4;
	case TRACE_WRITE:
		/* the filling of spares is dull */
		return trace_data(t, e) == NULL ? 1 :
		    e->at == 0 ? 10 : 3;
	default:
		return is_index(e->name) ? 4 : 2;
	}
}

/* Weighted sampling without replacement: the smallest keys win. */
static void
give_keys(struct state_list *list, size_t from, unsigned weight,
    struct rng *dice)
{
	list->keys = realloc(list->keys, list->size * sizeof(*list->keys));
	MUST(list->keys != NULL);
	for (size_t i = from; i < list->n; i++) {
		double u = ((double)(rng_u64(dice) >> 11) + 1) / 9007199254740993.0;

		/* a point counts as one, however many states it has */
		list->keys[i] = -log(u) * (double)(list->n - from + 10) /
		    weight;
	}
}

static int
compare_keys(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Keeps those MAX with the smallest keys, in order. */
static void
thin_out(struct state_list *list, size_t max)
{
	double *sorted, limit;
	size_t kept = 0;

	if (list->n <= max)
		return;
	sorted = malloc(list->n * sizeof(*sorted));
	MUST(sorted != NULL);
	memcpy(sorted, list->keys, list->n * sizeof(*sorted));
	qsort(sorted, list->n, sizeof(*sorted), compare_keys);
	limit = sorted[max];
	free(sorted);
	for (size_t i = 0; i < list->n; i++) {
		if (list->keys[i] < limit)
			list->p[kept++] = list->p[i];
	}
	list->n = kept;
}

void
states_choose(const struct trace *t, size_t max,
    struct rng *dice, struct state_list *out)
{
	struct disk *d = disk_new(t);

	MUST(d != NULL);
	for (size_t i = 0; i < trace_count(t); i++) {
		unsigned weight = states_weight(t, i);
		size_t from = out->n;

		disk_apply(d, i);
		if (weight == 0)
			continue;
		states_at(d, i, weight > 8, dice, out);
		give_keys(out, from, weight, dice);
		/* one in six without its index too */
		for (size_t k = from; k < out->n; k++)
			out->p[k].without_index = rng_below(dice, 6) == 0;
	}
	disk_free(&d);
	thin_out(out, max);
}
