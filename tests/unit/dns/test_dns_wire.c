#include <criterion/criterion.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/dns/dns_wire.h"

#include <stdio.h>
#include <stdlib.h>

static struct buf packet;
static struct dns_wire_answer answer;

static void
put_u16(unsigned v)
{
	buf_add_byte(&packet, (uint8_t)(v >> 8));
	buf_add_byte(&packet, (uint8_t)v);
}

static void
put_name(const char *text)
{
	uint8_t wire[DNS_NAME_WIRE_MAX];
	int n = dns_names_encode(span_str(text), wire);

	cr_assert_gt(n, 0);
	buf_add(&packet, wire, (size_t)n);
}

/* Header and question; the counts are patched as records are added. */
static void
begin(unsigned flags, const char *name, unsigned type)
{
	buf_clear(&packet);
	buf_init(&packet, 1 << 17);
	put_u16(0x1234);
	put_u16(0x8180 | flags);
	put_u16(1);
	put_u16(0);
	put_u16(0);
	put_u16(0);
	put_name(name);
	put_u16(type);
	put_u16(1);
}

static void
put_rr_in(unsigned section, const char *owner, unsigned type, unsigned ttl,
    struct span data)
{
	size_t count = 4 + 2 * section;

	put_name(owner);
	put_u16(type);
	put_u16(1);
	put_u16(ttl >> 16);
	put_u16(ttl & 0xffff);
	put_u16((unsigned)data.n);
	buf_add_span(&packet, data);
	if (++packet.p[count + 1] == 0)
		packet.p[count]++;
}

static void
put_rr(const char *owner, unsigned type, unsigned ttl, struct span data)
{
	put_rr_in(1, owner, type, ttl, data);
}

static void
put_cname(const char *owner, const char *target)
{
	uint8_t wire[DNS_NAME_WIRE_MAX];
	int n = dns_names_encode(span_str(target), wire);

	put_rr(owner, DNS_TYPE_CNAME, 300, span_of(wire, (size_t)n));
}

static void
put_mx(const char *owner, unsigned preference, const char *host)
{
	uint8_t wire[2 + DNS_NAME_WIRE_MAX] = { (uint8_t)(preference >> 8),
	    (uint8_t)preference };
	int n = dns_names_encode(span_str(host), wire + 2);

	put_rr(owner, DNS_TYPE_MX, 60, span_of(wire, (size_t)n + 2));
}

static void
put_soa(const char *owner, unsigned ttl, unsigned minimum)
{
	uint8_t data[22] = { 0, 0, [18] = 0, 0, (uint8_t)(minimum >> 8),
	    (uint8_t)minimum };

	put_rr_in(2, owner, DNS_TYPE_SOA, ttl, span_of(data, sizeof(data)));
}

/* Read from a copy of its exact length, so that ASan sees a read too far. */
static enum err
parse(const char *name, unsigned type)
{
	uint8_t *copy = malloc(packet.n + 1);
	enum err e;

	cr_assert_not_null(copy);
	memcpy(copy, packet.p, packet.n);
	copy = realloc(copy, packet.n);
	e = dns_wire_parse(span_of(copy, packet.n), span_str(name),
	    (uint16_t)type, &answer);
	free(copy);
	return e;
}

static void
end(void)
{
	buf_clear(&packet);
}

TestSuite(dns_wire, .fini = end);

Test(dns_wire, addresses)
{
	begin(0, "A.example.org", DNS_TYPE_A);
	put_rr("a.EXAMPLE.org", DNS_TYPE_A, 300, SPAN_LIT("\xc0\0\2\1"));
	put_rr("a.example.org", DNS_TYPE_A, 60, SPAN_LIT("\xc0\0\2\2"));
	put_rr("b.example.org", DNS_TYPE_A, 5, SPAN_LIT("\x7f\0\0\1"));
	cr_assert_eq(parse("a.example.org.", DNS_TYPE_A), OK);
	cr_expect_eq(answer.result, DNS_WIRE_DATA);
	cr_expect_eq(answer.count, 2);
	cr_expect_eq(answer.ttl_s, 60);
	cr_expect(!answer.is_secure && !answer.is_truncated);
	cr_expect_str_eq(answer.canonical, "a.example.org");
	cr_expect(span_equal(dns_wire_data(&answer, 0),
	    SPAN_LIT("\xc0\0\2\1")));
	cr_expect(span_equal(dns_wire_data(&answer, 1),
	    SPAN_LIT("\xc0\0\2\2")));

	begin(0x20, "a", DNS_TYPE_AAAA);
	put_rr("a", DNS_TYPE_AAAA, 300, SPAN_LIT("0123456789abcdef"));
	cr_assert_eq(parse("a", DNS_TYPE_AAAA), OK);
	cr_expect(answer.count == 1 && answer.is_secure);
}

