/* crc32c, base64, hex, b32, utf8 */
#include "common/base/b32.h"
#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/base/hex.h"
#include "common/base/rng.h"
#include "common/base/utf8.h"

#include <criterion/criterion.h>

/* RFC 3720 appendix B.4 */
Test(crc32c, vectors)
{
	uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];

	for (uint8_t i = 0; i < 32; i++) {
		ones[i] = 0xff;
		up[i] = i;
		down[i] = (uint8_t)(31 - i);
	}
	cr_expect_eq(crc32c(0, zeros, 32), 0x8a9136aa);
	cr_expect_eq(crc32c(0, ones, 32), 0x62a8ab43);
	cr_expect_eq(crc32c(0, up, 32), 0x46dd794e);
	cr_expect_eq(crc32c(0, down, 32), 0x113fdb5c);
	cr_expect_eq(crc32c(0, "123456789", 9), 0xe3069283);
	cr_expect_eq(crc32c(0, NULL, 0), 0);
	cr_expect_eq(crc32c_by_table(0, "123456789", 9), 0xe3069283);
}

Test(crc32c, pieces_and_both_ways_agree)
{
	static uint8_t bytes[2500];
	struct rng r;

	rng_init(&r, 2);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rng_u64(&r);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		uint32_t whole = crc32c(0, bytes, n);
		size_t at = rng_below(&r, n + 1);

		cr_assert_eq(crc32c_by_table(0, bytes, n), whole);
		cr_assert_eq(crc32c(crc32c(0, bytes, at), bytes + at, n - at),
		    whole);
		cr_assert_eq(crc32c_by_table(crc32c(0, bytes, at), bytes + at,
		    n - at), whole);
	}
}

static bool
is_decoded(enum err (*decode)(struct span, uint8_t *, size_t, size_t *),
    const char *text, struct span expect)
{
	uint8_t out[64];
	size_t n = 99;

	return decode(span_str(text), out, sizeof(out), &n) == OK &&
	    span_equal(span_of(out, n), expect);
}

/* RFC 4648 section 10 */
Test(base64, vectors)
{
	static const char *const pairs[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" }, { "\xfb\xef\xbe", "++++" },
	};

	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		struct buf b;

		buf_init(&b, 100);
		base64_encode(&b, span_str(pairs[i][0]));
		cr_expect(span_equal(buf_span(&b), span_str(pairs[i][1])));
		cr_expect(is_decoded(base64_decode, pairs[i][1],
		    span_str(pairs[i][0])), "case %zu", i);
		buf_clear(&b);
	}
}

Test(base64, refuses_all_but_the_one_spelling)
{
	static const char *const wrong[] = {
		"Z", "Zg", "Zg=", "Zg===", "====", "=", "Z===", "Zm9v=",
		"Zh==", "Zm9=", "Zg==Zg==", "Z g=", "Zg==\n", "Zm9v\r\n",
		"Zm-_", "=g==", "Z=g=", "Zm=v", "\xc3\xa4==",
	};
	uint8_t out[64];
	size_t n = 7;

	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		cr_expect_eq(base64_decode(span_str(wrong[i]), out,
		    sizeof(out), &n), ERR_SYNTAX, "'%s'", wrong[i]);
	cr_expect_eq(base64_decode(SPAN_LIT("Zm9v"), out, 2, &n), ERR_RANGE);
	cr_expect_eq(base64_decode(SPAN_LIT("Zm8="), out, 2, &n), OK);
	cr_expect_eq(n, 2);
}

Test(base64, every_byte_and_length_comes_back)
{
	uint8_t bytes[256], back[256];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct buf b;
		size_t m = 0;

		buf_init(&b, 1000);
		base64_encode(&b, span_of(bytes, n));
		cr_assert(n <= BASE64_DECODED_MAX(b.n));
		cr_assert_eq(base64_decode(buf_span(&b), back, n, &m), OK);
		cr_assert(span_equal(span_of(back, m), span_of(bytes, n)));
		buf_clear(&b);
	}
}

Test(hex, both_ways)
{
	uint8_t out[4];
	struct buf b;
	size_t n = 0;

	buf_init(&b, 100);
	hex_encode(&b, SPAN_LIT("\x00\xff\x1a"));
	hex_encode(&b, SPAN_NONE);
	cr_expect(span_equal(buf_span(&b), SPAN_LIT("00ff1a")));
	buf_clear(&b);
	cr_expect(is_decoded(hex_decode, "00fF1A", SPAN_LIT("\x00\xff\x1a")));
	cr_expect(is_decoded(hex_decode, "", SPAN_NONE));
	cr_expect_eq(hex_decode(SPAN_LIT("0"), out, 4, &n), ERR_SYNTAX);
	cr_expect_eq(hex_decode(SPAN_LIT("0g"), out, 4, &n), ERR_SYNTAX);
	cr_expect_eq(hex_decode(SPAN_LIT("0102030405"), out, 4, &n),
	    ERR_RANGE);
	for (int c = 0; c < 256; c++) {
		const char *digits = "0123456789abcdefABCDEF";
		bool is_digit = c != 0 && strchr(digits, c) != NULL;

		cr_expect_eq(hex_value((uint8_t)c) >= 0, is_digit);
	}
}

