/*
 * What a host publishes by DANE, as far as we can trust it: RFC 7672 2.2.
 *
 * All that it points to is borrowed for the round that gave it.
 */
#ifndef MTAD_DELIVERD_HOPS_HOP_DANE_H
#define MTAD_DELIVERD_HOPS_HOP_DANE_H

#include "common/dns/dns_tlsa.h"

#define HOP_DANE_NAMES	2

enum hop_dane_state {
	HOP_DANE_NONE,		/* nothing that we can trust, or not asked */
	HOP_DANE_FAILED,	/* that could not be found out */
	HOP_DANE_UNUSABLE,	/* records, none that means anything to us */
	HOP_DANE_USABLE,
};

struct hop_dane {
	enum hop_dane_state state;
	char why[384];		/* NONE, FAILED: in words */
	const char *base;	/* TLSA base domain; "" for these two */
	/* what else a certificate below DANE-TA may be for; "" is nothing */
	const char *names[HOP_DANE_NAMES];
	const struct dns_tlsa *records;		/* the usable ones */
	size_t n;
};

#endif
