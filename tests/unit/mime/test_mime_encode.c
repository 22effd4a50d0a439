/* Quoted-printable and base64, RFC 2045 6.7 and 6.8. */
#include "common/mime/mime_encode.h"

#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/base/rng.h"

#define S37 "1234567890123456789012345678901234567"

static void
encode(struct span in, size_t step, bool is_base64, bool is_last,
    struct buf *out)
{
	struct mime_encode e;

	buf_init(out, 4 * in.n + 64);
	mime_encode_init(&e, is_base64);
	for (size_t at = 0; at < in.n; at += step)
		mime_encode_feed(&e, span_sub(in, at, step), out);
	mime_encode_end(&e, is_last, out);
	cr_assert(!buf_failed(out));
}

static const struct {
	const char *in, *inner, *last;	/* NULL: the same */
} rows[] = {
	{ "", "", NULL },
	{ "\r\n", "\r\n", NULL },
	{ "a=b\r\n", "a=3Db\r\n", NULL },
	{ "gr\xc3\xbc\xc3\x9f", "gr=C3=BC=C3=9F", "gr=C3=BC=C3=9F=\r\n" },
	{ "a b\t c\r\n", "a b\t c\r\n", NULL },
	{ "a \r\nb\t\r\n \r\n", "a=20\r\nb=09\r\n=20\r\n", NULL },
	{ "a ", "a=20", "a=20=\r\n" },
	{ "a\rb\nc", "a=0Db=0Ac", "a=0Db=0Ac=\r\n" },
	{ "a \rb", "a =0Db", "a =0Db=\r\n" },
	{ "a\r\r\n", "a=0D\r\n", NULL },
	{ "a \r", "a =0D", "a =0D=\r\n" },
	{ "\n\r", "=0A=0D", "=0A=0D=\r\n" },
	{ ".\r\n", ".\r\n", NULL },
	{ "-- \r\na-\r\n", "=2D-=20\r\na-\r\n", NULL },
	{ S37 S37 "1-\r\n", S37 S37 "1=\r\n=2D\r\n", NULL },
	{ S37 S37 "1\n--b\r\n", S37 S37 "1=\r\n=0A--b\r\n", NULL },
	{ S37 "1234567890123456789012345678901234\xff \n-b\r\n",
	    S37 "1234567890123456789012345678901234=FF =\r\n=0A-b\r\n",
	    NULL },
	{ S37 S37 "1\r\n", S37 S37 "1\r\n", NULL },
	{ S37 S37 "12\r\n", S37 S37 "1=\r\n2\r\n", NULL },
	{ S37 S37 "\xff", S37 S37 "=\r\n=FF", S37 S37 "=\r\n=FF=\r\n" },
};

Test(mime_encode, quoted)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t step = 1; step < 80; step += 13)
			for (int last = 0; last < 2; last++) {
				const char *want = last && rows[i].last ?
				    rows[i].last : rows[i].inner;
				struct buf out;

				encode(span_str(rows[i].in), step, false,
				    last != 0, &out);
				cr_expect(span_equal(buf_span(&out),
				    span_str(want)), "%zu: %.*s", i,
				    (int)out.n, out.p);
				buf_clear(&out);
			}
}

Test(mime_encode, base64)
{
	struct buf out;

	encode(SPAN_LIT("\xff\0\r\n"), 1, true, false, &out);
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("/wANCg==")));
	buf_clear(&out);
	encode(SPAN_LIT("\xff\0\r\n"), 3, true, true, &out);
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("/wANCg==\r\n")));
	buf_clear(&out);
	encode(SPAN_NONE, 1, true, true, &out);
	cr_expect_eq(out.n, 0);
	buf_clear(&out);
}

/* Lengths are as foretold, lines no longer than allowed, and it makes no
 * difference how the input is cut. */
Test(mime_encode, lengths)
{
	static uint8_t bytes[400];
	struct rng r;

	rng_init(&r, 7);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rng_u64(&r);
	for (size_t n = 0; n < sizeof(bytes); n++)
		for (int last = 0; last < 2; last++) {
			struct buf whole, pieces;

			encode(span_of(bytes, n), SIZE_MAX / 2, true, last,
			    &whole);
			encode(span_of(bytes, n), 1 + n % 60, true, last,
			    &pieces);
			cr_expect(span_equal(buf_span(&whole),
			    buf_span(&pieces)));
			cr_expect_eq(whole.n,
			    mime_encode_base64_bytes(n, last));
			for (size_t at = 0; at < whole.n;) {
				size_t line = span_find(span_from(
				    buf_span(&whole), at), '\r');

				cr_expect_leq(line, MIME_LINE_OCTETS);
				at += line + 2;
			}
			buf_clear(&whole);
			buf_clear(&pieces);
		}
}
