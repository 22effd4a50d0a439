#include "common/base/wire.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void
write_sample(struct buf *b)
{
	buf_init(b, 1000);
	wire_put_u8(b, 0x12);
	wire_put_u16(b, 0x3456);
	wire_put_u32(b, 0x789abcde);
	wire_put_u64(b, UINT64_C(0xfedcba9876543210));
	wire_put_span(b, SPAN_LIT("text"));
	wire_put_span(b, SPAN_NONE);
	buf_add_str(b, "raw");
}

/* Reads the sample's shape from any bytes; OK when all of it was there. */
static enum err
read_sample(struct span s, struct span *text)
{
	struct wire w;

	wire_init(&w, s);
	(void)wire_u8(&w);
	(void)wire_u16(&w);
	(void)wire_u32(&w);
	(void)wire_u64(&w);
	*text = wire_span(&w, 4);
	(void)wire_span(&w, 0);
	(void)wire_raw(&w, 3);
	return wire_done(&w);
}

Test(wire, little_endian_without_padding)
{
	static const uint8_t expect[] = {
		0x12, 0x56, 0x34, 0xde, 0xbc, 0x9a, 0x78,
		0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe,
		4, 0, 0, 0, 't', 'e', 'x', 't', 0, 0, 0, 0, 'r', 'a', 'w',
	};
	struct buf b;

	write_sample(&b);
	cr_expect(span_equal(buf_span(&b), span_of(expect, sizeof(expect))));
	buf_clear(&b);
}

Test(wire, reads_what_was_written)
{
	struct buf b;
	struct wire w;

	write_sample(&b);
	wire_init(&w, buf_span(&b));
	cr_expect(wire_more(&w));
	cr_expect_eq(wire_u8(&w), 0x12);
	cr_expect_eq(wire_u16(&w), 0x3456);
	cr_expect_eq(wire_u32(&w), 0x789abcde);
	cr_expect_eq(wire_u64(&w), UINT64_C(0xfedcba9876543210));
	cr_expect(span_equal(wire_span(&w, 4), SPAN_LIT("text")));
	cr_expect_eq(wire_span(&w, 0).n, 0);
	cr_expect_eq(wire_done(&w), ERR_SYNTAX, "bytes are left");
	cr_expect(span_equal(wire_raw(&w, 3), SPAN_LIT("raw")));
	cr_expect_eq(wire_done(&w), OK);
	cr_expect_not(wire_more(&w));
	buf_clear(&b);
}

/* Each cut and each flipped bit: refused or read, never beyond the end. */
Test(wire, survives_cuts_and_flips)
{
	struct buf b;
	struct span text;

	write_sample(&b);
	for (size_t n = 0; n < b.n; n++) {
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, b.p, n);
		cut = realloc(cut, n > 0 ? n : 1);
		cr_expect_eq(read_sample(span_of(cut, n), &text), ERR_SYNTAX);
		free(cut);
	}
	for (size_t bit = 0; bit < b.n * 8; bit++) {
		enum err e;

		b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		e = read_sample(buf_span(&b), &text);
		cr_expect(e == OK || e == ERR_SYNTAX);
		cr_expect(text.n <= 4);
		b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_clear(&b);
}

Test(wire, a_failure_sticks)
{
	struct wire w;

	wire_init(&w, SPAN_LIT("\xff\xff\xff\xff" "abcd"));
	cr_expect_eq(wire_span(&w, SIZE_MAX).n, 0);
	cr_expect_eq(wire_u8(&w), 0);
	cr_expect_eq(wire_raw(&w, 0).n, 0);
	cr_expect_not(wire_more(&w));
	cr_expect_eq(wire_done(&w), ERR_SYNTAX);

	wire_init(&w, SPAN_LIT("\1\0\0\0a"));
	cr_expect_eq(wire_span(&w, 0).n, 0, "more than allowed");
	cr_expect_eq(wire_done(&w), ERR_SYNTAX);

	wire_init(&w, SPAN_NONE);
	cr_expect_eq(wire_done(&w), OK);
	wire_fail(&w);
	cr_expect_eq(wire_done(&w), ERR_SYNTAX);
}

Test(wire, patches)
{
	struct buf b;
	struct wire w;

	buf_init(&b, 8);
	wire_put_u32(&b, 0);
	wire_put_u32(&b, 7);
	wire_patch_u32(&b, 0, 0xa1b2c3d4);
	wire_init(&w, buf_span(&b));
	cr_expect_eq(wire_u32(&w), 0xa1b2c3d4);
	cr_expect_eq(wire_u32(&w), 7);
	wire_put_u8(&b, 1);
	cr_expect(buf_failed(&b));
	wire_patch_u32(&b, 100, 1);
	buf_clear(&b);
}
