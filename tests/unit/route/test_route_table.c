/* Which rule, which hosts, which key. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/conf/conf_name.h"
#include "common/conf/conf_object.h"
#include "common/route/route_table.h"

static struct conf *conf;
static struct route_table *table;

static void
begin(size_t n)
{
	cr_assert_eq(conf_new(&conf), OK);
	conf->routes.v = arena_alloc(conf->arena, n, sizeof(*conf->routes.v));
	cr_assert_not_null(conf->routes.v);
	conf->routes.n = 0;
}

static const char **
texts(const char *text, size_t *n)
{
	const char **v = arena_alloc(conf->arena, 8, sizeof(*v));
	char *copy = arena_text(conf->arena, span_str(text)), *save = NULL;

	cr_assert(v != NULL && copy != NULL);
	*n = 0;
	for (char *word = strtok_r(copy, " ", &save); word != NULL;
	    word = strtok_r(NULL, " ", &save))
		v[(*n)++] = word;
	return v;
}

/* TO, FROM and VIA may be several words. */
static struct conf_route *
add(const char *to, const char *from, const char *via)
{
	const struct conf_scope scope = { conf->arena, NULL };
	struct conf_route *route = &conf->routes.v[conf->routes.n++];
	const char **targets;

	cr_assert_eq(conf_object_init(&conf_schema_route, &scope, route), OK);
	route->to.v = texts(to, &route->to.n);
	route->from.v = texts(from, &route->from.n);
	targets = texts(via, &route->via.n);
	route->via.v = arena_alloc(conf->arena, route->via.n,
	    sizeof(*route->via.v));
	for (size_t i = 0; i < route->via.n; i++)
		cr_assert_eq(conf_value_parse(conf_schema_find(
		    &conf_schema_route, SPAN_LIT("via")), CONF_TYPE_TARGET, span_str(targets[i]), &scope,
		    &route->via.v[i], NULL), OK, "%s", targets[i]);
	return route;
}

static void
compile(void)
{
	cr_assert_eq(route_table_new(conf, &table), OK);
	conf_free(&conf);
}

static struct route
route_of(struct span from, struct span to)
{
	const struct route_facts facts = { .sender = from, .recipient = to };

	return route_table_find(table, &facts);
}

static uint32_t
find(const char *from, const char *to)
{
	return route_of(span_str(from), span_str(to)).index;
}

static void
end(void)
{
	route_table_free(&table);
	cr_assert_null(table);
	route_table_free(&table);
}

Test(route_table, without_rules_all_goes_by_mx)
{
	struct route route;

	begin(1);
	conf->deliver.port = 2525;
	compile();
	route = route_of(span_str("a@b"), span_str("c@d"));
	cr_assert_eq(route.index, ROUTE_BY_MX);
	cr_assert(route_is_mx(&route));
	cr_assert_eq(route.targets[0].port, 2525);
	cr_assert_eq(route.tls, CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS);
	cr_assert_str_eq(route.to, "*");
	end();
}

static const struct lookup {
	const char *from, *to;
	uint32_t index;
} lookups[] = {
	{ "x@y.example", "u@example.org", 0 },
	{ "x@y.example", "u@EXAMPLE.ORG", 0 },
	{ "", "u@example.org", 0 },
	{ "x@y.example", "u@sub.example.org", 2 },
	{ "x@y.example", "u@a.b.c.example.org", 2 },
	{ "x@y.example", "u@b.example", 1 },
	{ "x@y.example", "Boss@c.Example", 3 },
	{ "x@y.example", "\"boss\"@c.example", 3 },
	{ "x@y.example", "\"b\\oss\"@c.example", 3 },
	{ "x@y.example", "other@c.example", ROUTE_BY_MX },
	{ "n@shop.example", "u@d.example", 4 },
	{ "N@SHOP.example", "u@example.org", 0 },
	{ "n@a.shop.example", "u@d.example", ROUTE_BY_MX },
	{ "n@a.below.example", "u@d.example", 4 },
	{ "", "u@null.example", 5 },
	{ "x@y.example", "u@null.example", ROUTE_BY_MX },
	{ "both@from.example", "u@to.example", 6 },
	{ "both@from.example", "u@other.example", ROUTE_BY_MX },
	{ "u@other.example", "u@to.example", ROUTE_BY_MX },
	{ "a@b.example", "u@[192.0.2.1]", 7 },
	{ "a@b.example", "u@[192.0.2.2]", ROUTE_BY_MX },
	/* what is no address falls under `*` alone */
	{ "a@b.example", "", ROUTE_BY_MX },
	{ "a@b.example", "postmaster", ROUTE_BY_MX },
	{ "a@b.example", "@", ROUTE_BY_MX },
	{ "a@b.example", "u@.example.org", ROUTE_BY_MX },
	{ "a@b.example", "u@a..example.org", 2 },
	{ "a@b.example", "u@b@example.org", 0 },
	{ "a@b.example", "u@xexample.org", ROUTE_BY_MX },
	{ "a@b.example", "u@org", ROUTE_BY_MX },
};

