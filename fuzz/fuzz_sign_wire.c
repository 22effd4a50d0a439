/*
 * What a process that was taken over may send to keyd's door, and what comes
 * back from a keyd that was.
 */
#include <stdint.h>

#include "common/base/check.h"
#include "keyd/sign.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct pairs none = { .n = 0 };
	struct span packet = span_of(bytes, n), signature;
	struct sign_question q;
	struct buf out;

	buf_init(&out, SIGN_QUESTION_MAX);
	if (sign_get_question(packet, &q) == OK) {
		MUST(sign_answer(&none, packet, &out) == OK);
		MUST(sign_get_answer(buf_span(&out), &signature) == OK);
		MUST(signature.n == 0);
		buf_reset(&out);
		sign_put_question(&q, &out);
		MUST(span_equal(buf_span(&out), packet));
	} else {
		MUST(sign_answer(&none, packet, &out) == ERR_SYNTAX);
		MUST(out.n == 0);
	}
	if (sign_get_answer(packet, &signature) == OK)
		MUST(signature.n <= SIGN_SIGNATURE_MAX);
	buf_clear(&out);
	return 0;
}
