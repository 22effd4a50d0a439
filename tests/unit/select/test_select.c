/* The selection language: what each word means, what is refused and where,
 * and expressions at random against their own tree. */
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/select/select.h"

#include <criterion/criterion.h>

struct sample {
	const char *sender;
	const char *recipients[3];
	uint64_t id;
	enum select_state state;
	uint64_t size;
	int64_t age_ms;
	uint64_t tries;
	uint64_t list;
};

/* The messages that all selections here are tried on; bit I is samples[I]. */
static const struct sample samples[] = {
	{ "ann@example.org", { "bob@example.net" }, 1, SELECT_ACTIVE,
	    1000, 5 * MTIME_SECOND, 0, 0 },
	{ "", { "carol@Example.NET", "dave@sub.example.net" }, 2,
	    SELECT_DEFERRED, 1024 * 1024, 2 * MTIME_HOUR, 3, 0 },
	/* a part of the one before */
	{ "Eve@Shop.Example.org", { "\"od d\"@x.test", "@", "bob" }, 3,
	    SELECT_HELD, 2 * 1024 * 1024, 3 * MTIME_DAY, 7, 2 },
	/* the clock was set back; all its recipients are settled */
	{ "weird(1)@example.org", { NULL }, UINT64_MAX, SELECT_DEFERRED, 0,
	    -5, UINT64_MAX, 0 },
};

#define EVERY 0xfu

static bool
recipient(const void *ctx, uint32_t i, struct span *address)
{
	const struct sample *m = ctx;

	if (i >= COUNT_OF(m->recipients) || m->recipients[i] == NULL)
		return false;
	*address = span_str(m->recipients[i]);
	return true;
}

static unsigned
matches_of(const struct select *s)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < COUNT_OF(samples); i++) {
		const struct sample *m = &samples[i];
		struct select_facts facts = {
			.id = m->id,
			.list = m->list,
			.state = m->state,
			.sender = span_str(m->sender),
			.size = m->size,
			.age_ms = m->age_ms,
			.tries = m->tries,
			.recipient = recipient,
			.ctx = m,
		};

		bits |= select_match(s, &facts) ? 1u << i : 0;
	}
	return bits;
}

/* From a copy as long as the text, so that ASan sees a read past its end, and
 * which is gone before the matching: the selection must have its own. */
static enum err
compile(struct span text, struct select **out, struct why *why)
{
	uint8_t *copy = malloc(text.n > 0 ? text.n : 1);
	enum err e;

	cr_assert_not_null(copy);
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	e = select_compile(span_of(copy, text.n), out, why);
	free(copy);
	return e;
}

static const struct {
	const char *text;
	unsigned matches;
} accepted[] = {
	{ "", EVERY }, { " \t ", EVERY }, { "all", EVERY }, { "ALL", EVERY },
	{ "(all)", EVERY }, { "not all", 0 }, { "not not all", EVERY },
	{ "not(all)", 0 }, { "((((all))))", EVERY },

	{ "id:0000000000001", 1 }, { "id=0000000000002", 6 },
	{ "ID:0000000000003", 4 }, { "id:000000000000z", 0 },
	{ "id:fzzzzzzzzzzzz", 8 }, { "id:FZZZZZZZZZZZZ", 8 },

	{ "state:active", 1 }, { "state:deferred", 10 },
	{ "State:HELD", 4 }, { "state=held", 4 },

	{ "from:ann@example.org", 1 }, { "from:ANN@EXAMPLE.ORG", 1 },
	{ "from:ann@example.or", 0 }, { "from:<>", 2 }, { "from:\"\"", 2 },
	{ "from:*", EVERY }, { "from:?*", 13 }, { "from:*@example.org", 9 },
	{ "from:a?n@*", 1 }, { "from:@example.org", 9 },
	{ "from:@*example.org", 13 }, { "from:@", 0 },
	{ "from:\"weird(1)@example.org\"", 8 },

	{ "to:bob@example.net", 1 }, { "to:dave@*", 2 },
	{ "to:@example.net", 3 }, { "to:bob", 4 }, { "to:\"?od d?@x.test\"", 4 },
	{ "to:*", 7 }, { "to:@*", 7 }, { "to:<>", 0 },

	{ "domain:example.net", 3 }, { "domain:*.example.net", 2 },
	{ "domain:x.test", 4 }, { "domain:EXAMPLE.NET", 3 },
	{ "domain:example.org", 0 }, { "domain:@example.net", 0 },
	{ "domain:*", 7 },

	{ "age>2h", 4 }, { "age>=2h", 6 }, { "age<2h", 9 },
	{ "age<=2h", 11 }, { "age=2h", 2 }, { "age:5s", 1 },
	{ "age:0", 8 }, { "age>500ms", 7 }, { "AGE>1D", 4 },

	{ "size>1M", 4 }, { "size>=1M", 6 }, { "size>=1MiB", 6 },
	{ "size<1000", 8 }, { "size<=1000", 9 }, { "size:1000", 1 },
	{ "size>=0", EVERY },

	{ "tries>=3", 14 }, { "tries>3", 12 }, { "tries<3", 1 },
	{ "tries=0", 1 }, { "tries<=7", 7 },
	{ "tries:18446744073709551615", 8 },

	/* and binds stronger than or, not stronger than both */
	{ "state:active or state:held", 5 },
	{ "state:deferred tries=3", 2 },
	{ "state:deferred and tries=3", 2 },
	{ "state:active or state:deferred tries=3", 3 },
	{ "tries=3 state:deferred or state:active", 3 },
	{ "(state:active or state:deferred) tries=3", 2 },
	{ "not state:active tries>=3", 14 },
	{ "not (state:active or tries=3)", 12 },
	{ "not state:active or state:active", EVERY },
	{ "not not state:held", 4 },
	{ "state:held(size>1M)", 4 }, { "(state:held)size>1M", 4 },
	{ "( state:held )or(size:0)", 12 },
	{ "state:held OR NOT tries>0 AND all", 5 },
	{ "\tstate:held\t", 4 },
};

