/*
 * One parser and one printer for each type of the schema.  Both the file and
 * the wire between processes use them, so a value is one that this parser has
 * passed, whoever sends it (I-05).
 *
 * Values are read and written by memcpy() through their row's offset, never by
 * a cast to a struct: the rows know no types.
 */
#include "common/conf/conf_value.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/conf/conf_dnslist.h"
#include "common/conf/conf_name.h"
#include "common/conf/conf_rule.h"
#include "common/conf/conf_target.h"

#define PATH_BYTES_MAX	4096

/* ---- choices: the names of enum values, by their number ---- */

/* each in the order of its enum in conf_types.h */
static const char *const services[] = { "mx", "submission" };
static const char *const listener_tls[] = { "none", "starttls", "implicit" };
static const char *const route_tls[] = {
	"none", "opportunistic", "required", "verified", "dane", "sts",
	"opportunistic-dane-sts"
};
static const char *const levels[] = { "error", "warning", "info", "debug" };
static const char *const formats[] = { "text", "json", "postfix" };
static const char *const newlines[] = { "refuse", "normalise" };
static const char *const families[] = {
	"any", "ipv4", "ipv6", "ipv4-first", "ipv6-first"
};
static const char *const languages[] = { "en" };
static const char *const doubts[] = { "retry", "hold" };
static const char *const eight_bits[] = {
	"convert", "convert-unsigned", "return", "pass"
};
static const char *const route_eight_bits[] = {
	"deliver", "convert", "convert-unsigned", "return", "pass"
};
static const char *const route_doubts[] = { "queue", "retry", "hold" };
static const char *const privates[] = { "allow", "refuse" };
static const char *const reverses[] = { "none", "log", "refuse" };
static const char *const tls_reports[] = { "none", "send" };
static const char *const eaches[] = { "user", "client", "network" };
static const char *const mechanisms[] = {
	"any", "plain", "login", "scram-sha-256", "external", "oauthbearer",
	"xoauth2"
};
static const char *const shapes[] = {
	"slow", "back_off", "suspend", "retry", "none"
};

static const struct choice {
	const char *const *names;
	size_t n;
} choices[CONF_TYPES] = {
	[CONF_TYPE_SERVICE] = { services, COUNT_OF(services) },
	[CONF_TYPE_LISTENER_TLS] = { listener_tls, COUNT_OF(listener_tls) },
	[CONF_TYPE_ROUTE_TLS] = { route_tls, COUNT_OF(route_tls) },
	[CONF_TYPE_LEVEL] = { levels, COUNT_OF(levels) },
	[CONF_TYPE_FORMAT] = { formats, COUNT_OF(formats) },
	[CONF_TYPE_NEWLINE] = { newlines, COUNT_OF(newlines) },
	[CONF_TYPE_FAMILY] = { families, COUNT_OF(families) },
	[CONF_TYPE_LANGUAGE] = { languages, COUNT_OF(languages) },
	[CONF_TYPE_DOUBT] = { doubts, COUNT_OF(doubts) },
	[CONF_TYPE_EIGHT_BIT] = { eight_bits, COUNT_OF(eight_bits) },
	[CONF_TYPE_ROUTE_EIGHT_BIT] = { route_eight_bits,
	    COUNT_OF(route_eight_bits) },
	[CONF_TYPE_ROUTE_DOUBT] = { route_doubts, COUNT_OF(route_doubts) },
	[CONF_TYPE_PRIVATE] = { privates, COUNT_OF(privates) },
	[CONF_TYPE_REVERSE] = { reverses, COUNT_OF(reverses) },
	[CONF_TYPE_TLS_REPORTS] = { tls_reports, COUNT_OF(tls_reports) },
	[CONF_TYPE_EACH] = { eaches, COUNT_OF(eaches) },
	[CONF_TYPE_MECHANISM] = { mechanisms, COUNT_OF(mechanisms) },
	[CONF_TYPE_SHAPE] = { shapes, COUNT_OF(shapes) },
};

/* an enum is written and read by copying an unsigned int */
_Static_assert(sizeof(enum conf_service) == sizeof(unsigned) &&
    sizeof(enum conf_route_tls) == sizeof(unsigned), "enums are unsigned");

/* For guesses and the documentation; NULL when the type has no names. */
const char *const *
conf_value_choices(enum conf_type type, size_t *n)
{
	if (choices[type].names == NULL)
		return NULL;
	*n = choices[type].n;
	return choices[type].names;
}

