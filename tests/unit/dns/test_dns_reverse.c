/* Names about addresses: RFC 1035 3.5, RFC 3596 2.5, DNSL-01 DNSL-02 */
#include "common/base/check.h"
#include "common/dns/dns_reverse.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
	const char *addr, *zone, *name;
} rows[] = {
	{ "192.0.2.1", "in-addr.arpa", "1.2.0.192.in-addr.arpa" },
	{ "255.255.255.255", "z.example", "255.255.255.255.z.example" },
	/* a mapped address is the IPv4 one */
	{ "::ffff:192.0.2.99", "bad.example", "99.2.0.192.bad.example" },
	/* the example of RFC 5782 2.4 */
	{ "2001:db8:1:2:3:4:567:89ab", "ugly.example.com",
	    "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2."
	    "ugly.example.com" },
	{ "::1", "ip6.arpa", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "0.0.0.0.0.0.0.0.0.ip6.arpa" },
};

Test(dns_reverse, names)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char name[DNS_NAME_SIZE] = "";
		struct ipaddr a;

		cr_assert_eq(ipaddr_parse(span_str(rows[i].addr), &a), OK);
		cr_expect_eq(dns_reverse_name(&a, rows[i].zone, name), OK);
		cr_expect_str_eq(name, rows[i].name);
	}
}

Test(dns_reverse, is_bounded)
{
	char zone[DNS_NAME_SIZE] = "", name[DNS_NAME_SIZE] = "untouched";
	struct ipaddr six, none = { 0 };

	cr_assert_eq(ipaddr_parse(SPAN_LIT("::1"), &six), OK);
	cr_expect_eq(dns_reverse_name(&none, "z.example", name), ERR_RANGE);
	memset(zone, 'z', 253 - 64 + 1);
	cr_expect_eq(dns_reverse_name(&six, zone, name), ERR_RANGE);
	cr_expect_str_eq(name, "untouched");
	zone[253 - 64] = '\0';
	cr_expect_eq(dns_reverse_name(&six, zone, name), OK);
	cr_expect_eq(strlen(name), 253);
}
