/*
 * What kind of place an address is, for those that come out of the DNS (RFC
 * 6890).  Pure.
 */
#ifndef MTAD_DELIVERD_HOPS_HOPS_ADDRESS_H
#define MTAD_DELIVERD_HOPS_HOPS_ADDRESS_H

#include "common/base/ipaddr.h"

enum hops_address_class {
	HOPS_ADDRESS_PUBLIC,
	HOPS_ADDRESS_PRIVATE,	/* RFC 1918, 4193, 6598, site-local (3879) */
	HOPS_ADDRESS_LOOPBACK,
	HOPS_ADDRESS_NOBODYS,	/* unspecified, link-local, multicast, reserved */
};

/* An IPv6 address that stands for an IPv4 one (NAT64, RFC 6052; 6to4, RFC 3056)
 * is what that one is. */
enum hops_address_class hops_address_class(const struct ipaddr *ip);

#endif