/* The error names all choices: there are few of them everywhere. */
static enum err
parse_choice(enum conf_type type, struct span text, void *out, struct why *why)
{
	const struct choice *choice = &choices[type];
	char names[128] = "";
	size_t used = 0;

	for (unsigned i = 0; i < choice->n; i++) {
		struct span name = span_str(choice->names[i]);

		/* exact: names have one spelling, and a near miss gets a
		 * guess */
		if (span_equal(text, name)) {
			memcpy(out, &i, sizeof(i));
			return OK;
		}
		/* the names are ours, and so few that they fit */
		MUST(used + name.n + 3 < sizeof(names));
		memcpy(names + used, name.p, name.n + 1);
		used += name.n;
		if (i + 1 < choice->n) {
			memcpy(names + used, ", ", 3);
			used += 2;
		}
	}
	return why_set(why, ERR_SYNTAX, "expected %s%s",
	    choice->n > 1 ? "one of " : "", names);
}

/* ---- numbers ---- */

/* The limits in the unit in which the value was written. */
static enum err
out_of_range(const struct conf_row *row, enum conf_type type, struct why *why)
{
	char low[UNITS_TEXT_SIZE], high[UNITS_TEXT_SIZE];

	if (type == CONF_TYPE_TIME) {
		units_format_ms(row->min, low);
		units_format_ms(row->max, high);
	} else if (type == CONF_TYPE_SIZE) {
		units_format_bytes((uint64_t)row->min, low);
		units_format_bytes((uint64_t)row->max, high);
	} else {
		return why_set(why, ERR_RANGE,
		    "must be between %lld and %lld", (long long)row->min,
		    (long long)row->max);
	}
	return why_set(why, ERR_RANGE, "must be between %s and %s", low, high);
}

/* A row's limits are in milliseconds, as its value is. */
static enum err
parse_time(const struct conf_row *row, struct span text, void *out,
    struct why *why)
{
	int64_t ms;
	enum err e = units_parse_ms(text, &ms);

	if (e == ERR_SYNTAX)
		return why_set(why, ERR_SYNTAX, "expected a duration such as "
		    "500ms, 10s, 5m, 2h or 3d");
	if (e != OK || ms < row->min || ms > row->max)
		return out_of_range(row, CONF_TYPE_TIME, why);
	memcpy(out, &ms, sizeof(ms));
	return OK;
}

/* A row's limits are in bytes. */
static enum err
parse_size(const struct conf_row *row, struct span text, void *out,
    struct why *why)
{
	uint64_t bytes;
	enum err e = units_parse_bytes(text, &bytes);

	if (e == ERR_SYNTAX)
		return why_set(why, ERR_SYNTAX,
		    "expected a size such as 4KiB, 50MiB or 1048576");
	if (e != OK || bytes < (uint64_t)row->min ||
	    bytes > (uint64_t)row->max)
		return out_of_range(row, CONF_TYPE_SIZE, why);
	memcpy(out, &bytes, sizeof(bytes));
	return OK;
}

/* 50/1s; a unit alone is one of it.  A row's limits are those of the time, or a
 * list's of its count. */
static enum err
parse_rate(const struct conf_row *row, struct span text, void *out,
    struct why *why)
{
	size_t slash = span_find(text, '/');
	struct span time = span_from(text, slash + 1);
	struct conf_rate rate = { .period_ms = 1 };
	char one[16] = "1";
	uint64_t count;
	int64_t ms;

	if (span_equal(text, SPAN_LIT("none"))) {
		memcpy(out, &rate, sizeof(rate));
		return OK;
	}
	if (time.n > 0 && time.n < sizeof(one) - 1 &&
	    !text_is_digit(time.p[0]) && span_copy(time, one + 1, 14))
		time = span_str(one);
	if (slash >= text.n || units_parse_ms(time, &ms) != OK ||
	    units_parse_u64(span_sub(text, 0, slash), &count) != OK)
		return why_set(why, ERR_SYNTAX,
		    "expected a rate such as 50/1s, 1/10s or none");
	if (count < 1 || count > CONF_RATE_COUNT_MAX)
		return why_set(why, ERR_RANGE, "the number must "
		    "be between 1 and %d", CONF_RATE_COUNT_MAX);
	if (conf_type_is_list(row->type) && (ms < 1 || ms > MTIME_DAY))
		return why_set(why, ERR_RANGE,
		    "must be between 1ms and 1d");
	if (!conf_type_is_list(row->type) &&
	    (ms < row->min || ms > row->max))
		return out_of_range(row, CONF_TYPE_TIME, why);
	rate = (struct conf_rate){ (uint32_t)count, (uint32_t)ms };
	memcpy(out, &rate, sizeof(rate));
	return OK;
}

