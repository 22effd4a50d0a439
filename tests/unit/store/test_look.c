/*
 * Looks at the queue: by whatever path, they find what a walk over all of it
 * finds, whether it lies in memory, in the index, in both or between them
 * (I-04, I-10).  Histories are random; a failure prints its seed.
 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/text.h"
#include "queued/store/store_look.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_row.h"
#include "queued/store/store_term.h"
#include "tests/unit/store/store_rig.h"

enum { IDS = 4096, SENDERS = 6, DOMAINS = 5, STEPS = 250 };

static const char *const senders[SENDERS] = {
	"ann@one.example", "Ann@One.Example", "bob@one.example", "",
	"carol@two.example", "odd",
};

static const char *const domains[DOMAINS] = {
	"a.example", "A.Example", "b.example", "c.example", "d.example",
};

/* No term of the index: all that is due. */
#define STORE_TERM_NOT_HELD STORE_TERMS

/* What is looked for, and what was found. */
struct wanted {
	enum store_term term;
	const char *text;
	uint64_t from, until;		/* of the arrival */
	uint64_t ids[IDS];
	size_t n;
	uint64_t last;
	uint32_t recipients;		/* of what was found, open ones */
};

static struct span
domain_of(struct span address)
{
	size_t at = address.n;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	return at > 0 ? span_from(address, at) : SPAN_NONE;
}

static bool
unit_has(const struct wanted *w, const struct store_unit *u)
{
	for (uint32_t i = 0; i < u->count; i++) {
		if (!u->recipients[i].is_settled &&
		    span_equal_nocase(domain_of(u->recipients[i].address),
		    span_str(w->text)))
			return true;
	}
	return false;
}

static bool
is_wanted(const struct wanted *w, const struct store_message *m)
{
	switch ((int)w->term) {
	case STORE_TERM_SENDER:
		return span_equal_nocase(m->sender, span_str(w->text));
	case STORE_TERM_SENDER_DOMAIN:
		return span_equal_nocase(domain_of(m->sender),
		    span_str(w->text));
	case STORE_TERM_HELD:
		return m->is_held;
	case STORE_TERM_NOT_HELD:
		return !m->is_held;
	case STORE_TERM_MINUTE:
		return m->arrived_at >= w->from && m->arrived_at <= w->until;
	default:
		return false;
	}
}

static void
note(struct wanted *w, uint64_t id)
{
	cr_assert_gt(id, w->last);
	cr_assert_lt(w->n, IDS);
	w->last = id;
	w->ids[w->n++] = id;
}

static bool
on_walk(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct wanted *w = ctx;
	bool is_it = w->term != STORE_TERM_DOMAIN && is_wanted(w, m);
	uint32_t left = 0;

	for (; *units != NULL; units++) {
		is_it |= w->term == STORE_TERM_DOMAIN && unit_has(w, *units);
		left += (*units)->left;
	}
	if (is_it) {
		note(w, m->id);
		w->recipients += left;
	}
	return true;
}

static bool
on_look(void *ctx, struct store_glance *g)
{
	const struct store_message *m = store_glance_message(g);
	struct wanted *w = ctx;
	bool is_it = w->term != STORE_TERM_DOMAIN && is_wanted(w, m);
	const struct store_unit *u;
	uint32_t left = 0, again = 0;

	while ((u = store_glance_next(g)) != NULL) {
		cr_assert_eq(u->message->id, m->id);
		is_it |= w->term == STORE_TERM_DOMAIN && unit_has(w, u);
		left += u->left;
	}
	/* a second reading finds the same */
	store_glance_rewind(g);
	while ((u = store_glance_next(g)) != NULL)
		again += u->left;
	cr_assert_eq(left, again);
	cr_assert_eq(left, m->left);
	if (is_it) {
		note(w, m->id);
		w->recipients += left;
	}
	return true;
}

static bool
on_id(void *ctx, struct store_glance *g)
{
	size_t *n = ctx;

	(void)g;
	++*n;
	return true;
}

/* The ids that a path leads to: each is there, in order, and none of ALL is
 * missing. */