Test(route_table, the_first_rule_that_matches_wins)
{
	begin(8);
	add("example.org", "*", "smtp://zero.example");
	add("a.example b.example *@example.org", "*", "smtp://one.example");
	add("*.example.org", "*", "smtp://two.example");
	add("boss@c.example", "*", "smtp://three.example");
	add("*", "*@shop.example .below.example", "smtp://four.example");
	add("null.example", "<>", "smtp://five.example");
	add("to.example", "both@from.example", "smtp://six.example");
	add("[192.0.2.1]", "*", "smtp://seven.example");
	compile();
	for (size_t i = 0; i < COUNT_OF(lookups); i++)
		cr_expect_eq(find(lookups[i].from, lookups[i].to),
		    lookups[i].index, "%s -> %s: %u", lookups[i].from,
		    lookups[i].to, find(lookups[i].from, lookups[i].to));
	end();
}

Test(route_table, a_catch_all_hides_what_follows)
{
	begin(3);
	add("a.example", "*", "smtp://zero.example");
	add("*", "*", "smtp://one.example");
	add("b.example", "*", "smtp://two.example");
	compile();
	cr_assert_eq(find("", "u@a.example"), 0);
	cr_assert_eq(find("", "u@b.example"), 1);
	cr_assert_eq(find("", ""), 1);
	cr_assert_eq(find("x", "postmaster"), 1);
	end();
}

Test(route_table, patterns_that_matched_are_told)
{
	struct route route;

	begin(1);
	add("x.example .Example.org", "u@v.example *", "mx");
	compile();
	route = route_of(span_str("z@z.example"),
	    span_str("a@b.example.org"));
	cr_assert_str_eq(route.to, ".Example.org");
	cr_assert_str_eq(route.from, "*");
	end();
}

Test(route_table, targets_have_their_ports)
{
	struct route route;

	begin(2);
	conf->deliver.port = 2525;
	add("*", "*", "smtp://a.example smtps://u@b.example lmtp://c.example "
	    "smtp://[2001:db8::1]:26");
	compile();
	cr_assert(route_table_get(table, 0, &route));
	cr_assert_eq(route.n_targets, 4);
	cr_assert_eq(route.targets[0].port, 2525);
	cr_assert_str_eq(route.targets[0].host, "a.example");
	cr_assert_eq(route.targets[1].port, 465);
	cr_assert_str_eq(route.targets[1].user, "u");
	cr_assert_eq(route.targets[2].port, 24);
	cr_assert_eq(route.targets[3].port, 26);
	cr_assert(route.targets[3].is_address);
	cr_assert(route_table_get(table, ROUTE_BY_MX, &route));
	cr_assert(route_is_mx(&route));
	cr_assert_not(route_table_get(table, 1, &route));
	end();
}

static const char *
key_of(const struct route *route, const char *recipient)
{
	static char text[ROUTE_KEY_MAX + 1];
	struct buf out;

	buf_init(&out, sizeof(text));
	route_key(route, span_str(recipient), &out);
	cr_assert_not(buf_failed(&out));
	snprintf(text, sizeof(text), "%.*s", (int)out.n,
	    out.p != NULL ? (const char *)out.p : "");
	buf_clear(&out);
	return text;
}