/* A number; 0 stands for `auto` and can't be written, as the row's least is
 * 1. */
static enum err
parse_count(const struct conf_row *row, enum conf_type type, struct span text,
    void *out, struct why *why)
{
	uint64_t number;
	uint32_t count = 0;
	enum err e;

	if (type == CONF_TYPE_WORKERS && span_equal(text, SPAN_LIT("auto"))) {
		memcpy(out, &count, sizeof(count));
		return OK;
	}
	e = units_parse_u64(text, &number);
	if (e == ERR_SYNTAX)
		return why_set(why, ERR_SYNTAX, "expected a number%s",
		    type == CONF_TYPE_WORKERS ? " or auto" : "");
	if (e != OK || number < (uint64_t)row->min ||
	    number > (uint64_t)row->max)
		return out_of_range(row, type, why);
	count = (uint32_t)number;
	memcpy(out, &count, sizeof(count));
	return OK;
}

/* ---- texts ---- */

/* A value that goes into a line of the log or of a reply. */
static bool
is_line(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x20 || text.p[i] == 0x7f)
			return false;
	return true;
}

/* For `to` and `from` of routes. */
static enum err
check_pattern(enum conf_type type, struct span text, struct why *why)
{
	enum conf_pattern_kind kind = conf_name_pattern(text).kind;

	if (kind == CONF_PATTERN_NULL && type == CONF_TYPE_PATTERN)
		return why_set(why, ERR_SYNTAX,
		    "nobody sends to the null address; <> is for `from`");
	if (kind == CONF_PATTERN_NONE)
		return why_set(why, ERR_SYNTAX, "expected *, example.org, "
		    ".example.org (all below it) or user@example.org");
	return OK;
}

/* "user pattern" of auth.senders. */
static enum err
check_user(struct span text, struct why *why)
{
	const size_t blank = span_find(text, ' ');
	struct span pattern = span_from(text, blank + 1);

	if (blank == 0 || blank == text.n || !is_line(text) ||
	    conf_name_pattern(pattern).kind == CONF_PATTERN_NONE)
		return why_set(why, ERR_SYNTAX, "expected a user, a blank and "
		    "a sender: ann ann@example.org, ann example.org, * <>");
	return OK;
}

/* For relay.domains: what opens the relay to the world has to be refused. */
static enum err
check_domain(struct span text, struct why *why)
{
	enum conf_pattern_kind kind = conf_name_pattern(text).kind;

	if (kind == CONF_PATTERN_ANY)
		return why_set(why, ERR_SYNTAX, "* would make this an open "
		    "relay for everybody; name the domains");
	if ((kind != CONF_PATTERN_DOMAIN && kind != CONF_PATTERN_BELOW) ||
	    span_find(text, '@') < text.n)
		return why_set(why, ERR_SYNTAX, "expected a domain "
		    "(example.org), or .example.org for all below it");
	return OK;
}

/* What a text may be, by its type; the length is checked before. */
static enum err
check_text(enum conf_type type, struct span text, struct why *why)
{
	switch (type) {
	case CONF_TYPE_HOST:
		return conf_name_is_host(text) ? OK : why_set(why, ERR_SYNTAX,
		    "expected a host name such as mail.example.org");
	case CONF_TYPE_MAILBOX:
		return conf_name_is_mailbox(text, true) ? OK :
		    why_set(why, ERR_SYNTAX,
		    "expected an address such as postmaster@example.org");
	case CONF_TYPE_DOMAIN:
		return check_domain(text, why);
	case CONF_TYPE_USER:
		return check_user(text, why);
	case CONF_TYPE_GLOB:
		return text.n > 0 && is_line(text) ? OK : why_set(why,
		    ERR_SYNTAX, "expected a name, perhaps with * and ?");
	case CONF_TYPE_PATTERN:
	case CONF_TYPE_SENDER:
		return check_pattern(type, text, why);
	default:
		return is_line(text) ? OK : why_set(why, ERR_SYNTAX,
		    "control characters have no place here");
	}
}

/* The limits of a list's row count its elements, so they don't apply to the
 * length of one. */
