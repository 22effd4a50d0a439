/* What a selection says that all its matches have: true of each match, for
 * expressions at random; and as narrow as it can be, for some by name. */
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "queued/select/select.h"

#include <criterion/criterion.h>

#include <stdio.h>

enum { ROUNDS = 4000, DEPTH = 4 };

struct sample {
	const char *sender, *sender_domain;
	const char *recipient, *domain;
	enum select_state state;
	int64_t age_ms;
};

static const struct sample samples[] = {
	{ "ann@one.example", "one.example", "bob@two.example", "two.example",
	    SELECT_ACTIVE, 5 * MTIME_SECOND },
	{ "", "", "Bob@Two.Example", "Two.Example", SELECT_HELD,
	    2 * MTIME_HOUR },
	{ "Ann@One.example", "One.example", "carol@three.example",
	    "three.example", SELECT_DEFERRED, 3 * MTIME_DAY },
	{ "eve@three.example", "three.example", "bare", "", SELECT_HELD, -7 },
};

static const char *const leaves[] = {
	"all", "from:ann@one.example", "from:<>", "from:@one.example",
	"from:*@one.example", "from:a?n@one.example", "from:@*.example",
	"from:*", "to:bob@two.example", "to:@two.example", "to:bare",
	"to:*@three.example", "domain:two.example", "domain:THREE.example",
	"domain:t*.example", "state:held", "state:active", "state:deferred",
	"age>1h", "age<1h", "age>=2h", "age<=2h", "age:2h", "age>9d", "age:0",
};

static void
write_tree(struct rng *dice, int depth, struct buf *b)
{
	uint64_t what = depth == 0 ? 0 : rng_below(dice, 4);

	if (what == 0) {
		buf_add_str(b, leaves[rng_below(dice, COUNT_OF(leaves))]);
		return;
	}
	buf_add_str(b, what == 1 ? "not (" : "(");
	write_tree(dice, depth - 1, b);
	buf_add_str(b, ")");
	if (what == 1)
		return;
	buf_add_str(b, what == 2 ? " or (" : " (");
	write_tree(dice, depth - 1, b);
	buf_add_str(b, ")");
}

static bool
recipient(const void *ctx, uint32_t i, struct span *address)
{
	const struct sample *m = ctx;

	*address = span_str(m->recipient);
	return i == 0;
}

static bool
has(const struct sample *m, const struct select_need *need)
{
	int64_t age = m->age_ms > 0 ? m->age_ms : 0;

	switch (need->kind) {
	case SELECT_BY_SENDER:
		return span_equal_nocase(need->text, span_str(m->sender));
	case SELECT_BY_SENDER_DOMAIN:
		return span_equal_nocase(need->text,
		    span_str(m->sender_domain));
	case SELECT_BY_DOMAIN:
		return span_equal_nocase(need->text, span_str(m->domain));
	case SELECT_BY_HELD:
		return m->state == SELECT_HELD;
	case SELECT_BY_ACTIVE:
		return m->state == SELECT_ACTIVE;
	case SELECT_BY_AWAKE:
		return m->state != SELECT_DEFERRED;
	case SELECT_BY_AGE:
		return age >= need->least_ms && age <= need->most_ms;
	}
	return false;
}

Test(select, whatever_matches_has_what_is_needed)
{
	unsigned matches = 0, needed = 0, needed_of_others = 0, guessed = 0;
	struct rng dice;
	struct buf b;

	rng_init(&dice, 11);
	buf_init(&b, SELECT_TEXT_MAX);
	for (int round = 0; round < ROUNDS; round++) {
		struct select_needs needs, others;
		struct select *s;
		struct why why;

		buf_reset(&b);
		write_tree(&dice, DEPTH, &b);
		cr_assert_eq(select_compile(buf_span(&b), &s, &why), OK);
		select_needs(s, &needs);
		select_needs_of_others(s, &others);
		needed += needs.n > 0;
		needed_of_others += others.n > 0;
		for (size_t i = 0; i < COUNT_OF(samples); i++) {
			const struct sample *m = &samples[i];
			struct select_facts facts = { .state = m->state,
			    .sender = span_str(m->sender),
			    .age_ms = m->age_ms, .recipient = recipient,
			    .ctx = m };

			bool is_match = select_match(s, &facts);
			const struct select_needs *all =
			    is_match ? &needs : &others;
			enum select_answer guess;

			/* without what reads units, and without asking it */
			facts.state = SELECT_STATES;
			facts.recipient = NULL;
			guess = select_guess(s, &facts);
			guessed += guess != SELECT_MAYBE;
			cr_assert(guess == SELECT_MAYBE ||
			    (guess == SELECT_YES) == is_match, "%.*s",
			    (int)b.n, b.p);
			matches += is_match;
			for (size_t n = 0; n < all->n; n++)
				cr_assert(has(m, &all->rows[n]),
				    "%.*s: need %zu of sample %zu", (int)b.n,
				    b.p, n, i);
		}
		select_free(&s);
	}
	cr_expect_gt(matches, ROUNDS / 4);
	cr_expect_gt(needed, ROUNDS / 8);
	cr_expect_gt(needed_of_others, ROUNDS / 8);
	cr_expect_gt(guessed, ROUNDS / 8);
	buf_clear(&b);
}

