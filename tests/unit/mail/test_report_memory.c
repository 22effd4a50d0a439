/*
 * Reports without memory: linked so that every growth of a buffer comes
 * through here and one of them can fail.
 */
#include <criterion/criterion.h>

#include "tests/unit/mail/report_sample.h"

#include <stdlib.h>

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);

static size_t calls;
static size_t failing;		/* which call fails; 0: none */

void *
__wrap_realloc(void *p, size_t n)
{
	return ++calls == failing ? NULL : __real_realloc(p, n);
}

/* Builds R while growth number WHICH fails; returns how many there were. */
static size_t
build(const struct report *r, size_t which, bool *is_failed)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	calls = 0;
	failing = which;
	(void)report_build(r, &out);
	failing = 0;
	*is_failed = buf_failed(&out);
	buf_clear(&out);
	return calls;
}

/* Whichever part finds no memory, the report is none: a field or a sentence
 * that is missing would be sent as if it had never been. */
static void
fail_everywhere(const struct report *r)
{
	bool is_failed;
	size_t count = build(r, 0, &is_failed);

	cr_assert_not(is_failed);
	cr_assert_gt(count, 20);
	for (size_t i = 1; i <= count; i++) {
		(void)build(r, i, &is_failed);
		cr_expect(is_failed, "growth %zu of %zu", i, count);
	}
}

Test(report_memory, failed)
{
	struct report r = report_sample();

	fail_everywhere(&r);
}

Test(report_memory, delayed)
{
	struct report_rcpt rcpt = report_sample_rcpts[0];
	struct report r = report_sample();

	rcpt.action = REPORT_DELAYED;
	rcpt.remote_host = SPAN_LIT("192.0.2.25");
	r.rcpts = &rcpt;
	r.rcpt_count = 1;
	r.retry_until_at = 1795713862000;
	fail_everywhere(&r);
}
