/*
 * Keyword, brackets, source route, mailbox: each has a fault of its own, so
 * that the reply can say what is wrong.  The mailbox itself is
 * common/mail/address.c's.
 *
 * Where the grammar leaves room, the narrow reading is taken.  An address that
 * we read one way and the next hop another is how mail gets to where it was
 * not allowed to go (I-08).
 */
#include "common/smtp/smtp_path.h"

#include "common/base/check.h"
#include "common/base/ipaddr.h"

/* The same permissions, as the room of addresses calls them. */
static unsigned
address_flags(unsigned flags)
{
	unsigned f = 0;

	if ((flags & SMTP_PATH_UNDERSCORE) != 0)
		f |= ADDRESS_UNDERSCORE;
	if ((flags & SMTP_PATH_UTF8) != 0)
		f |= ADDRESS_UTF8;
	if ((flags & SMTP_PATH_BARE) != 0)
		f |= ADDRESS_BARE;
	if ((flags & SMTP_PATH_LONG_LOCAL) != 0)
		f |= ADDRESS_LONG;
	return f;
}

/* Index of the `>` that closes the `<` at 0; S.n when there is none.  In a
 * quoted local part brackets and backslashes are text (RFC 5321 4.1.2). */
static size_t
find_bracket(struct span s)
{
	bool is_quoted = false;

	for (size_t i = 1; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (c == '"')
			is_quoted = !is_quoted;
		else if (c == '\\' && is_quoted)
			i++;
		else if (c == '>' && !is_quoted)
			return i;
	}
	return s.n;
}

/* Takes `@a,@b:` off the path.  It is ignored (RFC 5321 4.1.1.3, appendix C),
 * but must be well formed: a literal or a second `@` in it could mean one
 * thing to us and another to the next hop. */
static enum smtp_path_fault
skip_route(struct span *path, unsigned flags)
{
	unsigned rules = 0;
	struct span s = *path;

	if ((flags & SMTP_PATH_UNDERSCORE) != 0)
		rules |= DOMAIN_UNDERSCORE;
	if ((flags & SMTP_PATH_UTF8) != 0)
		rules |= DOMAIN_UTF8;
	for (;;) {
		size_t n = 1;

		if (s.n == 0 || s.p[0] != '@')
			return SMTP_PATH_ROUTE;
		while (n < s.n && s.p[n] != ',' && s.p[n] != ':')
			n++;
		if (n == s.n ||
		    domain_check(span_sub(s, 1, n - 1), rules) != OK)
			return SMTP_PATH_ROUTE;
		if (s.p[n] == ':') {
			*path = span_from(s, n + 1);
			return SMTP_PATH_OK;
		}
		s = span_from(s, n + 1);
	}
}

/* The errors of address_parse() as faults that the client is told of. */
static enum smtp_path_fault
parse_address(struct span s, unsigned flags, struct address *out)
{
	switch (address_parse(s, address_flags(flags), out)) {
	case OK:
		return SMTP_PATH_OK;
	case ERR_RANGE:
		return SMTP_PATH_LONG;
	case ERR_DENIED:
		return SMTP_PATH_8BIT;
	default:
		return SMTP_PATH_ADDRESS;
	}
}

/*
 * 4.5.3.1.3 allows 256 octets for a path, 4.5.3.1.2 allows 255 for a domain:
 * a domain that leaves no room for any local part in 256 octets gets what it
 * was promised.
 */
static bool
is_too_long(size_t path_bytes, const struct address *a)
{
	return path_bytes > SMTP_PATH_MAX &&
	    a->domain.n <= SMTP_PATH_MAX - sizeof("<x@>") + 1;
}

/* The path at the start of S, which begins with `<`.  What follows it must be
 * parted from it by a blank: `<a@b>x` is no path with a parameter. */
