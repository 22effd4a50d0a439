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
#include "common/route/route_rule.h"
#include "common/route/route_when.h"

#define TABLE_MEMORY_MAX ((size_t)128 * 1024 * 1024)	/* bytes */
#define ADDRESS_MAX 512		/* longer ones fall under `*` only */
#define HITS_MAX (ADDRESS_MAX / 2 + 3)

/*
 * A pattern is interned under its normal form, which no other kind of pattern
 * can have: `*`, `<>`, `d`, `.d`, `u@d`.  A pair of a `to` and a `from` pattern
 * leads to the first rule that has both and asks nothing more; those before it
 * that ask more stand in a list in front of it.  A lookup collects the few
 * patterns that match each side, and takes the least rule among their pairs.
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
	const struct route_when *when;	/* asks more; NULL: no */
	struct pair *next;		/* with the same patterns, if `when` */
	struct pair *last;		/* ... of them; of the first only */
};

struct route_table {
	struct arena *arena;
	struct patterns to, from;
	struct map_u64 pairs;
	struct route *routes;	/* by index; behind them ROUTE_BY_MX */
	size_t n;
	bool asks_more;		/* some rule does */
	struct header_names headers;
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

/* Rules are added in their order: who is there already wins, unless it asks
 * more. */
static enum err
add_pair(struct route_table *table, const struct pair *what, uint32_t to_id)
{
	struct pair *pair, *first;
	uint32_t from_id;
	uint64_t key;
	enum err e = intern(table, &table->from, what->from, &from_id);

	if (e != OK)
		return e;
	key = pair_key(to_id, from_id);
	first = map_u64_get(&table->pairs, key);
	if (first != NULL && first->last->when == NULL)
		return OK;
	if ((pair = arena_alloc(table->arena, 1, sizeof(*pair))) == NULL)
		return ERR_NOMEM;
	*pair = *what;
	if (first == NULL) {
		pair->last = pair;
		return map_u64_add(&table->pairs, key, pair);
	}
	first->last->next = pair;
	first->last = pair;
	return OK;
}

/* Each `to` of a rule with each `from`; conf_load bounds how many there are. */
static enum err
add_patterns(struct route_table *table, uint32_t index,
    const struct conf_route *rule, const struct route_when *when)
{
	struct pair pair = { .index = index, .when = when };

	for (size_t i = 0; i < rule->to.n; i++) {
		uint32_t id;
		enum err e;

		pair.to = arena_text(table->arena, span_str(rule->to.v[i]));
		if (pair.to == NULL)
			return ERR_NOMEM;
		if ((e = intern(table, &table->to, pair.to, &id)) != OK)
			return e;
		for (size_t j = 0; j < rule->from.n; j++) {
			pair.from = arena_text(table->arena,
			    span_str(rule->from.v[j]));
			if (pair.from == NULL)
				return ERR_NOMEM;
			if ((e = add_pair(table, &pair, id)) != OK)
				return e;
		}
	}
	return OK;
}

/* Each once; conf_load says when there are more. */
static enum err
add_headers(struct route_table *table, const struct conf_headers *headers)
{
	struct header_names *names = &table->headers;

	for (size_t i = 0; i < headers->n; i++) {
		struct span name = span_str(headers->v[i].name);
		size_t at = 0;
		const char *copy;

		while (at < names->n && !span_equal_nocase(name, names->v[at]))
			at++;
		if (at < names->n || at == HEADER_NOTES_NAMES)
			continue;
		if ((copy = arena_text(table->arena, name)) == NULL)
			return ERR_NOMEM;
		names->v[names->n++] = span_str(copy);
	}
	return OK;
}

static enum err
add_rule(struct route_table *table, const struct conf *conf, uint32_t index)
{
	const struct conf_route *rule = &conf->routes.v[index];
	const struct route_when *when;
	enum err e = route_rule_make(table->arena, conf, rule, index,
	    &table->routes[index]);

	if (e != OK ||
	    (e = route_when_make(table->arena, rule, &when)) != OK ||
	    (e = add_headers(table, &rule->header)) != OK)
		return e;
	table->asks_more = table->asks_more || when != NULL;
	return add_patterns(table, index, rule, when);
}

/* What no rule takes goes by MX: as a route of its own behind the others. */
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
	return e == OK ? route_rule_make(table->arena, conf, NULL,
	    ROUTE_BY_MX, &table->routes[table->n]) : e;
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

/* The first of a list that holds, if it comes before BEST. */
static const struct pair *
earlier(const struct pair *pair, const struct route_facts *facts,
    bool is_early, const struct pair *best)
{
	for (; pair != NULL; pair = pair->next) {
		if (best != NULL && pair->index >= best->index)
			break;
		if (pair->when == NULL ||
		    route_when_holds(pair->when, facts, is_early))
			return pair;
	}
	return best;
}

/* A few patterns a side, so a few dozen pairs at most, but for domains of very
 * many labels. */
static const struct pair *
find(const struct route_table *table, const struct route_facts *facts,
    bool is_early)
{
	const struct pair *best = NULL;
	struct hits to, from;

	collect(&table->to, facts->recipient, &to);
	collect(&table->from, facts->sender, &from);
	for (size_t i = 0; i < to.n; i++)
		for (size_t j = 0; j < from.n; j++)
			best = earlier(map_u64_get(&table->pairs,
			    pair_key(to.ids[i], from.ids[j])), facts,
			    is_early, best);
	return best;
}

/* BEST is NULL when no rule matches: by MX. */
static struct route
route_of(const struct route_table *table, const struct pair *best)
{
	struct route route = table->routes[best != NULL ? best->index :
	    table->n];

	if (best != NULL) {
		route.to = best->to;
		route.from = best->from;
	}
	return route;
}

struct route
route_table_find(const struct route_table *table,
    const struct route_facts *facts)
{
	return route_of(table, find(table, facts, false));
}

bool
route_table_find_early(const struct route_table *table,
    const struct route_facts *facts, struct route *out)
{
	const struct pair *best = find(table, facts, true);

	if (best != NULL && best->when != NULL &&
	    route_when_is_late(best->when))
		return false;
	*out = route_of(table, best);
	return true;
}

bool
route_table_asks_more(const struct route_table *table)
{
	return table->asks_more;
}

const struct header_names *
route_table_headers(const struct route_table *table)
{
	return &table->headers;
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
