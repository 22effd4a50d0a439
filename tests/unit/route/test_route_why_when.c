/* What rules ask besides recipient and sender, and which of it misses. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/route/route_notes.h"
#include "common/route/route_table.h"
#include "common/route/route_why.h"
#include "tests/unit/confload/load_help.h"

#define HOST "hostname: a.example\nroutes:\n"

static struct loaded l;

static void
begin(const char *rules)
{
	load_help(&l, rules);
	cr_assert_eq(l.e, OK, "%s%s", rules, l.text);
}

static const uint8_t v4[] = { 10, 0, 0, 7 };

static const struct row {
	const char *rule;
	struct route_facts facts;
	enum route_why why;
	const char *asked;
} rows[] = {
	{ "mx, client: [10.0.0.0/8, 192.0.2.1]", { .client = { v4, 4 } },
	    ROUTE_WHY_NONE, "" },
	{ "mx, client: [11.0.0.0/8, 192.0.2.1]", { .client = { v4, 4 } },
	    ROUTE_WHY_CLIENT, "11.0.0.0/8, 192.0.2.1/32" },
	{ "mx, client: 0.0.0.0/0, user: x", { .user = SPAN_LIT("x") },
	    ROUTE_WHY_CLIENT, "0.0.0.0/0" },
	{ "mx, user: [ann, \"b*\"], size: \">1K\"", { .user = SPAN_LIT("c") },
	    ROUTE_WHY_USER, "ann, b*" },
	{ "mx, user: \"<>\", size: \">1K\"", { .size = 1024 }, ROUTE_WHY_SIZE,
	    ">1KiB" },
	{ "mx, header: [\"A: b\", \"C: *d\"]", { .headers = SPAN_LIT("a: c\n") },
	    ROUTE_WHY_HEADER, "A: b, C: *d" },
	{ "mx, header: \"A: b\"", { .headers = SPAN_LIT("a: B\n") },
	    ROUTE_WHY_NONE, "" },
	{ "hold, user: x", { .is_released = true }, ROUTE_WHY_RELEASED,
	    "hold" },
	{ "hold", { .size = 1 }, ROUTE_WHY_NONE, "" },
};

static void
check_row(const struct row *row)
{
	struct route_facts facts = row->facts;
	enum route_why why;
	char text[512];
	struct buf out;

	facts.recipient = SPAN_LIT("r@b.example");
	(void)snprintf(text, sizeof(text), HOST " - {via: %s}\n", row->rule);
	begin(text);
	why = route_why(&l.conf->routes.v[0], &facts);
	cr_expect_eq(why, row->why, "%s: %d", row->rule, (int)why);
	buf_init(&out, sizeof(text));
	route_why_put(&l.conf->routes.v[0], why, 200, &out);
	cr_expect(span_equal(buf_span(&out), span_str(row->asked)), "%s: %.*s",
	    row->rule, (int)out.n, (const char *)out.p);
	buf_clear(&out);
	load_help_free(&l);
}

Test(route_why_when, what_misses_first)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_row(&rows[i]);
}

Test(route_why_when, what_it_asks)
{
	const struct conf_route *rules;

	begin(HOST " - {via: mx}\n"
	    " - {via: mx, client: 10.0.0.1, size: \"<1K\"}\n"
	    " - {via: mx, user: a, header: \"A: b\"}\n");
	rules = l.conf->routes.v;
	cr_expect_eq(route_why_asks(&rules[0]), 0);
	cr_expect_eq(route_why_asks(&rules[1]),
	    1U << ROUTE_WHY_CLIENT | 1U << ROUTE_WHY_SIZE);
	cr_expect_eq(route_why_asks(&rules[2]),
	    1U << ROUTE_WHY_USER | 1U << ROUTE_WHY_HEADER);
	load_help_free(&l);
}

/* Fields as somebody has typed them, by the table's own eyes. */
Test(route_why_when, notes_of_a_header)
{
	struct route_table *table;
	struct buf out;

	begin(HOST " - {via: mx, header: [\"X-A: *\", \"list-id: *\"]}\n");
	cr_assert_eq(route_table_new(l.conf, &table), OK);
	buf_init(&out, 4096);
	route_notes(table, SPAN_LIT("Subject: x\r\nx-a:  B \r\nX-A: c\r\n"
	    "List-Id: <d>\r\n"), &out);
	cr_expect(span_equal(buf_span(&out),
	    SPAN_LIT("x-a: B\nlist-id: <d>\n")), "%.*s", (int)out.n,
	    (const char *)out.p);
	buf_clear(&out);
	buf_init(&out, 3);
	route_notes(table, SPAN_LIT("X-A: c\r\n"), &out);
	cr_expect(buf_failed(&out));
	buf_clear(&out);
	route_table_free(&table);
	load_help_free(&l);
}

