#include "common/base/check.h"
#include "common/base/endpoint.h"
#include "common/base/ipaddr.h"
#include "common/base/rng.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>

static struct ipaddr
addr(const char *text)
{
	struct ipaddr a = { 0 };

	cr_assert_eq(ipaddr_parse(span_str(text), &a), OK, "%s", text);
	return a;
}

Test(ipaddr, reads_and_writes)
{
	static const char *const pairs[][2] = {
		{ "0.0.0.0", "0.0.0.0" }, { "192.0.2.1", "192.0.2.1" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" }, { "::1", "::1" }, { "1::", "1::" },
		{ "2001:DB8::1", "2001:db8::1" },
		{ "2001:0db8:0000:0000:0001:0000:0000:0001",
		    "2001:db8::1:0:0:1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
		{ "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
		{ "ff02::1:2", "ff02::1:2" },
		{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "::FFFF:c000:201", "192.0.2.1" },
		{ "0:0:0:0:0:ffff:c000:0201", "192.0.2.1" },
		{ "::192.0.2.1", "::c000:201" },
		{ "fe80::ffff:ffff:ffff:ffff", "fe80::ffff:ffff:ffff:ffff" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		struct ipaddr a = addr(pairs[i][0]);
		char text[IPADDR_TEXT_SIZE];

		cr_expect_eq(ipaddr_format(&a, text), strlen(pairs[i][1]));
		cr_expect_str_eq(text, pairs[i][1]);
	}
}

Test(ipaddr, refuses)
{
	static const char *const wrong[] = {
		"", ".", "1", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5",
		".1.2.3.4", "256.1.1.1", "1.2.3.256", "01.2.3.4", "1.2.3.00",
		"1.2.3.0x4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.-4", "1.2.3.+4",
		"1..2.3", "0127.0.0.1", "2130706433", "1.2.3.4/8", ":", ":::",
		":::1", "1:", ":1", "1:::2", "1::2::3", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7::8", "12345::", "g::", "::1%eth0", "[::1]",
		"::1.2.3", "::1.2.3.4.5", "::1.2.3.4:5", "1.2.3.4::",
		"1:2:3:4:5:6:7:1.2.3.4", "::01.2.3.4", "fe80::1 ",
		"1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7:8",
	};
	struct ipaddr a;

	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		cr_expect_eq(ipaddr_parse(span_str(wrong[i]), &a), ERR_SYNTAX,
		    "'%s'", wrong[i]);
	cr_expect_eq(ipaddr_parse(SPAN_LIT("1.2.3.4\0"), &a), ERR_SYNTAX);
	cr_expect_eq(ipaddr_parse(SPAN_NONE, &a), ERR_SYNTAX);
}

/* The C library as the judge, over texts that are nearly addresses. */
Test(ipaddr, agrees_with_inet_pton)
{
	static const char letters[] = "0123456789abcdefF:::::....g";
	struct rng r;

	rng_init(&r, 21);
	for (int i = 0; i < 400000; i++) {
		char text[24];
		size_t n = rng_below(&r, sizeof(text));
		uint8_t raw[16];
		struct ipaddr a, theirs;
		bool is_legal = true;

		for (size_t k = 0; k < n; k++)
			text[k] = letters[rng_below(&r,
			    sizeof(letters) - 1) % (i % 2 ? 12 : 27)];
		if (i % 2)	/* few digits, colons: often an address */
			for (size_t k = 0; k < n; k++)
				text[k] = "01:::."[text[k] % 6];
		text[n] = '\0';
		if (inet_pton(AF_INET, text, raw) == 1)
			theirs = ipaddr_v4(raw);
		else if (inet_pton(AF_INET6, text, raw) == 1)
			theirs = ipaddr_v6(raw);
		else
			is_legal = false;
		cr_assert_eq(ipaddr_parse(span_of(text, n), &a) == OK,
		    is_legal, "'%s'", text);
		if (is_legal)
			cr_assert(ipaddr_equal(&a, &theirs), "'%s'", text);
	}
}

Test(ipaddr, writes_as_inet_ntop_does)
{
	struct rng r;

	rng_init(&r, 8);
	for (int i = 0; i < 50000; i++) {
		char ours[IPADDR_TEXT_SIZE], theirs[INET6_ADDRSTRLEN];
		uint8_t raw[16];
		struct ipaddr a, back;

		for (size_t k = 0; k < 16; k++)
			raw[k] = rng_below(&r, 3) == 0 ?
			    (uint8_t)rng_u64(&r) : 0;
		raw[0] |= 0x20;		/* no embedded IPv4 */
		a = ipaddr_v6(raw);
		ipaddr_format(&a, ours);
		inet_ntop(AF_INET6, raw, theirs, sizeof(theirs));
		cr_assert_str_eq(ours, theirs);
		back = addr(ours);
		cr_assert(ipaddr_equal(&a, &back));
	}
}

Test(ipaddr, prefixes)
{
	static const struct {
		const char *text;
		enum err e;
		const char *written;
	} cases[] = {
		{ "10.0.0.0/8", OK, "10.0.0.0/8" },
		{ "0.0.0.0/0", OK, "0.0.0.0/0" },
		{ "192.0.2.1", OK, "192.0.2.1/32" },
		{ "192.0.2.1/32", OK, "192.0.2.1/32" },
		{ "2001:db8::/32", OK, "2001:db8::/32" },
		{ "::/0", OK, "::/0" },
		{ "::1", OK, "::1/128" },
		{ "::ffff:10.0.0.0/104", OK, "10.0.0.0/8" },
		{ "::ffff:0:0/96", OK, "0.0.0.0/0" },
		{ "10.0.0.1/8", ERR_RANGE, NULL },
		{ "10.0.0.0/7", OK, "10.0.0.0/7" },
		{ "11.0.0.0/7", ERR_RANGE, NULL },
		{ "0.0.0.1/0", ERR_RANGE, NULL },
		{ "2001:db8::1/64", ERR_RANGE, NULL },
		{ "::ffff:0:0/90", ERR_RANGE, NULL },
		{ "10.0.0.0/33", ERR_SYNTAX, NULL },
		{ "::/129", ERR_SYNTAX, NULL },
		{ "10.0.0.0/", ERR_SYNTAX, NULL },
		{ "10.0.0.0/08", ERR_SYNTAX, NULL },
		{ "10.0.0.0/8/8", ERR_SYNTAX, NULL },
		{ "10.0.0.0/-1", ERR_SYNTAX, NULL },
		{ "10.0.0.0/255.0.0.0", ERR_SYNTAX, NULL },
		{ "10/8", ERR_SYNTAX, NULL },
		{ "/8", ERR_SYNTAX, NULL },
		{ "", ERR_SYNTAX, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[IPADDR_PREFIX_TEXT_SIZE];
		struct ipaddr_prefix p;
		enum err e = ipaddr_prefix_parse(span_str(cases[i].text), &p);

		cr_expect_eq(e, cases[i].e, "'%s': %d", cases[i].text, e);
		if (e != OK)
			continue;
		ipaddr_prefix_format(&p, text);
		cr_expect_str_eq(text, cases[i].written);
	}
}

Test(ipaddr, matching)
{
	static const struct {
		const char *prefix, *addr;
		bool is_in;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "::1", true },
		{ "::/0", "10.0.0.1", false },
		{ "::/0", "::ffff:10.0.0.1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1/128", "::1", true },
		{ "::1/128", "::2", false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ipaddr a = addr(cases[i].addr);
		struct ipaddr_prefix p;

		cr_assert_eq(ipaddr_prefix_parse(span_str(cases[i].prefix),
		    &p), OK);
		cr_expect_eq(ipaddr_prefix_has(&p, &a), cases[i].is_in,
		    "case %zu", i);
	}
}

Test(ipaddr, classes)
{
	/* l: loopback, p: private, k: link-local, m: multicast,
	 * u: unspecified, b: broadcast, n: nobody's */
	static const char *const cases[][2] = {
		{ "127.0.0.1", "l" }, { "127.255.255.255", "l" },
		{ "126.255.255.255", "" }, { "128.0.0.0", "" },
		{ "::1", "l" }, { "::2", "" }, { "::ffff:127.0.0.1", "l" },
		{ "10.1.2.3", "p" }, { "172.15.0.0", "" },
		{ "172.16.0.0", "p" }, { "172.31.255.255", "p" },
		{ "172.32.0.0", "" }, { "192.168.1.1", "p" },
		{ "192.169.0.0", "" }, { "fc00::1", "p" }, { "fd12::1", "p" },
		{ "fe00::1", "" }, { "169.254.9.9", "kn" }, { "fe80::1", "kn" },
		{ "febf::1", "kn" }, { "fec0::1", "" }, { "224.0.0.1", "mn" },
		{ "239.255.255.255", "mn" }, { "240.0.0.0", "" },
		{ "ff02::1", "mn" }, { "0.0.0.0", "un" }, { "0.0.0.1", "n" },
		{ "0.255.0.0", "n" },
		{ "::", "un" }, { "255.255.255.255", "bn" }, { "8.8.8.8", "" },
		{ "2001:db8::1", "" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ipaddr a = addr(cases[i][0]);
		char got[8];
		size_t n = 0;

		if (ipaddr_is_loopback(&a))
			got[n++] = 'l';
		if (ipaddr_is_private(&a))
			got[n++] = 'p';
		if (ipaddr_is_link_local(&a))
			got[n++] = 'k';
		if (ipaddr_is_multicast(&a))
			got[n++] = 'm';
		if (ipaddr_is_unspecified(&a))
			got[n++] = 'u';
		if (ipaddr_is_broadcast(&a))
			got[n++] = 'b';
		if (ipaddr_is_nobodys(&a))
			got[n++] = 'n';
		got[n] = '\0';
		cr_expect_str_eq(got, cases[i][1], "%s: %s", cases[i][0],
		    got);
	}
}

Test(ipaddr, clients)
{
	static const struct siphash_key key = { 3, 4 };
	struct ipaddr a = addr("2001:db8:1:2:3:4:5:6");
	struct ipaddr b = addr("2001:db8:1:2:ffff::");
	struct ipaddr c = addr("2001:db8:1:3:3:4:5:6");
	struct ipaddr v4 = addr("192.0.2.1"), v4b = addr("192.0.2.2");
	struct ipaddr net = ipaddr_client(&a);
	char text[IPADDR_TEXT_SIZE];

	ipaddr_format(&net, text);
	cr_expect_str_eq(text, "2001:db8:1:2::");
	cr_expect_eq(ipaddr_client_key(&a, &key), ipaddr_client_key(&b, &key));
	cr_expect_neq(ipaddr_client_key(&a, &key),
	    ipaddr_client_key(&c, &key));
	cr_expect_neq(ipaddr_client_key(&v4, &key),
	    ipaddr_client_key(&v4b, &key));
	cr_expect(ipaddr_compare(&v4, &v4b) < 0);
	cr_expect(ipaddr_compare(&a, &v4) > 0);
	cr_expect_eq(ipaddr_compare(&a, &a), 0);
}

Test(endpoint, reads_and_writes)
{
	static const struct {
		const char *text;
		uint16_t port;
		enum err e;
		const char *written;
	} cases[] = {
		{ "192.0.2.1:25", 0, OK, "192.0.2.1:25" },
		{ "192.0.2.1", 587, OK, "192.0.2.1:587" },
		{ "[2001:db8::1]:25", 0, OK, "[2001:db8::1]:25" },
		{ "[::1]", 53, OK, "[::1]:53" },
		{ "::1", 53, OK, "[::1]:53" },
		{ "[::ffff:192.0.2.1]:25", 0, OK, "192.0.2.1:25" },
		{ "192.0.2.1:65535", 0, OK, "192.0.2.1:65535" },
		{ "192.0.2.1", 0, ERR_SYNTAX, NULL },
		{ "192.0.2.1:0", 25, ERR_RANGE, NULL },
		{ "192.0.2.1:65536", 25, ERR_RANGE, NULL },
		{ "192.0.2.1:99999999999999999999", 25, ERR_RANGE, NULL },
		{ "192.0.2.1:", 25, ERR_SYNTAX, NULL },
		{ "192.0.2.1:025", 25, ERR_SYNTAX, NULL },
		{ "192.0.2.1:+25", 25, ERR_SYNTAX, NULL },
		{ "192.0.2.1:25 ", 25, ERR_SYNTAX, NULL },
		{ "[192.0.2.1]:25", 0, ERR_SYNTAX, NULL },
		{ "[::1:25", 25, ERR_SYNTAX, NULL },
		{ "[::1]25", 25, ERR_SYNTAX, NULL },
		{ "[::1]:", 25, ERR_SYNTAX, NULL },
		{ "[]:25", 25, ERR_SYNTAX, NULL },
		{ ":25", 25, ERR_SYNTAX, NULL },
		{ "*:25", 25, ERR_SYNTAX, NULL },
		{ "", 25, ERR_SYNTAX, NULL },
		{ "[", 25, ERR_SYNTAX, NULL },
		{ "localhost:25", 25, ERR_SYNTAX, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[ENDPOINT_TEXT_SIZE];
		struct endpoint got, again;
		enum err e = endpoint_parse(span_str(cases[i].text),
		    cases[i].port, &got);

		cr_expect_eq(e, cases[i].e, "'%s': %d", cases[i].text, e);
		if (e != OK)
			continue;
		cr_expect_eq(endpoint_format(&got, text),
		    strlen(cases[i].written));
		cr_expect_str_eq(text, cases[i].written);
		cr_assert_eq(endpoint_parse(span_str(text), 0, &again), OK);
		cr_expect(endpoint_equal(&got, &again));
	}
}