static void
check_ids(struct rig *r, const struct wanted *all,
    const struct store_path *path)
{
	struct store_path listed = STORE_PATH_ALL;
	size_t there = 0, found = 0;
	const uint64_t *p;
	struct buf ids;

	buf_init(&ids, IDS * sizeof(uint64_t));
	cr_assert(store_path_ids(r->s, path, IDS, &ids));
	p = (const uint64_t *)(const void *)ids.p;
	listed.is_listed = true;
	listed.ids = p;
	listed.id_count = ids.n / sizeof(uint64_t);
	for (size_t i = 0; i < listed.id_count; i++) {
		cr_assert(i == 0 || p[i - 1] < p[i]);
		found += found < all->n && all->ids[found] == p[i];
	}
	cr_assert_eq(found, all->n);
	for (uint64_t after = 0; after != UINT64_MAX;)
		after = store_look(r->s, &listed, after, IDS, on_id, &there);
	cr_assert_eq(there, listed.id_count);
	if (listed.id_count > 0) {
		size_t most = listed.id_count - 1;

		buf_reset(&ids);
		cr_assert_not(store_path_ids(r->s, path, most, &ids));
	}
	buf_clear(&ids);
}

static void
check_path(struct rig *r, struct rng *dice, struct wanted *w,
    const struct store_path *path)
{
	struct wanted *all = calloc(1, sizeof(*all));
	uint64_t after = 0;

	*all = *w;
	while (after != UINT64_MAX)
		after = store_walk(r->s, after, 50, on_walk, all);
	for (after = 0; after != UINT64_MAX;)
		after = store_look(r->s, path, after,
		    1 + (size_t)rng_below(dice, 9), on_look, w);
	cr_assert_eq(w->n, all->n, "term %d '%s': %zu of %zu", (int)w->term,
	    w->text, w->n, all->n);
	cr_assert_arr_eq(w->ids, all->ids, w->n * sizeof(*w->ids));
	cr_assert_eq(w->recipients, all->recipients);
	check_ids(r, all, path);
	free(all);
}

static void
check_term(struct rig *r, struct rng *dice, enum store_term term,
    const char *text)
{
	struct wanted *w = calloc(1, sizeof(*w));
	struct store_path path = STORE_PATH_ALL;

	w->term = term;
	w->text = text;
	path.has_term = true;
	path.term = term;
	path.text = span_str(text);
	check_path(r, dice, w, &path);
	free(w);
}

static void
check_arrival(struct rig *r, struct rng *dice, uint64_t from, uint64_t until)
{
	struct wanted *w = calloc(1, sizeof(*w));
	struct store_path path = STORE_PATH_ALL;

	w->term = STORE_TERM_MINUTE;
	w->text = "";
	w->from = from;
	w->until = until;
	store_path_arrived(r->s, &path, from, until);
	check_path(r, dice, w, &path);
	free(w);
}

/* Whatever is due has its id among those of the path. */
static void
check_due(struct rig *r, struct rng *dice)
{
	struct wanted *w = calloc(1, sizeof(*w));
	struct store_path path = STORE_PATH_ALL;
	struct buf ids;

	buf_init(&ids, 1 << 20);
	w->term = STORE_TERM_NOT_HELD;
	w->text = "";
	cr_assert(store_path_due(r->s, UINT64_MAX >> 1, IDS, &ids));
	path.is_listed = true;
	path.ids = (const uint64_t *)(const void *)ids.p;
	path.id_count = ids.n / sizeof(uint64_t);
	check_path(r, dice, w, &path);
	cr_assert(path.id_count < 2 ||
	    !store_path_due(r->s, UINT64_MAX >> 1, 1, &ids));
	buf_clear(&ids);
	free(w);
}

/* Nothing is due before the begin of time; what is held is there all the same. */
static void
check_awake(struct rig *r, struct rng *dice)
{
	struct wanted *w = calloc(1, sizeof(*w));
	struct store_path path = STORE_PATH_ALL;
	struct buf ids;

	buf_init(&ids, 1 << 20);
	w->term = STORE_TERM_HELD;
	w->text = "";
	cr_assert(store_path_awake(r->s, 0, IDS, &ids));
	path.is_listed = true;
	path.ids = (const uint64_t *)(const void *)ids.p;
	path.id_count = ids.n / sizeof(uint64_t);
	check_path(r, dice, w, &path);
	buf_clear(&ids);
	free(w);
}

