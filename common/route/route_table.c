/*
 * First match over rules, without walking the rules: there may be thousands of
 * them, and a lookup for each recipient.
 */
#include "common/route/route_table.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/text.h"
#include "common/conf/conf_name.h"
#include "common/idn/idn.h"

#define TABLE_MEMORY_MAX ((size_t)128 * 1024 * 1024)	/* bytes */
#define ADDRESS_MAX 512		/* longer ones fall under `*` only */
#define HITS_MAX (ADDRESS_MAX / 2 + 3)

#define MANNER_MAX (64 * 1024)	/* before it is cut to a key's size */

#define PORT_SMTPS 465
#define PORT_LMTP 24		/* RFC 2033 section 5: any but 25 */

/*
 * A pattern is interned under its normal form, which no other kind of pattern
 * can have: `*`, `<>`, `d`, `.d`, `u@d`.  A pair of a `to` and a `from` pattern
 * leads to the first rule that has both.  A lookup collects the few patterns
 * that match each side, and takes the least rule among their pairs.
 */
struct pattern {
	struct span form;
	uint32_t id;
};

struct patterns {
	struct map_span map;
	uint32_t n;
	bool has_names;		/* not only `*` and `<>` */
	bool has_below;		/* `.d` at all: walking the labels pays */
};

struct pair {
	uint32_t index;
	const char *to, *from;
};

struct route_table {
	struct arena *arena;
	struct patterns to, from;
	struct map_u64 pairs;
	struct route *routes;	/* by index; behind them ROUTE_BY_MX */
	size_t n;
};

/* The key of a pattern in its map. */
static struct span
form_of(const void *object)
{
	return ((const struct pattern *)object)->form;
}

/* Where the last @ is; s.n without. */
static size_t
find_at(struct span s)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == '@')
			return i - 1;
	return s.n;
}

/* Writes a local part without the quoting of RFC 5321 section 4.1.2, so that
 * "a.b"@d and a.b@d are one; returns its length, never more than local.n. */
static size_t
put_local(struct span local, uint8_t *out)
{
	bool is_quoted = local.n >= 2 && local.p[0] == '"' &&
	    local.p[local.n - 1] == '"';
	size_t n = 0;

	if (is_quoted)
		local = span_sub(local, 1, local.n - 2);
	for (size_t i = 0; i < local.n; i++) {
		if (is_quoted && local.p[i] == '\\' && i + 1 < local.n)
			i++;
		out[n++] = text_lower_byte(local.p[i]);
	}
	return n;
}

/* The form of an address; returns where its domain begins. */
static size_t
put_address(struct span local, struct span domain, uint8_t *out)
{
	size_t n = put_local(local, out);

	out[n++] = '@';
	text_lower(domain, out + n);
	return n;
}

/* ---- building ---- */

/* The normal form of a pattern; see struct pattern. */
static enum err
put_form(struct arena *arena, const struct conf_pattern *pattern,
    struct span text, struct span *out)
{
	uint8_t *form = arena_alloc(arena, text.n + 2, 1);
	size_t n = 0;

	if (form == NULL)
		return ERR_NOMEM;
	switch (pattern->kind) {
	case CONF_PATTERN_NONE:
		return ERR_SYNTAX;
	case CONF_PATTERN_ANY:
	case CONF_PATTERN_NULL:
		memcpy(form, text.p, text.n);
		*out = span_of(form, text.n);
		return OK;
	case CONF_PATTERN_ADDRESS:
		n = put_address(pattern->local, pattern->domain, form);
		break;
	case CONF_PATTERN_BELOW:
		form[n++] = '.';
		text_lower(pattern->domain, form + n);
		break;
	case CONF_PATTERN_DOMAIN:
		text_lower(pattern->domain, form);
		break;
	}
	*out = span_of(form, n + pattern->domain.n);
	return OK;
}

