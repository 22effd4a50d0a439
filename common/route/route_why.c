#include "common/route/route_why.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/conf/conf_name.h"
#include "common/conf/conf_schema.h"
#include "common/conf/conf_value.h"
#include "common/idn/idn.h"
#include "common/route/route_when.h"

#define ADDRESS_MAX 512		/* longer ones fall under `*` only */

/* Reads a local part without the quoting of RFC 5321 section 4.1.2, in lower
 * case; a lone backslash at the end stays. */
struct local {
	struct span s;
	bool is_quoted;
};

static struct local
local_of(struct span s)
{
	struct local l = { s, s.n >= 2 && s.p[0] == '"' &&
	    s.p[s.n - 1] == '"' };

	if (l.is_quoted)
		l.s = span_sub(s, 1, s.n - 2);
	return l;
}

/* -1 at the end. */
static int
next_byte(struct local *l)
{
	uint8_t c;

	if (l->s.n == 0)
		return -1;
	if (l->is_quoted && l->s.p[0] == '\\' && l->s.n > 1)
		l->s = span_from(l->s, 1);
	c = text_lower_byte(l->s.p[0]);
	l->s = span_from(l->s, 1);
	return c;
}

static bool
is_same_local(struct span a, struct span b)
{
	struct local x = local_of(a), y = local_of(b);
	int c;

	do {
		c = next_byte(&x);
		if (c != next_byte(&y))
			return false;
	} while (c >= 0);
	return true;
}

static bool
is_below(struct span domain, struct span above)
{
	return domain.n > above.n + 1 &&
	    domain.p[domain.n - above.n - 1] == '.' &&
	    span_equal_nocase(span_from(domain, domain.n - above.n), above);
}

/* A domain that begins with a dot is none. */
static bool
matches_name(const struct conf_pattern *p, struct span local,
    struct span domain)
{
	bool is_domain = domain.n > 0 && domain.p[0] != '.';

	switch (p->kind) {
	case CONF_PATTERN_ADDRESS:
		return span_equal_nocase(domain, p->domain) &&
		    is_same_local(local, p->local);
	case CONF_PATTERN_DOMAIN:
		return is_domain && span_equal_nocase(domain, p->domain);
	case CONF_PATTERN_BELOW:
		return is_domain && is_below(domain, p->domain);
	default:
		return false;
	}
}

/* Without an @ there is no domain, and nothing in front of it. */
static bool
split(struct span address, char ascii[IDN_ASCII_MAX + 1],
    struct span *local, struct span *domain)
{
	struct span found = route_domain(address);
	size_t at = address.n - found.n;

	if (address.n > ADDRESS_MAX || at == 0 || address.p[at - 1] != '@' ||
	    idn_to_ascii(found, ascii, domain) != OK)
		return false;
	*local = span_sub(address, 0, at - 1);
	return true;
}

static bool
matches(const struct conf_texts *patterns, struct span address)
{
	char ascii[IDN_ASCII_MAX + 1];
	struct span local = SPAN_NONE, domain = SPAN_NONE;
	bool is_split = split(address, ascii, &local, &domain);

	for (size_t i = 0; i < patterns->n; i++) {
		struct conf_pattern p =
		    conf_name_pattern(span_str(patterns->v[i]));

		if (p.kind == CONF_PATTERN_ANY ||
		    (p.kind == CONF_PATTERN_NULL && address.n == 0) ||
		    (is_split && matches_name(&p, local, domain)))
			return true;
	}
	return false;
}

enum route_why
route_why(const struct conf_route *rule, const struct route_facts *facts)
{
	if (!matches(&rule->to, facts->recipient))
		return ROUTE_WHY_TO;
	if (!matches(&rule->from, facts->sender))
		return ROUTE_WHY_FROM;
	return route_when_miss(rule, facts);
}

unsigned
route_why_asks(const struct conf_route *rule)
{
	unsigned asks = 0;

	asks |= rule->client.n > 0 ? 1U << ROUTE_WHY_CLIENT : 0;
	asks |= rule->user.n > 0 ? 1U << ROUTE_WHY_USER : 0;
	asks |= rule->size.is != CONF_BOUND_NONE ? 1U << ROUTE_WHY_SIZE : 0;
	asks |= rule->header.n > 0 ? 1U << ROUTE_WHY_HEADER : 0;
	return asks;
}

/* Its name in the configuration; by enum route_why. */
static const char *const keys[ROUTE_WHY_COUNT] = {
	[ROUTE_WHY_TO] = "to", [ROUTE_WHY_FROM] = "from",
	[ROUTE_WHY_RELEASED] = "via", [ROUTE_WHY_CLIENT] = "client", [ROUTE_WHY_USER] = "user",
	[ROUTE_WHY_SIZE] = "size", [ROUTE_WHY_HEADER] = "header",
};

/* Element I of a list as it is written. */
static void
put_element(const struct conf_row *row, const struct conf_list *list, size_t i,
    struct buf *out)
{
	enum conf_type type = conf_type_element(row->type);

	conf_value_print(type, (const char *)list->v +
	    i * conf_type_size(type), out);
}

static void
put_list(const struct conf_row *row, const struct conf_list *list, size_t max,
    struct buf *out)
{
	size_t begin = out->n, end;

	for (size_t i = 0; i < list->n && !buf_failed(out); i++) {
		end = out->n;
		if (i > 0)
			buf_add_str(out, ", ");
		put_element(row, list, i, out);
		/* room for what says that there are more */
		if (buf_failed(out) || out->n - begin + 6 <= max)
			continue;
		out->n = end;
		buf_add_str(out, i > 0 ? ", …" : "…");
		return;
	}
}

void
route_why_put(const struct conf_route *rule, enum route_why why, size_t max,
    struct buf *out)
{
	const struct conf_row *row;
	struct conf_list list;

	if (why == ROUTE_WHY_NONE)
		return;
	row = conf_schema_find(&conf_schema_route, span_str(keys[why]));
	MUST(row != NULL);
	if (!conf_type_is_list(row->type)) {
		conf_value_print(row->type, (const char *)rule + row->offset,
		    out);
		return;
	}
	list = conf_list_get(row, rule);
	put_list(row, &list, max, out);
}
