/*
 * A resolver's octets, read as the answer to the question that they hold.
 */
#include "common/base/check.h"
#include "common/dns/dns_cache.h"
#include "common/dns/dns_tlsa.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What is usable has data. */
static void
look_at_records(const struct dns_wire_answer *a)
{
	for (unsigned i = 0; i < a->count; i++) {
		const struct dns_tlsa r = {
			a->records[i].usage, a->records[i].selector,
			a->records[i].matching, dns_wire_data(a, i),
		};

		MUST(!dns_tlsa_is_usable(&r) || r.data.n > 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct siphash_key seed = { 1, 2 };
	static struct dns_wire_answer a, b;
	struct span packet = span_of(p, n);
	char name[DNS_NAME_SIZE];
	struct dns_cache *cache;
	size_t at = 12;
	uint16_t type;

	if (n < 12 || dns_names_decode(packet, &at, name) != OK ||
	    n - at < 2)
		return 0;
	type = (uint16_t)(p[at] << 8 | p[at + 1]);
	if (dns_wire_parse(packet, span_str(name), type, &a) != OK)
		return 0;
	MUST(a.count <= DNS_WIRE_RECORDS && a.used <= DNS_WIRE_BYTES);
	MUST((a.result == DNS_WIRE_DATA) == (a.count > 0));
	for (unsigned i = 0; i < a.count; i++)
		MUST(a.records[i].at + a.records[i].n <= a.used);
	(void)dns_wire_is_null_mx(&a);
	if (type == DNS_TYPE_TLSA)
		look_at_records(&a);
	cache = dns_cache_new(1 << 20, &seed);
	if (cache != NULL &&
	    dns_cache_put(cache, span_str(name), type, &a, 0) == OK &&
	    dns_cache_get(cache, span_str(name), type, 0, &b) == OK)
		MUST(b.count == a.count && b.used == a.used &&
		    memcmp(a.bytes, b.bytes, a.used) == 0);
	dns_cache_free(&cache);
	return 0;
}
