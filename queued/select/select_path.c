/*
 * What every match must have, found by running the steps over lists of needs
 * instead of facts: `and' has what either side has; `or' might have neither,
 * `not' neither the one nor the other.  Lists lie behind one another in one
 * array, as operands on a stack do.
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

void
select_needs(const struct select *s, struct select_needs *out)
{
	/* where the list of each operand begins */
	size_t stack[SELECT_STEPS_MAX];
	size_t top = 0;

	out->n = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct step *step = &s->steps[i];

		if (step->kind == STEP_NOT) {
			out->n = stack[top - 1];
		} else if (step->kind == STEP_AND) {
			top--;
		} else if (step->kind == STEP_OR) {
			top--;
			out->n = stack[top - 1];
		} else {
			stack[top++] = out->n;
			need_of(out, step);
		}
	}
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
