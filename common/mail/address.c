/*
 * A mailbox is read once from the left: local part, `@`, domain.  There is no
 * backtracking, and no lenient form: what an address is must be the same here,
 * at the host before and at the host behind, or a rule that was checked for
 * one mailbox is applied to another (I-08).
 *
 * Which of several mistakes is reported matters, because the reply says it: a
 * wrong character comes before a wrong length.
 */
#include "common/mail/address.h"

#include "common/base/ipaddr.h"
#include "common/base/text.h"
#include "common/base/utf8.h"

/* atext of RFC 5322 3.2.3, one bit for each ASCII character. */
static const uint32_t atext[4] = {
	0x00000000u, 0xa3ffacfau, 0xc7fffffeu, 0x7fffffffu
};

static bool
is_atext(uint8_t c)
{
	return c < 0x80 && (atext[c >> 5] >> (c & 31) & 1) != 0;
}

/* RFC 6531 3.3: any octet of UTF-8, whose form is checked as a whole. */
static bool
may_8bit(uint8_t c, unsigned flags)
{
	return c >= 0x80 && (flags & ADDRESS_UTF8) != 0;
}

/* Which error a character that does not belong there is: an octet above 127
 * could be right with SMTPUTF8, so the client is told that instead. */
static enum err
fault_of(uint8_t c)
{
	return c >= 0x80 ? ERR_DENIED : ERR_SYNTAX;
}

/* Dot-string: atoms joined by single dots.  *N: octets it takes. */
static enum err
take_dot_string(struct span s, unsigned flags, size_t *n)
{
	size_t i;

	for (i = 0; i < s.n && s.p[i] != '@'; i++) {
		uint8_t c = s.p[i];

		if (c == '.') {
			if (i == 0 || s.p[i - 1] == '.')
				return ERR_SYNTAX;
		} else if (!is_atext(c) && !may_8bit(c, flags)) {
			return fault_of(c);
		}
	}
	if (i == 0 || s.p[i - 1] == '.')
		return ERR_SYNTAX;
	*n = i;
	return OK;
}

/* Quoted-string of 4.1.2: printable characters and blanks; no controls, not
 * even behind a backslash.  *N: octets with the quotes. */
static enum err
take_quoted(struct span s, unsigned flags, size_t *n)
{
	size_t i;

	for (i = 1; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '"') {
			*n = i + 1;
			return OK;
		}
		if (c == '\\') {
			/* quoted-pairSMTP: any printable character, RFC 5321
			 * 4.1.2 */
			if (++i == s.n || !text_is_print(s.p[i]))
				return ERR_SYNTAX;
		} else if (!text_is_print(c) && !may_8bit(c, flags)) {
			return fault_of(c);
		}
	}
	return ERR_SYNTAX;
}

/* What stands behind the `@`: a name or a literal. */
static enum err
check_domain(struct span domain, unsigned flags, bool *is_literal)
{
	struct ipaddr ip;
	unsigned rules = 0;

	*is_literal = domain.n > 0 && domain.p[0] == '[';
	if (*is_literal)
		return address_literal(domain, &ip);
	if ((flags & ADDRESS_UNDERSCORE) != 0)
		rules |= DOMAIN_UNDERSCORE;
	if ((flags & ADDRESS_UTF8) != 0)
		rules |= DOMAIN_UTF8;
	return domain_check(domain, rules);
}

enum err
address_parse(struct span s, unsigned flags, struct address *out)
{
	struct address a = { .text = s };
	size_t n = 0;
	enum err e;

	a.is_quoted = s.n > 0 && s.p[0] == '"';
	e = a.is_quoted ? take_quoted(s, flags, &n) :
	    take_dot_string(s, flags, &n);
	if (e != OK)
		return e;
	a.local = span_sub(s, 0, n);
	/* what follows the local part decides: the end, `@`, or a mistake */
	if (n == s.n) {
		if ((flags & ADDRESS_BARE) == 0)
			return ERR_SYNTAX;
	} else {
		if (s.p[n] != '@')
			return ERR_SYNTAX;
		a.domain = span_from(s, n + 1);
		e = check_domain(a.domain, flags, &a.is_literal);
		if (e != OK)
			return e;
	}
	/* only now: what is malformed isn't called too long */
	if (a.local.n > ADDRESS_LOCAL_MAX && (flags & ADDRESS_LONG) == 0)
		return ERR_RANGE;
	a.has_8bit = (flags & ADDRESS_UTF8) != 0 && !utf8_is_ascii(s);
	if (a.has_8bit && !utf8_is_valid(s))
		return ERR_SYNTAX;
	*out = a;
	return OK;
}

