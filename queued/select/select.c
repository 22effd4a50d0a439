/*
 * From the text of a selection to steps in postfix order.
 *
 * A parser by recursive descent, a function for each level of the grammar:
 *
 *	or:	 and { "or" and }
 *	and:	 not { ["and"] not }
 *	not:	 { "not" } primary
 *	primary: "all" | "(" or ")" | test
 *	test:	 name relation value
 *
 * The text comes from an operator, but through a socket: its length, the
 * number of steps and the depth of parentheses (which is that of the
 * recursion) are bounded.  After the first mistake nothing more is emitted and
 * at_end() is true, so that all loops end without being asked about errors one
 * by one.
 */
#include "queued/select/select.h"

#include "common/base/b32.h"
#include "common/base/check.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "queued/select/select_private.h"

#include <stdlib.h>

struct parser {
	struct select *s;
	struct span text;
	size_t at;
	unsigned depth;
	struct why *why;
	enum err error;
};

/* The names are the contract of mtactl(1) and of scripts. */
static const struct word {
	const char *name;
	uint8_t kind;
	bool is_number;
} words[] = {
	{ "id", STEP_ID, false },
	{ "state", STEP_STATE, false },
	{ "from", STEP_FROM, false },
	{ "to", STEP_TO, false },
	{ "domain", STEP_DOMAIN, false },
	{ "age", STEP_AGE, true },
	{ "size", STEP_SIZE, true },
	{ "tries", STEP_TRIES, true },
};

static const char *const state_names[SELECT_STATES] = {
	[SELECT_ACTIVE] = "active",
	[SELECT_DEFERRED] = "deferred",
	[SELECT_HELD] = "held",
};

static void parse_or(struct parser *p);

/* The first mistake counts; what follows it only hides it. */
static void
fail(struct parser *p, size_t at, const char *what)
{
	if (p->error == OK)
		p->error = why_set(p->why, ERR_SYNTAX, "column %zu: %s",
		    at + 1, what);
}

/* Each operand is emitted before its operator. */
static void
emit(struct parser *p, const struct step *step)
{
	if (p->error != OK)
		return;
	if (p->s->count == SELECT_STEPS_MAX) {
		p->error = why_set(p->why, ERR_RANGE,
		    "the selection has more than %d words", SELECT_STEPS_MAX);
		return;
	}
	p->s->steps[p->s->count++] = *step;
}

/* Operators and `all` have nothing but their kind. */
static void
emit_kind(struct parser *p, uint8_t kind)
{
	struct step step = { .kind = kind };

	emit(p, &step);
}

/* ---- what stands next ---- */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Called behind each word, so that whatever reads next begins on its own first
 * character. */
static void
skip_blanks(struct parser *p)
{
	while (p->at < p->text.n && is_blank(p->text.p[p->at]))
		p->at++;
}

/* False at the end. */
static bool
next_is(const struct parser *p, uint8_t c)
{
	return p->at < p->text.n && p->text.p[p->at] == c;
}

/* Names and operators are letters only: what follows is a relation, a blank or
 * a parenthesis. */
static struct span
peek_letters(const struct parser *p)
{
	size_t n = 0;

	while (p->at + n < p->text.n && text_is_alpha(p->text.p[p->at + n]))
		n++;
	return span_sub(p->text, p->at, n);
}

/* Takes WORD if it stands here by itself, not as the name of a test. */
static bool
take_word(struct parser *p, const char *word)
{
	struct span letters = peek_letters(p);
	size_t end = p->at + letters.n;

	if (!span_equal_nocase(letters, span_str(word)) ||
	    (end < p->text.n && !is_blank(p->text.p[end]) &&
	    p->text.p[end] != '(' && p->text.p[end] != ')'))
		return false;
	p->at = end;
	skip_blanks(p);
	return true;
}

static bool
at_end(const struct parser *p)
{
	return p->error != OK || p->at >= p->text.n;
}

/* ---- values ---- */

/* Without the quotes; there is no escape inside, for no address needs one. */
static struct span
take_quoted(struct parser *p)
{
	size_t start = ++p->at;

	while (p->at < p->text.n && p->text.p[p->at] != '"')
		p->at++;
	if (p->at == p->text.n) {
		fail(p, start - 1, "this quote is not closed");
		return SPAN_NONE;
	}
	return span_sub(p->text, start, p->at++ - start);
}

/* Up to a blank or a parenthesis; those need quotes. */
static struct span
take_value(struct parser *p)
{
	size_t start = p->at;

	if (next_is(p, '"'))
		return take_quoted(p);
	while (p->at < p->text.n && !is_blank(p->text.p[p->at]) &&
	    p->text.p[p->at] != '(' && p->text.p[p->at] != ')')
		p->at++;
	if (p->at == start)
		fail(p, start, "a value is missing here");
	return span_sub(p->text, start, p->at - start);
}

/* False when no relation stands here; nothing is taken then. */
static bool
take_test(struct parser *p, uint8_t *test)
{
	bool has_equal;

	if (next_is(p, ':') || next_is(p, '=')) {
		p->at++;
		*test = TEST_EQUAL;
		return true;
	}
	if (!next_is(p, '<') && !next_is(p, '>'))
		return false;
	*test = next_is(p, '<') ? TEST_LESS : TEST_MORE;
	p->at++;
	has_equal = next_is(p, '=');
	if (has_equal) {
		p->at++;
		*test = *test == TEST_LESS ? TEST_LESS_EQUAL :
		    TEST_MORE_EQUAL;
	}
	return true;
}

