/* Token endpoints (RFC 6749): what is asked, and all that may be answered
 * (AUTH-23). */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/check.h"
#include "common/oauth/oauth.h"

static struct oauth_answer a;

static void
begin(void)
{
	oauth_answer_init(&a);
}

static void
end(void)
{
	oauth_answer_wipe(&a);
}

TestSuite(oauth, .init = begin, .fini = end);

static enum err
answer(unsigned status, struct span body)
{
	oauth_answer_wipe(&a);
	oauth_answer_init(&a);
	return oauth_read(status, body, &a);
}

static void
expect(const struct buf *b, const char *want)
{
	cr_expect(span_equal(buf_span(b), span_str(want)), "%.*s, not %s",
	    (int)b->n, b->p != NULL ? (const char *)b->p : "", want);
}

Test(oauth, requests)
{
	struct buf out;

	buf_init(&out, OAUTH_REQUEST_MAX);
	oauth_put_request(&(struct oauth_request){
	    .client_id = SPAN_LIT("mtad"), .client_secret = SPAN_LIT("a&b=c"),
	    .refresh_token = SPAN_LIT("1//0g-x_y.z~+%\xc3\xa9"),
	    .scope = SPAN_LIT("https://mail.example/ offline_access"),
	}, &out);
	expect(&out, "grant_type=refresh_token"
	    "&refresh_token=1%2F%2F0g-x_y.z%7E%2B%25%C3%A9&client_id=mtad"
	    "&client_secret=a%26b%3Dc"
	    "&scope=https%3A%2F%2Fmail.example%2F+offline_access");
	buf_reset(&out);
	oauth_put_request(&(struct oauth_request){
	    .client_id = SPAN_LIT("mtad"), .client_secret = SPAN_LIT("s"),
	}, &out);
	expect(&out, "grant_type=client_credentials&client_id=mtad"
	    "&client_secret=s");
	buf_clear(&out);
}

/* All that messages can hold fits, each octet escaped. */
Test(oauth, the_longest_request)
{
	static uint8_t bytes[OAUTH_REFRESH_MAX];
	struct buf out;

	memset(bytes, '/', sizeof(bytes));
	buf_init(&out, OAUTH_REQUEST_MAX);
	oauth_put_request(&(struct oauth_request){
	    .client_id = span_of(bytes, 1024),
	    .client_secret = span_of(bytes, 1024),
	    .refresh_token = span_of(bytes, sizeof(bytes)),
	    .scope = span_of(bytes, 1024),
	}, &out);
	cr_expect_not(buf_failed(&out));
	buf_clear(&out);
}

static const struct {
	const char *body;
	const char *token, *refresh;
	uint32_t life_s;
} tokens[] = {
	{ "{\"access_token\":\"2YotnFZFEjr1zCsicMWpAA\",\"token_type\":"
	    "\"example\"}", NULL, NULL, 0 },
	{ "{\"access_token\":\"ya29.a-b_c~d+/==\",\"token_type\":\"Bearer\","
	    "\"expires_in\":3599,\"refresh_token\":\"next\"}",
	    "ya29.a-b_c~d+/==", "next", 3599 },
	{ " {\"token_type\" : \"bearer\" , \"expires_in\" : \"60\" ,\n"
	    "\"access_token\":\"a\\/b\",\"scope\":\"x\",\"more\":[{}]} ",
	    "a/b", "", 60 },
	{ "{\"access_token\":\"t\"}", "t", "", OAUTH_LIFE_S },
	{ "{\"access_token\":\"t\",\"expires_in\":0}", "t", "", 0 },
	{ "{\"access_token\":\"t\",\"expires_in\":-5}", "t", "",
	    OAUTH_LIFE_S },
	{ "{\"access_token\":\"t\",\"expires_in\":\"soon\"}", "t", "",
	    OAUTH_LIFE_S },
	{ "{\"access_token\":\"t\",\"expires_in\":\"\"}", "t", "",
	    OAUTH_LIFE_S },
	{ "{\"access_token\":\"t\",\"expires_in\":99999999999999999999}", "t",
	    "", OAUTH_LIFE_MAX_S },
	{ "{\"access_token\":\"t\",\"refresh_token\":null}", "t", "",
	    OAUTH_LIFE_S },
	{ "{\"access_token\":\"a b\"}", NULL, NULL, 0 },
	{ "{\"access_token\":\"a\\u0001\"}", NULL, NULL, 0 },
	{ "{\"access_token\":\"a\\r\\nMAIL\"}", NULL, NULL, 0 },
	{ "{\"access_token\":\"\xc3\xa9\"}", NULL, NULL, 0 },
	{ "{\"access_token\":\"t\",\"refresh_token\":\"a\\nb\"}", NULL, NULL,
	    0 },
};

