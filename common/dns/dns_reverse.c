#include "common/dns/dns_reverse.h"

#include <stdio.h>
#include <string.h>

#define LABELS_MAX	64	/* 32 nibbles, each with its dot */

static size_t
put_quad(const struct ipaddr *a, char *out)
{
	int n = snprintf(out, LABELS_MAX + 1, "%u.%u.%u.%u.", a->bytes[3],
	    a->bytes[2], a->bytes[1], a->bytes[0]);

	return (size_t)n;
}

static size_t
put_nibbles(const struct ipaddr *a, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (int i = 15; i >= 0; i--) {
		out[n++] = digits[a->bytes[i] & 0xf];
		out[n++] = '.';
		out[n++] = digits[a->bytes[i] >> 4];
		out[n++] = '.';
	}
	return n;
}

enum err
dns_reverse_name(const struct ipaddr *addr, const char *zone,
    char out[DNS_NAME_SIZE])
{
	char labels[LABELS_MAX + 1];
	size_t zone_n = strlen(zone), n;

	switch (addr->family) {
	case IPADDR_4:
		n = put_quad(addr, labels);
		break;
	case IPADDR_6:
		n = put_nibbles(addr, labels);
		break;
	default:
		return ERR_RANGE;
	}
	if (n + zone_n > DNS_NAME_WIRE_MAX - 2)
		return ERR_RANGE;
	memcpy(out, labels, n);
	memcpy(out + n, zone, zone_n + 1);
	return OK;
}

const char *
dns_reverse_zone(const struct ipaddr *addr)
{
	return addr->family == IPADDR_4 ? "in-addr.arpa" : "ip6.arpa";
}