static const char *
key_at(uint32_t index, const char *recipient)
{
	struct route route;

	cr_assert(route_table_get(table, index, &route));
	return key_of(&route, recipient);
}

Test(route, keys_gather_what_goes_the_same_way)
{
	begin(9);
	add("*", "*", "smtp://Relay.Example");
	add("*", "*", "smtp://a.example:26 smtp://[2001:DB8:0::1]");
	add("*", "*", "mx")->tls = CONF_ROUTE_TLS_REQUIRED;
	add("*", "*", "smtps://u@r.example");
	add("*", "*", "smtp://r.example")->auth_user = "v";
	add("*", "*", "smtp://r.example")->tls_certificate = "/etc/c.pem";
	add("*", "*", "smtp://r.example")->tls_certificate = "/etc/a;b.pem";
	add("*", "*", "smtp://r.example")->auth_mechanism =
	    CONF_MECHANISM_EXTERNAL;
	add("*", "*", "smtp://v@r.example")->auth_token_url = "https://t";
	compile();
	cr_assert_str_eq(key_at(ROUTE_BY_MX, "u@D.Example"), "d.example");
	cr_assert_str_eq(key_at(ROUTE_BY_MX, "u@[192.0.2.1]"), "[192.0.2.1]");
	cr_assert_str_eq(key_at(ROUTE_BY_MX, "postmaster"), "");
	cr_assert_str_eq(key_at(0, "u@d.example"), "smtp://relay.example:25");
	cr_assert_str_eq(key_at(0, "u@e.example"), "smtp://relay.example:25");
	cr_assert_str_eq(key_at(1, "u@d.example"),
	    "smtp://a.example:26,smtp://[2001:db8::1]:25");
	cr_assert_str_eq(key_at(2, "u@d.example"), "d.example;tls=required");
	cr_assert_str_eq(key_at(3, "u@d.example"), "smtps://u@r.example:465");
	cr_assert_str_eq(key_at(4, "u@d.example"),
	    "smtp://r.example:25;user=v");
	cr_assert_str_eq(key_at(5, "u@d.example"),
	    "smtp://r.example:25;certificate=/etc/c.pem");
	cr_assert_str_eq(key_at(6, "u@d.example"),
	    "smtp://r.example:25;certificate=6");
	cr_assert_str_eq(key_at(7, "u@d.example"),
	    "smtp://r.example:25;auth=external");
	cr_assert_str_eq(key_at(8, "u@d.example"),
	    "smtp://v@r.example:25;token");
	end();
}

Test(route, keys_are_bounded)
{
	static char host[254], via[16 * 270], *at = via;
	char key[32];

	memset(host, 'a', 253);
	for (int i = 50; i < 253; i += 50)
		host[i] = '.';
	for (int i = 0; i < 8; i++)
		at += sprintf(at, "smtp://u%d@%s ", i, host);
	begin(2);
	add("x", "*", "mx");
	add("*", "*", via);
	compile();
	snprintf(key, sizeof(key), "%s", key_at(1, "u@d.example"));
	cr_assert_str_eq(key, "route:1");
	end();
}

/* The table says what a walk over the rules would. */
static bool
is_matched(const char *pattern, const char *local, const char *domain)
{
	struct conf_pattern p = conf_name_pattern(span_str(pattern));
	struct span d = span_str(domain);

	switch (p.kind) {
	case CONF_PATTERN_ANY:
		return true;
	case CONF_PATTERN_DOMAIN:
		return span_equal_nocase(p.domain, d);
	case CONF_PATTERN_BELOW:
		return d.n > p.domain.n + 1 &&
		    d.p[d.n - p.domain.n - 1] == '.' &&
		    span_equal_nocase(p.domain, span_from(d, d.n -
		    p.domain.n));
	case CONF_PATTERN_ADDRESS:
		return span_equal_nocase(p.domain, d) &&
		    span_equal_nocase(p.local, span_str(local));
	default:
		return false;
	}
}

