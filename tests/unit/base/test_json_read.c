/* JSON of strangers, RFC 8259: taken apart, and refused where it is none. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/json_read.h"

#define TOO_DEEP "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["	/* 32, in an object */

static const char *const good[] = {
	"{}", " {\t}\r\n", "{\"\":0}", "{\"a\":[]}", "{\"a\":[1,-2.5e+3,0.0]}",
	"{\"a\":{\"b\":{}},\"c\":null , \"d\" : [ true,false ] }",
	"{\"\\u00e9\\ud83d\\ude00\\ud83d\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
	"{\"\xc3\xa9\":\"\x7f\"}", "{\"a\":1E5,\"a\":-0}",
};

static const char *const bad[] = {
	"", " ", "[]", "\"a\"", "1", "null", "{", "}", "{}}", "{} x", "{a:1}",
	"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}",
	"{\"a\":[1,]}", "{\"a\":[1 2]}", "{\"a\":[}", "{\"a\":{]}",
	"{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":1e}",
	"{\"a\":-}", "{\"a\":0x1}", "{\"a\":NaN}", "{\"a\":True}",
	"{\"a\":nul}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}",
	"{\"a\":\"\\u12", "{\"a\":\"\\", "{\"a\":\"b", "{\"a\":\"\xc0\x80\"}",
	"{\"a\":\"\xff\"}", "{'a':1}", "\xef\xbb\xbf{}", "{\"a\":1}{\"b\":2}",
	"{\"a\":" TOO_DEEP,
};

Test(json_read, what_is_an_object)
{
	for (size_t i = 0; i < COUNT_OF(good); i++)
		cr_expect_eq(json_read_check(span_str(good[i])), OK, "%s",
		    good[i]);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_expect_eq(json_read_check(span_str(bad[i])), ERR_SYNTAX,
		    "%s", bad[i]);
	cr_expect_eq(json_read_check(span_of("{\0}", 3)), ERR_SYNTAX);
}

/* Nothing that is cut is whole, and no bit that flips leads astray. */
Test(json_read, cut_and_flipped)
{
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct span s = span_str(good[i]), value;
		uint8_t copy[128];
		size_t end = s.n;

		while (s.p[end - 1] != '}')
			end--;
		for (size_t n = 0; n < end; n++)
			cr_expect_eq(json_read_check(span_sub(s, 0, n)),
			    ERR_SYNTAX, "%s at %zu", good[i], n);
		for (size_t bit = 0; bit < 8 * s.n; bit++) {
			memcpy(copy, s.p, s.n);
			copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
			(void)json_read_find(span_of(copy, s.n), "a", &value);
		}
	}
}

static const struct {
	const char *text, *key, *value;	/* NULL: there is none */
} members[] = {
	{ "{}", "a", NULL },
	{ "{\"a\":1}", "a", "1" }, { "{\"a\":1}", "b", NULL },
	{ " { \"a\" : \"x\" , \"b\" : [1, 2] } ", "a", "\"x\" " },
	{ " { \"a\" : \"x\" , \"b\" : [1, 2] } ", "b", "[1, 2] " },
	{ "{\"b\":{\"a\":1},\"c\":\"\\\"a\\\":2\"}", "a", NULL },
	{ "{\"a\":1,\"a\":2}", "a", "2" },
	{ "{\"\\u0061\":1}", "a", NULL },
	{ "{\"ab\":1}", "a", NULL },
};

Test(json_read, members)
{
	struct span value;

	for (size_t i = 0; i < COUNT_OF(members); i++) {
		enum err e = json_read_find(span_str(members[i].text),
		    members[i].key, &value);

		cr_expect_eq(e, members[i].value != NULL ? OK : ERR_NOT_FOUND,
		    "%s", members[i].text);
		if (e == OK)
			cr_expect(span_equal(value,
			    span_str(members[i].value)), "%s",
			    members[i].text);
	}
	cr_expect_eq(json_read_find(SPAN_LIT("{\"a\":1"), "a", &value),
	    ERR_SYNTAX);
}

static const struct {
	const char *value, *want;	/* NULL: no string */
} strings[] = {
	{ "\"\"", "" }, { "\"abc\" ", "abc" },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
	{ "\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac" },
	{ "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
	{ "\"\\ud83d\"", "\xef\xbf\xbd" },
	{ "\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" },
	{ "\xc3\xa9", NULL }, { "1", NULL }, { "\"a\"b", NULL }, { "\"a", NULL },
	{ "", NULL },
};

Test(json_read, strings)
{
	struct buf out;

	buf_init(&out, 64);
	for (size_t i = 0; i < COUNT_OF(strings); i++) {
		struct span value = span_str(strings[i].value);

		buf_reset(&out);
		buf_add_str(&out, ">");
		if (strings[i].want == NULL) {
			cr_expect_eq(json_read_string(value, &out),
			    ERR_SYNTAX, "%s", strings[i].value);
			cr_expect_eq(out.n, 1);
			continue;
		}
		cr_expect_eq(json_read_string(value, &out), OK, "%s",
		    strings[i].value);
		cr_expect(span_equal(span_from(buf_span(&out), 1),
		    span_str(strings[i].want)), "%s", strings[i].value);
		cr_expect_leq(out.n - 1, value.n);
	}
	buf_clear(&out);
	buf_init(&out, 2);
	cr_expect_eq(json_read_string(SPAN_LIT("\"abc\""), &out), ERR_NOMEM);
	buf_clear(&out);
}

Test(json_read, numbers)
{
	static const char *const none[] = { "", "-1", "1.0", "1e3", "01", "x",
	    "1 2", "\"1\"" };
	uint64_t n = 7;

	cr_expect_eq(json_read_u64(SPAN_LIT("0"), &n), OK);
	cr_expect_eq(n, 0);
	cr_expect_eq(json_read_u64(SPAN_LIT("3600 "), &n), OK);
	cr_expect_eq(n, 3600);
	cr_expect_eq(json_read_u64(SPAN_LIT("18446744073709551615"), &n), OK);
	cr_expect_eq(n, UINT64_MAX);
	cr_expect_eq(json_read_u64(SPAN_LIT("18446744073709551616"), &n),
	    ERR_RANGE);
	for (size_t i = 0; i < COUNT_OF(none); i++)
		cr_expect_eq(json_read_u64(span_str(none[i]), &n), ERR_SYNTAX,
		    "%s", none[i]);
}