static const struct {
	const char *text;
	size_t n;
	enum select_need_kind first;
	const char *value;
} narrow[] = {
	{ "from:ann@one.example", 1, SELECT_BY_SENDER, "ann@one.example" },
	{ "from:<>", 1, SELECT_BY_SENDER, "" },
	{ "from:@one.example size>1K", 1, SELECT_BY_SENDER_DOMAIN,
	    "one.example" },
	{ "from:*@one.example", 1, SELECT_BY_SENDER_DOMAIN, "one.example" },
	{ "to:bob@two.example", 1, SELECT_BY_DOMAIN, "two.example" },
	{ "domain:two.example (state:held)", 2, SELECT_BY_DOMAIN,
	    "two.example" },
	{ "state:held", 1, SELECT_BY_HELD, "" },
	{ "state:active", 1, SELECT_BY_ACTIVE, "" },
	{ "age>1h", 1, SELECT_BY_AGE, "" },
	{ "(from:<> or from:x@y) domain:d", 1, SELECT_BY_DOMAIN, "d" },
	{ "not from:<> domain:d", 1, SELECT_BY_DOMAIN, "d" },
	{ "domain:d not (from:<> state:held)", 1, SELECT_BY_DOMAIN, "d" },
	{ "not (not domain:d or state:deferred)", 2, SELECT_BY_DOMAIN, "d" },
	{ "not state:deferred", 1, SELECT_BY_AWAKE, "" },
	/* nothing is known of these */
	{ "", 0, 0, "" }, { "from:*", 0, 0, "" }, { "domain:*.d", 0, 0, "" },
	{ "state:deferred", 0, 0, "" }, { "from:@", 0, 0, "" },
	{ "to:bare", 0, 0, "" }, { "from:<> or state:held", 0, 0, "" },
	{ "not state:held", 0, 0, "" }, { "size>1M tries>3", 0, 0, "" },
};

Test(select, paths_are_as_narrow_as_can_be)
{
	for (size_t i = 0; i < COUNT_OF(narrow); i++) {
		struct select_needs needs;
		struct select *s;
		struct why why;

		cr_assert_eq(select_compile(span_str(narrow[i].text), &s,
		    &why), OK);
		select_needs(s, &needs);
		cr_expect_eq(needs.n, narrow[i].n, "%s: %zu",
		    narrow[i].text, needs.n);
		if (needs.n > 0) {
			cr_expect_eq(needs.rows[0].kind, narrow[i].first,
			    "%s", narrow[i].text);
			cr_expect(span_equal(needs.rows[0].text,
			    span_str(narrow[i].value)), "%s",
			    narrow[i].text);
		}
		select_free(&s);
	}
}

/* More than there is room for are left out; what is there stays true. */
Test(select, needs_are_bounded)
{
	char text[SELECT_TEXT_MAX] = "";
	struct select_needs needs;
	struct select *s;
	struct why why;
	size_t n = 0;

	for (int i = 0; i < 3 * SELECT_NEEDS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "domain:d%d ", i);
	cr_assert_eq(select_compile(span_str(text), &s, &why), OK);
	select_needs(s, &needs);
	cr_assert_eq(needs.n, SELECT_NEEDS_MAX);
	cr_assert(span_equal(needs.rows[0].text, SPAN_LIT("d0")));
	select_free(&s);
}

Test(select, says_which_facts_it_asks_for)
{
	static const struct {
		const char *text;
		unsigned asks;
	} rows[] = {
		{ "from:<> size>1 age>1h id:0000000000001", 0 },
		{ "not (all or state:held)", SELECT_ASKS_STATE },
		{ "tries>1 or state:held", SELECT_ASKS_STATE |
		    SELECT_ASKS_TRIES },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct select *s;
		struct why why;

		cr_assert_eq(select_compile(span_str(rows[i].text), &s, &why),
		    OK);
		cr_expect_eq(select_asks(s), rows[i].asks);
		select_free(&s);
	}
}
