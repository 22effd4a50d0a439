/*
 * Read line by line into a struct of what was found; what is missing or says
 * nothing is judged at the end, so that a field's place does not matter.
 */
#include "common/sts/sts_policy.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/mail/domain.h"
#include "common/sts/sts_text.h"

#define AGE_DIGITS_MAX	10

struct found {
	struct sts_policy policy;
	bool has_version;
	bool has_mode;
	bool has_max_age;
	struct buf *mx;
	struct why *why;
};

static const char *const modes[] = {
	[STS_MODE_NONE] = "none", [STS_MODE_TESTING] = "testing",
	[STS_MODE_ENFORCE] = "enforce",
};

const char *
sts_mode_name(enum sts_mode mode)
{
	return (unsigned)mode < COUNT_OF(modes) ? modes[mode] : "unknown";
}

/* ---- patterns ---- */

/* A name of LDH labels; `*.` may stand before it. */
static bool
is_pattern(struct span s)
{
	if (s.n > 2 && s.p[0] == '*' && s.p[1] == '.')
		s = span_from(s, 2);
	return domain_check(s, DOMAIN_UNDERSCORE) == OK;
}

static enum err
add_mx(struct found *f, struct span value)
{
	uint8_t lower[DOMAIN_MAX + 2];

	if (!is_pattern(value) || value.n > sizeof(lower))
		return why_set(f->why, ERR_SYNTAX, "mx is no name of a host");
	if (f->mx->n + value.n + 1 > STS_MX_MAX)
		return why_set(f->why, ERR_RANGE, "too many mx");
	text_lower(value, lower);
	buf_add(f->mx, lower, value.n);
	buf_add_byte(f->mx, '\n');
	return buf_failed(f->mx) ? ERR_NOMEM : OK;
}

bool
sts_mx_is_list(struct span mx)
{
	if (mx.n > STS_MX_MAX)
		return false;
	while (mx.n > 0) {
		size_t end = span_find(mx, '\n');

		if (end == mx.n || !is_pattern(span_sub(mx, 0, end)))
			return false;
		mx = span_from(mx, end + 1);
	}
	return true;
}

static bool
matches(struct span pattern, struct span host)
{
	size_t label;

	if (pattern.n < 2 || pattern.p[0] != '*')
		return domain_equal(pattern, host);
	label = span_find(host, '.');
	return label > 0 && label < host.n &&
	    domain_equal(span_from(pattern, 2), span_from(host, label + 1));
}

bool
sts_mx_has(struct span mx, struct span host)
{
	while (mx.n > 0) {
		size_t end = span_find(mx, '\n');

		if (matches(span_sub(mx, 0, end), host))
			return true;
		mx = span_from(mx, end + 1);
	}
	return false;
}

/* ---- fields ---- */

static enum err
take_version(struct found *f, struct span value)
{
	if (f->has_version)
		return OK;
	f->has_version = true;
	return span_equal(value, SPAN_LIT("STSv1")) ? OK :
	    why_set(f->why, ERR_SYNTAX, "version is not STSv1");
}

static enum err
take_mode(struct found *f, struct span value)
{
	if (f->has_mode)
		return OK;
	f->has_mode = true;
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		if (!span_equal(value, span_str(modes[i])))
			continue;
		f->policy.mode = (enum sts_mode)i;
		return OK;
	}
	return why_set(f->why, ERR_SYNTAX,
	    "mode is none of enforce, testing, none");
}

/* 3.2: more than a year means a year. */
static enum err
take_max_age(struct found *f, struct span value)
{
	bool is_number = value.n > 0 && value.n <= AGE_DIGITS_MAX;
	uint64_t seconds = 0;

	if (f->has_max_age)
		return OK;
	f->has_max_age = true;
	for (size_t i = 0; i < value.n; i++) {
		is_number = is_number && text_is_digit(value.p[i]);
		if (is_number)
			seconds = seconds * 10 + (value.p[i] - '0');
	}
	if (!is_number)
		return why_set(f->why, ERR_SYNTAX,
		    "max_age is no number of seconds");
	f->policy.max_age_s = seconds > STS_AGE_MAX_S ? STS_AGE_MAX_S :
	    (uint32_t)seconds;
	return OK;
}

static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 127)
			return true;
	return false;
}

/* An empty line is nobody's field and harms nobody. */
static enum err
take_line(struct found *f, struct span line)
{
	static const struct {
		const char *name;
		enum err (*take)(struct found *f, struct span value);
	} fields[] = {
		{ "version", take_version }, { "mode", take_mode },
		{ "max_age", take_max_age }, { "mx", add_mx },
	};
	size_t colon = span_find(line, ':');
	struct span name = span_sub(line, 0, colon);
	struct span value = sts_trim(span_from(line, colon + 1));

	if (sts_trim(line).n == 0)
		return OK;
	if (colon == line.n || !sts_is_name(name) || has_control(value))
		return why_set(f->why, ERR_SYNTAX, "a line is no field");
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (span_equal(name, span_str(fields[i].name)))
			return fields[i].take(f, value);
	return OK;
}

static enum err
judge(const struct found *f)
{
	if (!f->has_version || !f->has_mode || !f->has_max_age)
		return why_set(f->why, ERR_SYNTAX, "%s is missing",
		    !f->has_version ? "version" :
		    !f->has_mode ? "mode" : "max_age");
	if (f->mx->n == 0 && f->policy.mode != STS_MODE_NONE)
		return why_set(f->why, ERR_SYNTAX, "mx is missing");
	return OK;
}

enum err
sts_policy_parse(struct span text, struct sts_policy *out, struct buf *mx,
    struct why *why)
{
	struct found f = { .mx = mx, .why = why };
	enum err e = OK;

	buf_reset(mx);
	if (text.n > STS_POLICY_MAX)
		return why_set(why, ERR_SYNTAX, "it is too long");
	while (text.n > 0 && e == OK) {
		size_t end = span_find(text, '\n');
		struct span line = span_sub(text, 0, end);

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		e = take_line(&f, line);
		text = span_from(text, end + 1);
	}
	if (e == OK)
		e = judge(&f);
	if (e == OK)
		*out = f.policy;
	return e;
}

bool
sts_is_plain_text(struct span type)
{
	return span_equal_nocase(sts_trim(span_sub(type, 0, span_find(type, ';'))),
	    SPAN_LIT("text/plain"));
}
