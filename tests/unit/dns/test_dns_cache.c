#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/dns/dns_cache.h"

#include <stdio.h>

static const struct siphash_key seed = { 1, 2 };
static struct dns_wire_answer in, out;

static void
make_answer(enum dns_wire_result result, uint32_t ttl_s, struct span data)
{
	memset(&in, 0, sizeof(in));
	in.result = result;
	in.type = DNS_TYPE_A;
	in.ttl_s = ttl_s;
	strcpy(in.canonical, "canonical");
	if (result == DNS_WIRE_DATA) {
		in.count = 1;
		in.records[0].ttl_s = ttl_s + 5;
		in.records[0].n = (uint16_t)data.n;
		in.used = (uint16_t)data.n;
		memcpy(in.bytes, data.p, data.n);
	}
}

static enum err
get(struct dns_cache *c, const char *name, int64_t now_ms)
{
	return dns_cache_get(c, span_str(name), DNS_TYPE_A, now_ms, &out);
}

static void
put(struct dns_cache *c, const char *name, int64_t now_ms)
{
	cr_assert_eq(dns_cache_put(c, span_str(name), DNS_TYPE_A, &in,
	    now_ms), OK);
}

Test(dns_cache, lives_as_long_as_its_ttl)
{
	struct dns_cache *c = dns_cache_new(1 << 20, &seed);

	make_answer(DNS_WIRE_DATA, 60, SPAN_LIT("1234"));
	put(c, "A.example", 1000);
	cr_expect_eq(get(c, "b.example", 1000), ERR_NOT_FOUND);
	cr_expect_eq(dns_cache_get(c, SPAN_LIT("a.example"), DNS_TYPE_MX,
	    1000, &out), ERR_NOT_FOUND);
	cr_assert_eq(get(c, "a.EXAMPLE.", 1000 + 20999), OK);
	cr_expect_eq(out.ttl_s, 40);
	cr_expect_eq(out.records[0].ttl_s, 45);
	cr_expect_str_eq(out.canonical, "canonical");
	cr_expect(span_equal(dns_wire_data(&out, 0), SPAN_LIT("1234")));
	cr_expect_eq(get(c, "a.example", 1000 + 59999), OK);
	cr_expect_eq(get(c, "a.example", 1000 + 60000), ERR_NOT_FOUND);
	cr_expect_eq(dns_cache_count(c), 0);
	cr_expect_eq(dns_cache_bytes(c), 0);
	dns_cache_free(&c);
	cr_expect_null(c);
	dns_cache_free(&c);
}

Test(dns_cache, what_is_kept)
{
	static const struct {
		enum dns_wire_result result;
		uint32_t ttl_s;
		int64_t lives_s;	/* 0: not kept */
	} rows[] = {
		{ DNS_WIRE_DATA, 1, 1 },
		{ DNS_WIRE_DATA, 0, 0 },
		{ DNS_WIRE_DATA, INT32_MAX, DNS_CACHE_TTL_MAX_S },
		{ DNS_WIRE_NO_NAME, 30, 30 },
		{ DNS_WIRE_NO_DATA, 30, 30 },
		{ DNS_WIRE_NO_NAME, INT32_MAX, DNS_CACHE_NEGATIVE_MAX_S },
		{ DNS_WIRE_NO_NAME, 0, 0 },
		{ DNS_WIRE_UNUSABLE, 30, 30 },
		{ DNS_WIRE_FAILED, 30, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct dns_cache *c = dns_cache_new(1 << 20, &seed);

		make_answer(rows[i].result, rows[i].ttl_s, SPAN_LIT("1234"));
		put(c, "a", 0);
		cr_expect_eq(dns_cache_count(c), rows[i].lives_s != 0,
		    "row %zu", i);
		if (rows[i].lives_s != 0) {
			cr_expect_eq(get(c, "a", rows[i].lives_s * 1000 - 1),
			    OK, "row %zu", i);
			cr_expect_eq(out.result, rows[i].result);
		}
		cr_expect_eq(get(c, "a", rows[i].lives_s * 1000),
		    ERR_NOT_FOUND, "row %zu", i);
		dns_cache_free(&c);
	}
}

Test(dns_cache, newer_replaces_older)
{
	struct dns_cache *c = dns_cache_new(1 << 20, &seed);

	make_answer(DNS_WIRE_DATA, 60, SPAN_LIT("old!"));
	put(c, "a", 0);
	make_answer(DNS_WIRE_DATA, 60, SPAN_LIT("new!"));
	put(c, "A", 0);
	cr_expect_eq(dns_cache_count(c), 1);
	cr_assert_eq(get(c, "a", 0), OK);
	cr_expect(span_equal(dns_wire_data(&out, 0), SPAN_LIT("new!")));
	make_answer(DNS_WIRE_FAILED, 0, SPAN_NONE);
	put(c, "a", 0);
	cr_expect_eq(get(c, "a", 0), ERR_NOT_FOUND);
	dns_cache_free(&c);
}

/* Memory is bounded, and what is asked for stays. */
Test(dns_cache, least_used_goes_first)
{
	const size_t max = 64 << 10;
	struct dns_cache *c = dns_cache_new(max, &seed);

	make_answer(DNS_WIRE_DATA, 60, SPAN_LIT("1234"));
	put(c, "favourite", 0);
	for (int i = 0; i < 10000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%d.example", i);
		put(c, name, 0);
		cr_assert_leq(dns_cache_bytes(c), max);
		cr_assert_eq(get(c, "favourite", 0), OK);
		cr_assert_eq(get(c, name, 0), OK);
	}
	cr_expect_gt(dns_cache_count(c), 50);
	cr_expect_eq(get(c, "n0.example", 0), ERR_NOT_FOUND);
	dns_cache_flush(c);
	cr_expect_eq(dns_cache_count(c), 0);
	cr_expect_eq(dns_cache_bytes(c), 0);
	dns_cache_free(&c);
}

Test(dns_cache, larger_than_the_cache)
{
	struct dns_cache *c = dns_cache_new(100, &seed);

	make_answer(DNS_WIRE_DATA, 60, SPAN_LIT("1234"));
	put(c, "a", 0);
	cr_expect_eq(dns_cache_count(c), 0);
	cr_expect_eq(get(c, "a", 0), ERR_NOT_FOUND);
	dns_cache_free(&c);
}

Test(dns_cache, too_long_a_name)
{
	struct dns_cache *c = dns_cache_new(1 << 20, &seed);
	uint8_t name[300];

	memset(name, 'a', sizeof(name));
	make_answer(DNS_WIRE_DATA, 60, SPAN_LIT("1234"));
	cr_expect_eq(dns_cache_put(c, span_of(name, sizeof(name)), 1, &in, 0),
	    ERR_RANGE);
	cr_expect_eq(dns_cache_get(c, span_of(name, sizeof(name)), 1, 0,
	    &out), ERR_NOT_FOUND);
	dns_cache_free(&c);
}