Test(route_table, agrees_with_a_plain_walk)
{
	static const char *const patterns[] = {
		"*", "a", "b.a", ".a", "*.b.a", "u@a", "v@b.a", "*@c.b.a",
		"*@.c.b.a", "u@c.b.a"
	};
	static const char *const domains[] = { "a", "b.a", "C.b.a", "d.c.b.A" };
	static const char *const locals[] = { "u", "V" };
	struct rng rng;

	rng_init(&rng, 11);
	for (int round = 0; round < 300; round++) {
		const char *to[6], *from[6];
		size_t n = 1 + rng_below(&rng, 6);

		begin(n);
		for (size_t i = 0; i < n; i++) {
			to[i] = patterns[rng_below(&rng, COUNT_OF(patterns))];
			from[i] = patterns[rng_below(&rng,
			    COUNT_OF(patterns))];
			add(to[i], from[i], "mx");
		}
		compile();
		for (size_t k = 0; k < 64; k++) {
			const char *fl = locals[k & 1], *tl = locals[k >> 1 & 1];
			const char *fd = domains[k >> 2 & 3];
			const char *td = domains[k >> 4 & 3];
			char sender[16], recipient[16];
			uint32_t want = ROUTE_BY_MX;

			for (size_t i = n; i > 0; i--)
				if (is_matched(to[i - 1], tl, td) &&
				    is_matched(from[i - 1], fl, fd))
					want = (uint32_t)i - 1;
			snprintf(sender, sizeof(sender), "%s@%s", fl, fd);
			snprintf(recipient, sizeof(recipient), "%s@%s", tl,
			    td);
			cr_assert_eq(find(sender, recipient), want,
			    "%s -> %s", sender, recipient);
		}
		end();
	}
}

/* Ten thousand rules, and addresses made to be slow. */
Test(route_table, many_rules_and_hostile_addresses)
{
	static char address[2000];
	char domain[32];

	begin(10000);
	for (int i = 0; i < 10000; i++) {
		snprintf(domain, sizeof(domain), "%sd%d.example",
		    i % 3 == 0 ? "." : "", i);
		add(domain, "*", "smtp://relay.example");
	}
	compile();
	cr_assert_eq(find("a@b.example", "u@x.d9999.example"), 9999);
	cr_assert_eq(find("a@b.example", "u@d9998.example"), 9998);
	memset(address, '.', sizeof(address) - 1);
	address[0] = '@';
	for (size_t n = 1; n < sizeof(address); n += 97)
		cr_assert_eq(route_of(span_of(address, n),
		    span_of(address, n)).index, ROUTE_BY_MX);
	for (size_t i = 1; i < sizeof(address); i += 2)
		address[i] = 'a';
	cr_assert_eq(route_of(span_of(address, 500),
	    span_of(address, 500)).index, ROUTE_BY_MX);
	end();
}

Test(route_table, a_half_configuration_is_refused)
{
	begin(1);
	add("*", "*", "mx")->via.n = 0;
	cr_assert_eq(route_table_new(conf, &table), ERR_SYNTAX);
	cr_assert_null(table);
	conf_free(&conf);
}

/* ---- how mail is sent there ---- */

/* The policy of the rule for this domain. */
static const struct route_policy *
policy(const char *recipient)
{
	return route_of(SPAN_LIT("a@b.example"), span_str(recipient)).policy;
}

