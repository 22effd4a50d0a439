/*
 * Rewritten senders: what can be written is known again, and whatever comes is
 * never taken for ours but for that.
 */
#include "common/base/check.h"
#include "common/mail/address.h"
#include "common/mail/srs.h"

#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* FNV-1a: not to be forged by who does not try to. */
static bool
mac(void *ctx, unsigned key, struct span text, uint8_t out[SRS_MAC_BYTES])
{
	uint32_t h = 2166136261U + key;

	(void)ctx;
	for (size_t i = 0; i < text.n; i++)
		h = (h ^ text.p[i]) * 16777619U;
	memset(out, 0, SRS_MAC_BYTES);
	memcpy(out, &h, sizeof(h));
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct srs s = { .mac = mac, .n_keys = 2, .day = 1023,
	    .days_max = 21 };
	const struct span text = span_of(p, n);
	struct buf there, back;
	struct address a;

	buf_init(&there, 4096);
	buf_init(&back, 4096);
	(void)srs_is_it(text);
	(void)srs_reverse(&s, text, &back);
	buf_reset(&back);
	if (srs_forward(&s, text, SPAN_LIT("srs.example"), &there) == OK) {
		MUST(there.n <= SRS_ADDRESS_MAX);
		MUST(address_parse(buf_span(&there), ADDRESS_LONG |
		    ADDRESS_UNDERSCORE | ADDRESS_UTF8, &a) == OK);
		MUST(srs_is_it(a.local));
		MUST(srs_reverse(&s, buf_span(&there), &back) == OK);
		MUST(back.n > 0 && back.n <= SRS_ADDRESS_MAX);
	}
	buf_clear(&there);
	buf_clear(&back);
	return 0;
}