static enum smtp_path_fault
parse_path(struct span s, unsigned flags, bool is_to, struct smtp_path *out)
{
	struct smtp_path path = { .is_null = false };
	size_t end = find_bracket(s);
	struct span inner;
	enum smtp_path_fault fault;

	if (end == s.n || (end + 1 < s.n && s.p[end + 1] != ' '))
		return SMTP_PATH_BRACKETS;
	inner = span_sub(s, 1, end - 1);
	path.params = span_from(s, end + 1);
	while (path.params.n > 0 && path.params.p[0] == ' ')
		path.params = span_from(path.params, 1);
	/* nobody can be the recipient of <> */
	path.is_null = inner.n == 0;
	if (path.is_null) {
		if (is_to)
			return SMTP_PATH_ADDRESS;
		*out = path;
		return SMTP_PATH_OK;
	}
	/* <user> is parsed in any case: who it is decides below */
	path.has_route = inner.p[0] == '@';
	fault = path.has_route ? skip_route(&inner, flags) : SMTP_PATH_OK;
	if (fault == SMTP_PATH_OK)
		fault = parse_address(inner, flags | SMTP_PATH_BARE,
		    &path.address);
	if (fault != SMTP_PATH_OK)
		return fault;
	if (is_too_long(end + 1, &path.address))
		return SMTP_PATH_LONG;
	/* RFC 5321 4.5.1 knows one name without a domain, for RCPT only */
	if (path.address.domain.n == 0) {
		path.is_postmaster = is_to &&
		    address_is_postmaster(&path.address);
		if (!path.is_postmaster && (flags & SMTP_PATH_BARE) == 0)
			return SMTP_PATH_ADDRESS;
	}
	*out = path;
	return SMTP_PATH_OK;
}

/* What MAIL and RCPT share.  LENIENT lets in the blank that some clients put
 * behind the colon; RFC 5321 3.3 says that there is none. */
static enum smtp_path_fault
parse(struct span s, struct span keyword, unsigned flags, bool is_to,
    struct smtp_path *out)
{
	if (!span_starts_nocase(s, keyword))
		return SMTP_PATH_KEYWORD;
	s = span_from(s, keyword.n);
	if (s.n > 0 && s.p[0] == ' ') {
		if ((flags & SMTP_PATH_LENIENT) == 0)
			return SMTP_PATH_BLANK;
		while (s.n > 0 && s.p[0] == ' ')
			s = span_from(s, 1);
	}
	if (s.n == 0 || s.p[0] != '<')
		return SMTP_PATH_BRACKETS;
	return parse_path(s, flags, is_to, out);
}

enum smtp_path_fault
smtp_path_from(struct span argument, unsigned flags, struct smtp_path *out)
{
	return parse(argument, SPAN_LIT("FROM:"), flags, false, out);
}

enum smtp_path_fault
smtp_path_to(struct span argument, unsigned flags, struct smtp_path *out)
{
	return parse(argument, SPAN_LIT("TO:"), flags, true, out);
}

const char *
smtp_path_text(enum smtp_path_fault fault)
{
	static const char *const texts[SMTP_PATH_FAULT_COUNT] = {
		[SMTP_PATH_OK] = "the address is well formed",
		[SMTP_PATH_KEYWORD] =
		    "syntax: MAIL FROM:<address> or RCPT TO:<address>",
		[SMTP_PATH_BLANK] = "no blank is allowed after the colon",
		[SMTP_PATH_BRACKETS] =
		    "the address must stand between < and >",
		[SMTP_PATH_ADDRESS] = "the address is malformed",
		[SMTP_PATH_ROUTE] = "the source route is malformed",
		[SMTP_PATH_LONG] = "the address is too long",
		[SMTP_PATH_8BIT] = "the address is not ASCII",
	};

	return (size_t)fault < COUNT_OF(texts) ? texts[fault] : texts[0];
}

/* Underscores pass: many a host in a private network has one. */
bool
smtp_path_is_hello_name(struct span name)
{
	struct ipaddr ip;

	return domain_check(name, DOMAIN_UNDERSCORE) == OK ||
	    address_literal(name, &ip) == OK;
}
