/* Rules that ask more than recipient and sender. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/route/route_table.h"
#include "tests/unit/confload/load_help.h"

#define HOST "hostname: a.example\nroutes:\n"

static struct loaded l;
static struct route_table *table;

static void
begin(const char *rules)
{
	load_help(&l, rules);
	cr_assert_eq(l.e, OK, "%s%s", rules, l.text);
	cr_assert_eq(route_table_new(l.conf, &table), OK);
}

static void
end(void)
{
	route_table_free(&table);
	load_help_free(&l);
}

static const uint8_t v4[] = { 10, 0, 0, 7 };
static const uint8_t mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
    10, 0, 0, 7 };
static const uint8_t v6[] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 1 };

static const struct {
	const char *rule;
	struct route_facts facts;
	bool holds;
} rows[] = {
	{ "client: 10.0.0.0/8", { .client = { v4, 4 } }, true },
	{ "client: [192.0.2.1, 10.0.0.7]", { .client = { v4, 4 } }, true },
	{ "client: 10.0.0.0/8", { .client = { mapped, 16 } }, true },
	{ "client: 10.0.0.0/8", { .client = { v6, 16 } }, false },
	{ "client: \"2001:db8::/32\"", { .client = { v6, 16 } }, true },
	{ "client: 0.0.0.0/0", { .size = 1 }, false },
	{ "client: 0.0.0.0/0", { .client = { v4, 3 } }, false },
	{ "user: ann", { .user = SPAN_LIT("ann") }, true },
	{ "user: ann", { .user = SPAN_LIT("anne") }, false },
	{ "user: [bob, \"*@a.example\"]",
	    { .user = SPAN_LIT("x@A.example") }, true },
	{ "user: \"*\"", { .user = SPAN_LIT("x") }, true },
	{ "user: \"*\"", { .size = 1 }, false },
	{ "user: \"<>\"", { .size = 1 }, true },
	{ "user: \"<>\"", { .user = SPAN_LIT("x") }, false },
	{ "user: [\"<>\", x]", { .user = SPAN_LIT("x") }, true },
	{ "size: \">1KiB\"", { .size = 1024 }, false },
	{ "size: \">1KiB\"", { .size = 1025 }, true },
	{ "size: \">= 1KiB\"", { .size = 1024 }, true },
	{ "size: \"<1024\"", { .size = 1024 }, false },
	{ "size: \"<1024\"", { .size = 1023 }, true },
	{ "size: \"<=1K\"", { .size = 1024 }, true },
	{ "header: \"X-Route: bulk*\"",
	    { .headers = SPAN_LIT("subject: a\nx-route: Bulk-7\n") }, true },
	{ "header: \"X-Route: bulk\"",
	    { .headers = SPAN_LIT("x-route: bulk-7\n") }, false },
	{ "header: \"X-Route:*\"", { .headers = SPAN_LIT("x-route: \n") },
	    true },
	{ "header: \"X-Route:\"", { .headers = SPAN_LIT("x-route: \n") },
	    true },
	{ "header: \"X-Route:*\"", { .headers = SPAN_LIT("x-route: ") },
	    false },
	{ "header: \"X-Route: *\"", { .headers = SPAN_NONE }, false },
	{ "header: [\"a: b\", \"c: d\"]", { .headers = SPAN_LIT("c: d\n") },
	    true },
	{ "header: [\"a: b\", \"c: d\"]", { .headers = SPAN_LIT("a: d\n") },
	    false },
	{ "user: ann, size: \">1\"",
	    { .user = SPAN_LIT("ann"), .size = 1 }, false },
	{ "user: ann, size: \">1\"",
	    { .user = SPAN_LIT("ann"), .size = 2 }, true },
};

Test(route_when, what_a_rule_asks)
{
	char text[256];

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct route_facts facts = rows[i].facts;

		facts.recipient = SPAN_LIT("r@b.example");
		(void)snprintf(text, sizeof(text),
		    HOST " - {to: b.example, %s, via: mx}\n", rows[i].rule);
		begin(text);
		cr_expect(route_table_asks_more(table));
		cr_expect_eq(route_table_find(table, &facts).index,
		    rows[i].holds ? 0 : ROUTE_BY_MX, "%zu: %s", i,
		    rows[i].rule);
		end();
	}
}

/* Rules with the same addresses stand in their order, to the first that asks
 * no more. */
