/*
 * The selection language: any bytes are refused with words for the operator or
 * compiled; what compiles matches or not, and `not` of it the other way round.
 */
#include "common/base/buf.h"
#include "common/base/check.h"
#include "queued/select/select.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool
recipient(const void *ctx, uint32_t i, struct span *address)
{
	static const char *const addresses[] = {
		"bob@example.net", "\"od d\"@x.test", "@", ""
	};

	(void)ctx;
	if (i >= COUNT_OF(addresses))
		return false;
	*address = span_str(addresses[i]);
	return true;
}

static bool
matches(const struct select *s, uint64_t seed)
{
	struct select_facts facts = {
		.id = seed,
		.state = (enum select_state)(seed % SELECT_STATES),
		.sender = seed % 2 ? SPAN_LIT("ann@example.org") : SPAN_NONE,
		.size = seed * 1000,
		.age_ms = (int64_t)(seed % 100000) * 60000,
		.tries = seed,
		.recipient = recipient,
	};

	return select_match(s, &facts);
}

static void
try_opposite(struct span text, const struct select *s)
{
	struct select *opposite = NULL;
	struct buf b;

	buf_init(&b, SELECT_TEXT_MAX);
	buf_add_str(&b, "not (");
	buf_add_span(&b, text.n > 0 ? text : SPAN_LIT("all"));
	buf_add_byte(&b, ')');
	/* longer, deeper, and one step more: the limits may refuse it */
	if (!buf_failed(&b) &&
	    select_compile(buf_span(&b), &opposite, NULL) == OK)
		for (uint64_t seed = 0; seed < 6; seed++)
			MUST(matches(s, seed) != matches(opposite, seed));
	select_free(&opposite);
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct why why = { "" };
	struct select *s = NULL;
	uint64_t id;

	if (select_compile(span_of(bytes, n), &s, &why) != OK) {
		MUST(s == NULL && why.text[0] != '\0');
		return 0;
	}
	if (select_is_all(s))
		MUST(matches(s, 1) && matches(s, 2));
	if (select_is_one(s, &id))
		MUST(!matches(s, id + 1));
	try_opposite(span_of(bytes, n), s);
	select_free(&s);
	return 0;
}