/* The id of a pattern, which many rules may share. */
static enum err
intern(struct route_table *table, struct patterns *patterns, const char *text,
    uint32_t *id)
{
	struct conf_pattern parsed = conf_name_pattern(span_str(text));
	struct pattern *pattern;
	struct span form;
	enum err e = put_form(table->arena, &parsed, span_str(text), &form);

	if (e != OK)
		return e;
	if ((pattern = map_span_get(&patterns->map, form)) == NULL) {
		pattern = arena_alloc(table->arena, 1, sizeof(*pattern));
		if (pattern == NULL)
			return ERR_NOMEM;
		*pattern = (struct pattern){ form, ++patterns->n };
		if ((e = map_span_add(&patterns->map, pattern)) != OK)
			return e;
	}
	if (parsed.kind != CONF_PATTERN_ANY && parsed.kind != CONF_PATTERN_NULL)
		patterns->has_names = true;
	if (parsed.kind == CONF_PATTERN_BELOW)
		patterns->has_below = true;
	*id = pattern->id;
	return OK;
}

/* Ids begin at 1 and are few, so each pair has a key of its own. */
static uint64_t
pair_key(uint32_t to, uint32_t from)
{
	return (uint64_t)to << 32 | from;
}

/* Rules are added in their order: who is there already wins. */
static enum err
add_pair(struct route_table *table, uint32_t index, const char *to,
    uint32_t to_id, const char *from)
{
	struct pair *pair;
	uint32_t from_id;
	enum err e = intern(table, &table->from, from, &from_id);

	if (e != OK)
		return e;
	if (map_u64_get(&table->pairs, pair_key(to_id, from_id)) != NULL)
		return OK;
	pair = arena_alloc(table->arena, 1, sizeof(*pair));
	if (pair == NULL)
		return ERR_NOMEM;
	*pair = (struct pair){ index, to, from };
	return map_u64_add(&table->pairs, pair_key(to_id, from_id), pair);
}

/* Each `to` of a rule with each `from`; conf_load bounds how many there are. */
static enum err
add_patterns(struct route_table *table, uint32_t index,
    const struct conf_route *rule)
{
	for (size_t i = 0; i < rule->to.n; i++) {
		const char *to = arena_text(table->arena,
		    span_str(rule->to.v[i]));
		uint32_t id;
		enum err e;

		if (to == NULL)
			return ERR_NOMEM;
		if ((e = intern(table, &table->to, to, &id)) != OK)
			return e;
		for (size_t j = 0; j < rule->from.n; j++) {
			const char *from = arena_text(table->arena,
			    span_str(rule->from.v[j]));

			if (from == NULL)
				return ERR_NOMEM;
			e = add_pair(table, index, to, id, from);
			if (e != OK)
				return e;
		}
	}
	return OK;
}

/* RFC 8314 section 7.3 gave 465 to submission over TLS. */
static uint16_t
port_of(const struct conf_target *target, const struct conf *conf)
{
	if (target->port != 0)
		return target->port;
	switch (target->scheme) {
	case CONF_SCHEME_SMTPS:
		return PORT_SMTPS;
	case CONF_SCHEME_LMTP:
		return PORT_LMTP;
	default:
		return (uint16_t)conf->deliver.port;
	}
}

/* Into the table's arena: see add_rule(). */
static enum err
copy_text(struct arena *arena, const char *text, const char **out)
{
	*out = arena_text(arena, span_str(text));
	return *out != NULL ? OK : ERR_NOMEM;
}

/* With the port that will be used, so that nobody else has to know
 * defaults. */
static enum err
set_targets(struct route_table *table, const struct conf *conf,
    const struct conf_targets *via, struct route *route)
{
	struct route_target *targets = arena_alloc(table->arena, via->n,
	    sizeof(*targets));

	if (targets == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < via->n; i++) {
		const struct conf_target *from = &via->v[i];

		targets[i].scheme = from->scheme;
		targets[i].is_address = from->is_address;
		targets[i].ip = from->ip;
		targets[i].port = port_of(from, conf);
		if (copy_text(table->arena, from->user,
		    &targets[i].user) != OK ||
		    copy_text(table->arena, from->host,
		    &targets[i].host) != OK)
			return ERR_NOMEM;
	}
	route->targets = targets;
	route->n_targets = via->n;
	return OK;
}

/* Once here, and not for each recipient. */
static enum err
set_manner(struct route_table *table, struct route *route)
{
	struct buf manner;

	buf_init(&manner, MANNER_MAX);
	route_manner(route, &manner);
	route->manner = buf_failed(&manner) ? NULL :
	    arena_text(table->arena, buf_span(&manner));
	buf_clear(&manner);
	return route->manner != NULL ? OK : ERR_NOMEM;
}

