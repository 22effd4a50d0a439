/* text, glob, json */
#include "common/base/check.h"
#include "common/base/glob.h"
#include "common/base/json.h"
#include "common/base/rng.h"
#include "common/base/text.h"
#include "common/base/utf8.h"

#include <criterion/criterion.h>

Test(text, escapes)
{
	static const struct {
		struct span in;
		const char *stress, *out;
	} cases[] = {
		{ SPAN_LIT("plain text ~"), NULL, "plain text ~" },
		{ SPAN_LIT("a\r\nb\tc"), NULL, "a\\x0d\\x0ab\\x09c" },
		{ SPAN_LIT("\x1b[2J"), NULL, "\\x1b[2J" },
		{ SPAN_LIT("\0\x7f\x80\xff"), NULL, "\\x00\\x7f\\x80\\xff" },
		{ SPAN_LIT("\\x41"), NULL, "\\x5cx41" },
		{ SPAN_LIT("a b=\"c\""), " \"", "a\\x20b=\\x22c\\x22" },
		{ SPAN_LIT(""), NULL, "" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char out[64];
		size_t n = text_escape(cases[i].in, cases[i].stress, out,
		    sizeof(out));

		cr_expect(span_equal(span_of(out, n),
		    span_str(cases[i].out)), "case %zu", i);
	}
}

/* Whatever comes in: bounded, printable, and cut with dots when it was. */
Test(text, is_always_safe_and_bounded)
{
	struct rng r;

	rng_init(&r, 12);
	for (int i = 0; i < 20000; i++) {
		uint8_t in[40];
		char out[40];
		size_t n = rng_below(&r, sizeof(in) + 1);
		size_t size = rng_below(&r, sizeof(out) + 1), used;
		size_t whole = 0;

		for (size_t k = 0; k < n; k++) {
			in[k] = (uint8_t)(rng_u64(&r) >> 3);
			whole += in[k] < 0x20 || in[k] > 0x7e ||
			    in[k] == '\\' ? 4 : 1;
		}
		used = text_escape(span_of(in, n), NULL, out, size);
		cr_assert(used <= size);
		cr_assert_eq(used == whole, whole <= size);
		for (size_t k = 0; k < used; k++)
			cr_assert(out[k] >= 0x20 && out[k] < 0x7f);
		if (whole > size && size >= 3)
			cr_assert_arr_eq(out + used - 3, "...", 3);
	}
}

Test(text, appends_within_a_bound)
{
	struct buf b;

	buf_init(&b, 100);
	buf_add_str(&b, "<");
	text_escape_to(&b, SPAN_LIT("ab\ncdefgh"), NULL, 9);
	text_escape_to(&b, SPAN_LIT("x"), NULL, 9);
	text_escape_to(&b, SPAN_NONE, NULL, 9);
	cr_expect(span_equal(buf_span(&b), SPAN_LIT("<ab\\x0a...x")));
	buf_clear(&b);
}

Test(text, letters)
{
	uint8_t out[8];

	text_lower(SPAN_LIT("AbZ@[\xc4"), out);
	cr_expect_arr_eq(out, "abz@[\xc4", 6);
	for (int c = 0; c < 256; c++) {
		uint8_t b = (uint8_t)c;

		cr_expect_eq(text_is_alpha(b), (b >= 'a' && b <= 'z') ||
		    (b >= 'A' && b <= 'Z'), "%d", c);
		cr_expect_eq(text_is_digit(b), b >= '0' && b <= '9');
	}
}

Test(glob, matches)
{
	static const struct {
		const char *pattern, *text;
		bool is_match;
	} cases[] = {
		{ "", "", true }, { "", "a", false }, { "*", "", true },
		{ "**", "abc", true }, { "?", "", false }, { "?", "a", true },
		{ "?", "ab", false }, { "a*", "a", true },
		{ "a*", "ba", false }, { "*a", "ba", true },
		{ "*.example.org", "mail.EXAMPLE.org", true },
		{ "*.example.org", "example.org", false },
		{ "*@shop.example.org", "x@shop.example.org", true },
		{ "a*b*c", "aXbXbXc", true }, { "a*b*c", "aXbXbX", false },
		{ "*aab", "aaaab", true }, { "a?c*", "abc", true },
		{ "*?*?*", "a", false }, { "*?*?*", "ab", true },
		{ "[a]", "a", false }, { "\\*", "\\x", true },
		{ "*ab*ab*", "abab", true }, { "*ab*ab*", "aba", false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		cr_expect_eq(glob_match(span_str(cases[i].pattern),
		    span_str(cases[i].text)), cases[i].is_match,
		    "'%s' '%s'", cases[i].pattern, cases[i].text);
	cr_expect(glob_match(SPAN_LIT("a?b"), SPAN_LIT("a\0b")));
	cr_expect(glob_has_wildcard(SPAN_LIT("a?")));
	cr_expect(glob_has_wildcard(SPAN_LIT("*")));
	cr_expect_not(glob_has_wildcard(SPAN_LIT("abc")));
}

/* The definition itself, with all its branches. */
static bool
slow_match(struct span p, struct span t)
{
	if (p.n == 0)
		return t.n == 0;
	if (p.p[0] == '*')
		return slow_match(span_from(p, 1), t) ||
		    (t.n > 0 && slow_match(p, span_from(t, 1)));
	return t.n > 0 && (p.p[0] == '?' || p.p[0] == t.p[0]) &&
	    slow_match(span_from(p, 1), span_from(t, 1));
}

Test(glob, agrees_with_the_definition)
{
	struct rng r;

	rng_init(&r, 14);
	for (int i = 0; i < 200000; i++) {
		char p[8], t[10];
		size_t pn = rng_below(&r, sizeof(p));
		size_t tn = rng_below(&r, sizeof(t));

		for (size_t k = 0; k < pn; k++)
			p[k] = "ab*?"[rng_below(&r, 4)];
		for (size_t k = 0; k < tn; k++)
			t[k] = "ab"[rng_below(&r, 2)];
		cr_assert_eq(glob_match(span_of(p, pn), span_of(t, tn)),
		    slow_match(span_of(p, pn), span_of(t, tn)),
		    "'%.*s' '%.*s'", (int)pn, p, (int)tn, t);
	}
}

Test(glob, hostile_patterns_end, .timeout = 5)
{
	static char pattern[2000], text[20000];

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 ? '*' : 'a';
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 'c';
	pattern[sizeof(pattern) - 1] = 'b';
	cr_expect_not(glob_match(span_of(pattern, sizeof(pattern)),
	    span_of(text, sizeof(text))));
}

Test(json, writes_a_document)
{
	struct json j;
	struct buf b;

	buf_init(&b, 1000);
	json_init(&j, &b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "list");
	json_array(&j);
	json_i64(&j, INT64_MIN);
	json_bool(&j, true);
	json_bool(&j, false);
	json_null(&j);
	json_array(&j);
	json_array_end(&j);
	json_object(&j);
	json_object_end(&j);
	json_array_end(&j);
	json_key(&j, "a \"b\"");
	json_str(&j, "x");
	json_object_end(&j);
	cr_expect_eq(json_done(&j), OK);
	cr_expect(span_equal(buf_span(&b), SPAN_LIT("{\"v\":1,\"list\":"
	    "[-9223372036854775808,true,false,null,[],{}],"
	    "\"a \\\"b\\\"\":\"x\"}")));
	buf_clear(&b);
}

Test(json, strings)
{
	static const struct {
		struct span in;
		const char *out;
	} cases[] = {
		{ SPAN_LIT(""), "\"\"" },
		{ SPAN_LIT("a/\"\\"), "\"a/\\\"\\\\\"" },
		{ SPAN_LIT("\n\r\t\0\x1b"),
		    "\"\\n\\r\\t\\u0000\\u001b\"" },
		{ SPAN_LIT("\x7f\xc2\x9b"), "\"\\u007f\\u009b\"" },
		{ SPAN_LIT("\xc3\xa4\xf0\x9f\x98\x80"),
		    "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ SPAN_LIT("a\xff" "b\xc3"),
		    "\"a\xef\xbf\xbd" "b\xef\xbf\xbd\"" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct buf b;

		buf_init(&b, 1000);
		json_quote(&b, cases[i].in);
		cr_expect(span_equal(buf_span(&b), span_str(cases[i].out)),
		    "case %zu: %.*s", i, (int)b.n, (const char *)b.p);
		buf_clear(&b);
	}
}

/* Each byte at each place: what is plain stays, what is not never does. */
Test(json, no_place_hides_a_byte)
{
	struct buf b;

	buf_init(&b, 1000);
	for (unsigned c = 0; c < 256; c++) {
		bool is_plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

		for (size_t at = 0; at < 24; at++) {
			uint8_t in[26] = "\"~~~~~~~~aaaaaaaa        \"";

			in[1 + at] = (uint8_t)c;
			buf_reset(&b);
			json_quote(&b, span_of(in + 1, 24));
			cr_assert_eq(span_equal(buf_span(&b),
			    span_of(in, sizeof(in))), is_plain,
			    "byte %u at %zu", c, at);
		}
	}
	buf_clear(&b);
}

/* Each letter one call; the whole is wrong. */
Test(json, refuses_what_is_no_json)
{
	static const char *const wrong[] = {
		"", "{", "[", "k", "{n", "{kk", "{k}", "}", "]", "[}", "{]",
		"nn", "n]", "[k", "{}n", "[]k", "{kn}}",
	};

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct json j;
		struct buf b;

		buf_init(&b, 1000);
		json_init(&j, &b);
		for (const char *c = wrong[i]; *c != '\0'; c++) {
			if (*c == '{')
				json_object(&j);
			else if (*c == '}')
				json_object_end(&j);
			else if (*c == '[')
				json_array(&j);
			else if (*c == ']')
				json_array_end(&j);
			else if (*c == 'k')
				json_key(&j, "k");
			else
				json_null(&j);
		}
		cr_expect_eq(json_done(&j), ERR_SYNTAX, "'%s'", wrong[i]);
		buf_clear(&b);
	}
}

Test(json, depth_and_room_end)
{
	struct json j;
	struct buf b;

	buf_init(&b, 1000);
	json_init(&j, &b);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		json_array(&j);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		json_array_end(&j);
	cr_expect_eq(json_done(&j), OK);
	buf_reset(&b);
	json_init(&j, &b);
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		json_array(&j);
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		json_array_end(&j);
	cr_expect_eq(json_done(&j), ERR_SYNTAX);
	buf_clear(&b);

	buf_init(&b, 3);
	json_init(&j, &b);
	json_str(&j, "too long");
	cr_expect_eq(json_done(&j), ERR_NOMEM);
	buf_clear(&b);
}
