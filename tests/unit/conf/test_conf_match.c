/* Who may relay: networks and domains. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/conf/conf_match.h"

static struct conf *conf;
static struct conf_match *match;

static void
set_networks(const char *const *texts, size_t n)
{
	conf->relay.networks.v = arena_alloc(conf->arena, n,
	    sizeof(struct ipaddr_prefix));
	conf->relay.networks.n = n;
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(ipaddr_prefix_parse(span_str(texts[i]),
		    &conf->relay.networks.v[i]), OK, "%s", texts[i]);
}

static bool
matches(const char *text)
{
	struct ipaddr address;

	cr_assert_eq(ipaddr_parse(span_str(text), &address), OK, "%s", text);
	return conf_match_client(match, &address);
}

Test(conf_match, networks)
{
	static const char *const nets[] = {
		"10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "127.0.0.0/8",
		"2001:db8::/32", "::1", "2001:db8:1::/48"
	};

	cr_assert_eq(conf_new(&conf), OK);
	set_networks(nets, COUNT_OF(nets));
	cr_assert_eq(conf_match_new(conf, &match), OK);
	conf_free(&conf);
	cr_assert(matches("10.0.0.0"));
	cr_assert(matches("10.255.255.255"));
	cr_assert(matches("10.1.2.3"));
	cr_assert(matches("192.0.2.7"));
	cr_assert(matches("127.0.0.1"));
	cr_assert(matches("::1"));
	cr_assert(matches("2001:db8:ffff::"));
	/* T14: a mapped address is the IPv4 address */
	cr_assert(matches("::ffff:10.9.9.9"));
	cr_assert_not(matches("::ffff:11.9.9.9"));
	cr_assert_not(matches("9.255.255.255"));
	cr_assert_not(matches("11.0.0.0"));
	cr_assert_not(matches("192.0.2.6"));
	cr_assert_not(matches("192.0.2.8"));
	cr_assert_not(matches("2001:db9::"));
	cr_assert_not(matches("::2"));
	cr_assert_not(matches("0a00:0001::"));
	conf_match_free(&match);
	cr_assert_null(match);
}

Test(conf_match, no_network_means_nobody)
{
	const struct ipaddr none = { .family = IPADDR_NONE };

	cr_assert_eq(conf_new(&conf), OK);
	conf->relay.networks.n = 0;
	cr_assert_eq(conf_match_new(conf, &match), OK);
	cr_assert_not(matches("127.0.0.1"));
	cr_assert_not(conf_match_client(match, &none));
	cr_assert_not(conf_match_domain(match, SPAN_LIT("example.org")));
	conf_match_free(&match);
	conf_free(&conf);
}

/* The ranges say the same as a look at every prefix. */
Test(conf_match, agrees_with_a_plain_search)
{
	struct ipaddr_prefix prefixes[40];
	struct rng rng;

	rng_init(&rng, 7);
	for (int round = 0; round < 50; round++) {
		cr_assert_eq(conf_new(&conf), OK);
		for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
			/* all of them in 10.0.0.0/8, so that they overlap */
			unsigned bits = (unsigned)rng_below(&rng, 13);
			unsigned mask = 0xfffu << (12 - bits) & 0xfff;
			unsigned net = (unsigned)rng_u64(&rng) & mask;
			uint8_t bytes[4] = { 10, (uint8_t)(net >> 4),
			    (uint8_t)(net << 4) };

			prefixes[i].addr = ipaddr_v4(bytes);
			prefixes[i].bits = (uint8_t)(8 + bits);
		}
		conf->relay.networks.v = prefixes;
		conf->relay.networks.n = 1 + (size_t)round % 40;
		cr_assert_eq(conf_match_new(conf, &match), OK);
		for (int probe = 0; probe < 400; probe++) {
			uint8_t bytes[4] = { 10, (uint8_t)rng_u64(&rng),
			    (uint8_t)rng_u64(&rng), (uint8_t)rng_u64(&rng) };
			struct ipaddr address = ipaddr_v4(bytes);
			bool is_in = false;

			for (size_t i = 0; i < conf->relay.networks.n; i++)
				is_in |= ipaddr_prefix_has(&prefixes[i],
				    &address);
			cr_assert_eq(conf_match_client(match, &address),
			    is_in);
		}
		conf_match_free(&match);
		conf_free(&conf);
	}
}

