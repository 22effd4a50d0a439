/*
 * PROXY headers, both versions: by tables, cut off at each place, with each
 * bit flipped.  Ids PROXY-01 to PROXY-06 of docs/REQUIREMENTS.md.
 */
#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/base/proxy_header.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- version 1 ---- */

static const struct {
	const char *line;
	const char *client;	/* NULL: bad; "": whole, without one */
} lines[] = {
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\r\n", "192.0.2.1:40000" },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 0 65535\r\n", "192.0.2.1:0" },
	{ "PROXY TCP6 2001:db8::1 ::1 40000 25\r\n", "[2001:db8::1]:40000" },
	{ "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1:1" },
	{ "PROXY UNKNOWN\r\n", "" },
	{ "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
	    "" },
	{ "EHLO client.example\r\n", NULL },
	{ "proxy TCP4 192.0.2.1 192.0.2.2 40000 25\r\n", NULL },
	{ "PROXY\r\n", NULL },
	{ "PROXY \r\n", NULL },
	{ "PROXY \n", NULL },
	{ "PROXY TCP4\r\n", NULL },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\n", NULL },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\r\r\n", NULL },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25 \r\n", NULL },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25 7\r\n", NULL },
	{ "PROXY TCP4  192.0.2.1 192.0.2.2 40000 25\r\n", NULL },
	{ "PROXY  TCP4 192.0.2.1 192.0.2.2 40000 25\r\n", NULL },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000\r\n", NULL },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n", NULL },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 040000 25\r\n", NULL },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 -1 25\r\n", NULL },
	{ "PROXY TCP4 192.0.2.1 192.0.2.2 0x1 25\r\n", NULL },
	{ "PROXY TCP4 192.0.2.256 192.0.2.2 40000 25\r\n", NULL },
	{ "PROXY TCP4 192.0.02.1 192.0.2.2 40000 25\r\n", NULL },
	{ "PROXY TCP4 2001:db8::1 ::1 40000 25\r\n", NULL },
	{ "PROXY TCP6 192.0.2.1 192.0.2.2 40000 25\r\n", NULL },
	{ "PROXY TCP6 fe80::1%eth0 ::1 40000 25\r\n", NULL },
	{ "PROXY UDP4 192.0.2.1 192.0.2.2 40000 25\r\n", NULL },
	{ "PROXY UNKNOWNS\r\n", NULL },
};

static void
expect_client(const struct proxy_header *h, const char *client)
{
	char text[ENDPOINT_TEXT_SIZE] = "";

	if (h->has_client)
		endpoint_format(&h->client, text);
	cr_expect_str_eq(text, client);
}

/* PROXY-01 PROXY-02: whole, octet by octet, and with something behind it. */
Test(proxy_header, version_1)
{
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct span line = span_str(lines[i].line);
		struct proxy_header h = { 0 };
		char more[300];

		memcpy(more, line.p, line.n);
		memcpy(more + line.n, "EHLO a\r\n", 8);
		if (lines[i].client == NULL) {
			cr_expect_eq(proxy_header_parse(line, &h),
			    PROXY_HEADER_BAD, "%s", lines[i].line);
			cr_expect_not_null(h.why);
			continue;
		}
		for (size_t n = 0; n < line.n; n++)
			cr_expect_eq(proxy_header_parse(span_sub(line, 0, n),
			    &h), PROXY_HEADER_MORE, "%zu of %s", n,
			    lines[i].line);
		cr_assert_eq(proxy_header_parse(span_of(more, line.n + 8), &h),
		    PROXY_HEADER_WHOLE, "%s", lines[i].line);
		cr_expect_eq(h.bytes, line.n);
		expect_client(&h, lines[i].client);
	}
}

/* PROXY-03: a line has an end, and so has our patience. */
Test(proxy_header, version_1_is_bounded)
{
	char line[200];
	struct proxy_header h = { 0 };

	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	for (size_t n = 0; n < PROXY_HEADER_LINE_MAX; n++)
		cr_expect_eq(proxy_header_parse(span_of(line, n), &h),
		    PROXY_HEADER_MORE);
	cr_expect_eq(proxy_header_parse(span_of(line, PROXY_HEADER_LINE_MAX),
	    &h), PROXY_HEADER_BAD);
	line[PROXY_HEADER_LINE_MAX - 2] = '\r';
	line[PROXY_HEADER_LINE_MAX - 1] = '\n';
	cr_expect_eq(proxy_header_parse(span_of(line, sizeof(line)), &h),
	    PROXY_HEADER_WHOLE);
	cr_expect_eq(h.bytes, PROXY_HEADER_LINE_MAX);
}

/* ---- version 2 ---- */

static uint8_t packet[PROXY_HEADER_MAX + 64];

#define FOUR	"\300\000\002\001\300\000\002\002\234\100\000\031"
#define SIX	"\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\001" \
		"\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\002\234\100\000\031"
#define MAPPED	"\0\0\0\0\0\0\0\0\0\0\377\377\300\000\002\001" \
		"\0\0\0\0\0\0\0\0\0\0\377\377\300\000\002\002\234\100\000\031"

static struct span
make(uint8_t command, uint8_t family, struct span body)
{
	memcpy(packet, "\r\n\r\n\0\r\nQUIT\n", 12);
	packet[12] = command;
	packet[13] = family;
	packet[14] = (uint8_t)(body.n >> 8);
	packet[15] = (uint8_t)body.n;
	if (body.n > 0)
		memcpy(packet + 16, body.p, body.n);
	return span_of(packet, 16 + body.n);
}

