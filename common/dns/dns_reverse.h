/*
 * The names under which something is asked about an address: RFC 1035 3.5 and
 * RFC 3596 2.5 for its own name, RFC 5782 2.1 and 2.4 for lists.
 */
#ifndef MTAD_DNS_DNS_REVERSE_H
#define MTAD_DNS_DNS_REVERSE_H

#include "common/base/ipaddr.h"
#include "common/dns/dns_names.h"

/* 2.2.0.192.ZONE; of IPv6 all 32 nibbles.  ERR_RANGE: too long, or no
 * address (OUT is untouched). */
enum err dns_reverse_name(const struct ipaddr *addr, const char *zone,
    char out[DNS_NAME_SIZE]);

/* in-addr.arpa or ip6.arpa */
const char *dns_reverse_zone(const struct ipaddr *addr);

#endif