enum err
address_literal(struct span domain, struct ipaddr *out)
{
	const struct span tag = SPAN_LIT("IPv6:");
	struct ipaddr ip;
	struct span inner;
	bool is_v6;

	if (domain.n < 2 || domain.p[0] != '[' ||
	    domain.p[domain.n - 1] != ']')
		return ERR_SYNTAX;
	inner = span_sub(domain, 1, domain.n - 2);
	is_v6 = span_starts_nocase(inner, tag);
	if (is_v6)
		inner = span_from(inner, tag.n);
	/* 4.1.3: an IPv6 address needs its tag, an IPv4 one has none */
	if ((span_find(inner, ':') != inner.n) != is_v6)
		return ERR_SYNTAX;
	if (ipaddr_parse(inner, &ip) != OK)
		return ERR_SYNTAX;
	*out = ip;
	return OK;
}

/* The unquoted local part, at most SIZE octets of it; returns its length.
 * Quotes and backslashes are spelling, not meaning (RFC 5321 4.1.2). */
static size_t
unquote(const struct address *a, uint8_t *out, size_t size)
{
	struct span s = a->local;
	size_t n = 0;

	if (a->is_quoted && s.n >= 2)
		s = span_sub(s, 1, s.n - 2);
	for (size_t i = 0; i < s.n && n < size; i++) {
		if (a->is_quoted && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		out[n++] = s.p[i];
	}
	return n;
}

/* Can it stand without quotes?  UTF-8 was allowed or refused by the parser. */
static bool
is_dot_string(struct span s)
{
	size_t n = 0;

	return take_dot_string(s, ADDRESS_UTF8, &n) == OK && n == s.n;
}

/* The shortest quoted form: a backslash only where it must be.  There is one
 * such form for each local part, which is what makes it canonical. */
static void
add_quoted(struct span s, struct buf *out)
{
	buf_add_byte(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_byte(out, '\\');
		buf_add_byte(out, s.p[i]);
	}
	buf_add_byte(out, '"');
}

void
address_canonical(const struct address *a, struct buf *out)
{
	uint8_t plain[ADDRESS_LOCAL_MAX];
	struct span local = span_of(plain, unquote(a, plain, sizeof(plain)));

	if (is_dot_string(local))
		buf_add_span(out, local);
	else
		add_quoted(local, out);
	if (a->domain.n == 0)
		return;
	buf_add_byte(out, '@');
	for (size_t i = 0; i < a->domain.n; i++)
		buf_add_byte(out, text_lower_byte(a->domain.p[i]));
}

void
address_put(struct span local, struct span domain, struct buf *out)
{
	if (is_dot_string(local))
		buf_add_span(out, local);
	else
		add_quoted(local, out);
	buf_add_byte(out, '@');
	buf_add_span(out, domain);
}

void
address_local_plain(const struct address *a, struct buf *out)
{
	uint8_t *plain = buf_reserve(out, a->local.n);

	if (plain != NULL)
		buf_commit(out, unquote(a, plain, a->local.n));
}

bool
address_is_postmaster(const struct address *a)
{
	uint8_t plain[ADDRESS_LOCAL_MAX];
	struct span local = span_of(plain, unquote(a, plain, sizeof(plain)));

	return a->local.n <= ADDRESS_LOCAL_MAX &&
	    span_equal_nocase(local, SPAN_LIT("postmaster"));
}