static enum err
parse_text(const struct conf_row *row, enum conf_type type, struct span text,
    const struct conf_scope *scope, void *out, struct why *why)
{
	const char *copied;
	enum err e;

	if (!conf_type_is_list(row->type) && (text.n < (uint64_t)row->min ||
	    text.n > (uint64_t)row->max))
		return text.n == 0 ?
		    why_set(why, ERR_RANGE, "must not be empty") :
		    why_set(why, ERR_RANGE, "must not be longer than %lld "
		    "bytes", (long long)row->max);
	if ((e = check_text(type, text, why)) != OK)
		return e;
	if ((copied = arena_text(scope->arena, text)) == NULL)
		return ERR_NOMEM;
	memcpy(out, &copied, sizeof(copied));
	return OK;
}

/* MAX is the row's: a socket's path has to fit into its address. */
static enum err
parse_path(const struct conf_row *row, struct span text,
    const struct conf_scope *scope, void *out, struct why *why)
{
	/* the bounds of a list are those of its count */
	const size_t max = conf_type_is_list(row->type) ? PATH_BYTES_MAX
	    : (size_t)row->max;
	const char *path;
	enum err e = conf_target_parse_path(text, max, scope, &path, why);

	if (e == OK)
		memcpy(out, &path, sizeof(path));
	return e;
}

/* ---- addresses ---- */

/* 10.0.0.1/8 is refused: whether the address or the length was meant, one of
 * the readings gives a larger part of the net the right to relay. */
static enum err
parse_network(struct span text, void *out, struct why *why)
{
	switch (ipaddr_prefix_parse(text, out)) {
	case OK:
		return OK;
	case ERR_RANGE:
		return why_set(why, ERR_RANGE, "this is an address, not a "
		    "network: bits are set behind the prefix; write /32 "
		    "(/128) or clear them");
	default:
		return why_set(why, ERR_SYNTAX, "expected an address or a "
		    "network such as 10.0.0.0/8 or 2001:db8::/32");
	}
}

/* A resolver has a usual port, the metrics have none. */
static enum err
parse_server(enum conf_type type, struct span text, void *out,
    struct why *why)
{
	bool has_default = type == CONF_TYPE_SERVER;
	struct conf_address address = { .kind = CONF_ADDRESS_IP, .path = "" };
	struct endpoint *endpoint = &address.endpoint;

	if (endpoint_parse(text, has_default ? 53 : 0, endpoint) != OK &&
	    (!has_default || ipaddr_parse(text, &endpoint->addr) != OK))
		return why_set(why, ERR_SYNTAX, "expected an address%s a port "
		    "such as 127.0.0.1:%u", has_default ? ", perhaps with" :
		    " and", has_default ? 53u : 9125u);
	/* the two types have different structs: see conf_type_size() */
	if (!has_default) {
		memcpy(out, &address, sizeof(address));
		return OK;
	}
	if (endpoint->port == 0)
		endpoint->port = 53;
	memcpy(out, endpoint, sizeof(*endpoint));
	return OK;
}

/* ---- all types ---- */

/* Copies what it keeps into the scope's arena.  OUT is set on success only. */
enum err
conf_value_parse(const struct conf_row *row, enum conf_type type,
    struct span text, const struct conf_scope *scope, void *out,
    struct why *why)
{
	/* bounds what any parser below may see, from a file or from the
	 * wire */
	if (text.n > CONF_VALUE_TEXT_MAX)
		return why_set(why, ERR_RANGE, "this is too long");
	if (choices[type].names != NULL)
		return parse_choice(type, text, out, why);
	switch (type) {
	case CONF_TYPE_TIME:
		return parse_time(row, text, out, why);
	case CONF_TYPE_SIZE:
		return parse_size(row, text, out, why);
	case CONF_TYPE_RATE:
		return parse_rate(row, text, out, why);
	case CONF_TYPE_COUNT:
	case CONF_TYPE_PORT:
	case CONF_TYPE_WORKERS:
		return parse_count(row, type, text, out, why);
	case CONF_TYPE_PATH:
		return parse_path(row, text, scope, out, why);
	case CONF_TYPE_NETWORK:
		return parse_network(text, out, why);
	case CONF_TYPE_SERVER:
	case CONF_TYPE_METRICS:
		return parse_server(type, text, out, why);
	case CONF_TYPE_ADDRESS:
		return conf_target_parse_address(text, scope, out, why);
	case CONF_TYPE_TARGET:
		return conf_target_parse(text, scope, out, why);
	case CONF_TYPE_DNSLIST:
		return conf_dnslist_parse(text, scope, out, why);
	case CONF_TYPE_BOUND:
		return conf_rule_parse_bound(text, out, why);
	case CONF_TYPE_HEADER:
		return conf_rule_parse_header(text, scope, out, why);
	default:
		return parse_text(row, type, text, scope, out, why);
	}
}

