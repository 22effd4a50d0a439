/*
 * Next hops, listeners' addresses and paths: the values with a syntax of their
 * own.  Messages say what to write instead, because these are where people
 * guess: URLs with passwords, ports alone, brackets that mean something
 * elsewhere.
 */
#include "common/conf/conf_target.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/conf/conf_name.h"

#define USER_MAX 255

static const char *const schemes[] = {
	[CONF_SCHEME_MX] = "mx",
	[CONF_SCHEME_SMTP] = "smtp",
	[CONF_SCHEME_SMTPS] = "smtps",
	[CONF_SCHEME_LMTP] = "lmtp",
	[CONF_SCHEME_DISCARD] = "discard",
	[CONF_SCHEME_REFUSE] = "refuse",
	[CONF_SCHEME_HOLD] = "hold",
};

/* Whether it stands alone, without a host. */
static bool
is_word(enum conf_scheme scheme)
{
	return scheme == CONF_SCHEME_MX || scheme >= CONF_SCHEME_DISCARD;
}

/* Into the arena, with a NUL. */
static enum err
copy(struct span text, const struct conf_scope *scope, const char **out)
{
	const char *copied = arena_text(scope->arena, text);

	if (copied == NULL)
		return ERR_NOMEM;
	*out = copied;
	return OK;
}

/* ---- paths ---- */

/* Any bytes but control characters: names are not ours to judge, but a newline
 * in one could forge a line of the log. */
static bool
is_path(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x20 || text.p[i] == 0x7f)
			return false;
	return text.n > 0;
}

/* TEXT below DIR, as one path, so that processes elsewhere mean the same
 * file. */
static enum err
join(const char *dir, struct span text, const struct conf_scope *scope,
    const char **out)
{
	size_t n = strlen(dir);
	/* a slash between and a NUL behind, which the arena gives */
	char *joined = arena_alloc(scope->arena, n + text.n + 2, 1);

	if (joined == NULL)
		return ERR_NOMEM;
	memcpy(joined, dir, n);
	if (n == 0 || dir[n - 1] != '/')
		joined[n++] = '/';
	memcpy(joined + n, text.p, text.n);
	*out = joined;
	return OK;
}

enum err
conf_target_parse_path(struct span text, size_t max,
    const struct conf_scope *scope, const char **out, struct why *why)
{
	bool is_absolute = text.n > 0 && text.p[0] == '/';
	const char *path;
	enum err e;

	if (!is_path(text))
		return why_set(why, ERR_SYNTAX, "expected a path");
	/* on the wire all paths are absolute: no process knows another's
	 * folder */
	if (!is_absolute && scope->dir == NULL)
		return why_set(why, ERR_SYNTAX, "expected an absolute path");
	while (!is_absolute && span_starts_nocase(text, SPAN_LIT("./")))
		text = span_from(text, 2);
	e = is_absolute ? copy(text, scope, &path) :
	    join(scope->dir, text, scope, &path);
	if (e != OK)
		return e;
	if (strlen(path) > max)
		return why_set(why, ERR_RANGE,
		    "this path has %zu bytes; %zu are possible here",
		    strlen(path), max);
	*out = path;
	return OK;
}

/* ---- listeners' addresses ---- */

/* Behind `*:` there is a port and nothing else. */
static enum err
parse_any(struct span port, struct conf_address *out, struct why *why)
{
	struct conf_address address = {
		.kind = CONF_ADDRESS_ANY, .path = ""
	};

	if (endpoint_parse_port(port, &address.endpoint.port) != OK)
		return why_set(why, ERR_SYNTAX,
		    "expected a port (1 to 65535) behind '*:'");
	*out = address;
	return OK;
}

/* Says what is wrong with an address that is none. */
static enum err
address_error(struct span text, struct why *why)
{
	uint16_t port;

	if (endpoint_parse_port(text, &port) == OK)
		return why_set(why, ERR_SYNTAX, "a port alone is not enough; "
		    "did you mean \"*:%u\"?", (unsigned)port);
	return why_set(why, ERR_SYNTAX, "expected an address and a port "
	    "(\"*:25\", \"192.0.2.1:25\", \"[2001:db8::1]:25\") or the path "
	    "of a socket");
}

/* A slash makes a path: none can be in an address. */
enum err
conf_target_parse_address(struct span text, const struct conf_scope *scope,
    struct conf_address *out, struct why *why)
{
	struct conf_address address = { .kind = CONF_ADDRESS_IP, .path = "" };

	if (span_starts_nocase(text, SPAN_LIT("*:")))
		return parse_any(span_from(text, 2), out, why);
	if (span_find(text, '/') < text.n) {
		enum err e = conf_target_parse_path(text, CONF_TARGET_PATH_MAX,
		    scope, &address.path, why);

		address.kind = CONF_ADDRESS_UNIX;
		if (e == OK)
			*out = address;
		return e;
	}
	if (endpoint_parse(text, 0, &address.endpoint) != OK)
		return address_error(text, why);
	*out = address;
	return OK;
}

/* Parsing the text gives the same address: it goes over the wire like that. */
void
conf_target_print_address(const struct conf_address *address, struct buf *out)
{
	char text[ENDPOINT_TEXT_SIZE];

	switch (address->kind) {
	case CONF_ADDRESS_NONE:
		return;
	case CONF_ADDRESS_ANY:
		buf_add_str(out, "*:");
		buf_add_u64(out, address->endpoint.port);
		return;
	case CONF_ADDRESS_IP:
		endpoint_format(&address->endpoint, text);
		buf_add_str(out, text);
		return;
	case CONF_ADDRESS_UNIX:
		buf_add_str(out, address->path);
		return;
	}
}

/* ---- next hops ---- */