Test(dns_wire, mx)
{
	begin(0, "example.org", DNS_TYPE_MX);
	put_mx("example.org", 10, "MX1.example.org");
	put_mx("example.org", 300, "mx2.example.org");
	cr_assert_eq(parse("example.org", DNS_TYPE_MX), OK);
	cr_assert_eq(answer.count, 2);
	cr_expect_eq(answer.records[0].preference, 10);
	cr_expect_eq(answer.records[1].preference, 300);
	cr_expect(span_equal(dns_wire_data(&answer, 0),
	    SPAN_LIT("mx1.example.org")));
	cr_expect_not(dns_wire_is_null_mx(&answer));
}

/* NMX-01, NMX-04, T26 */
Test(dns_wire, null_mx)
{
	begin(0, "example.org", DNS_TYPE_MX);
	put_mx("example.org", 0, ".");
	cr_assert_eq(parse("example.org", DNS_TYPE_MX), OK);
	cr_expect(dns_wire_is_null_mx(&answer));
	put_mx("example.org", 10, "mx.example.org");
	cr_assert_eq(parse("example.org", DNS_TYPE_MX), OK);
	cr_expect_not(dns_wire_is_null_mx(&answer));
}

Test(dns_wire, txt_strings_are_joined)
{
	begin(0, "a", DNS_TYPE_TXT);
	put_rr("a", DNS_TYPE_TXT, 1, SPAN_LIT("\3v=S\0\4TSv1"));
	put_rr("a", DNS_TYPE_TXT, 1, SPAN_LIT("\5short"));
	cr_assert_eq(parse("a", DNS_TYPE_TXT), OK);
	cr_assert_eq(answer.count, 2);
	cr_expect(span_equal(dns_wire_data(&answer, 0), SPAN_LIT("v=STSv1")));
	cr_expect(span_equal(dns_wire_data(&answer, 1), SPAN_LIT("short")));
}

Test(dns_wire, tlsa)
{
	begin(0, "_25._tcp.a", DNS_TYPE_TLSA);
	put_rr("_25._tcp.a", DNS_TYPE_TLSA, 1, SPAN_LIT("\3\1\1digest"));
	cr_assert_eq(parse("_25._tcp.a", DNS_TYPE_TLSA), OK);
	cr_assert_eq(answer.count, 1);
	cr_expect_eq(answer.records[0].usage, 3);
	cr_expect_eq(answer.records[0].selector, 1);
	cr_expect_eq(answer.records[0].matching, 1);
	cr_expect(span_equal(dns_wire_data(&answer, 0), SPAN_LIT("digest")));
}

/* DANE-09: too short to be one, it is there all the same, for nobody. */
Test(dns_wire, short_tlsa)
{
	static const struct span rows[] = {
		SPAN_LIT(""), SPAN_LIT("\3"), SPAN_LIT("\3\1"),
		SPAN_LIT("\3\1\1"),
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		begin(0, "a", DNS_TYPE_TLSA);
		put_rr("a", DNS_TYPE_TLSA, 60, rows[i]);
		cr_assert_eq(parse("a", DNS_TYPE_TLSA), OK, "row %zu", i);
		cr_expect_eq(answer.result, DNS_WIRE_DATA, "row %zu", i);
		cr_expect_eq(answer.count, 1);
		cr_expect_eq(answer.records[0].usage, 255);
		cr_expect_eq(dns_wire_data(&answer, 0).n, 0);
	}
}

