/*
 * Runs the steps over the facts of one message, for each message of a walk
 * over the whole queue: no allocation, no recursion.  Both sides of an `and`
 * or `or` are computed always; steps are cheap but those that read units, and
 * whether these matter at all is asked first, by select_guess().
 */
#include "queued/select/select.h"

#include "common/base/check.h"
#include "common/base/glob.h"
#include "queued/select/select_private.h"

/* `:` and `=` are the default. */
static bool
number_matches(const struct step *step, uint64_t v)
{
	switch (step->test) {
	case TEST_LESS:
		return v < step->number;
	case TEST_LESS_EQUAL:
		return v <= step->number;
	case TEST_MORE:
		return v > step->number;
	case TEST_MORE_EQUAL:
		return v >= step->number;
	default:
		return v == step->number;
	}
}

/* What is behind the last @; the null sender and bare names have none. */
static struct span
domain_of(struct span address)
{
	size_t at = address.n;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	return at > 0 ? span_from(address, at) : SPAN_NONE;
}

/* "@example.org" means every address of that domain. */
static bool
address_matches(struct span pattern, struct span address)
{
	if (pattern.n > 1 && pattern.p[0] == '@')
		return glob_match(span_from(pattern, 1), domain_of(address));
	return glob_match(pattern, address);
}

/* <> can't be an address, so it is free to mean the null sender. */
static bool
sender_matches(const struct step *step, struct span sender)
{
	if (span_equal(step->text, SPAN_LIT("<>")))
		return sender.n == 0;
	return address_matches(step->text, sender);
}

/* One recipient that matches is enough.  `not to:x` is thus true for a message
 * none of whose recipients is x. */
static bool
recipient_matches(const struct step *step, const struct select_facts *f)
{
	struct span address;

	for (uint32_t i = 0; f->recipient(f->ctx, i, &address); i++)
		if (step->kind == STEP_DOMAIN ?
		    glob_match(step->text, domain_of(address)) :
		    address_matches(step->text, address))
			return true;
	return false;
}

/* A message from the future has the age 0. */
static bool
step_matches(const struct step *step, const struct select_facts *f)
{
	switch (step->kind) {
	case STEP_ID:
		return f->id == step->number ||
		    (f->list != 0 && f->list == step->number);
	case STEP_STATE:
		return (uint64_t)f->state == step->number;
	case STEP_FROM:
		return sender_matches(step, f->sender);
	case STEP_TO:
	case STEP_DOMAIN:
		return recipient_matches(step, f);
	case STEP_AGE:
		return number_matches(step,
		    f->age_ms > 0 ? (uint64_t)f->age_ms : 0);
	case STEP_SIZE:
		return number_matches(step, f->size);
	case STEP_TRIES:
		return number_matches(step, f->tries);
	default:
		return true;
	}
}

/* What reads a message's units: the rest is in its own row. */
static bool
is_dear(const struct step *step)
{
	return step->kind == STEP_STATE || step->kind == STEP_TO ||
	    step->kind == STEP_DOMAIN || step->kind == STEP_TRIES;
}

static enum select_answer
answer(const struct step *step, const struct select_facts *facts,
    bool is_guess)
{
	if (is_guess && is_dear(step))
		return SELECT_MAYBE;
	return step_matches(step, facts) ? SELECT_YES : SELECT_NO;
}

/* Postfix order: an operator finds its operands on top of the stack, which
 * cannot run dry in what select_compile() made.  Answers are ordered, so `and'
 * is the lesser one, `or' the greater. */
static enum select_answer
run(const struct select *s, const struct select_facts *facts, bool is_guess)
{
	/* as deep as there are steps, at most: no check while it is running */
	uint8_t stack[SELECT_STEPS_MAX];
	size_t top = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct step *step = &s->steps[i];
		uint8_t last = top > 0 ? stack[top - 1] : 0;

		if (step->kind == STEP_NOT) {
			stack[top - 1] = (uint8_t)(SELECT_YES - last);
		} else if (step->kind == STEP_AND) {
			top--;
			if (last < stack[top - 1])
				stack[top - 1] = last;
		} else if (step->kind == STEP_OR) {
			top--;
			if (last > stack[top - 1])
				stack[top - 1] = last;
		} else {
			stack[top++] = (uint8_t)answer(step, facts, is_guess);
		}
	}
	/* the parser's mistake, not the operator's */
	MUST(top == 1);
	return (enum select_answer)stack[0];
}

enum select_answer
select_guess(const struct select *s, const struct select_facts *facts)
{
	return run(s, facts, true);
}

bool
select_match(const struct select *s, const struct select_facts *facts)
{
	return run(s, facts, false) == SELECT_YES;
}

bool
select_is_all(const struct select *s)
{
	return s->count == 1 && s->steps[0].kind == STEP_ALL;
}

/* An id that every match must have: one in a chain of ands.  The caller then
 * looks at one message, or at one list, instead of all. */
bool
select_is_one(const struct select *s, uint64_t *id)
{
	const struct step *found = NULL;

	for (size_t i = 0; i < s->count; i++) {
		const struct step *step = &s->steps[i];

		if (step->kind == STEP_OR || step->kind == STEP_NOT)
			return false;
		if (step->kind == STEP_ID && found == NULL)
			found = step;
	}
	if (found == NULL)
		return false;
	*id = found->number;
	return true;
}
