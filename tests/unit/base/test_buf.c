#include "common/base/buf.h"

#include <criterion/criterion.h>

static bool
holds(const struct buf *b, const char *text)
{
	return span_equal(buf_span(b), span_str(text));
}

Test(buf, gathers_all_forms)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_add(&b, "ab", 2);
	buf_add(&b, NULL, 0);
	buf_add_span(&b, SPAN_LIT("cd"));
	buf_add_span(&b, SPAN_NONE);
	buf_add_str(&b, "ef");
	buf_add_byte(&b, 'g');
	buf_add_u64(&b, 0);
	buf_add_u64(&b, UINT64_MAX);
	buf_addf(&b, "<%d>", -5);
	buf_addf(&b, "%s", "");
	cr_expect(holds(&b, "abcdefg018446744073709551615<-5>"));
	cr_expect_not(buf_failed(&b));
	buf_clear(&b);
	cr_expect_eq(b.max, 1000);
	buf_clear(&b);
}

Test(buf, failure_sticks_until_reset)
{
	struct buf b;

	buf_init(&b, 4);
	buf_add_str(&b, "abcd");
	cr_expect_not(buf_failed(&b));
	buf_add_byte(&b, 'e');
	cr_expect(buf_failed(&b));
	cr_expect(holds(&b, "abcd"), "what was there stays");
	buf_drop(&b, 2);
	buf_add_byte(&b, 'f');
	cr_expect(buf_failed(&b), "room does not heal it");
	cr_expect_null(buf_reserve(&b, 0));
	buf_reset(&b);
	buf_add_str(&b, "xy");
	cr_expect(holds(&b, "xy"));
	buf_clear(&b);
}

Test(buf, every_length_up_to_the_ceiling)
{
	for (size_t max = 0; max < 300; max++) {
		struct buf b;
		size_t n = 0;

		buf_init(&b, max);
		while (!buf_failed(&b) && n <= max) {
			buf_add_byte(&b, (uint8_t)n);
			n++;
		}
		cr_expect_eq(b.n, max);
		cr_expect(b.size <= max);
		cr_expect(buf_failed(&b));
		for (size_t i = 0; i < b.n; i++)
			cr_assert_eq(b.p[i], (uint8_t)i);
		buf_clear(&b);
	}
}

Test(buf, huge_requests_fail_without_overflow)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_add_byte(&b, 'a');
	cr_expect_null(buf_reserve(&b, SIZE_MAX));
	cr_expect(buf_failed(&b));
	buf_clear(&b);
}

Test(buf, reserve_and_commit)
{
	struct buf b;
	uint8_t *to;

	buf_init(&b, 100);
	cr_expect_not_null(buf_reserve(&b, 0));
	to = buf_reserve(&b, 100);
	cr_assert_not_null(to);
	memset(to, 'q', 100);
	buf_commit(&b, 3);
	cr_expect(holds(&b, "qqq"));
	buf_clear(&b);
}

Test(buf, drop)
{
	struct buf b;

	buf_init(&b, 100);
	buf_drop(&b, 5);
	buf_add_str(&b, "abcdef");
	buf_drop(&b, 0);
	buf_drop(&b, 2);
	cr_expect(holds(&b, "cdef"));
	buf_drop(&b, 4);
	cr_expect_eq(b.n, 0);
	buf_add_str(&b, "x");
	buf_drop(&b, SIZE_MAX);
	cr_expect_eq(b.n, 0);
	buf_clear(&b);
}