static void
check_all(struct rig *r, struct rng *dice)
{
	for (size_t i = 0; i < SENDERS; i++)
		check_term(r, dice, STORE_TERM_SENDER, senders[i]);
	check_term(r, dice, STORE_TERM_SENDER, "nobody@one.example");
	check_term(r, dice, STORE_TERM_SENDER_DOMAIN, "one.example");
	check_term(r, dice, STORE_TERM_SENDER_DOMAIN, "ONE.example");
	for (size_t i = 0; i < DOMAINS; i++)
		check_term(r, dice, STORE_TERM_DOMAIN, domains[i]);
	check_term(r, dice, STORE_TERM_HELD, "");
	check_arrival(r, dice, 0, 200000);
	check_arrival(r, dice, 300000, 500000);
	check_arrival(r, dice, 900000, UINT64_MAX);
	check_arrival(r, dice, 5000000, UINT64_MAX);
	check_due(r, dice);
	check_awake(r, dice);
}

/* ---- histories ---- */

struct mail {
	uint64_t id;
	uint32_t units;
};

static void
submit(struct rig *r, struct rng *dice, struct mail *m)
{
	char to[256] = "";
	size_t n = 0, count = 1 + (size_t)rng_below(dice, 4);
	struct store_unit *u;

	r->sender = senders[rng_below(dice, SENDERS)];
	/* a clock that jumps back and forth */
	r->arrived_at = 1 + rng_below(dice, 1000000);
	for (size_t i = 0; i < count; i++)
		n += (size_t)snprintf(to + n, sizeof(to) - n, "%su%zu@%s",
		    i > 0 ? " " : "", i, domains[rng_below(dice, DOMAINS)]);
	u = rig_submit(r, to, "x\r\n");
	m->id = u->message->id;
	m->units = u->message->unit_count;
}

/* A unit in memory or out, tried, settled in part or wholly, held. */
static void
change(struct rig *r, struct rng *dice, const struct mail *m)
{
	uint32_t number = (uint32_t)rng_below(dice, m->units), row;
	struct store_unit *u;

	if (store_load_unit(r->s, m->id, number, &u) != OK)
		return;
	row = (uint32_t)rng_below(dice, u->count);
	switch (rng_below(dice, 6)) {
	case 0:
		if (rig_verdict(r, u, row, row, true, 0, "gone"))
			return;
		break;
	case 1:
		if (rig_verdict(r, u, 0, u->count - 1, true, 0, "gone"))
			return;
		break;
	case 2:
		(void)rig_verdict(r, u, row, row, false,
		    1000 + rng_below(dice, 9000), "later");
		break;
	case 3:
	case 4:
		cr_assert_eq(store_hold(r->s, u->message,
		    rng_below(dice, 3) != 0), OK);
		break;
	default:
		break;
	}
	if (rng_below(dice, 2) == 0)
		store_yield_unit(r->s, &u);
}

/* A check-point begins, and may not end before the next changes. */
static void
freeze(struct rig *r)
{
	r->s->overlay.begun_at_ms = INT64_MIN / 2;
	store_answered(r->s, store_synced(r->s));
	rig_turn(r, 0);
}

static void
one_history(uint64_t seed)
{
	struct mail *mails = calloc(STEPS, sizeof(*mails));
	struct rng dice;
	size_t n = 0;
	struct rig r;

	rng_init(&dice, seed);
	rig_init(&r);
	rig_open(&r);
	for (int i = 0; i < STEPS; i++) {
		uint64_t what = rng_below(&dice, 100);

		if (n == 0 || what < 35)
			submit(&r, &dice, &mails[n++]);
		else if (what < 88)
			change(&r, &dice, &mails[rng_below(&dice, n)]);
		else if (what < 92)
			rig_checkpoint(&r);
		else if (what < 97)
			freeze(&r);
		else
			check_all(&r, &dice);
	}
	check_all(&r, &dice);
	rig_checkpoint(&r);
	check_all(&r, &dice);
	rig_kill(&r, NULL);
	rig_open(&r);
	check_all(&r, &dice);
	rig_clear(&r);
	free(mails);
}

Test(look, every_path_finds_what_a_walk_finds, .timeout = 200)
{
	const char *text = getenv("MTAD_HISTORIES");
	uint64_t histories = text != NULL ? strtoull(text, NULL, 10) * 12 : 12;

	for (uint64_t i = 0; i < histories; i++)
		one_history(7000 + i);
}

/* ---- cases ---- */

struct tally {
	size_t n, units;
	size_t stop_at;
	uint64_t last;
};