Test(select, words_and_what_they_match)
{
	for (size_t i = 0; i < COUNT_OF(accepted); i++) {
		struct why why = { "" };
		struct select *s = NULL;
		enum err e = compile(span_str(accepted[i].text), &s, &why);

		cr_expect_eq(e, OK, "%s: %s", accepted[i].text, why.text);
		if (e != OK)
			continue;
		cr_expect_eq(matches_of(s), accepted[i].matches, "%s: %x",
		    accepted[i].text, matches_of(s));
		select_free(&s);
		cr_expect_null(s);
		select_free(&s);
	}
}

/* Columns count from 1; the words are what an operator reads. */
static const struct {
	const char *text;
	const char *says;
} refused[] = {
	{ "foo", "column 1: not a selection word" },
	{ "all foo:1", "column 5: not a selection word" },
	{ "domains:x", "column 1: not a selection word" },
	{ ":", "column 1: not a selection word" },
	{ "all,all", "column 1: not a selection word" },
	{ "and all", "column 1: not a selection word" },
	{ "or all", "column 1: not a selection word" },
	{ "all\nall", "column 1: not a selection word" },
	{ "\xff", "column 1: not a selection word" },
	{ "to", "column 3: a colon" },
	{ "to bob", "column 3: a colon" },
	{ "to>bob", "column 4: a colon" },
	{ "state<held", "column 7: a colon" },
	{ "size", "column 5: one of > >= < <= =" },
	{ "size 5", "column 5: one of" },
	{ "size>", "column 6: a value is missing" },
	{ "size> 5", "column 6: a value is missing" },
	{ "(to:)", "column 5: a value is missing" },
	{ "id:", "column 4: a value is missing" },
	{ "id:x", "column 4: this is no queue id (13 digits and letters)" },
	{ "id:00000000000011",
	    "column 4: this is no queue id (13 digits and letters)" },
	{ "state:idle", "column 7: a state is one of active, deferred, held" },
	{ "age>5", "column 5: an age is" },
	{ "age>-5s", "column 5: an age is" },
	{ "age>99999999999999999999s", "column 5: an age is" },
	{ "age>=2h3m", "column 6: an age is" },
	{ "size>1X", "column 6: a size is" },
	{ "size>>1", "column 6: a size is" },
	{ "size>16777216T", "column 6: a size is" },
	{ "tries>1.5", "column 7: a number" },
	{ "tries==3", "column 7: a number" },
	{ "tries>18446744073709551616", "column 7: a number" },
	{ "not", "column 4: something is missing" },
	{ "all or", "column 7: something is missing" },
	{ "all and ", "column 9: something is missing" },
	{ "(", "column 2: something is missing" },
	{ "()", "column 2: not a selection word" },
	{ "(all", "column 1: this parenthesis is not closed" },
	{ "all (all (all)", "column 5: this parenthesis is not closed" },
	{ "all)", "column 4: this does not belong here" },
	{ "all or:x", "column 5: this does not belong here" },
	{ "from:\"a", "column 6: this quote is not closed" },
	{ "from:\"", "column 6: this quote is not closed" },
	{ "from:\"a\"b", "column 9: not a selection word" },
};