/* ---- against the table ---- */

static const char *const conditions[] = {
	"", ", client: 10.0.0.0/8", ", client: 192.0.2.1", ", user: ann",
	", user: \"a*\"", ", user: \"<>\"", ", size: \">2\"",
	", size: \"<=2\"", ", header: \"A: b*\"", ", header: \"C: *\"",
	", user: ann, size: \"<2\"", ", client: 10.0.0.7, header: \"A: *\"",
};

static const char *const ways[] = { "mx", "hold", "discard" };

static void
add_rule(struct rng *dice, struct buf *out)
{
	static const char *const names[] = { "\"*\"", "a.example",
	    "b.example" };

	buf_addf(out, " - {to: %s, from: %s, via: %s%s}\n",
	    names[rng_below(dice, 3)], names[rng_below(dice, 3)],
	    ways[rng_below(dice, COUNT_OF(ways))],
	    conditions[rng_below(dice, COUNT_OF(conditions))]);
}

static struct route_facts
random_facts(struct rng *dice)
{
	static const struct span addresses[] = { SPAN_LIT("u@a.example"),
	    SPAN_LIT("u@b.example"), SPAN_LIT("u@c.example") };
	static const struct span users[] = { SPAN_LIT(""), SPAN_LIT("ann"),
	    SPAN_LIT("abe"), SPAN_LIT("bob") };
	static const struct span headers[] = { SPAN_LIT(""),
	    SPAN_LIT("a: bc\n"), SPAN_LIT("a: d\nc: e\n") };
	struct route_facts facts = {
		.recipient = addresses[rng_below(dice, 3)],
		.sender = addresses[rng_below(dice, 3)],
		.user = users[rng_below(dice, 4)],
		.headers = headers[rng_below(dice, 3)],
		.size = rng_below(dice, 4),
		.is_released = rng_below(dice, 2) == 0,
	};

	if (rng_below(dice, 2) == 0)
		facts.client = span_of(v4, 4);
	return facts;
}

static uint32_t
first_by_why(const struct route_facts *facts)
{
	for (uint32_t i = 0; i < l.conf->routes.n; i++)
		if (route_why(&l.conf->routes.v[i], facts) == ROUTE_WHY_NONE)
			return i;
	return ROUTE_BY_MX;
}

static void
compare(struct rng *dice, struct buf *text)
{
	struct route_table *table;

	buf_reset(text);
	buf_add_str(text, HOST);
	for (size_t i = 1 + rng_below(dice, 12); i > 0; i--)
		add_rule(dice, text);
	buf_add_byte(text, '\0');
	begin((const char *)text->p);
	cr_assert_eq(route_table_new(l.conf, &table), OK);
	for (int i = 0; i < 100; i++) {
		struct route_facts facts = random_facts(dice);

		cr_assert_eq(route_table_find(table, &facts).index,
		    first_by_why(&facts), "%s", (const char *)text->p);
	}
	route_table_free(&table);
	load_help_free(&l);
}

Test(route_why_when, the_table_thinks_the_same)
{
	struct rng dice;
	struct buf text;

	rng_init(&dice, 11);
	buf_init(&text, 8192);
	for (int round = 0; round < 200; round++)
		compare(&dice, &text);
	buf_clear(&text);
}
