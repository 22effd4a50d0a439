/*
 * Message content: the same however it is cut; never a bare CR or LF on the
 * way out; and what goes out comes in again as it was repaired.
 */
#include "common/base/check.h"
#include "common/smtp/smtp_dots_in.h"
#include "common/smtp/smtp_dots_out.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static size_t
take(struct span in, size_t step, bool is_normalising, struct buf *out)
{
	struct smtp_dots_in d;
	size_t at = 0;

	smtp_dots_in_init(&d, is_normalising);
	while (at < in.n && !d.is_end)
		at += smtp_dots_in_feed(&d, span_sub(in, at, step), out);
	MUST(d.bytes == out->n);
	return at;
}

static void
give(struct span in, size_t step, struct buf *out)
{
	struct smtp_dots_out d;

	smtp_dots_out_init(&d);
	for (size_t at = 0; at < in.n; at += step)
		smtp_dots_out_feed(&d, span_sub(in, at, step), out);
	(void)smtp_dots_out_end(&d, out);
}

static void
check_in(struct span in, size_t step, bool is_normalising)
{
	struct buf whole, pieces;

	buf_init(&whole, 8 * in.n + 64);
	buf_init(&pieces, 8 * in.n + 64);
	MUST(take(in, in.n, is_normalising, &whole) ==
	    take(in, step, is_normalising, &pieces));
	MUST(span_equal(buf_span(&whole), buf_span(&pieces)));
	buf_clear(&whole);
	buf_clear(&pieces);
}

static void
check_out(struct span in, size_t step)
{
	struct buf whole, pieces, back;

	buf_init(&whole, 8 * in.n + 64);
	buf_init(&pieces, 8 * in.n + 64);
	buf_init(&back, 16 * in.n + 64);
	give(in, in.n, &whole);
	give(in, step, &pieces);
	MUST(span_equal(buf_span(&whole), buf_span(&pieces)));
	for (size_t i = 0; i < whole.n; i++) {
		MUST(whole.p[i] != '\n' || (i > 0 && whole.p[i - 1] == '\r'));
		MUST(whole.p[i] != '\r' ||
		    (i + 1 < whole.n && whole.p[i + 1] == '\n'));
	}
	MUST(take(buf_span(&whole), step, false, &back) == whole.n);
	buf_reset(&pieces);
	give(buf_span(&back), step, &pieces);
	MUST(span_equal(buf_span(&whole), buf_span(&pieces)));
	buf_clear(&whole);
	buf_clear(&pieces);
	buf_clear(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = span_from(span_of(p, n), 1);
	size_t step = n > 0 ? p[0] % 100 + 1u : 1;

	if (in.n == 0)
		return 0;
	check_in(in, step, false);
	check_in(in, step, true);
	check_out(in, step);
	return 0;
}
