/*
 * What a configuration may call a host, a domain or a mailbox, and the
 * patterns made of them.  The rules are close to those of common/mail; but
 * what is written by hand is more often a typing error than an exotic name, so
 * a last label of digits is refused.
 */
#include "common/conf/conf_name.h"

#include "common/base/ipaddr.h"
#include "common/base/text.h"

#define LABEL_MAX 63

/* Underscores stand in names of the DNS that are no hosts, and in some that
 * are. */
static bool
is_label_byte(uint8_t c, bool may_underscore)
{
	return text_is_alpha(c) || text_is_digit(c) || c == '-' ||
	    (may_underscore && c == '_');
}

/* RFC 1123 section 2.1 lets a label begin with a digit, RFC 952 did not. */
static bool
is_label(struct span label, bool may_underscore)
{
	if (label.n == 0 || label.n > LABEL_MAX ||
	    label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!is_label_byte(label.p[i], may_underscore))
			return false;
	return true;
}

/* Nothing but digits. */
static bool
is_number(struct span label)
{
	for (size_t i = 0; i < label.n; i++)
		if (!text_is_digit(label.p[i]))
			return false;
	return true;
}

/* The last label is never a number: 192.0.2.300 is a mistyped address. */
static bool
is_labels(struct span name, bool may_underscore)
{
	if (name.n > CONF_NAME_DOMAIN_MAX)
		return false;
	for (;;) {
		size_t dot = span_find(name, '.');

		if (!is_label(span_sub(name, 0, dot), may_underscore))
			return false;
		if (dot == name.n)
			return !is_number(name);
		name = span_from(name, dot + 1);
	}
}

/* For our own name, so no underscore: other servers check it. */
bool
conf_name_is_host(struct span name)
{
	return is_labels(name, false);
}

/* An address literal stands for a domain in an address (RFC 5321 4.1.3). */
static bool
is_literal(struct span name)
{
	const struct span v6 = SPAN_LIT("IPv6:");
	struct ipaddr address;
	struct span inner;

	if (name.n < 2 || name.p[0] != '[' || name.p[name.n - 1] != ']')
		return false;
	inner = span_sub(name, 1, name.n - 2);
	if (span_starts_nocase(inner, v6))
		return ipaddr_parse(span_from(inner, v6.n), &address) == OK;
	return ipaddr_parse(inner, &address) == OK &&
	    address.family == IPADDR_4;
}

/* A domain of an address: a name or a literal. */
bool
conf_name_is_domain(struct span name)
{
	return is_labels(name, true) || is_literal(name);
}

/* Wider than RFC 5321 section 4.1.2, as it only names whom to look for; angle
 * brackets are what people paste by mistake. */
static bool
is_local(struct span local)
{
	if (local.n == 0 || local.n > CONF_NAME_LOCAL_MAX)
		return false;
	for (size_t i = 0; i < local.n; i++)
		if (!text_is_print(local.p[i]) || local.p[i] == ' ' ||
		    local.p[i] == '<' || local.p[i] == '>')
			return false;
	return true;
}

/* Where the domain's @ is: the last one; text.n without. */
static size_t
find_at(struct span text)
{
	for (size_t i = text.n; i > 0; i--)
		if (text.p[i - 1] == '@')
			return i - 1;
	return text.n;
}

/* IS_BARE: a local part alone will do. */
bool
conf_name_is_mailbox(struct span mailbox, bool is_bare)
{
	size_t at = find_at(mailbox);

	if (!is_local(span_sub(mailbox, 0, at)))
		return false;
	if (at == mailbox.n)
		return is_bare;
	return conf_name_is_domain(span_from(mailbox, at + 1));
}

/* d, .d or *.d */
static struct conf_pattern
domain_pattern(struct span text)
{
	struct conf_pattern pattern = { .kind = CONF_PATTERN_DOMAIN };

	if (span_starts_nocase(text, SPAN_LIT("*.")))
		text = span_from(text, 1);
	if (text.n > 0 && text.p[0] == '.') {
		pattern.kind = CONF_PATTERN_BELOW;
		text = span_from(text, 1);
	}
	pattern.domain = text;
	if (!conf_name_is_domain(text) ||
	    (pattern.kind == CONF_PATTERN_BELOW && text.p[0] == '['))
		pattern.kind = CONF_PATTERN_NONE;
	return pattern;
}

/* A pattern that says less than it seems to is refused rather than read in
 * some other way: rules decide where mail goes (I-08). */
struct conf_pattern
conf_name_pattern(struct span text)
{
	struct conf_pattern pattern = { .kind = CONF_PATTERN_NONE };
	size_t at = find_at(text);

	if (span_equal(text, SPAN_LIT("*"))) {
		pattern.kind = CONF_PATTERN_ANY;
	} else if (span_equal(text, SPAN_LIT("<>"))) {
		pattern.kind = CONF_PATTERN_NULL;
	} else if (at == text.n) {
		pattern = domain_pattern(text);
	} else if (span_equal(span_sub(text, 0, at), SPAN_LIT("*"))) {
		pattern = domain_pattern(span_from(text, at + 1));
	} else {
		pattern.local = span_sub(text, 0, at);
		pattern.domain = span_from(text, at + 1);
		/* a * elsewhere would promise what nobody keeps */
		if (is_local(pattern.local) &&
		    span_find(pattern.local, '*') == pattern.local.n &&
		    conf_name_is_domain(pattern.domain))
			pattern.kind = CONF_PATTERN_ADDRESS;
	}
	return pattern;
}
