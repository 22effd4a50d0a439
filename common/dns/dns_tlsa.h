/*
 * TLSA records, RFC 6698 2.1, as SMTP takes them, RFC 7672 3.1.
 *
 * Of the usages only DANE-TA(2) and DANE-EE(3) mean something between mail
 * hosts; what is no record of a form that we know is there all the same, and
 * says that its host has TLS (RFC 7672 2.2).
 */
#ifndef MTAD_DNS_DNS_TLSA_H
#define MTAD_DNS_DNS_TLSA_H

#include "common/base/span.h"

#include <stdbool.h>

enum dns_tlsa_usage {
	DNS_TLSA_PKIX_TA, DNS_TLSA_PKIX_EE, DNS_TLSA_DANE_TA, DNS_TLSA_DANE_EE,
};

enum dns_tlsa_matching { DNS_TLSA_FULL, DNS_TLSA_SHA256, DNS_TLSA_SHA512 };

struct dns_tlsa {
	uint8_t usage;
	uint8_t selector;	/* 0: the certificate, 1: its key */
	uint8_t matching;
	struct span data;	/* borrowed; empty when malformed */
};

/* Whether a certificate could match it: usage, selector and matching type are
 * known, and its digest has the length of one. */
bool dns_tlsa_is_usable(const struct dns_tlsa *r);

#endif
