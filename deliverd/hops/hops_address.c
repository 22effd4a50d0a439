#include "deliverd/hops/hops_address.h"

#include "common/base/check.h"

/* The first row that has the address; beyond these it is public. */
static const struct {
	struct ipaddr_prefix prefix;
	enum hops_address_class class;
} places[] = {
	{ { { IPADDR_4, { 127 } }, 8 }, HOPS_ADDRESS_LOOPBACK },
	{ { { IPADDR_4, { 0 } }, 8 }, HOPS_ADDRESS_NOBODYS },
	{ { { IPADDR_4, { 10 } }, 8 }, HOPS_ADDRESS_PRIVATE },
	{ { { IPADDR_4, { 100, 64 } }, 10 }, HOPS_ADDRESS_PRIVATE },
	{ { { IPADDR_4, { 169, 254 } }, 16 }, HOPS_ADDRESS_NOBODYS },
	{ { { IPADDR_4, { 172, 16 } }, 12 }, HOPS_ADDRESS_PRIVATE },
	{ { { IPADDR_4, { 192, 168 } }, 16 }, HOPS_ADDRESS_PRIVATE },
	{ { { IPADDR_4, { 224 } }, 4 }, HOPS_ADDRESS_NOBODYS },
	{ { { IPADDR_4, { 240 } }, 4 }, HOPS_ADDRESS_NOBODYS },
	{ { { IPADDR_6, { [15] = 1 } }, 128 }, HOPS_ADDRESS_LOOPBACK },
	/* ::, and IPv4-compatible addresses, which RFC 4291 2.5.5.1 gave up */
	{ { { IPADDR_6, { 0 } }, 96 }, HOPS_ADDRESS_NOBODYS },
	{ { { IPADDR_6, { 0xfc } }, 7 }, HOPS_ADDRESS_PRIVATE },
	{ { { IPADDR_6, { 0xfe, 0xc0 } }, 10 }, HOPS_ADDRESS_PRIVATE },
	{ { { IPADDR_6, { 0xfe, 0x80 } }, 10 }, HOPS_ADDRESS_NOBODYS },
	{ { { IPADDR_6, { 0xff } }, 8 }, HOPS_ADDRESS_NOBODYS },
};

/* Where an IPv6 address has its IPv4 one; 0: it has none. */
static size_t
embedded_at(const struct ipaddr *ip)
{
	static const struct ipaddr_prefix nat64 = {
		{ IPADDR_6, { 0, 0x64, 0xff, 0x9b } }, 96 };
	static const struct ipaddr_prefix six_to_four = {
		{ IPADDR_6, { 0x20, 0x02 } }, 16 };

	return ipaddr_prefix_has(&nat64, ip) ? 12 :
	    ipaddr_prefix_has(&six_to_four, ip) ? 2 : 0;
}

enum hops_address_class
hops_address_class(const struct ipaddr *ip)
{
	size_t at = embedded_at(ip);
	struct ipaddr inner = at != 0 ? ipaddr_v4(ip->bytes + at) : *ip;

	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (ipaddr_prefix_has(&places[i].prefix, &inner))
			return places[i].class;
	return HOPS_ADDRESS_PUBLIC;
}