static const struct {
	uint8_t command, family;
	struct span body;
	const char *client;
} packets[] = {
#define BODY(s) { (const uint8_t *)(s), sizeof(s) - 1 }
	{ 0x21, 0x11, BODY(FOUR), "192.0.2.1:40000" },
	{ 0x21, 0x21, BODY(SIX), "[2001:db8::1]:40000" },
	{ 0x21, 0x21, BODY(MAPPED), "192.0.2.1:40000" },
	{ 0x21, 0x11, BODY(FOUR "\004\000\003abc\001\000\004smtp\005\000\000"),
	    "192.0.2.1:40000" },
	{ 0x21, 0x00, BODY(""), "" },
	{ 0x21, 0x00, BODY("\004\000\000"), "" },
	{ 0x20, 0x00, BODY(""), "" },
	{ 0x20, 0x11, BODY(""), "" },
	{ 0x20, 0x11, BODY(FOUR), "" },
	{ 0x20, 0x12, BODY(FOUR), "" },
	/* no such version, command, family; not for TCP; too short; TLVs that
	 * do not end where the header does; half a checksum */
	{ 0x11, 0x11, BODY(FOUR), NULL },
	{ 0x22, 0x11, BODY(FOUR), NULL },
	{ 0x21, 0x41, BODY(FOUR), NULL },
	{ 0x21, 0x13, BODY(FOUR), NULL },
	{ 0x20, 0x41, BODY(FOUR), NULL },
	{ 0x21, 0x12, BODY(FOUR), NULL },
	{ 0x21, 0x22, BODY(SIX), NULL },
	{ 0x21, 0x11, BODY("\300\000\002\001\300\000\002\002\234\100\000"),
	    NULL },
	{ 0x21, 0x11, BODY(""), NULL },
	{ 0x21, 0x21, BODY(FOUR), NULL },
	{ 0x20, 0x11, BODY("\004\000\000"), NULL },
	{ 0x21, 0x11, BODY(FOUR "\004"), NULL },
	{ 0x21, 0x11, BODY(FOUR "\004\000"), NULL },
	{ 0x21, 0x11, BODY(FOUR "\004\000\001"), NULL },
	{ 0x21, 0x11, BODY(FOUR "\004\377\377x"), NULL },
	{ 0x21, 0x11, BODY(FOUR "\003\000\002\000\000"), NULL },
	{ 0x21, 0x11, BODY(FOUR "\003\000\004\000\000\000\000"), NULL },
};

/* PROXY-04 PROXY-05 */
Test(proxy_header, version_2)
{
	for (size_t i = 0; i < COUNT_OF(packets); i++) {
		struct span in = make(packets[i].command, packets[i].family,
		    packets[i].body);
		struct proxy_header h = { 0 };

		if (packets[i].client == NULL) {
			cr_expect_eq(proxy_header_parse(in, &h),
			    PROXY_HEADER_BAD, "packet %zu", i);
			cr_expect_not_null(h.why);
			continue;
		}
		for (size_t n = 0; n < in.n; n++)
			cr_expect_eq(proxy_header_parse(span_sub(in, 0, n),
			    &h), PROXY_HEADER_MORE, "%zu of %zu", n, i);
		cr_assert_eq(proxy_header_parse(span_of(packet, in.n + 20),
		    &h), PROXY_HEADER_WHOLE, "packet %zu", i);
		cr_expect_eq(h.bytes, in.n);
		expect_client(&h, packets[i].client);
	}
}

static struct span
make_summed(void)
{
	static const char body[] = FOUR "\003\000\004\000\000\000\000"
	    "\004\000\003abc";
	struct span in = make(0x21, 0x11, span_of(body, sizeof(body) - 1));
	uint32_t sum = crc32c(0, in.p, in.n);

	for (int i = 0; i < 4; i++)
		packet[31 + i] = (uint8_t)(sum >> (24 - 8 * i));
	return in;
}

/* PROXY-06: with a checksum no bit can be wrong; where the flip is in what
 * says how long it is, it may only be longer. */
Test(proxy_header, version_2_with_a_checksum)
{
	struct span in = make_summed();
	struct proxy_header h = { 0 };

	cr_assert_eq(proxy_header_parse(in, &h), PROXY_HEADER_WHOLE);
	expect_client(&h, "192.0.2.1:40000");
	for (size_t bit = 0; bit < 8 * in.n; bit++) {
		enum proxy_header_state state;

		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		state = proxy_header_parse(in, &h);
		/* the checksum is none any more when its own type changes */
		if (bit / 8 != 28)
			cr_expect_neq(state, PROXY_HEADER_WHOLE, "bit %zu",
			    bit);
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* PROXY-03 */
Test(proxy_header, version_2_is_bounded)
{
	static uint8_t body[PROXY_HEADER_MAX];
	const size_t most = PROXY_HEADER_MAX - 16;
	struct proxy_header h = { 0 };
	struct span in;

	memcpy(body, FOUR, 12);
	body[12] = 4;
	body[13] = (uint8_t)((most - 15) >> 8);
	body[14] = (uint8_t)(most - 15);
	in = make(0x21, 0x11, span_of(body, most));
	cr_expect_eq(proxy_header_parse(in, &h), PROXY_HEADER_WHOLE);
	in = make(0x21, 0x11, span_of(body, most + 1));
	cr_expect_eq(proxy_header_parse(span_sub(in, 0, 16), &h),
	    PROXY_HEADER_BAD);
}