static bool
tally(void *ctx, struct store_glance *g)
{
	struct tally *t = ctx;

	t->last = store_glance_message(g)->id;
	while (store_glance_next(g) != NULL)
		t->units++;
	return ++t->n != t->stop_at;
}

/* What was looked at stays where it was: nothing is loaded (I-04). */
Test(look, nothing_is_loaded)
{
	struct store_path path = STORE_PATH_ALL;
	struct tally t = { .n = 0 };
	struct store_figures f;
	struct store_unit *u;
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	for (int i = 0; i < 50; i++) {
		u = rig_submit(&r, "a@b.example c@d.example", "x\r\n");
		for (uint32_t n = 0; n < 2; n++) {
			struct store_unit *one =
			    store_find_unit(r.s, u->message->id, n);

			if (n == 1)
				u = one;
			store_yield_unit(r.s, &one);
		}
	}
	rig_checkpoint(&r);
	cr_assert_eq(store_look(r.s, &path, 0, 1000, tally, &t), UINT64_MAX);
	cr_assert_eq(t.n, 50);
	cr_assert_eq(t.units, 100);
	store_figures(r.s, &f);
	cr_assert_eq(f.memory_messages, 0);
	rig_clear(&r);
}

/* A page ends where its reader has enough, and the next goes on behind. */
Test(look, a_page_goes_on_behind_the_last)
{
	struct store_path path = STORE_PATH_ALL;
	struct tally t = { .stop_at = 7 };
	uint64_t after;
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	for (int i = 0; i < 20; i++) {
		(void)rig_submit(&r, "a@b.example", "x\r\n");
		if (i == 10)
			rig_checkpoint(&r);
	}
	after = store_look(r.s, &path, 0, 1000, tally, &t);
	cr_assert_eq(t.n, 7);
	cr_assert_eq(after, t.last);
	cr_assert_eq(store_look(r.s, &path, after, 1000, tally, &t),
	    UINT64_MAX);
	cr_assert_eq(t.n, 20);
	rig_clear(&r);
}

/* Held again while the index is about to forget the hold before. */
Test(look, a_hold_is_found_while_the_index_changes)
{
	struct store_path path = STORE_PATH_ALL;
	struct tally t = { .n = 0 };
	struct store_unit *u;
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	u = rig_submit(&r, "a@b.example", "x\r\n");
	cr_assert_eq(store_hold(r.s, u->message, true), OK);
	rig_checkpoint(&r);
	cr_assert_eq(store_hold(r.s, u->message, false), OK);
	rig_sync(&r);
	freeze(&r);
	cr_assert_eq(store_hold(r.s, u->message, true), OK);
	for (int i = 0; i < 1000 && r.s->overlay.is_frozen; i++) {
		(void)usleep(1000);
		store_turn(r.s);
	}
	cr_assert_not(r.s->overlay.is_frozen);
	path.has_term = true;
	path.term = STORE_TERM_HELD;
	cr_assert_eq(store_look(r.s, &path, 0, 9, tally, &t), UINT64_MAX);
	cr_assert_eq(t.n, 1);
	rig_clear(&r);
}

/* A text longer than a key of the index is found all the same. */
Test(look, a_long_text_is_cut_and_found)
{
	char address[3000];
	struct store_path path = STORE_PATH_ALL;
	struct store_term_key key;
	struct tally t = { .n = 0 };
	struct rig r;

	memset(address, 'l', sizeof(address));
	address[0] = 'a';
	address[1] = '@';
	address[sizeof(address) - 1] = '\0';
	store_term_key(STORE_TERM_DOMAIN, span_str(address + 2), &key);
	cr_assert_leq(key.n, STORE_TERM_KEY);
	rig_init(&r);
	rig_open(&r);
	path.has_term = true;
	path.term = STORE_TERM_DOMAIN;
	path.text = span_str(address + 2);
	cr_assert_eq(store_look(r.s, &path, 0, 9, tally, &t), UINT64_MAX);
	cr_assert_eq(t.n, 0);
	rig_clear(&r);
}

Test(look, a_pair_with_a_wrong_sum_is_no_pair)
{
	struct store_term_key term;
	uint8_t pair[STORE_TERM_PAIR];
	uint64_t id = 5;
	struct span key;

	store_term_key(STORE_TERM_DOMAIN, SPAN_LIT("example.org"), &term);
	key = span_of(term.p, term.n);

	store_term_from(77, pair);
	cr_assert_not(store_term_read(key, span_of(pair, sizeof(pair)), &id));
	cr_assert_not(store_term_read(key, span_of(pair, 8), &id));
	cr_assert_eq(id, 5);
}