/* Takes the scheme off TEXT; CONF_SCHEME_MX when it has none that we know. */
static enum conf_scheme
take_scheme(struct span *text)
{
	for (size_t i = CONF_SCHEME_SMTP; i <= CONF_SCHEME_LMTP; i++) {
		struct span name = span_str(schemes[i]);
		struct span rest = span_from(*text, name.n);

		if (!span_starts_nocase(*text, name) ||
		    !span_starts_nocase(rest, SPAN_LIT("://")))
			continue;
		*text = span_from(rest, 3);
		return (enum conf_scheme)i;
	}
	return CONF_SCHEME_MX;
}

/*
 * Takes `user@` off TEXT.  User names at providers are mail addresses, so it
 * is the last @ that ends them.  A password has no place in a file that many
 * may read, and `user:password@` is what people try first.
 */
static enum err
take_user(struct span *text, const struct conf_scope *scope,
    struct conf_target *out, struct why *why)
{
	struct span user;
	size_t at = text->n;

	while (at > 0 && text->p[at - 1] != '@')
		at--;
	if (at == 0)
		return OK;
	user = span_sub(*text, 0, at - 1);
	*text = span_from(*text, at);
	if (user.n == 0 || user.n > USER_MAX)
		return why_set(why, ERR_SYNTAX,
		    "expected a user name before the '@'");
	for (size_t i = 0; i < user.n; i++)
		if (!text_is_print(user.p[i]) || user.p[i] == ' ' ||
		    user.p[i] == ':' || user.p[i] == '/')
			return why_set(why, ERR_SYNTAX, "a user name has no "
			    "blank, ':' or '/'; a password belongs into "
			    "auth.password_file");
	return copy(user, scope, &out->user);
}

/* HOST as it stands before the port; brackets are for IPv6 only. */
static enum err
set_host(struct span host, const struct conf_scope *scope,
    struct conf_target *out, struct why *why)
{
	bool has_brackets = host.n >= 2 && host.p[0] == '[' &&
	    host.p[host.n - 1] == ']';
	struct span name = has_brackets ? span_sub(host, 1, host.n - 2) : host;

	out->is_address = ipaddr_parse(name, &out->ip) == OK;
	/* [host] means "this host, not its MX" in other mailers */
	if (has_brackets && !out->is_address)
		return why_set(why, ERR_SYNTAX, "brackets are for IPv6 "
		    "addresses; a host never means its MX here");
	if (out->is_address && out->ip.family == IPADDR_6 && !has_brackets)
		return why_set(why, ERR_SYNTAX,
		    "an IPv6 address stands in brackets: smtp://[::1]:25");
	if (!out->is_address && (!conf_name_is_domain(name)))
		return why_set(why, ERR_SYNTAX,
		    "expected the name or the address of a host");
	return copy(name, scope, &out->host);
}

/* Splits host and port; the ports of schemes are route_table's to know. */
static enum err
take_host(struct span text, const struct conf_scope *scope,
    struct conf_target *out, struct why *why)
{
	struct span port;
	size_t end = 0;

	if (text.n > 0 && text.p[0] == '[')
		end = span_find(text, ']');
	while (end < text.n && text.p[end] != ':')
		end++;
	/* 2001:db8::1 without brackets: let set_host say what is wrong */
	if (ipaddr_parse(text, &out->ip) == OK)
		end = text.n;
	port = span_from(text, end);
	if (port.n > 0 &&
	    endpoint_parse_port(span_from(port, 1), &out->port) != OK)
		return why_set(why, ERR_SYNTAX,
		    "expected a port (1 to 65535) behind the host's ':'");
	return set_host(span_sub(text, 0, end), scope, out, why);
}

static bool
find_word(struct span text, enum conf_scheme *out)
{
	for (size_t i = 0; i < COUNT_OF(schemes); i++) {
		enum conf_scheme scheme = (enum conf_scheme)i;

		if (is_word(scheme) &&
		    span_equal_nocase(text, span_str(schemes[i]))) {
			*out = scheme;
			return true;
		}
	}
	return false;
}

/* Words stand for themselves and have neither user nor host nor port. */
enum err
conf_target_parse(struct span text, const struct conf_scope *scope,
    struct conf_target *out, struct why *why)
{
	struct conf_target target = { .user = "", .host = "" };
	enum err e;

	if (!find_word(text, &target.scheme)) {
		target.scheme = take_scheme(&text);
		if (target.scheme == CONF_SCHEME_MX)
			return why_set(why, ERR_SYNTAX, "expected mx, or "
			    "smtp://host:port (smtps://, lmtp://), or "
			    "discard, refuse or hold");
		if (target.scheme == CONF_SCHEME_LMTP && text.n > 0 &&
		    text.p[0] == '/') {
			e = conf_target_parse_path(text, CONF_TARGET_PATH_MAX,
			    scope, &target.host, why);
			if (e == OK)
				*out = target;
			return e;
		}
		if ((e = take_user(&text, scope, &target, why)) != OK ||
		    (e = take_host(text, scope, &target, why)) != OK)
			return e;
	}
	*out = target;
	return OK;
}

void
conf_target_print(const struct conf_target *target, struct buf *out)
{
	bool has_brackets = target->is_address &&
	    target->ip.family == IPADDR_6;

	buf_add_str(out, schemes[target->scheme]);
	if (is_word(target->scheme))
		return;
	buf_add_str(out, "://");
	if (target->user[0] != '\0') {
		buf_add_str(out, target->user);
		buf_add_byte(out, '@');
	}
	if (has_brackets)
		buf_add_byte(out, '[');
	buf_add_str(out, target->host);
	if (has_brackets)
		buf_add_byte(out, ']');
	if (target->port != 0) {
		buf_add_byte(out, ':');
		buf_add_u64(out, target->port);
	}
}
