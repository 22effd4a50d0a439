/*
 * What every match must have, found by running the steps over lists of needs
 * instead of facts: `and' has what either side has; `or' might have neither.
 * A `not' is driven down to the tests before, where it makes an `or' of an
 * `and' and the other way round.  Lists lie behind one another in one array, as
 * operands on a stack do.
 */
#include "queued/select/select.h"

#include "common/base/glob.h"
#include "queued/select/select_private.h"

static void
add(struct select_needs *out, const struct select_need *need)
{
	/* a need left out only makes the way longer */
	if (out->n < SELECT_NEEDS_MAX)
		out->rows[out->n++] = *need;
}

static void
add_text(struct select_needs *out, enum select_need_kind kind,
    struct span text)
{
	struct select_need need = { .kind = kind, .text = text };

	add(out, &need);
}

/* "@x", "*@x", "a?c@x": all of them are in domain x, if that is spelled
 * out. */
static bool
find_domain(struct span pattern, struct span *domain)
{
	size_t at = pattern.n;

	while (at > 0 && pattern.p[at - 1] != '@')
		at--;
	*domain = span_from(pattern, at);
	return at > 0 && domain->n > 0 && !glob_has_wildcard(*domain);
}

static void
need_sender(struct select_needs *out, struct span pattern)
{
	struct span domain;

	if (span_equal(pattern, SPAN_LIT("<>")))
		add_text(out, SELECT_BY_SENDER, SPAN_NONE);
	else if (pattern.n > 0 && pattern.p[0] != '@' &&
	    !glob_has_wildcard(pattern))
		add_text(out, SELECT_BY_SENDER, pattern);
	else if (find_domain(pattern, &domain))
		add_text(out, SELECT_BY_SENDER_DOMAIN, domain);
}

static void
need_age(struct select_needs *out, const struct step *step)
{
	int64_t ms = step->number > INT64_MAX ? INT64_MAX :
	    (int64_t)step->number;
	struct select_need need = { .kind = SELECT_BY_AGE,
	    .least_ms = 0, .most_ms = INT64_MAX };

	if (step->test != TEST_LESS && step->test != TEST_LESS_EQUAL)
		need.least_ms = ms;
	if (step->test != TEST_MORE && step->test != TEST_MORE_EQUAL)
		need.most_ms = ms;
	add(out, &need);
}

static void
need_of(struct select_needs *out, const struct step *step)
{
	struct span domain;

	switch (step->kind) {
	case STEP_FROM:
		need_sender(out, step->text);
		break;
	case STEP_TO:
		if (find_domain(step->text, &domain))
			add_text(out, SELECT_BY_DOMAIN, domain);
		break;
	case STEP_DOMAIN:
		if (step->text.n > 0 && !glob_has_wildcard(step->text))
			add_text(out, SELECT_BY_DOMAIN, step->text);
		break;
	case STEP_STATE:
		if (step->number == SELECT_HELD)
			add_text(out, SELECT_BY_HELD, SPAN_NONE);
		else if (step->number == SELECT_ACTIVE)
			add_text(out, SELECT_BY_ACTIVE, SPAN_NONE);
		break;
	case STEP_AGE:
		need_age(out, step);
		break;
	default:
		break;
	}
}

/* Of what the test does not match, little is known. */
static void
need_of_other(struct select_needs *out, const struct step *step)
{
	if (step->kind == STEP_STATE && step->number == SELECT_DEFERRED)
		add_text(out, SELECT_BY_AWAKE, SPAN_NONE);
}

/* Which steps stand under an odd number of `not', where IS_OTHER is one over
 * all.  Backwards, for an operator stands behind its operands. */
static void
find_negated(const struct select *s, bool is_other,
    bool negated[SELECT_STEPS_MAX])
{
	bool stack[SELECT_STEPS_MAX + 1];
	size_t top = 0;

	stack[top++] = is_other;
	for (size_t i = s->count; i > 0; i--) {
		bool is_negated = stack[--top];

		negated[i - 1] = is_negated;
		switch (s->steps[i - 1].kind) {
		case STEP_NOT:
			stack[top++] = !is_negated;
			break;
		case STEP_AND:
		case STEP_OR:
			stack[top++] = is_negated;
			stack[top++] = is_negated;
			break;
		default:
			break;
		}
	}
}

static void
find_needs(const struct select *s, bool is_other, struct select_needs *out)
{
	/* where the list of each operand begins */
	size_t stack[SELECT_STEPS_MAX];
	bool negated[SELECT_STEPS_MAX];
	size_t top = 0;

	out->n = 0;
	find_negated(s, is_other, negated);
	for (size_t i = 0; i < s->count; i++) {
		const struct step *step = &s->steps[i];

		if (step->kind == STEP_NOT)
			continue;
		if (step->kind == STEP_AND || step->kind == STEP_OR) {
			top--;
			if ((step->kind == STEP_OR) != negated[i])
				out->n = stack[top - 1];
			continue;
		}
		stack[top++] = out->n;
		if (negated[i])
			need_of_other(out, step);
		else
			need_of(out, step);
	}
}

void
select_needs(const struct select *s, struct select_needs *out)
{
	find_needs(s, false, out);
}

void
select_needs_of_others(const struct select *s, struct select_needs *out)
{
	find_needs(s, true, out);
}

unsigned
select_asks(const struct select *s)
{
	unsigned asks = 0;

	for (size_t i = 0; i < s->count; i++) {
		switch (s->steps[i].kind) {
		case STEP_STATE:
			asks |= SELECT_ASKS_STATE;
			break;
		case STEP_TRIES:
			asks |= SELECT_ASKS_TRIES;
			break;
		default:
			break;
		}
	}
	return asks;
}
