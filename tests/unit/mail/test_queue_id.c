#include <criterion/criterion.h>

#include "common/base/check.h"
#include "common/mail/queue_id.h"

static const uint64_t ids[] = {
	0, 1, 31, 32, 0xffff, 1ULL << 32, 0x123456789abcdef0ULL,
	UINT64_MAX - 1, UINT64_MAX,
};

Test(queue_id, returns_and_sorts)
{
	char last[QUEUE_ID_SIZE] = "";

	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		char text[QUEUE_ID_SIZE];
		uint64_t id = 42;

		queue_id_format(ids[i], text);
		cr_expect_eq(strlen(text), QUEUE_ID_LENGTH);
		cr_expect_eq(queue_id_parse(span_str(text), &id), OK);
		cr_expect_eq(id, ids[i]);
		cr_expect_lt(strcmp(last, text), 0);
		strcpy(last, text);
	}
}

Test(queue_id, refuses_others)
{
	static const char *const bad[] = {
		"", "0", "00000000000000", "000000000000-", "00000000000 0",
		"zzzzzzzzzzzzz",	/* more than 64 bits */
	};
	uint64_t id = 42;

	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_expect_eq(queue_id_parse(span_str(bad[i]), &id),
		    ERR_SYNTAX, "%s", bad[i]);
	cr_expect_eq(id, 42);
}
