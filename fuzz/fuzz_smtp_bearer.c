/*
 * OAUTHBEARER's first message: what is taken has a token of the right letters,
 * or none, and a user who could be one.
 */
#include "common/base/check.h"
#include "common/smtp/smtp_sasl.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sasl_bearer b = { .user_n = 0 };
	const enum err e = sasl_bearer(span_of(p, n), &b);

	if (e != OK) {
		MUST(e == ERR_SYNTAX || e == ERR_RANGE);
		MUST(b.user_n == 0 && b.token.p == NULL);
		return 0;
	}
	MUST(b.token.n <= SASL_TOKEN_MAX);
	for (size_t i = 0; i < b.token.n; i++)
		MUST(b.token.p[i] > 0x20 && b.token.p[i] < 0x7f);
	MUST(b.token.n == 0 || (b.token.p >= p && b.token.p < p + n));
	MUST(b.user_n == 0 ||
	    sasl_check_user(span_of(b.user, b.user_n)) == OK);
	return 0;
}
