/*
 * Two tables of the same make: failures of clients and of names in one, pairs
 * that were let in in the other, where only a good password makes an entry
 * and so no flood can push one out.
 */
#include "keyd/guesses.h"

#include <stdlib.h>

#define WAYS		4u
#define FAILED_SETS	8192u		/* powers of two */
#define KNOWN_SETS	4096u

struct entry {
	uint64_t key;			/* 0: none */
	int64_t last_ms;
	int64_t next_ms;		/* the last answer goes then */
	uint32_t failures;
};

struct table {
	struct entry *entries;
	uint32_t sets;
	int64_t keep_ms;
};

struct guesses {
	struct siphash_key key;
	struct table failed;
	struct table known;
};

enum { OF_CLIENT = 1, OF_USER, OF_PAIR };	/* what a key is of */

/* ---- tables ---- */

static struct entry *
set_of(const struct table *t, uint64_t key)
{
	return &t->entries[(key & (t->sets - 1)) * WAYS];
}

static bool
is_old(const struct table *t, const struct entry *e, int64_t now_ms)
{
	return e->key == 0 || now_ms - e->last_ms > t->keep_ms;
}

static struct entry *
find(const struct table *t, uint64_t key, int64_t now_ms)
{
	struct entry *set = set_of(t, key);

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].key == key && !is_old(t, &set[i], now_ms))
			return &set[i];
	}
	return NULL;
}

/* Whom to forget: the old, then who failed least, then who was quiet longest. */
static bool
is_better_victim(const struct table *t, const struct entry *a,
    const struct entry *b, int64_t now_ms)
{
	const bool a_is_old = is_old(t, a, now_ms);

	if (a_is_old != is_old(t, b, now_ms))
		return a_is_old;
	if (a->failures != b->failures)
		return a->failures < b->failures;
	return a->last_ms < b->last_ms;
}

static struct entry *
find_or_add(struct table *t, uint64_t key, int64_t now_ms)
{
	struct entry *e = find(t, key, now_ms), *set = set_of(t, key);

	if (e != NULL)
		return e;
	e = &set[0];
	for (unsigned i = 1; i < WAYS; i++) {
		if (is_better_victim(t, &set[i], e, now_ms))
			e = &set[i];
	}
	*e = (struct entry){ .key = key, .last_ms = now_ms,
	    .next_ms = now_ms };
	return e;
}

/* ---- life ---- */

static enum err
table_init(struct table *t, uint32_t sets, int64_t keep_ms)
{
	t->entries = calloc((size_t)sets * WAYS, sizeof(*t->entries));
	t->sets = sets;
	t->keep_ms = keep_ms;
	return t->entries != NULL ? OK : ERR_NOMEM;
}

enum err
guesses_new(const struct siphash_key *key, struct guesses **out)
{
	struct guesses *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return ERR_NOMEM;
	g->key = *key;
	if (table_init(&g->failed, FAILED_SETS, GUESSES_FORGET_MS) != OK ||
	    table_init(&g->known, KNOWN_SETS, GUESSES_KNOWN_MS) != OK) {
		guesses_free(&g);
		return ERR_NOMEM;
	}
	*out = g;
	return OK;
}

void
guesses_free(struct guesses **g)
{
	if (*g == NULL)
		return;
	free((*g)->failed.entries);
	free((*g)->known.entries);
	free(*g);
	*g = NULL;
}

/* ---- waits ---- */

/* Of the failure that comes after FAILURES others. */
static int64_t
wait_after(uint32_t failures)
{
	int64_t ms = 1000;

	if (failures < GUESSES_FREE)
		return 0;
	for (uint32_t i = GUESSES_FREE; i < failures; i++) {
		ms *= 2;
		if (ms >= GUESSES_WAIT_MAX_MS)
			return GUESSES_WAIT_MAX_MS;
	}
	return ms;
}

static uint64_t
key_of(const struct guesses *g, uint64_t kind, uint64_t a, uint64_t b)
{
	const uint64_t parts[3] = { kind, a, b };
	const uint64_t key = siphash(&g->key, span_of(parts, sizeof(parts)));

	return key != 0 ? key : 1;
}

/* A failure of E, whose answers go one behind the other; false when this one's
 * would go too late. */
static bool
queue(struct entry *e, int64_t now_ms, int64_t *at_ms)
{
	const int64_t begin = e->next_ms > now_ms ? e->next_ms : now_ms;
	const int64_t at = begin + wait_after(e->failures);

	if (at - now_ms > GUESSES_WAIT_MAX_MS)
		return false;
	*at_ms = at;
	return true;
}

static void
count(struct entry *e, int64_t at_ms, int64_t now_ms)
{
	if (e->failures < UINT32_MAX)
		e->failures++;
	e->last_ms = now_ms;
	if (e->next_ms < at_ms)
		e->next_ms = at_ms;
}

static enum err
begin_known(struct entry *pair, int64_t now_ms, struct guess *out)
{
	if (!queue(pair, now_ms, &out->answer_at_ms))
		return ERR_FULL;
	out->is_known = true;
	count(pair, out->answer_at_ms, now_ms);
	return OK;
}

static enum err
begin_stranger(struct guesses *g, int64_t now_ms, struct guess *out)
{
	struct entry *client = find_or_add(&g->failed, out->client, now_ms);
	struct entry *user;
	int64_t user_ms;

	if (!queue(client, now_ms, &out->answer_at_ms))
		return ERR_FULL;
	count(client, out->answer_at_ms, now_ms);
	user = find_or_add(&g->failed, out->user, now_ms);
	user_ms = wait_after(user->failures);
	if (user_ms > GUESSES_USER_MS)
		user_ms = GUESSES_USER_MS;
	count(user, now_ms, now_ms);
	if (out->answer_at_ms < now_ms + user_ms)
		out->answer_at_ms = now_ms + user_ms;
	return OK;
}

enum err
guesses_begin(struct guesses *g, const struct ipaddr *client,
    struct span user, int64_t now_ms, struct guess *out)
{
	const uint64_t who = ipaddr_client_key(client, &g->key);
	const uint64_t name = siphash(&g->key, user);
	struct guess guess = {
		.client = key_of(g, OF_CLIENT, who, 0),
		.user = key_of(g, OF_USER, name, 0),
		.pair = key_of(g, OF_PAIR, who, name),
	};
	struct entry *pair = find(&g->known, guess.pair, now_ms);
	enum err e = pair != NULL ? begin_known(pair, now_ms, &guess) :
	    begin_stranger(g, now_ms, &guess);

	if (e == OK)
		*out = guess;
	return e;
}

/* ---- ends ---- */

static void
take_back(struct table *t, uint64_t key, int64_t now_ms)
{
	struct entry *e = find(t, key, now_ms);

	if (e != NULL && e->failures > 0)
		e->failures--;
}

void
guesses_undo(struct guesses *g, const struct guess *guess, int64_t now_ms)
{
	if (guess->is_known) {
		take_back(&g->known, guess->pair, now_ms);
		return;
	}
	take_back(&g->failed, guess->client, now_ms);
	take_back(&g->failed, guess->user, now_ms);
}

void
guesses_good(struct guesses *g, const struct guess *guess, int64_t now_ms)
{
	struct entry *pair;

	guesses_undo(g, guess, now_ms);
	pair = find_or_add(&g->known, guess->pair, now_ms);
	pair->failures = 0;
	pair->last_ms = now_ms;
}