Test(route_when, the_first_that_holds_wins)
{
	struct route_facts facts = { .recipient = SPAN_LIT("r@b.example") };

	begin(HOST " - {to: c.example, via: mx}\n"
	    " - {to: b.example, user: ann, via: mx}\n"
	    " - {user: bob, via: mx}\n"
	    " - {to: b.example, user: \"*\", size: \">9\", via: mx}\n"
	    " - {to: b.example, via: mx}\n"
	    " - {to: b.example, user: bob, via: mx}\n");
	cr_expect_eq(route_table_find(table, &facts).index, 4);
	facts.user = SPAN_LIT("bob");
	cr_expect_eq(route_table_find(table, &facts).index, 2);
	facts.user = SPAN_LIT("eve");
	facts.size = 10;
	cr_expect_eq(route_table_find(table, &facts).index, 3);
	facts.user = SPAN_LIT("ann");
	cr_expect_eq(route_table_find(table, &facts).index, 1);
	cr_expect_str_eq(route_table_find(table, &facts).to, "b.example");
	facts.recipient = SPAN_LIT("r@c.example");
	cr_expect_eq(route_table_find(table, &facts).index, 0);
	end();
}

/* Before the message has come. */
Test(route_when, what_can_be_said_early)
{
	struct route_facts facts = { .recipient = SPAN_LIT("r@b.example") };
	struct route route;

	begin(HOST " - {to: b.example, user: ann, via: mx}\n"
	    " - {to: b.example, user: bob, size: \">9\", via: mx}\n"
	    " - {to: c.example, header: \"a: b\", via: mx}\n");
	cr_assert(route_table_find_early(table, &facts, &route));
	cr_expect_eq(route.index, ROUTE_BY_MX);
	facts.user = SPAN_LIT("ann");
	cr_assert(route_table_find_early(table, &facts, &route));
	cr_expect_eq(route.index, 0);
	facts.user = SPAN_LIT("bob");
	cr_expect_not(route_table_find_early(table, &facts, &route));
	facts.recipient = SPAN_LIT("r@c.example");
	cr_expect_not(route_table_find_early(table, &facts, &route));
	cr_expect_eq(route_table_headers(table)->n, 1);
	end();
}

/* A rule that holds is passed over by what was released. */
Test(route_when, ways_that_end_here)
{
	struct route_facts facts = { .recipient = SPAN_LIT("r@b.example") };
	struct route route;

	begin(HOST " - {to: b.example, via: hold}\n"
	    " - {to: b.example, via: refuse, text: \"5.1.6 Moved\"}\n"
	    " - {to: c.example, via: refuse}\n"
	    " - {to: d.example, via: discard}\n");
	route = route_table_find(table, &facts);
	cr_expect_eq(route.targets[0].scheme, CONF_SCHEME_HOLD);
	cr_expect(route_is_ours(&route));
	cr_expect_str_eq(route.manner, "hold:");
	facts.is_released = true;
	route = route_table_find(table, &facts);
	cr_expect_eq(route.index, 1);
	cr_expect_str_eq(route.status, "5.1.6");
	cr_expect_str_eq(route.text, "Moved");
	facts.recipient = SPAN_LIT("r@c.example");
	route = route_table_find(table, &facts);
	cr_expect_str_eq(route.status, "5.7.1");
	cr_expect_str_neq(route.text, "");
	facts.recipient = SPAN_LIT("r@d.example");
	cr_assert(route_table_find_early(table, &facts, &route));
	cr_expect_eq(route.targets[0].scheme, CONF_SCHEME_DISCARD);
	facts.recipient = SPAN_LIT("r@e.example");
	route = route_table_find(table, &facts);
	cr_expect_not(route_is_ours(&route));
	end();
}

Test(route_when, sockets_of_this_host)
{
	const struct route_facts facts = { .recipient =
	    SPAN_LIT("r@b.example") };
	struct route route;

	begin(HOST " - {via: [\"lmtp:///run/A b\", \"lmtp://h.example\"]}\n");
	route = route_table_find(table, &facts);
	cr_expect(route_target_is_unix(&route.targets[0]));
	cr_expect_str_eq(route.targets[0].host, "/run/A b");
	cr_expect_not(route_target_is_unix(&route.targets[1]));
	cr_expect_str_eq(route.manner, "lmtp:///run/A b,lmtp://h.example:24");
	end();
}