Test(b32, sorts_as_numbers_do)
{
	struct rng r;

	rng_init(&r, 77);
	for (int i = 0; i < 20000; i++) {
		uint64_t a = rng_u64(&r) >> rng_below(&r, 64);
		uint64_t b = rng_u64(&r) >> rng_below(&r, 64);
		char ta[B32_LENGTH], tb[B32_LENGTH];
		uint64_t back = 0;
		int order;

		b32_encode(a, ta);
		b32_encode(b, tb);
		cr_assert_eq(b32_decode(span_of(ta, B32_LENGTH), &back), OK);
		cr_assert_eq(back, a);
		order = memcmp(ta, tb, B32_LENGTH);
		cr_assert_eq((order > 0) - (order < 0), (a > b) - (a < b));
	}
}

Test(b32, spelling)
{
	char text[B32_LENGTH];
	uint64_t v = 0;

	b32_encode(0, text);
	cr_expect_arr_eq(text, "0000000000000", B32_LENGTH);
	b32_encode(UINT64_MAX, text);
	cr_expect_arr_eq(text, "fzzzzzzzzzzzz", B32_LENGTH);
	cr_expect_eq(b32_decode(SPAN_LIT("FZZZZZZZZZZZZ"), &v), OK);
	cr_expect_eq(v, UINT64_MAX);
	cr_expect_eq(b32_decode(SPAN_LIT("g000000000000"), &v), ERR_SYNTAX);
	cr_expect_eq(b32_decode(SPAN_LIT("000000000000"), &v), ERR_SYNTAX);
	cr_expect_eq(b32_decode(SPAN_LIT("00000000000000"), &v), ERR_SYNTAX);
	cr_expect_eq(b32_decode(SPAN_LIT("000000000000i"), &v), ERR_SYNTAX);
	cr_expect_eq(b32_decode(SPAN_LIT("000000000000\0"), &v), ERR_SYNTAX);
	cr_expect_eq(b32_decode(SPAN_NONE, &v), ERR_SYNTAX);
}

/* A plain encoder, to be compared with: all code points there are. */
static size_t
encode(uint32_t c, uint8_t out[4])
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

Test(utf8, every_code_point)
{
	for (uint32_t c = 0; c < 0x120000; c++) {
		uint8_t bytes[4];
		struct span s = span_of(bytes, encode(c, bytes));
		bool is_legal = c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);
		uint32_t got = 0;

		cr_assert_eq(utf8_is_valid(s), is_legal, "%x", c);
		if (is_legal) {
			cr_assert(utf8_take(&s, &got));
			cr_assert_eq(got, c);
			cr_assert_eq(s.n, 0);
		}
	}
}

/* One U+FFFD for each longest wrong beginning (Unicode 15, table 3-8 ff.). */
Test(utf8, how_much_of_a_wrong_sequence_is_taken)
{
	static const struct {
		const char *bytes;
		int wrong, right;
	} cases[] = {
		{ "\x80", 1, 0 }, { "\xbf\xbf", 2, 0 }, { "\xc0\xaf", 2, 0 },
		{ "\xc1\xbf", 2, 0 }, { "\xc3", 1, 0 }, { "\xc3(", 1, 1 },
		{ "\xe0\x80\xaf", 3, 0 }, { "\xe1\x80", 1, 0 },
		{ "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf" "A", 4, 1 },
		{ "\xed\xa0\x80", 3, 0 }, { "\xf4\x91\x92\x93\xff" "A", 5, 1 },
		{ "\xf0\x9f\x98", 1, 0 }, { "\xf0\x9f\x98\x80", 0, 1 },
		{ "\xf5\x80\x80\x80", 4, 0 }, { "\xfe\xff", 2, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span s = span_str(cases[i].bytes);
		int wrong = 0, right = 0;
		uint32_t code;

		while (s.n > 0) {
			if (utf8_take(&s, &code))
				right++;
			else
				wrong++;
		}
		cr_expect_eq(wrong, cases[i].wrong, "case %zu: %d", i, wrong);
		cr_expect_eq(right, cases[i].right, "case %zu: %d", i, right);
	}
}

Test(utf8, ascii)
{
	cr_expect(utf8_is_ascii(SPAN_NONE));
	cr_expect(utf8_is_ascii(SPAN_LIT("a\x7f\0")));
	cr_expect_not(utf8_is_ascii(SPAN_LIT("a\x80")));
}
