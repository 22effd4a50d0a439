/*
 * The text of a name, label by label.  What is accepted here goes into
 * commands, logs, rules and questions to the DNS, so the set of characters is
 * a list of what may be, never of what may not.
 */
#include "common/mail/domain.h"

#include "common/base/text.h"
#include "common/base/utf8.h"

/* LDH of RFC 1034 3.5, and what the flags add to it. */
static bool
is_label_byte(uint8_t c, unsigned flags)
{
	if (text_is_alpha(c) || text_is_digit(c) || c == '-')
		return true;
	if (c == '_')
		return (flags & DOMAIN_UNDERSCORE) != 0;
	return c >= 0x80 && (flags & DOMAIN_UTF8) != 0;
}

/* Wrong characters are told of before a wrong length: the length of a name
 * that is none says nothing.  Hyphens stand inside only, RFC 1034 3.5. */
static enum err
check_label(struct span label, unsigned flags)
{
	if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return ERR_SYNTAX;
	for (size_t i = 0; i < label.n; i++) {
		if (is_label_byte(label.p[i], flags))
			continue;
		return label.p[i] >= 0x80 ? ERR_DENIED : ERR_SYNTAX;
	}
	return label.n > DOMAIN_LABEL_MAX ? ERR_RANGE : OK;
}

enum err
domain_check(struct span s, unsigned flags)
{
	struct span rest = s;

	for (;;) {
		size_t dot = span_find(rest, '.');
		enum err e = check_label(span_sub(rest, 0, dot), flags);

		if (e != OK)
			return e;
		if (dot == rest.n)
			break;
		rest = span_from(rest, dot + 1);
	}
	/* the sum last, so that the first wrong label is what is told of */
	if (s.n > DOMAIN_MAX)
		return ERR_RANGE;
	/* single octets were looked at above, not how they hang together */
	if ((flags & DOMAIN_UTF8) != 0 && !utf8_is_valid(s))
		return ERR_SYNTAX;
	return OK;
}

bool
domain_equal(struct span a, struct span b)
{
	return span_equal_nocase(a, b);
}

bool
domain_is_below(struct span s, struct span parent)
{
	if (parent.n == 0 || s.n < parent.n + 2)
		return false;
	/* whole labels only: badexample.org is not below example.org */
	if (s.p[s.n - parent.n - 1] != '.')
		return false;
	return span_equal_nocase(span_from(s, s.n - parent.n), parent);
}

int
domain_lower(struct span s, char out[DOMAIN_MAX + 1])
{
	if (s.n > DOMAIN_MAX)
		return ERR_RANGE;
	for (size_t i = 0; i < s.n; i++)
		out[i] = (char)text_lower_byte(s.p[i]);
	out[s.n] = '\0';
	return (int)s.n;
}