/* DANE-09: what is too long for an answer is left out, and that is said. */
Test(dns_wire, huge_tlsa)
{
	static uint8_t data[60000] = { 3 };

	for (size_t n = 16000; n < sizeof(data); n += 11000) {
		begin(0, "a", DNS_TYPE_TLSA);
		put_rr("a", DNS_TYPE_TLSA, 60, span_of(data, n));
		put_rr("a", DNS_TYPE_TLSA, 60, SPAN_LIT("\3\1\1x"));
		cr_assert_eq(parse("a", DNS_TYPE_TLSA), OK);
		cr_expect_eq(answer.count, n == 16000 ? 2 : 1, "%zu", n);
		cr_expect_eq(answer.is_cut, n != 16000);
	}
}

/* Of an SOA only whether it is there. */
Test(dns_wire, soa)
{
	begin(0x20, ".", DNS_TYPE_SOA);
	put_rr(".", DNS_TYPE_SOA, 60, SPAN_LIT("\0\0abcdabcdabcdabcdabcd"));
	cr_assert_eq(parse(".", DNS_TYPE_SOA), OK);
	cr_expect_eq(answer.result, DNS_WIRE_DATA);
	cr_expect(answer.count == 1 && answer.used == 0);
	cr_expect(answer.is_secure);
}

/* T25, C5321-24: records of a wrong length are left out, and their
 * presence isn't mistaken for "no such record". */
Test(dns_wire, unusable_records)
{
	static const struct {
		unsigned type;
		struct span data;
	} rows[] = {
		{ DNS_TYPE_A, SPAN_LIT("") },
		{ DNS_TYPE_A, SPAN_LIT("123") },
		{ DNS_TYPE_A, SPAN_LIT("12345") },
		{ DNS_TYPE_AAAA, SPAN_LIT("1234") },
		{ DNS_TYPE_AAAA, SPAN_LIT("0123456789abcdefg") },
		{ DNS_TYPE_MX, SPAN_LIT("") },
		{ DNS_TYPE_MX, SPAN_LIT("\0\1") },
		{ DNS_TYPE_MX, SPAN_LIT("\0\1\2mx") },
		{ DNS_TYPE_MX, SPAN_LIT("\0\1\2mx\0x") },
		{ DNS_TYPE_MX, SPAN_LIT("\0\1\2m.\0") },
		{ DNS_TYPE_MX, SPAN_LIT("\0\1\xc0\xff") },
		{ DNS_TYPE_TXT, SPAN_LIT("\5abc") },
		{ DNS_TYPE_TXT, SPAN_LIT("\3abc\1") },
		{ DNS_TYPE_CNAME, SPAN_LIT("") },
		{ DNS_TYPE_PTR, SPAN_LIT("") },
		{ DNS_TYPE_PTR, SPAN_LIT("\2m.\0") },
		{ DNS_TYPE_PTR, SPAN_LIT("\3a\r\n\0") },
		{ DNS_TYPE_PTR, SPAN_LIT("\1m\0x") },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		begin(0, "a", rows[i].type);
		put_rr("a", rows[i].type, 60, rows[i].data);
		cr_assert_eq(parse("a", rows[i].type), OK, "row %zu", i);
		cr_expect_eq(answer.result, DNS_WIRE_UNUSABLE, "row %zu", i);
		cr_expect_eq(answer.count, 0);
		cr_expect_eq(answer.bad, 1);
		cr_expect_eq(answer.used, 0, "row %zu", i);
	}
	begin(0, "a", DNS_TYPE_MX);
	put_rr("a", DNS_TYPE_MX, 60, SPAN_LIT("\0\1"));
	put_mx("a", 1, "b");
	cr_assert_eq(parse("a", DNS_TYPE_MX), OK);
	cr_expect_eq(answer.result, DNS_WIRE_DATA);
	cr_expect(answer.count == 1 && answer.bad == 1);
	cr_expect_not(dns_wire_is_null_mx(&answer));
}

