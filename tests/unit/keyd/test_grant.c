/* Tokens for next hops: when the one that is there will do, and when not
 * (AUTH-23). */
#include <criterion/criterion.h>

#include "keyd/grant.h"

#define START	1000
#define HOUR	3600000

static struct grant g;
static const struct msg_hop_grant row = {
	.name = SPAN_LIT("/etc/mtad/refresh"),
	.url = SPAN_LIT("https://login.example/token"),
	.client_id = SPAN_LIT("mtad"), .client_secret = SPAN_LIT("s3cret"),
	.refresh_token = SPAN_LIT("first-one"), .scope = SPAN_LIT("mail"),
};

static void
begin(void)
{
	cr_assert_eq(grant_init(&g, &row, START), OK);
}

static void
end(void)
{
	grant_clear(&g);
}

TestSuite(keyd_grant, .init = begin, .fini = end);

static void
take(const char *token, uint32_t life_s, const char *refresh, uint64_t number,
    int64_t now_ms)
{
	const struct msg_token_fetched m = {
		.token = span_str(token), .life_s = life_s,
		.refresh_token = span_str(refresh),
	};

	cr_assert_eq(grant_take(&g, &m, number, now_ms), OK);
	cr_assert_eq(g.number, number);
}

Test(keyd_grant, a_life)
{
	struct msg_token_fetch m;

	cr_expect_eq(grant_want(&g, 0, START), GRANT_FETCH);
	grant_request(&g, &m);
	cr_expect(span_equal(m.url, row.url));
	cr_expect(span_equal(m.client_secret, row.client_secret));
	cr_expect(span_equal(m.refresh_token, row.refresh_token));
	take("t1", 3600, "", 1, START);
	cr_expect_eq(grant_want(&g, 0, START), GRANT_TELL);
	cr_expect_eq(grant_want(&g, 0, START + HOUR - 60001), GRANT_TELL);
	cr_expect(span_equal(buf_span(&g.token), SPAN_LIT("t1")));
	cr_expect_eq(grant_want(&g, 0, START + HOUR - 60000), GRANT_FETCH);
	cr_expect_eq(g.number, 0);
	cr_expect_eq(g.token.n, 0);
}

/* Of a short one half is left, and one without a life serves who waits. */
Test(keyd_grant, short_lives)
{
	take("t1", 10, "", 1, START);
	cr_expect_eq(grant_want(&g, 0, START + 4999), GRANT_TELL);
	cr_expect_eq(grant_want(&g, 0, START + 5000), GRANT_FETCH);
	take("t2", 0, "", 2, START);
	cr_expect(span_equal(buf_span(&g.token), SPAN_LIT("t2")));
	cr_expect_eq(grant_want(&g, 0, START), GRANT_FETCH);
}

/* Many sessions are refused the same token: it is renewed once. */
Test(keyd_grant, refused)
{
	take("t1", 3600, "", 1, START);
	cr_expect_eq(grant_want(&g, 1, START), GRANT_FETCH);
	take("t2", 3600, "", 2, START);
	cr_expect_eq(grant_want(&g, 1, START), GRANT_TELL);
	cr_expect_eq(grant_want(&g, 2, START), GRANT_FETCH);
	cr_expect_eq(grant_want(&g, 2, START), GRANT_FETCH);
}

Test(keyd_grant, not_too_often)
{
	for (unsigned i = 0; i < GRANT_BURST; i++)
		cr_assert_eq(grant_want(&g, 0, START), GRANT_FETCH);
	cr_expect_eq(grant_want(&g, 0, START), GRANT_LATER);
	cr_expect_eq(grant_want(&g, 0, START + GRANT_PAUSE_MS - 1),
	    GRANT_LATER);
	cr_expect_eq(grant_want(&g, 0, START + GRANT_PAUSE_MS), GRANT_FETCH);
	cr_expect_eq(grant_want(&g, 0, START + GRANT_PAUSE_MS), GRANT_LATER);
}

static void
expect_refresh(const char *want)
{
	struct msg_token_fetch m;

	grant_request(&g, &m);
	cr_expect(span_equal(m.refresh_token, span_str(want)));
}

Test(keyd_grant, refresh_tokens_that_change)
{
	struct msg_hop_grant other = row;

	take("t1", 3600, "first-one", 1, START);
	cr_expect_not(g.has_changed);
	take("t1", 3600, "second", 1, START);
	expect_refresh("second");
	cr_expect(g.has_changed);
	g.has_changed = false;
	take("t2", 3600, "", 2, START);
	expect_refresh("second");
	cr_expect_not(g.has_changed);
	/* a reload: the file is as it was, or has the new one */
	cr_expect(grant_keep(&g, &row));
	other.refresh_token = SPAN_LIT("second");
	cr_expect(grant_keep(&g, &other));
	expect_refresh("second");
	cr_expect_eq(grant_want(&g, 0, START), GRANT_TELL);
	/* the third is on its way to the file, which has the second */
	take("t3", 3600, "third", 3, START);
	cr_expect(grant_keep(&g, &other));
	other.refresh_token = SPAN_LIT("third");
	cr_expect(grant_keep(&g, &other));
	expect_refresh("third");
	/* what is older than both counts no more */
	cr_expect_not(grant_keep(&g, &row));
	other.refresh_token = SPAN_LIT("by hand");
	cr_expect_not(grant_keep(&g, &other));
}

Test(keyd_grant, other_rows)
{
	for (int i = 0; i < 5; i++) {
		struct msg_hop_grant other = row;

		*(i == 0 ? &other.name : i == 1 ? &other.url :
		    i == 2 ? &other.client_id : i == 3 ? &other.client_secret :
		    &other.scope) = SPAN_LIT("else");
		cr_expect_not(grant_keep(&g, &other), "%d", i);
	}
	cr_expect(grant_keep(&g, &row));
}

/* By the client's credentials no refresh token is of use, even if one comes. */
Test(keyd_grant, without_a_refresh_token)
{
	struct msg_hop_grant other = row;

	grant_clear(&g);
	other.refresh_token = SPAN_NONE;
	cr_assert_eq(grant_init(&g, &other, START), OK);
	take("t1", 3600, "second", 1, START);
	expect_refresh("");
	cr_expect(grant_keep(&g, &other));
}

Test(keyd_grant, what_may_be_shown)
{
	take("tok", 3600, "second", 1, START);
	cr_expect(grant_is_told(&g, SPAN_LIT("bad secret s3cret")));
	cr_expect(grant_is_told(&g, SPAN_LIT("first-one is over")));
	cr_expect(grant_is_told(&g, SPAN_LIT("no second one")));
	cr_expect(grant_is_told(&g, SPAN_LIT("tok")));
	cr_expect_not(grant_is_told(&g, SPAN_LIT("invalid_grant: s3cre")));
	cr_expect_not(grant_is_told(&g, SPAN_NONE));
}
