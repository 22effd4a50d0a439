/* Why a rule does not match, and that the compiled table thinks the same. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/conf/conf_object.h"
#include "common/route/route_table.h"
#include "common/route/route_why.h"

static struct conf *conf;

static struct conf_route *
add(const char *to, const char *from)
{
	const struct conf_scope scope = { conf->arena, NULL };
	struct conf_route *rule = &conf->routes.v[conf->routes.n++];

	cr_assert_eq(conf_object_init(&conf_schema_route, &scope, rule), OK);
	rule->to.v[0] = to;
	rule->from.v[0] = from;
	return rule;
}

static void
begin(size_t n)
{
	cr_assert_eq(conf_new(&conf), OK);
	conf->routes.v = arena_alloc(conf->arena, n, sizeof(*conf->routes.v));
	cr_assert_not_null(conf->routes.v);
	conf->routes.n = 0;
}

static enum route_why
ask(const struct conf_route *rule, const char *from, const char *to)
{
	const struct route_facts facts = {
		.recipient = span_str(to), .sender = span_str(from),
	};

	return route_why(rule, &facts);
}

Test(route_why, what_misses_first)
{
	const struct conf_route *rule;

	begin(4);
	rule = add(".example.org", "\"A.b\"@shop.example");
	cr_expect_eq(ask(rule, "a.B@SHOP.example", "u@x.Example.org"),
	    ROUTE_WHY_NONE);
	cr_expect_eq(ask(rule, "a.b@shop.example", "u@example.org"),
	    ROUTE_WHY_TO);
	cr_expect_eq(ask(rule, "a@shop.example", "u@x.example.org"),
	    ROUTE_WHY_FROM);
	cr_expect_eq(ask(rule, "", "u@xexample.org"), ROUTE_WHY_TO);
	rule = add("*", "<>");
	cr_expect_eq(ask(rule, "", ""), ROUTE_WHY_NONE);
	cr_expect_eq(ask(rule, "a@b.example", ""), ROUTE_WHY_FROM);
	conf_free(&conf);
}

static const char *
words(const struct conf_route *rule, enum route_why why, size_t max)
{
	static char text[512];
	struct buf out;

	buf_init(&out, sizeof(text) - 1);
	route_why_put(rule, why, max, &out);
	cr_assert_not(buf_failed(&out));
	(void)span_copy(buf_span(&out), text, sizeof(text));
	buf_clear(&out);
	return text;
}

Test(route_why, what_it_asks_for)
{
	static const char *const many[] = { "a.example", "b.example",
	    "c.example" };
	struct conf_route *rule;

	begin(1);
	rule = add("*", "u@d.example");
	rule->to.v = arena_alloc(conf->arena, 3, sizeof(*rule->to.v));
	memcpy(rule->to.v, many, sizeof(many));
	rule->to.n = 3;
	cr_expect_str_eq(words(rule, ROUTE_WHY_TO, 100),
	    "a.example, b.example, c.example");
	cr_expect_str_eq(words(rule, ROUTE_WHY_TO, 30),
	    "a.example, b.example, …");
	cr_expect_str_eq(words(rule, ROUTE_WHY_TO, 10), "…");
	cr_expect_str_eq(words(rule, ROUTE_WHY_FROM, 100), "u@d.example");
	cr_expect_str_eq(words(rule, ROUTE_WHY_NONE, 100), "");
	conf_free(&conf);
}

static const char *const patterns[] = {
	"*", "a.example", ".a.example", "*@b.a.example", "u@a.example",
	"\"u\"@b.a.example", "c.b.a.example", "*.b.a.example", "example",
	".example", "u.v@c.b.a.example",
};

static const char *const senders[] = { "<>", "*", "a.example",
    "u@b.a.example", ".a.example" };

static const char *const addresses[] = {
	"", "u", "@", "u@", "u@a.example", "U@A.EXAMPLE", "v@a.example",
	"u@b.a.example", "\"\\u\"@b.a.example", "\"u\"@b.a.example",
	"v@b.a.example", "u@c.b.a.example", "\"u.v\"@c.b.a.example",
	"u@xa.example", "u@.a.example", "u@..a.example", "u@b..a.example",
	"u@example", "u@d.example", "u@x@a.example", "\"u\\\"@a.example",
	"u@[192.0.2.1]", "u@b\xc3\xbc" "cher.example",
};

static uint32_t
first_by_why(const struct route_facts *facts)
{
	for (uint32_t i = 0; i < conf->routes.n; i++)
		if (route_why(&conf->routes.v[i], facts) == ROUTE_WHY_NONE)
			return i;
	return ROUTE_BY_MX;
}

static void
compare(const struct route_table *table)
{
	for (size_t i = 0; i < COUNT_OF(addresses); i++) {
		for (size_t j = 0; j < COUNT_OF(addresses); j++) {
			const struct route_facts facts = {
				.recipient = span_str(addresses[i]),
				.sender = span_str(addresses[j]),
			};

			cr_assert_eq(route_table_find(table, &facts).index,
			    first_by_why(&facts), "%s -> %s", addresses[j],
			    addresses[i]);
		}
	}
}

/* Three hundred tables of up to twelve rules, each address as both. */
Test(route_why, the_table_thinks_the_same)
{
	struct rng rng;

	rng_init(&rng, 7);
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + (size_t)rng_below(&rng, 12);
		struct route_table *table;

		begin(n);
		for (size_t i = 0; i < n; i++)
			add(patterns[rng_below(&rng, COUNT_OF(patterns))],
			    senders[rng_below(&rng, COUNT_OF(senders))]);
		cr_assert_eq(route_table_new(conf, &table), OK);
		compare(table);
		route_table_free(&table);
		conf_free(&conf);
	}
}