/* C5321-25 */
Test(dns_wire, alias_chain)
{
	begin(0, "a", DNS_TYPE_MX);
	put_mx("c", 1, "mx");		/* in whatever order */
	put_cname("b", "c");
	put_cname("A", "B");
	cr_assert_eq(parse("a", DNS_TYPE_MX), OK);
	cr_expect_eq(answer.result, DNS_WIRE_DATA);
	cr_expect_str_eq(answer.canonical, "c");
	cr_expect_eq(answer.ttl_s, 60);

	begin(0, "a", DNS_TYPE_MX);
	put_cname("a", "b");
	put_soa("b", 100, 50);
	cr_assert_eq(parse("a", DNS_TYPE_MX), OK);
	cr_expect_eq(answer.result, DNS_WIRE_NO_DATA);
	cr_expect_str_eq(answer.canonical, "b");
	cr_expect_eq(answer.ttl_s, 50);

	begin(3, "a", DNS_TYPE_MX);
	put_cname("a", "b");
	cr_assert_eq(parse("a", DNS_TYPE_MX), OK);
	cr_expect_eq(answer.result, DNS_WIRE_NO_NAME);

	begin(0, "a", DNS_TYPE_CNAME);
	put_cname("a", "b");
	cr_assert_eq(parse("a", DNS_TYPE_CNAME), OK);
	cr_expect(answer.count == 1 &&
	    span_equal(dns_wire_data(&answer, 0), SPAN_LIT("b")));
}

/* The name of an address; often by an alias (RFC 2317). */
Test(dns_wire, names_of_addresses)
{
	begin(0, "9.2.0.192.in-addr.arpa", DNS_TYPE_PTR);
	put_cname("9.2.0.192.in-addr.arpa", "9.0-15.2.0.192.in-addr.arpa");
	put_rr("9.0-15.2.0.192.in-addr.arpa", DNS_TYPE_PTR, 60,
	    SPAN_LIT("\4Mail\7example\0"));
	cr_assert_eq(parse("9.2.0.192.in-addr.arpa", DNS_TYPE_PTR), OK);
	cr_expect_eq(answer.result, DNS_WIRE_DATA);
	cr_expect(span_equal(dns_wire_data(&answer, 0),
	    SPAN_LIT("mail.example")));
}

/* T25: loops and long chains. */
Test(dns_wire, alias_loops)
{
	for (int links = 1; links < 20; links++) {
		begin(0, "n0", DNS_TYPE_A);
		for (int i = 0; i < links; i++) {
			char from[16], to[16];

			snprintf(from, sizeof(from), "n%d", i);
			snprintf(to, sizeof(to), "n%d", i + 1);
			put_cname(from, to);
			if (i + 1 == links)
				put_rr(to, DNS_TYPE_A, 9, SPAN_LIT("1234"));
		}
		cr_assert_eq(parse("n0", DNS_TYPE_A), OK);
		cr_expect_eq(answer.result, links <= DNS_WIRE_CHAIN ?
		    DNS_WIRE_DATA : DNS_WIRE_UNUSABLE, "%d links", links);
	}
	begin(0, "a", DNS_TYPE_A);
	put_cname("a", "a");
	cr_assert_eq(parse("a", DNS_TYPE_A), OK);
	cr_expect_eq(answer.result, DNS_WIRE_UNUSABLE);
	begin(0, "a", DNS_TYPE_A);
	put_cname("a", "b");
	put_cname("b", "a");
	cr_assert_eq(parse("a", DNS_TYPE_A), OK);
	cr_expect_eq(answer.result, DNS_WIRE_UNUSABLE);
}

/* C5321-18, C5321-19: not there is not the same as not known. */
Test(dns_wire, result_by_code)
{
	static const struct {
		unsigned rcode;
		enum dns_wire_result want;
	} rows[] = {
		{ 0, DNS_WIRE_NO_DATA }, { 1, DNS_WIRE_FAILED },
		{ 2, DNS_WIRE_FAILED }, { 3, DNS_WIRE_NO_NAME },
		{ 4, DNS_WIRE_FAILED }, { 5, DNS_WIRE_FAILED },
		{ 9, DNS_WIRE_FAILED }, { 15, DNS_WIRE_FAILED },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		begin(rows[i].rcode, "a", DNS_TYPE_A);
		put_soa("", 900, 300);
		cr_assert_eq(parse("a", DNS_TYPE_A), OK);
		cr_expect_eq(answer.result, rows[i].want);
		cr_expect_eq(answer.rcode, rows[i].rcode);
		cr_expect_eq(answer.ttl_s, rows[i].want == DNS_WIRE_FAILED ?
		    0 : 300);
	}
	begin(3, "a", DNS_TYPE_A);
	cr_assert_eq(parse("a", DNS_TYPE_A), OK);
	cr_expect_eq(answer.ttl_s, 0, "no SOA: not to be kept");
	begin(0x200, "a", DNS_TYPE_A);
	cr_assert_eq(parse("a", DNS_TYPE_A), OK);
	cr_expect_eq(answer.result, DNS_WIRE_FAILED, "nothing, but truncated");
	cr_expect(answer.is_truncated);
}

