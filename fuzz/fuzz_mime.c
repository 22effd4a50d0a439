/*
 * Any message made 7-bit: it is or it isn't, the same however it is cut; what
 * comes out is 7-bit text of the length that was foretold, needs no further
 * conversion, and its parts are those that went in.
 */
#include "common/base/check.h"
#include "tests/unit/mime/mime_whole.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_again(struct span once)
{
	struct mime_plan plan;
	struct buf twice;

	buf_init(&twice, 8 * once.n + 8192);
	whole_convert(once, SIZE_MAX, &plan, &twice);
	MUST(plan.why_not == NULL && !plan.is_needed);
	MUST(span_equal(once, buf_span(&twice)));
	mime_plan_clear(&plan);
	buf_clear(&twice);
}

static void
check_leaves(struct span before, struct span after)
{
	struct buf a, b;

	buf_init(&a, 64 * before.n + 65536);
	buf_init(&b, 64 * before.n + 65536);
	whole_leaves(before, &a);
	whole_leaves(after, &b);
	MUST(span_equal(buf_span(&a), buf_span(&b)));
	buf_clear(&a);
	buf_clear(&b);
}

/* NULs outside of what can be encoded stay. */
static bool
is_text(struct span s)
{
	struct buf b;
	bool is_7bit;

	buf_init(&b, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		buf_add_byte(&b, s.p[i] == 0 ? '0' : s.p[i]);
	is_7bit = whole_is_7bit(buf_span(&b));
	buf_clear(&b);
	return is_7bit;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct mime_plan whole, pieces;
	struct buf out, other;
	struct span in = span_of(bytes, n);

	buf_init(&out, 8 * n + 8192);
	buf_init(&other, 8 * n + 8192);
	whole_convert(in, SIZE_MAX, &whole, &out);
	whole_convert(in, 1 + n % 7, &pieces, &other);
	MUST((whole.why_not == NULL) == (pieces.why_not == NULL));
	MUST(span_equal(buf_span(&out), buf_span(&other)));
	if (whole.why_not == NULL) {
		MUST(whole.size == out.n);
		MUST(is_text(buf_span(&out)));
		check_again(buf_span(&out));
		check_leaves(in, buf_span(&out));
	}
	mime_plan_clear(&whole);
	mime_plan_clear(&pieces);
	buf_clear(&out);
	buf_clear(&other);
	return 0;
}