/* An index of another format is set aside, not mixed with ours. */
Test(look, rows_of_an_unknown_format_are_set_aside)
{
	static const uint8_t none[1];
	struct store_row_key key = { .p = "format-1", .n = 8 };
	struct store_row_key ours = { .n = 8 };
	struct store_figures f;
	struct buf ops;
	struct rig r;
	size_t at;

	rig_init(&r);
	rig_open(&r);
	(void)rig_submit(&r, "a@b.example", "x\r\n");
	rig_checkpoint(&r);
	buf_init(&ops, 4096);
	memcpy(ours.p, store_index_meta_key().p, ours.n);
	store_index_delete(&ops, STORE_TABLE_META, &ours);
	at = store_index_put(&ops, STORE_TABLE_META, &key);
	buf_add(&ops, none, sizeof(none));
	store_index_put_end(&ops, at);
	cr_assert_eq(store_index_apply(r.s->index, buf_span(&ops)), OK);
	buf_clear(&ops);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_not_null(strstr(r.notices, "index-rebuilt"));
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 1);
	rig_clear(&r);
}

static bool
count_one(void *ctx, struct store_glance *g)
{
	(void)g;
	(*(size_t *)ctx)++;
	return true;
}

/* Pages that are neither branch nor leaf, under LMDB's eyes. */
static void
spoil_pages(const struct rig *r)
{
	static const uint8_t no_flags[2];
	char path[RIG_PATH];
	struct stat st;
	int fd;

	rig_path(r, path, "index", "data.mdb");
	fd = open(path, O_WRONLY);
	cr_assert_eq(fstat(fd, &st), 0);
	for (off_t at = 2 * 4096; at < st.st_size; at += 4096)
		cr_assert_eq(pwrite(fd, no_flags, 2, at + 10), 2);
	(void)close(fd);
}

/* R-11, I-10: an answer that lacks rows is none, and the next start makes the
 * index anew. */
Test(look, a_damaged_page_is_no_end_of_the_queue)
{
	struct store_path all = { .last = UINT64_MAX };
	struct store_figures f;
	size_t seen = 0;
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	for (int i = 0; i < 500; i++)
		(void)rig_submit(&r, "a@b.example", "x\r\n");
	rig_checkpoint(&r);
	rig_close(&r);
	rig_open(&r);
	store_figures(r.s, &f);
	cr_assert_eq(f.memory_messages, 0);
	cr_assert_eq(store_look(r.s, &all, 0, 1000, count_one, &seen),
	    UINT64_MAX);
	cr_assert_eq(seen, 500);
	spoil_pages(&r);
	cr_assert_lt(store_look(r.s, &all, 0, 1000, count_one, &seen),
	    UINT64_MAX);
	cr_assert_not_null(strstr(r.notices, "index-damage"), "%s", r.notices);
	/* once */
	(void)store_look(r.s, &all, 0, 1000, count_one, &seen);
	rig_turn(&r, 1);
	cr_assert_eq(r.notice_count, 1, "%s", r.notices);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_not_null(strstr(r.notices, "index-rebuilt"));
	store_figures(r.s, &f);
	cr_assert_eq(f.messages, 500);
	rig_clear(&r);
}

/* Whoever meets it, the owner hears of it. */
Test(look, a_damaged_page_is_told_of_with_the_next_turn)
{
	struct rig r;

	rig_init(&r);
	rig_open(&r);
	for (int i = 0; i < 500; i++)
		(void)rig_submit(&r, "a@b.example", "x\r\n");
	rig_checkpoint(&r);
	spoil_pages(&r);
	/* by a check-point, in its thread */
	(void)rig_submit(&r, "a@b.example", "x\r\n");
	store_answered(r.s, UINT64_MAX);
	for (int i = 0; i < 300 &&
	    strstr(r.notices, "index-damage") == NULL; i++)
		rig_turn(&r, 20);
	cr_assert_not_null(strstr(r.notices, "index-damage"), "%s", r.notices);
	rig_kill(&r, NULL);
	rig_open(&r);
	cr_assert_not_null(strstr(r.notices, "index-rebuilt"));
	rig_clear(&r);
}