Test(route_table, rules_have_limits_and_curves_of_their_own)
{
	struct conf_route *rule;

	begin(4);
	conf->deliver.rate = (struct conf_rate){ 7, 1000 };
	rule = add("own.example", "*", "mx");
	rule->retry_first_ms = 5000;
	rule->retry_max_ms = 10000;
	rule->retry_warn_ms = 0;
	rule->retry_expire_ms = 0;
	rule->in_doubt = CONF_ROUTE_DOUBT_HOLD;
	rule->limits_connections = 3;
	rule->limits_window = 4;
	rule->limits_rate = (struct conf_rate){ 1, 10000 };
	rule->eight_bit = CONF_ROUTE_EIGHT_BIT_PASS;
	conf->deliver.eight_bit = CONF_EIGHT_BIT_RETURN;
	add("free.example", "*", "mx")->limits_rate.period_ms = 1;
	rule = add("late.example", "*", "mx");
	rule->retry_first_ms = 7200000;
	rule->eight_bit = CONF_ROUTE_EIGHT_BIT_CONVERT_UNSIGNED;
	rule = add("soon.example", "*", "mx");
	rule->retry_max_ms = 1000;
	rule->eight_bit = CONF_ROUTE_EIGHT_BIT_CONVERT;
	cr_assert_eq(route_table_new(conf, &table), OK);
	cr_expect_eq(policy("x@own.example")->first_retry_ms, 5000);
	cr_expect_eq(policy("x@own.example")->max_retry_ms, 10000);
	cr_expect_eq(policy("x@own.example")->warn_ms, 0);
	cr_expect_eq(policy("x@own.example")->expire_ms, 0);
	cr_expect_eq(policy("x@own.example")->in_doubt, CONF_DOUBT_HOLD);
	cr_expect_eq(policy("x@free.example")->in_doubt, CONF_DOUBT_RETRY);
	cr_expect_eq(policy("x@own.example")->connections, 3);
	cr_expect_eq(policy("x@own.example")->window, 4);
	cr_expect_eq(policy("x@own.example")->rate.count, 1);
	cr_expect_eq(policy("x@own.example")->rate.period_ms, 10000);
	cr_expect_eq(policy("x@free.example")->rate.count, 0);
	cr_expect_eq(policy("x@own.example")->eight_bit, CONF_EIGHT_BIT_PASS);
	cr_expect_eq(policy("x@free.example")->eight_bit,
	    CONF_EIGHT_BIT_RETURN);
	cr_expect_eq(policy("x@late.example")->eight_bit,
	    CONF_EIGHT_BIT_CONVERT_UNSIGNED);
	cr_expect_eq(policy("x@soon.example")->eight_bit,
	    CONF_EIGHT_BIT_CONVERT);
	/* one of the two retry times drags the other along */
	cr_expect_eq(policy("x@late.example")->max_retry_ms, 7200000);
	cr_expect_eq(policy("x@soon.example")->first_retry_ms, 1000);
	/* no rule: what holds for all */
	cr_expect_eq(policy("x@d.example")->first_retry_ms, 60000);
	cr_expect_eq(policy("x@d.example")->warn_ms, conf->queue.warn_ms);
	cr_expect_eq(policy("x@d.example")->expire_ms, conf->queue.expire_ms);
	cr_expect_eq(policy("x@d.example")->connections, 20);
	cr_expect_eq(policy("x@d.example")->window, 512);
	cr_expect_eq(policy("x@d.example")->rate.count, 7);
	cr_expect_eq(policy("x@d.example")->eight_bit, CONF_EIGHT_BIT_RETURN);
	route_table_free(&table);
	conf_free(&conf);
}

/* UTF8-05: one domain, however it is spelled; rules are of A-labels. */
Test(route, letters_beyond_ascii)
{
	struct route by_mx;

	begin(2);
	add("xn--mller-kva.example", "*", "smtp://a.example");
	add("*", ".xn--mller-kva.example", "smtp://b.example");
	compile();
	cr_expect_eq(find("", "x@m\xc3\xbcller.example"), 0);
	cr_expect_eq(find("", "\xc3\xa4@xn--mller-kva.example"), 0);
	cr_expect_eq(find("s@c.m\xc3\xbcller.example", "x@d.example"), 1);
	cr_expect_eq(find("", "x@\xe2\x98\x83.example"), ROUTE_BY_MX);
	cr_assert(route_table_get(table, ROUTE_BY_MX, &by_mx));
	cr_expect_str_eq(key_of(&by_mx, "x@M\xc3\x9cLLER.example"),
	    "xn--mller-kva.example");
	end();
}
