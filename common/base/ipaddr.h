/*
 * IP addresses and prefixes: parsed strictly, compared, written, classed.
 *
 * An IPv4-mapped IPv6 address (::ffff:192.0.2.1) is the IPv4 address wherever
 * it comes in, so that no rule can be dodged by spelling.
 */
#ifndef MTAD_BASE_IPADDR_H
#define MTAD_BASE_IPADDR_H

#include "common/base/err.h"
#include "common/base/siphash.h"
#include "common/base/span.h"

#define IPADDR_TEXT_SIZE 46		/* longest text and its NUL */
#define IPADDR_PREFIX_TEXT_SIZE 50

enum ipaddr_family {
	IPADDR_NONE = 0,
	IPADDR_4 = 4,
	IPADDR_6 = 6,
};

struct ipaddr {
	uint8_t family;			/* enum ipaddr_family */
	uint8_t bytes[16];		/* network order; unused ones are 0 */
};

struct ipaddr_prefix {
	struct ipaddr addr;
	uint8_t bits;			/* 0..32 or 0..128 */
};

/* making: from bytes in network order; a mapped address becomes IPv4 */
struct ipaddr ipaddr_v4(const uint8_t bytes[4]);
struct ipaddr ipaddr_v6(const uint8_t bytes[16]);

/*
 * A dotted quad (four decimal numbers, no leading zeros) or RFC 4291 section
 * 2.2 text without zone or brackets.  ERR_SYNTAX.
 */
enum err ipaddr_parse(struct span text, struct ipaddr *out);

/* "10.0.0.0/8", "2001:db8::/32", or an address alone (all of its bits).
 * ERR_SYNTAX; ERR_RANGE when a bit behind the prefix is set. */
enum err ipaddr_prefix_parse(struct span text, struct ipaddr_prefix *out);

/* Writes NUL-terminated text (RFC 5952 for IPv6) and returns its length;
 * "none" for no address. */
size_t ipaddr_format(const struct ipaddr *a, char out[IPADDR_TEXT_SIZE]);
size_t ipaddr_prefix_format(const struct ipaddr_prefix *p,
    char out[IPADDR_PREFIX_TEXT_SIZE]);

bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b);

/* IPv4 before IPv6, then by bytes: <0, 0, >0. */
int ipaddr_compare(const struct ipaddr *a, const struct ipaddr *b);

/* An address of the other family never matches. */
bool ipaddr_prefix_has(const struct ipaddr_prefix *p, const struct ipaddr *a);

/* classes (RFC 6890): loopback 127/8, ::1; private 10/8, 172.16/12,
 * 192.168/16, fc00::/7; link-local 169.254/16, fe80::/10; multicast 224/4,
 * ff00::/8; unspecified 0.0.0.0, ::; broadcast 255.255.255.255 */
bool ipaddr_is_loopback(const struct ipaddr *a);
bool ipaddr_is_private(const struct ipaddr *a);
bool ipaddr_is_link_local(const struct ipaddr *a);
bool ipaddr_is_multicast(const struct ipaddr *a);
bool ipaddr_is_unspecified(const struct ipaddr *a);
bool ipaddr_is_broadcast(const struct ipaddr *a);

/* 0/8, unspecified, link-local, multicast or broadcast: no host that the DNS
 * may send us to has such an address. */
bool ipaddr_is_nobodys(const struct ipaddr *a);

/* Who counts as one client: the IPv4 address, or the /64 of an IPv6 one. */
struct ipaddr ipaddr_client(const struct ipaddr *a);

/* Its hash; never 0. */
uint64_t ipaddr_client_key(const struct ipaddr *a,
    const struct siphash_key *key);

#endif