Test(oauth, tokens)
{
	for (size_t i = 0; i < COUNT_OF(tokens); i++) {
		enum err e = answer(200, span_str(tokens[i].body));

		if (tokens[i].token == NULL) {
			cr_expect_eq(e, ERR_SYNTAX, "%s", tokens[i].body);
			cr_expect_gt(a.text.n, 0);
			continue;
		}
		cr_expect_eq(e, OK, "%s", tokens[i].body);
		expect(&a.token, tokens[i].token);
		expect(&a.refresh, tokens[i].refresh);
		cr_expect_eq(a.life_s, tokens[i].life_s, "%s",
		    tokens[i].body);
	}
}

static const struct {
	unsigned status;
	const char *body;
	enum err e;
	const char *text;
} refusals[] = {
	{ 400, "{\"error\":\"invalid_grant\",\"error_description\":"
	    "\"Token has been \\\"revoked\\\".\"}", ERR_DENIED,
	    "HTTP status 400: invalid_grant: Token has been \"revoked\"." },
	{ 401, "{\"error\":\"invalid_client\"}", ERR_DENIED,
	    "HTTP status 401: invalid_client" },
	{ 200, "{\"error\":\"invalid_grant\"}", ERR_DENIED,
	    "no token in the answer: invalid_grant" },
	{ 400, "{\"error\":\"a\\u001b[31m\xc3\xa9\"}", ERR_DENIED,
	    "HTTP status 400: a\\x1b[31m\\xc3\\xa9" },
	{ 503, "<html>busy</html>", ERR_SYNTAX, "HTTP status 503" },
	{ 503, "", ERR_SYNTAX, "HTTP status 503" },
	{ 302, "{}", ERR_SYNTAX, "HTTP status 302" },
	{ 400, "{\"error\":7}", ERR_SYNTAX, "HTTP status 400" },
	{ 200, "", ERR_SYNTAX, "no token in the answer" },
	{ 200, "{\"access_token\":\"\"}", ERR_SYNTAX,
	    "no token in the answer" },
	{ 200, "{\"access_token\":[\"t\"]}", ERR_SYNTAX,
	    "no token in the answer" },
	{ 200, "{\"access_token\":\"t\"", ERR_SYNTAX,
	    "no token in the answer" },
	/* a token that comes with a refusal is none */
	{ 400, "{\"access_token\":\"t\"}", ERR_SYNTAX, "HTTP status 400" },
};

Test(oauth, refusals)
{
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		cr_expect_eq(answer(refusals[i].status,
		    span_str(refusals[i].body)), refusals[i].e, "%s",
		    refusals[i].body);
		expect(&a.text, refusals[i].text);
	}
}

static enum err
answer_of(size_t token_n, size_t refresh_n, size_t text_n)
{
	struct buf body;
	enum err e;

	buf_init(&body, 1 << 20);
	buf_add_str(&body, text_n > 0 ? "{\"error\":\"" :
	    "{\"access_token\":\"");
	for (size_t i = 0; i < token_n + text_n; i++)
		buf_add_byte(&body, 't');
	buf_add_str(&body, text_n > 0 ? "\",\"error_description\":\"" :
	    "\",\"refresh_token\":\"");
	for (size_t i = 0; i < refresh_n + text_n; i++)
		buf_add_byte(&body, 'r');
	buf_add_str(&body, "\"}");
	e = answer(200, buf_span(&body));
	buf_clear(&body);
	return e;
}

Test(oauth, bounds)
{
	cr_expect_eq(answer_of(OAUTH_TOKEN_MAX, OAUTH_REFRESH_MAX, 0), OK);
	cr_expect_eq(a.token.n, OAUTH_TOKEN_MAX);
	cr_expect_eq(a.refresh.n, OAUTH_REFRESH_MAX);
	cr_expect_eq(answer_of(OAUTH_TOKEN_MAX + 1, 0, 0), ERR_SYNTAX);
	cr_expect_eq(answer_of(1, OAUTH_REFRESH_MAX + 1, 0), ERR_SYNTAX);
	cr_expect_eq(answer_of(100000, 0, 0), ERR_SYNTAX);
	cr_expect_eq(answer_of(0, 0, 5000), ERR_DENIED);
	cr_expect_leq(a.text.n, OAUTH_TEXT_MAX);
	cr_expect_eq(answer_of(0, 0, 100000), ERR_SYNTAX);
}

/* Cut anywhere it is no answer, and no bit that flips makes harm. */
Test(oauth, cut_and_flipped)
{
	const struct span body = span_str(tokens[1].body);
	uint8_t copy[256];

	for (size_t n = 0; n < body.n; n++)
		cr_expect_eq(answer(200, span_sub(body, 0, n)), ERR_SYNTAX);
	for (size_t bit = 0; bit < 8 * body.n; bit++) {
		memcpy(copy, body.p, body.n);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (answer(200, span_of(copy, body.n)) == OK)
			cr_expect(a.token.n > 0 && a.life_s <=
			    OAUTH_LIFE_MAX_S);
	}
}
