#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/dns/dns_names.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const struct {
	struct span packet;
	size_t at;
	enum err want;
	const char *text;
	size_t behind;
} rows[] = {
	{ SPAN_LIT("\0"), 0, OK, "", 1 },
	{ SPAN_LIT("\3aBc\2De\0x"), 0, OK, "abc.de", 8 },
	/* compression */
	{ SPAN_LIT("\3abc\0\1x\xc0\0yy"), 5, OK, "x.abc", 9 },
	{ SPAN_LIT("\3abc\0\1x\xc0\0\1y\xc0\5"), 9, OK, "y.x.abc", 13 },
	{ SPAN_LIT("\0\xc0\0"), 1, OK, "", 3 },
	/* T25: loops, pointers forward, to themselves, out of the packet */
	{ SPAN_LIT("\xc0\0"), 0, ERR_SYNTAX, NULL, 0 },
	{ SPAN_LIT("\1a\xc0\0"), 0, ERR_SYNTAX, NULL, 0 },
	{ SPAN_LIT("\xc0\2\1a\0"), 0, ERR_SYNTAX, NULL, 0 },
	{ SPAN_LIT("\xff\xff"), 0, ERR_SYNTAX, NULL, 0 },
	/* cut short, reserved label kinds */
	{ SPAN_LIT(""), 0, ERR_SYNTAX, NULL, 0 },
	{ SPAN_LIT("\0"), 5, ERR_SYNTAX, NULL, 0 },
	{ SPAN_LIT("\3ab"), 0, ERR_SYNTAX, NULL, 0 },
	{ SPAN_LIT("\3abc"), 0, ERR_SYNTAX, NULL, 0 },
	{ SPAN_LIT("\0\xc0"), 1, ERR_SYNTAX, NULL, 0 },
	{ SPAN_LIT("\x40" "abc\0"), 0, ERR_SYNTAX, NULL, 0 },
	{ SPAN_LIT("\x80" "abc\0"), 0, ERR_SYNTAX, NULL, 0 },
	/* octets that text could not tell */
	{ SPAN_LIT("\3a.b\0"), 0, ERR_RANGE, NULL, 5 },
	{ SPAN_LIT("\3a\0b\0"), 0, ERR_RANGE, NULL, 5 },
	{ SPAN_LIT("\3a b\0"), 0, ERR_RANGE, NULL, 5 },
	{ SPAN_LIT("\3a\xe4" "b\0"), 0, ERR_RANGE, NULL, 5 },
	{ SPAN_LIT("\3a\nb\1c\0"), 0, ERR_RANGE, NULL, 7 },
	/* 255 octets on the wire, and one more */
	{ SPAN_LIT("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3d"
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"),
	    0, OK, L63 "." L63 "." L63 "."
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi",
	    255 },
	{ SPAN_LIT("\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3e"
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij"),
	    0, ERR_SYNTAX, NULL, 0 },
};

Test(dns_names, decode)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[DNS_NAME_SIZE] = "untouched";
		size_t at = rows[i].at, skipped = rows[i].at;
		struct span packet = rows[i].packet;
		enum err e;

		/* the rows of full length need their root label */
		if (packet.n > 250)
			packet.n++;
		e = dns_names_decode(packet, &at, text);
		cr_expect_eq(e, rows[i].want, "row %zu: %d", i, e);
		cr_expect_str_eq(text, e == OK ? rows[i].text : "untouched");
		cr_expect_eq(at, e == ERR_SYNTAX ? rows[i].at :
		    rows[i].behind, "row %zu", i);
		e = dns_names_skip(packet, &skipped);
		cr_expect_eq(e, rows[i].want == ERR_SYNTAX ? ERR_SYNTAX : OK);
		cr_expect_eq(skipped, at);
	}
}

/* A name of 127 jumps, each to the one before: read, but not one more. */
Test(dns_names, many_jumps)
{
	uint8_t packet[1024] = { 1, 'a', 0 };
	size_t at = 3, last = 0;
	char text[DNS_NAME_SIZE];

	for (int i = 0; i < 200; i++) {
		packet[at] = (uint8_t)(0xc0 | last >> 8);
		packet[at + 1] = (uint8_t)last;
		last = at;
		at += 2;
	}
	for (size_t start = 3; start < at; start += 2) {
		size_t from = start;
		size_t jumps = (start - 3) / 2 + 1;

		cr_expect_eq(dns_names_decode(span_of(packet, at), &from,
		    text), jumps <= 127 ? OK : ERR_SYNTAX, "%zu", jumps);
	}
}

Test(dns_names, encode)
{
	static const struct {
		const char *text;
		int want;
	} names[] = {
		{ "", 1 }, { ".", 1 }, { "a", 3 }, { "a.", 3 },
		{ "mx.example.org", 16 },
		{ "a..b", ERR_SYNTAX }, { ".a", ERR_SYNTAX },
		{ "a..", ERR_SYNTAX }, { L63, 65 }, { L63 "x", ERR_RANGE },
		{ L63 "." L63 "." L63 "." L63, ERR_RANGE },
	};
	uint8_t wire[DNS_NAME_WIRE_MAX];

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		int n = dns_names_encode(span_str(names[i].text), wire);
		char text[DNS_NAME_SIZE];
		size_t at = 0;

		cr_expect_eq(n, names[i].want, "%s: %d", names[i].text, n);
		if (n < 0)
			continue;
		cr_expect_eq(dns_names_decode(span_of(wire, (size_t)n), &at,
		    text), OK);
		cr_expect(dns_names_equal(span_str(text),
		    span_str(names[i].text)));
		cr_expect_eq(at, (size_t)n);
	}
}

Test(dns_names, equal)
{
	cr_expect(dns_names_equal(SPAN_LIT("A.b"), SPAN_LIT("a.B.")));
	cr_expect_not(dns_names_equal(SPAN_LIT("a.b"), SPAN_LIT("a.c")));
	cr_expect(dns_names_equal(SPAN_LIT("."), SPAN_LIT("")));
}