static const struct domain {
	const char *text;
	bool is_ours;
} domains[] = {
	{ "example.org", true },
	{ "EXAMPLE.Org", true },
	{ "sub.example.org", false },
	{ "xexample.org", false },
	{ "example.or", false },
	{ "example.net", false },
	{ "a.example.net", true },
	{ "b.A.example.NET", true },
	{ "xexample.net", false },
	{ "below.example", false },
	{ "x.below.example", true },
	{ "[192.0.2.1]", true },
	{ "[192.0.2.2]", false },
	{ "", false },
	{ ".", false },
	{ ".example.net", false },
	{ ".a.example.net", false },
	{ "org", false },
	{ "example.org.", false },
	/* lists are of A-labels, recipients may be of either */
	{ "m\xc3\xbcller.example", true },
	{ "xn--mller-kva.example", true },
	{ "a.M\xc3\x9cLLER.example.net", true },
	{ "\xe2\x98\x83.example.net", false },
	{ "a\xff.example.net", false },
};

Test(conf_match, domains)
{
	static const char *ours[] = {
		"Example.org", ".example.net", "*.below.example",
		"[192.0.2.1]", "xn--mller-kva.example"
	};
	char longest[400];

	cr_assert_eq(conf_new(&conf), OK);
	conf->relay.domains.v = ours;
	conf->relay.domains.n = COUNT_OF(ours);
	cr_assert_eq(conf_match_new(conf, &match), OK);
	for (size_t i = 0; i < COUNT_OF(domains); i++)
		cr_expect_eq(conf_match_domain(match,
		    span_str(domains[i].text)), domains[i].is_ours, "%s",
		    domains[i].text);
	memset(longest, '.', sizeof(longest));
	cr_assert_not(conf_match_domain(match, span_of(longest, 400)));
	cr_assert_not(conf_match_domain(match, span_of(longest, 200)));
	conf_match_free(&match);
	conf_free(&conf);
}

/* relay.etrn, or relay.networks in its place */
Test(conf_match, callers)
{
	static const char *const nets[] = { "10.0.0.0/8" };
	struct ipaddr in = ipaddr_v4((const uint8_t[]){ 10, 0, 0, 1 });
	struct ipaddr out = ipaddr_v4((const uint8_t[]){ 192, 0, 2, 1 });
	struct ipaddr_prefix etrn = { .addr = out, .bits = 32 };

	cr_assert_eq(conf_new(&conf), OK);
	set_networks(nets, COUNT_OF(nets));
	cr_assert_eq(conf_match_new(conf, &match), OK);
	cr_expect(conf_match_caller(match, &in));
	cr_expect_not(conf_match_caller(match, &out));
	conf_match_free(&match);
	conf->relay.etrn.v = &etrn;
	conf->relay.etrn.n = 1;
	cr_assert_eq(conf_match_new(conf, &match), OK);
	cr_expect_not(conf_match_caller(match, &in));
	cr_expect(conf_match_caller(match, &out));
	cr_expect(conf_match_client(match, &in));
	cr_expect_not(conf_match_client(match, &out));
	conf_match_free(&match);
	conf_free(&conf);
}

Test(conf_match, below)
{
	static const char *list[] = { "a.example", ".b.example" };

	cr_assert_eq(conf_new(&conf), OK);
	conf->relay.domains.v = list;
	conf->relay.domains.n = COUNT_OF(list);
	cr_assert_eq(conf_match_new(conf, &match), OK);
	cr_expect_not(conf_match_below(match, SPAN_LIT("a.example")));
	cr_expect(conf_match_below(match, SPAN_LIT("B.example")));
	cr_expect(conf_match_below(match, SPAN_LIT("x.b.example")));
	cr_expect_not(conf_match_below(match, SPAN_LIT("example")));
	cr_expect_not(conf_match_below(match, SPAN_LIT(".b.example")));
	cr_expect_not(conf_match_below(match, SPAN_NONE));
	conf_match_free(&match);
	conf_free(&conf);
}