/* Of the two retry times the one that a rule gives drags the other along. */
static void
set_retry(const struct conf *conf, const struct conf_route *rule,
    struct route_policy *p)
{
	p->first_retry_ms = conf->queue.first_retry_ms;
	p->max_retry_ms = conf->queue.max_retry_ms;
	p->warn_ms = conf->queue.warn_ms;
	p->expire_ms = conf->queue.expire_ms;
	if (rule == NULL)
		return;
	if (rule->retry_first_ms >= 0)
		p->first_retry_ms = rule->retry_first_ms;
	if (rule->retry_max_ms >= 0)
		p->max_retry_ms = rule->retry_max_ms;
	if (rule->retry_warn_ms >= 0)
		p->warn_ms = rule->retry_warn_ms;
	if (rule->retry_expire_ms >= 0)
		p->expire_ms = rule->retry_expire_ms;
	if (p->first_retry_ms <= p->max_retry_ms)
		return;
	if (rule->retry_max_ms >= 0)
		p->first_retry_ms = p->max_retry_ms;
	else
		p->max_retry_ms = p->first_retry_ms;
}

/* RULE is NULL for what no rule takes. */
static enum err
set_policy(struct route_table *table, const struct conf *conf,
    const struct conf_route *rule, struct route *route)
{
	struct route_policy *p = arena_alloc(table->arena, 1, sizeof(*p));

	if (p == NULL)
		return ERR_NOMEM;
	set_retry(conf, rule, p);
	p->connections = conf->deliver.connections;
	p->window = conf->deliver.window;
	p->rate = conf->deliver.rate;
	if (rule != NULL && rule->limits_connections > 0)
		p->connections = rule->limits_connections;
	if (rule != NULL && rule->limits_window > 0)
		p->window = rule->limits_window;
	if (rule != NULL && rule->limits_rate.period_ms > 0)
		p->rate = rule->limits_rate;
	route->policy = p;
	return OK;
}

/* Texts are copied: the table outlives the configuration that it was made
 * of. */
static enum err
add_rule(struct route_table *table, const struct conf *conf, uint32_t index)
{
	const struct conf_route *rule = &conf->routes.v[index];
	struct route *route = &table->routes[index];
	enum err e;

	if (rule->to.n == 0 || rule->from.n == 0 || rule->via.n == 0)
		return ERR_SYNTAX;
	route->index = index;
	route->tls = rule->tls;
	route->to = route->from = "";
	if ((e = set_targets(table, conf, &rule->via, route)) != OK ||
	    (e = set_policy(table, conf, rule, route)) != OK ||
	    (e = copy_text(table->arena, rule->auth_user,
	    &route->auth_user)) != OK ||
	    (e = copy_text(table->arena, rule->auth_password_file,
	    &route->auth_secret)) != OK ||
	    (e = set_manner(table, route)) != OK)
		return e;
	return add_patterns(table, index, rule);
}

/* What no rule takes goes by MX: as a route of its own behind the others. */
static enum err
add_by_mx(struct route_table *table, const struct conf *conf)
{
	struct conf_target mx = { .user = "", .host = "" };
	const struct conf_targets via = { &mx, 1 };
	struct route *route = &table->routes[table->n];
	enum err e;

	*route = (struct route){
		.index = ROUTE_BY_MX,
		.tls = CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS,
		.auth_user = "", .auth_secret = "", .to = "*", .from = "*",
	};
	if ((e = set_targets(table, conf, &via, route)) != OK ||
	    (e = set_policy(table, conf, NULL, route)) != OK)
		return e;
	return set_manner(table, route);
}

static enum err
build(struct route_table *table, const struct conf *conf)
{
	enum err e = OK;

	table->n = conf->routes.n;
	table->routes = arena_alloc(table->arena, table->n + 1,
	    sizeof(table->routes[0]));
	if (table->routes == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; e == OK && i < table->n; i++)
		e = add_rule(table, conf, (uint32_t)i);
	return e == OK ? add_by_mx(table, conf) : e;
}

