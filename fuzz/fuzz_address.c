/*
 * Addresses: the first octet gives the flags, the rest is the text.  What
 * parses has a canonical form that parses to itself.
 */
#include "common/base/check.h"
#include "common/base/ipaddr.h"
#include "common/mail/address.h"
#include "common/mail/xtext.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_canonical(const struct address *a, unsigned flags)
{
	struct buf once, twice;
	struct address b;

	buf_init(&once, 4096);
	buf_init(&twice, 4096);
	address_canonical(a, &once);
	MUST(!buf_failed(&once));
	/* quotes can grow by a backslash for a character that had none */
	if (address_parse(buf_span(&once), flags, &b) == OK) {
		address_canonical(&b, &twice);
		MUST(span_equal(buf_span(&once), buf_span(&twice)));
		MUST(address_is_postmaster(a) == address_is_postmaster(&b));
	} else {
		MUST(a->is_quoted);
	}
	buf_clear(&once);
	buf_clear(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = span_from(span_of(p, n), 1);
	unsigned flags = n > 0 ? p[0] & 7 : 0;
	struct address a;
	struct ipaddr ip;
	struct buf plain;

	if (address_parse(s, flags, &a) == OK) {
		MUST(a.local.n + a.domain.n <= s.n);
		for (size_t i = 0; i < s.n; i++)
			MUST(s.p[i] >= 0x20 && s.p[i] != 0x7f);
		check_canonical(&a, flags);
	}
	(void)address_literal(s, &ip);
	buf_init(&plain, n + 1);
	if (xtext_decode(s, &plain) != OK)
		MUST(!xtext_is_printable(s));
	buf_clear(&plain);
	return 0;
}