/* T25: an answer to another question, or none. */
Test(dns_wire, not_our_answer)
{
	answer.type = 4711;
	begin(0, "a", DNS_TYPE_A);
	cr_expect_eq(parse("b", DNS_TYPE_A), ERR_SYNTAX);
	cr_expect_eq(parse("a", DNS_TYPE_MX), ERR_SYNTAX);
	packet.p[2] &= 0x7f;
	cr_expect_eq(parse("a", DNS_TYPE_A), ERR_SYNTAX, "a query");
	begin(0, "a", DNS_TYPE_A);
	packet.p[5] = 0;
	cr_expect_eq(parse("a", DNS_TYPE_A), ERR_SYNTAX, "no question");
	packet.p[5] = 2;
	cr_expect_eq(parse("a", DNS_TYPE_A), ERR_SYNTAX, "two questions");
	begin(0, "a", DNS_TYPE_A);
	packet.p[packet.n - 1] = 3;
	cr_expect_eq(parse("a", DNS_TYPE_A), ERR_SYNTAX, "class CHAOS");
	begin(0, "a", DNS_TYPE_A);
	packet.p[7] = 1;
	cr_expect_eq(parse("a", DNS_TYPE_A), ERR_SYNTAX, "record missing");
	cr_expect_eq(answer.type, 4711, "touched");
}

Test(dns_wire, limits)
{
	uint8_t big[3000];

	begin(0, "a", DNS_TYPE_A);
	for (int i = 0; i < 300; i++)
		put_rr("a", DNS_TYPE_A, 60, SPAN_LIT("1234"));
	cr_assert_eq(parse("a", DNS_TYPE_A), OK);
	cr_expect_eq(answer.count, DNS_WIRE_RECORDS);
	cr_expect(answer.is_cut);

	memset(big, 9, sizeof(big));
	for (size_t i = 0; i < sizeof(big); i += 10)
		big[i] = 9;
	begin(0, "a", DNS_TYPE_TXT);
	for (int i = 0; i < 20; i++)
		put_rr("a", DNS_TYPE_TXT, 60, span_of(big, sizeof(big)));
	cr_assert_eq(parse("a", DNS_TYPE_TXT), OK);
	cr_expect_eq(answer.count, DNS_WIRE_BYTES / 2700);
	cr_expect(answer.is_cut);
	cr_expect_leq(answer.used, DNS_WIRE_BYTES);
}

Test(dns_wire, ttl_with_the_top_bit_is_none)
{
	begin(0, "a", DNS_TYPE_A);
	put_rr("a", DNS_TYPE_A, 0x80000000u, SPAN_LIT("1234"));
	cr_assert_eq(parse("a", DNS_TYPE_A), OK);
	cr_expect_eq(answer.ttl_s, 0);
}

Test(dns_wire, copy)
{
	static struct dns_wire_answer other;

	begin(0, "a", DNS_TYPE_MX);
	put_mx("a", 7, "mx");
	cr_assert_eq(parse("a", DNS_TYPE_MX), OK);
	dns_wire_copy(&answer, &other);
	cr_expect_eq(other.count, 1);
	cr_expect_eq(other.records[0].preference, 7);
	cr_expect(span_equal(dns_wire_data(&other, 0), SPAN_LIT("mx")));
}

/* Every bit flip and truncation of one packet that has it all. */
Test(dns_wire, flips_and_truncations)
{
	size_t whole;

	begin(0, "a.example", DNS_TYPE_MX);
	put_cname("a.example", "b.example");
	put_mx("b.example", 1, "mx.example");
	put_rr("b.example", DNS_TYPE_MX, 60, SPAN_LIT("\0\5\2mx\xc0\x0e"));
	put_soa("example", 9, 9);
	whole = packet.n;
	for (size_t bit = 0; bit < whole * 8; bit++) {
		packet.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		(void)parse("a.example", DNS_TYPE_MX);
		packet.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (packet.n = whole; packet.n > 0; packet.n--)
		(void)parse("a.example", DNS_TYPE_MX);
}