enum err
route_table_new(const struct conf *conf, struct route_table **out)
{
	/* the keys are the administrator's: nobody floods this table */
	const struct siphash_key seed = { 0 };
	struct route_table *table = calloc(1, sizeof(*table));
	enum err e = ERR_NOMEM;

	if (table == NULL)
		return ERR_NOMEM;
	map_span_init(&table->to.map, &seed, form_of);
	map_span_init(&table->from.map, &seed, form_of);
	map_u64_init(&table->pairs, &seed);
	if ((table->arena = arena_new(TABLE_MEMORY_MAX)) != NULL)
		e = build(table, conf);
	if (e != OK) {
		route_table_free(&table);
		return e;
	}
	*out = table;
	return OK;
}

/* Patterns, pairs and routes go with the arena. */
void
route_table_free(struct route_table **table)
{
	if (table == NULL || *table == NULL)
		return;
	map_span_clear(&(*table)->to.map);
	map_span_clear(&(*table)->from.map);
	map_u64_clear(&(*table)->pairs);
	arena_free(&(*table)->arena);
	free(*table);
	*table = NULL;
}

/* ---- asking ---- */

struct hits {
	/* room for each label of the longest address, and for `*` and two
	 * more */
	uint32_t ids[HITS_MAX];
	size_t n;
};

/* An address longer than ADDRESS_MAX never comes here, so IDS has room. */
static void
try_form(const struct patterns *patterns, struct span form,
    struct hits *hits)
{
	const struct pattern *pattern = map_span_get(&patterns->map, form);

	if (pattern != NULL)
		hits->ids[hits->n++] = pattern->id;
}

/* All forms that a pattern for this address can have: the address, its domain,
 * and what is above the domain, label by label. */
static void
try_address(const struct patterns *patterns, struct span address, size_t at,
    struct hits *hits)
{
	uint8_t lower[2 * ADDRESS_MAX + 1];
	char ascii[IDN_ASCII_MAX + 1];
	struct span domain = span_from(address, at + 1);
	size_t begin;

	/* patterns are in ASCII; what has no such form matches `*` only */
	if (idn_to_ascii(domain, ascii, &domain) != OK)
		return;
	begin = put_address(span_sub(address, 0, at), domain, lower);
	try_form(patterns, span_of(lower, begin + domain.n), hits);
	domain = span_of(lower + begin, domain.n);
	/* `.d` is how a pattern for all below d looks; no domain does */
	if (domain.n == 0 || domain.p[0] == '.')
		return;
	try_form(patterns, domain, hits);
	if (!patterns->has_below)
		return;
	for (size_t dot = span_find(domain, '.'); dot < domain.n;
	    dot = span_find(domain, '.')) {
		domain = span_from(domain, dot);
		try_form(patterns, domain, hits);
		domain = span_from(domain, 1);
	}
}

/* The ids of all patterns that match an address. */
static void
collect(const struct patterns *patterns, struct span address,
    struct hits *hits)
{
	size_t at;

	hits->n = 0;
	if (map_span_count(&patterns->map) == 0)
		return;
	try_form(patterns, SPAN_LIT("*"), hits);
	if (address.n == 0)
		try_form(patterns, SPAN_LIT("<>"), hits);
	else if (patterns->has_names && address.n <= ADDRESS_MAX &&
	    (at = find_at(address)) < address.n)
		try_address(patterns, address, at, hits);
}

/* A few patterns a side, so a few dozen pairs at most, but for domains of very
 * many labels. */
struct route
route_table_find(const struct route_table *table,
    const struct route_facts *facts)
{
	const struct pair *best = NULL;
	struct hits to, from;
	struct route route;

	collect(&table->to, facts->recipient, &to);
	collect(&table->from, facts->sender, &from);
	for (size_t i = 0; i < to.n; i++) {
		for (size_t j = 0; j < from.n; j++) {
			const struct pair *pair = map_u64_get(&table->pairs,
			    pair_key(to.ids[i], from.ids[j]));

			if (pair != NULL &&
			    (best == NULL || pair->index < best->index))
				best = pair;
		}
	}
	if (best == NULL)
		/* no rule: by MX */
		return table->routes[table->n];
	route = table->routes[best->index];
	route.to = best->to;
	route.from = best->from;
	return route;
}

/* INDEX comes from another process, which may have other rules still. */
bool
route_table_get(const struct route_table *table, uint32_t index,
    struct route *out)
{
	if (index != ROUTE_BY_MX && index >= table->n)
		return false;
	*out = table->routes[index == ROUTE_BY_MX ? table->n : index];
	return true;
}
