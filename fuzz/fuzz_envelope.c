/*
 * Envelopes: what passes the check can be walked, and copied attribute by
 * attribute into an envelope that says the same.
 */
#include "common/base/check.h"
#include "common/mail/envelope.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_copy(const struct envelope *e)
{
	struct envelope_iter it;
	struct envelope_rcpt r;
	struct envelope again;
	struct buf copy;
	uint32_t n = 0;

	buf_init(&copy, e->bytes.n);
	envelope_put_head_as_is(e, &copy);
	envelope_iter_init(e, &it);
	while (envelope_iter_next(&it, &r)) {
		MUST(r.address.n > 0 && it.index == n);
		MUST(envelope_check_rcpt(r.bytes, e->flags, &r) == OK);
		envelope_put_rcpt_as_is(&r, &copy);
		n++;
	}
	MUST(n == e->rcpt_count);
	MUST(!buf_failed(&copy) && copy.n == e->bytes.n);
	MUST(envelope_check(buf_span(&copy), &again) == OK);
	MUST(span_equal(again.sender, e->sender));
	MUST(again.rcpt_count == n && again.flags == e->flags);
	buf_clear(&copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct envelope e;

	if (envelope_check(span_of(p, n), &e) == OK)
		check_copy(&e);
	return 0;
}