/* With the largest unit that divides, so that parsing gives the same number;
 * nothing for one that is absent (no number that may be has 0 as its least). */
static void
print_number(enum conf_type type, const void *value, struct buf *out)
{
	char text[UNITS_TEXT_SIZE];
	uint32_t count;

	if (type == CONF_TYPE_TIME) {
		int64_t ms;

		memcpy(&ms, value, sizeof(ms));
		if (ms < 0)
			return;
		units_format_ms(ms, text);
		buf_add_str(out, text);
		return;
	}
	if (type == CONF_TYPE_SIZE) {
		uint64_t bytes;

		memcpy(&bytes, value, sizeof(bytes));
		units_format_bytes(bytes, text);
		buf_add_str(out, text);
		return;
	}
	memcpy(&count, value, sizeof(count));
	if (type == CONF_TYPE_WORKERS && count == 0)
		buf_add_str(out, "auto");
	else if (count > 0)
		buf_add_u64(out, count);
}

static void
print_rate(const void *value, struct buf *out)
{
	char text[UNITS_TEXT_SIZE];
	struct conf_rate rate;

	memcpy(&rate, value, sizeof(rate));
	if (rate.count > 0) {
		units_format_ms(rate.period_ms, text);
		buf_addf(out, "%u/%s", rate.count, text);
	} else if (rate.period_ms > 0) {
		buf_add_str(out, "none");
	}
}

static void
print_choice(enum conf_type type, const void *value, struct buf *out)
{
	unsigned number;

	memcpy(&number, value, sizeof(number));
	MUST(number < choices[type].n);
	buf_add_str(out, choices[type].names[number]);
}

/* The text that conf_value_parse() would take for the same value. */
void
conf_value_print(enum conf_type type, const void *value, struct buf *out)
{
	char text[ENDPOINT_TEXT_SIZE];
	const char *plain;

	if (choices[type].names != NULL) {
		print_choice(type, value, out);
		return;
	}
	switch (type) {
	case CONF_TYPE_TIME:
	case CONF_TYPE_SIZE:
	case CONF_TYPE_COUNT:
	case CONF_TYPE_PORT:
	case CONF_TYPE_WORKERS:
		print_number(type, value, out);
		return;
	case CONF_TYPE_RATE:
		print_rate(value, out);
		return;
	case CONF_TYPE_NETWORK:
		ipaddr_prefix_format(value, text);
		buf_add_str(out, text);
		return;
	case CONF_TYPE_SERVER:
		endpoint_format(value, text);
		buf_add_str(out, text);
		return;
	case CONF_TYPE_ADDRESS:
	case CONF_TYPE_METRICS:
		conf_target_print_address(value, out);
		return;
	case CONF_TYPE_TARGET:
		conf_target_print(value, out);
		return;
	case CONF_TYPE_DNSLIST:
		conf_dnslist_print(value, out);
		return;
	case CONF_TYPE_BOUND:
		conf_rule_print_bound(value, out);
		return;
	case CONF_TYPE_HEADER:
		conf_rule_print_header(value, out);
		return;
	default:
		memcpy(&plain, value, sizeof(plain));
		buf_add_str(out, plain);
	}
}

/* Absent: texts are empty, never NULL, so that no reader needs to ask. */
void
conf_value_clear(enum conf_type type, void *value)
{
	const char *empty = "";
	struct conf_address none = { .path = "" };
	int64_t no_time = -1;

	memset(value, 0, conf_type_size(type));
	switch (type) {
	case CONF_TYPE_TIME:
		memcpy(value, &no_time, sizeof(no_time));
		break;
	case CONF_TYPE_HOST:
	case CONF_TYPE_TEXT:
	case CONF_TYPE_PATH:
	case CONF_TYPE_MAILBOX:
		memcpy(value, &empty, sizeof(empty));
		break;
	case CONF_TYPE_ADDRESS:
	case CONF_TYPE_METRICS:
		memcpy(value, &none, sizeof(none));
		break;
	default:
		break;
	}
}
