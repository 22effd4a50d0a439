/*
 * What a token endpoint answers, and the JSON in it: two octets of HTTP status,
 * then the body.  A token that is taken can be told, whatever came with it.
 */
#include "common/base/check.h"
#include "common/base/json_read.h"
#include "common/base/text.h"
#include "common/oauth/oauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check_printable(const struct buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		MUST(text_is_print(b->p[i]));
}

static void
try_json(struct span s)
{
	struct span value = SPAN_NONE;
	struct buf text;

	buf_init(&text, s.n + 1);
	if (json_read_find(s, "error", &value) == OK) {
		MUST(json_read_check(s) == OK);
		MUST(value.p >= s.p && value.p + value.n <= s.p + s.n);
		if (json_read_string(value, &text) == OK)
			MUST(text.n + 2 <= value.n);
	}
	buf_clear(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const struct span s = span_of(bytes, n);
	struct oauth_answer a;

	if (n < 2)
		return 0;
	try_json(span_from(s, 2));
	oauth_answer_init(&a);
	if (oauth_read((unsigned)bytes[0] << 8 | bytes[1], span_from(s, 2),
	    &a) == OK) {
		MUST(a.token.n > 0 && a.token.n <= OAUTH_TOKEN_MAX);
		MUST(a.refresh.n <= OAUTH_REFRESH_MAX);
		MUST(a.life_s <= OAUTH_LIFE_MAX_S);
		MUST(span_find(buf_span(&a.token), ' ') == a.token.n);
		check_printable(&a.token);
		check_printable(&a.refresh);
	} else {
		check_printable(&a.text);
	}
	oauth_answer_wipe(&a);
	return 0;
}