Test(select, refusals_name_the_place)
{
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct why why = { "" };
		struct select *s = NULL;

		cr_expect_eq(compile(span_str(refused[i].text), &s, &why),
		    ERR_SYNTAX, "%s", refused[i].text);
		cr_expect_null(s, "%s", refused[i].text);
		cr_expect_eq(strncmp(why.text, refused[i].says,
		    strlen(refused[i].says)), 0, "%s: %s", refused[i].text,
		    why.text);
		cr_expect_eq(compile(span_str(refused[i].text), &s, NULL),
		    ERR_SYNTAX, "without why");
	}
}

/* COUNT times PIECE between HEAD and TAIL. */
static enum err
compile_repeated(const char *head, const char *piece, int count,
    const char *tail, struct why *why)
{
	static char text[4 * SELECT_TEXT_MAX];
	struct select *s = NULL;
	size_t n = strlen(head);
	enum err e;

	memcpy(text, head, n);
	for (int i = 0; i < count; i++, n += strlen(piece))
		memcpy(text + n, piece, strlen(piece));
	memcpy(text + n, tail, strlen(tail));
	e = compile(span_of(text, n + strlen(tail)), &s, why);
	select_free(&s);
	return e;
}

Test(select, limits)
{
	/* depth: 64 open, the 65th is refused where it stands */
	struct why why;
	char all[SELECT_DEPTH_MAX + 4] = "all";

	memset(all + 3, ')', SELECT_DEPTH_MAX);
	cr_expect_eq(compile_repeated("", "(", SELECT_DEPTH_MAX, all, &why),
	    OK);
	cr_expect_eq(compile_repeated("", "(", SELECT_DEPTH_MAX + 1, all,
	    &why), ERR_SYNTAX);
	cr_expect_str_eq(why.text, "column 65: parentheses are too deep here");
	cr_expect_eq(compile_repeated("", "(", SELECT_TEXT_MAX, "", &why),
	    ERR_SYNTAX);

	/* one step a word, one for each pair that is combined */
	cr_expect_eq(compile_repeated("", "all ", SELECT_STEPS_MAX / 2, "",
	    &why), OK);
	cr_expect_eq(compile_repeated("", "all ", SELECT_STEPS_MAX / 2 + 1,
	    "", &why), ERR_RANGE);
	cr_expect_eq(compile_repeated("", "not ", SELECT_TEXT_MAX / 4 - 1,
	    "all", &why), OK);

	cr_expect_eq(compile_repeated("from:", "x", SELECT_TEXT_MAX - 5, "",
	    &why), OK);
	cr_expect_eq(compile_repeated("from:", "x", SELECT_TEXT_MAX - 4, "",
	    &why), ERR_RANGE);
	cr_expect_str_eq(why.text, "the selection is longer than 8192 bytes");
}

static const struct {
	const char *text;
	bool is_all;
	bool is_one;
} shapes[] = {
	{ "", true, false }, { "all", true, false }, { "(all)", true, false },
	{ "not all", false, false }, { "state:held", false, false },
	{ "id:0000000000009", false, true },
	{ "(id:0000000000009)", false, true },
	{ "id:0000000000009 state:held", false, true },
	{ "state:held id:0000000000009 all", false, true },
	{ "id:0000000000009 id:0000000000001", false, true },
	{ "not id:0000000000009", false, false },
	{ "id:0000000000009 or all", false, false },
	{ "(all or all) id:0000000000009", false, false },
};

Test(select, shapes_that_spare_a_walk)
{
	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		struct select *s;
		uint64_t id = 0;

		cr_assert_eq(compile(span_str(shapes[i].text), &s, NULL), OK);
		cr_expect_eq(select_is_all(s), shapes[i].is_all, "%s",
		    shapes[i].text);
		cr_expect_eq(select_is_one(s, &id), shapes[i].is_one, "%s",
		    shapes[i].text);
		cr_expect_eq(id, shapes[i].is_one ? 9 : 0);
		select_free(&s);
	}
}