/* Messages in other states are not in the queue, and can't be selected. */
static void
parse_state(struct parser *p, size_t at, struct span value,
    struct step *step)
{
	for (size_t i = 0; i < SELECT_STATES; i++) {
		if (span_equal_nocase(value, span_str(state_names[i]))) {
			step->number = i;
			return;
		}
	}
	fail(p, at, "a state is one of active, deferred, held");
}

/* The units are those of the configuration.  The number is 0 after a
 * mistake. */
static void
parse_number(struct parser *p, size_t at, struct span value,
    struct step *step)
{
	int64_t ms = 0;

	switch (step->kind) {
	case STEP_AGE:
		if (units_parse_ms(value, &ms) != OK)
			fail(p, at, "an age is a number and a unit: 90s, 30m, "
			    "2h, 3d");
		step->number = (uint64_t)ms;
		break;
	case STEP_SIZE:
		if (units_parse_bytes(value, &step->number) != OK)
			fail(p, at, "a size is a number of bytes, or with a "
			    "unit: 10K, 1M");
		break;
	default:
		if (units_parse_u64(value, &step->number) != OK)
			fail(p, at, "a number is wanted here");
		break;
	}
}

/* The value is a span of the copied text, good as long as the selection. */
static void
parse_value(struct parser *p, const struct word *word, struct step *step)
{
	size_t at = p->at;
	struct span value = take_value(p);

	if (p->error != OK)
		return;
	if (word->is_number)
		parse_number(p, at, value, step);
	else if (word->kind == STEP_STATE)
		parse_state(p, at, value, step);
	else if (word->kind != STEP_ID)
		step->text = value;
	else if (b32_decode(value, &step->number) != OK)
		fail(p, at, "this is no queue id (13 digits and letters)");
}

/* ---- the grammar ---- */

/* Relations of order make sense for numbers only. */
static void
parse_test(struct parser *p)
{
	size_t at = p->at;
	struct span name = peek_letters(p);
	struct step step = { .kind = STEP_ALL };

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (!span_equal_nocase(name, span_str(words[i].name)))
			continue;
		p->at += name.n;
		step.kind = words[i].kind;
		if (!take_test(p, &step.test) || (!words[i].is_number &&
		    step.test != TEST_EQUAL)) {
			fail(p, p->at, words[i].is_number ?
			    "one of > >= < <= = belongs here" :
			    "a colon belongs here");
			return;
		}
		parse_value(p, &words[i], &step);
		emit(p, &step);
		skip_blanks(p);
		return;
	}
	fail(p, at, "not a selection word; there are all, id: state: from: "
	    "to: domain: age> size> tries>, or, not, ( )");
}

/* After a mistake P->AT may pass the end by one; at_end() knows. */
static void
parse_primary(struct parser *p)
{
	size_t at = p->at;

	if (at_end(p)) {
		fail(p, at, "something is missing at the end");
	} else if (!next_is(p, '(')) {
		if (take_word(p, "all"))
			emit_kind(p, STEP_ALL);
		else
			parse_test(p);
	} else if (p->depth == SELECT_DEPTH_MAX) {
		fail(p, at, "parentheses are too deep here");
	} else {
		p->depth++;
		p->at++;
		skip_blanks(p);
		parse_or(p);
		p->depth--;
		if (p->error == OK && !next_is(p, ')'))
			fail(p, at, "this parenthesis is not closed");
		p->at++;
		skip_blanks(p);
	}
}

/* Twice not is nothing: a long chain costs no steps. */
static void
parse_not(struct parser *p)
{
	bool is_negated = false;

	while (!at_end(p) && take_word(p, "not"))
		is_negated = !is_negated;
	parse_primary(p);
	if (is_negated)
		emit_kind(p, STEP_NOT);
}

/* Everything but `or`, a parenthesis and the end goes on with an `and`,
 * written or not. */
static bool
ends_and(struct parser *p)
{
	struct span letters = peek_letters(p);

	return at_end(p) || next_is(p, ')') ||
	    span_equal_nocase(letters, SPAN_LIT("or"));
}

/* Left to right; the order changes nothing but the place in the stack. */
static void
parse_and(struct parser *p)
{
	parse_not(p);
	while (!ends_and(p)) {
		(void)take_word(p, "and");
		parse_not(p);
		emit_kind(p, STEP_AND);
	}
}

/* The top of the recursion. */
static void
parse_or(struct parser *p)
{
	parse_and(p);
	while (!at_end(p) && take_word(p, "or")) {
		parse_and(p);
		emit_kind(p, STEP_OR);
	}
}

/* An empty selection is all, as for `queue list` without words. */
static void
parse_whole(struct parser *p)
{
	skip_blanks(p);
	if (p->at == p->text.n) {
		emit_kind(p, STEP_ALL);
		return;
	}
	parse_or(p);
	if (p->error == OK && p->at < p->text.n)
		fail(p, p->at, "this does not belong here");
}

/* The steps lie in one block with the text they point to: one allocation, one
 * free. */
enum err
select_compile(struct span text, struct select **out, struct why *why)
{
	struct parser p = { .why = why };

	if (text.n > SELECT_TEXT_MAX)
		return why_set(why, ERR_RANGE,
		    "the selection is longer than %d bytes", SELECT_TEXT_MAX);
	p.s = calloc(1, sizeof(*p.s));
	if (p.s == NULL)
		return why_set(why, ERR_NOMEM, "no memory");
	if (text.n > 0)
		memcpy(p.s->text, text.p, text.n);
	p.text = span_of(p.s->text, text.n);
	parse_whole(&p);
	if (p.error != OK) {
		free(p.s);
		return p.error;
	}
	*out = p.s;
	return OK;
}

void
select_free(struct select **s)
{
	free(*s);
	*s = NULL;
}