/* What makes connections differ makes destinations differ. */
Test(route_when, ways)
{
	struct route_facts facts = { .recipient = SPAN_LIT("r@b.example") };
	struct route route;

	begin("hostname: mx.example.net\n"
	    "deliver: {address_family: ipv4, source: 192.0.2.9}\nroutes:\n"
	    " - {to: b.example, via: [\"smtp://a.example\", "
	    "\"smtp://b.example\"], share: 2, helo: out.example, "
	    "source: [192.0.2.1, \"2001:db8::1\"], "
	    "address_family: ipv6-first}\n"
	    " - {to: c.example, via: mx}\n");
	route = route_table_find(table, &facts);
	cr_expect_str_eq(route.manner, "smtp://a.example:25,"
	    "smtp://b.example:25;share=2;helo=out.example;"
	    "source=192.0.2.1,2001:db8::1;family=ipv6-first");
	cr_expect_eq(route.way->share, 2);
	cr_expect_eq(route.way->n_sources, 2);
	facts.recipient = SPAN_LIT("r@c.example");
	route = route_table_find(table, &facts);
	cr_expect_str_eq(route.manner, "");
	cr_expect_eq(route.way->n_sources, 1);
	cr_expect_eq(route.way->family, CONF_FAMILY_IPV4);
	cr_expect_str_eq(route.way->helo, "");
	end();
}

/* ---- against rules read one by one ---- */

static const char *const names[] = { "a.example", "b.example", "c.example" };
static const char *const users[] = { "", "ann", "bob" };

static void
add_random_rule(struct rng *dice, char *out, size_t size)
{
	int n = snprintf(out, size, " - {via: mx");

	if (rng_below(dice, 2) == 0)
		n += snprintf(out + n, size - (size_t)n, ", to: %s",
		    names[rng_below(dice, 3)]);
	if (rng_below(dice, 2) == 0)
		n += snprintf(out + n, size - (size_t)n, ", from: %s",
		    names[rng_below(dice, 3)]);
	if (rng_below(dice, 2) == 0)
		n += snprintf(out + n, size - (size_t)n, ", user: %s",
		    users[1 + rng_below(dice, 2)]);
	if (rng_below(dice, 2) == 0)
		n += snprintf(out + n, size - (size_t)n, ", size: \">%u\"",
		    (unsigned)rng_below(dice, 4));
	(void)snprintf(out + n, size - (size_t)n, "}\n");
}

static bool
has(const struct conf_texts *patterns, const char *domain)
{
	return strcmp(patterns->v[0], "*") == 0 ||
	    strcmp(patterns->v[0], domain) == 0;
}

static uint32_t
by_hand(const char *to, const char *from, const char *user, uint64_t size)
{
	for (size_t i = 0; i < l.conf->routes.n; i++) {
		const struct conf_route *r = &l.conf->routes.v[i];

		if (has(&r->to, to) && has(&r->from, from) &&
		    (r->user.n == 0 || strcmp(r->user.v[0], user) == 0) &&
		    (r->size.is == CONF_BOUND_NONE || size > r->size.bytes))
			return (uint32_t)i;
	}
	return ROUTE_BY_MX;
}

static void
compare(const char *to, const char *from, const char *user, uint64_t size)
{
	char rcpt[64], sender[64];
	struct route_facts f = { .user = span_str(user), .size = size };

	(void)snprintf(rcpt, sizeof(rcpt), "r@%s", to);
	(void)snprintf(sender, sizeof(sender), "s@%s", from);
	f.recipient = span_str(rcpt);
	f.sender = span_str(sender);
	cr_expect_eq(route_table_find(table, &f).index,
	    by_hand(to, from, user, size), "%s", l.text);
}

Test(route_when, as_rules_read_one_by_one)
{
	static char text[8192];
	struct rng dice;

	rng_init(&dice, 11);
	for (int turn = 0; turn < 60; turn++) {
		(void)snprintf(text, sizeof(text), HOST);
		for (int i = 0; i < 12; i++)
			add_random_rule(&dice, text + strlen(text), 200);
		begin(text);
		for (int i = 0; i < 3 * 3 * 3 * 4; i++)
			compare(names[i % 3], names[i / 3 % 3],
			    users[i / 9 % 3], (uint64_t)(i / 27));
		end();
	}
}
