#include "common/dns/dns_tlsa.h"

#define SELECTOR_MAX	1

bool
dns_tlsa_is_usable(const struct dns_tlsa *r)
{
	if (r->usage != DNS_TLSA_DANE_TA && r->usage != DNS_TLSA_DANE_EE)
		return false;
	if (r->selector > SELECTOR_MAX)
		return false;
	switch (r->matching) {
	case DNS_TLSA_FULL: return r->data.n > 0;
	case DNS_TLSA_SHA256: return r->data.n == 32;
	case DNS_TLSA_SHA512: return r->data.n == 64;
	default: return false;
	}
}
