/* The secrets of rewritten senders: what deliverd and smtpd hear. */
#include <criterion/criterion.h>

#include "keyd/srs_keys.h"

static struct srs_keys keys;
static struct buf text;

static struct msg_srs_answer
ask(bool is_reverse, struct span address, uint32_t day)
{
	const struct msg_srs_ask q = { 7, is_reverse, address,
	    SPAN_LIT("srs.example") };
	struct msg m;

	buf_reset(&text);
	srs_keys_answer(&keys, &q, day, &text, &m);
	cr_assert_eq(m.type, MSG_srs_answer);
	cr_assert_eq(m.srs_answer.cookie, 7);
	return m.srs_answer;
}

static void
take(const char *file)
{
	const struct msg_srs_keys m = { span_str(file), 3 };

	cr_assert_eq(srs_keys_take(&keys, &m), OK);
}

static void
begin(void)
{
	srs_keys_init(&keys);
	buf_init(&text, 1024);
}

static void
end(void)
{
	srs_keys_clear(&keys);
	buf_clear(&text);
}

TestSuite(srs_keys, .init = begin, .fini = end);

Test(srs_keys, none)
{
	cr_expect_eq(ask(false, SPAN_LIT("u@s.example"), 1).result,
	    AUTH_LATER);
	take("");
	cr_expect_eq(ask(false, SPAN_LIT("u@s.example"), 1).result,
	    AUTH_LATER);
}

/* A new one comes in front; the old one goes when no mail is under way. */
Test(srs_keys, roll_over)
{
	struct msg_srs_answer a;
	char made[256];

	take("the first of the secrets\n");
	a = ask(false, SPAN_LIT("u@s.example"), 1);
	cr_assert_eq(a.result, AUTH_GOOD);
	cr_assert(span_copy(a.address, made, sizeof(made)));
	take("another secret, of today\r\n\nthe first of the secrets");
	cr_expect_eq(keys.n, 2);
	a = ask(true, span_str(made), 4);
	cr_expect_eq(a.result, AUTH_GOOD);
	cr_expect(span_equal(a.address, SPAN_LIT("u@s.example")));
	cr_expect_eq(ask(true, span_str(made), 5).result, AUTH_BAD);
	a = ask(false, SPAN_LIT("u@s.example"), 1);
	cr_expect_not(span_equal(a.address, span_str(made)));
	take("another secret, of today");
	cr_expect_eq(ask(true, span_str(made), 4).result, AUTH_BAD);
}

Test(srs_keys, what_can_not_be)
{
	take("the first of the secrets\n");
	cr_expect_eq(ask(false, SPAN_LIT("u@[192.0.2.1]"), 1).result,
	    AUTH_BAD);
	cr_expect_eq(ask(true, SPAN_LIT("u@s.example"), 1).result, AUTH_BAD);
}
