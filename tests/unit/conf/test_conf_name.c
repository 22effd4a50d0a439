/* Names, patterns, addresses and next hops: what is one, and what is not. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/conf/conf_name.h"
#include "common/conf/conf_target.h"

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct name {
	const char *text;
	bool is_host, is_domain;
} names[] = {
	{ "example.org", true, true },
	{ "localhost", true, true },
	{ "a-b.c9", true, true },
	{ "9a.example", true, true },
	{ LABEL63 ".org", true, true },
	{ "xn--bcher-kva.example", true, true },
	{ "_dmarc.example.org", false, true },
	{ "[192.0.2.1]", false, true },
	{ "[IPv6:2001:db8::1]", false, true },
	{ "[ipv6:::1]", false, true },
	{ "[2001:db8::1]", false, false },
	{ "[192.0.2.1", false, false },
	{ "[]", false, false },
	{ "", false, false },
	{ ".", false, false },
	{ "example.org.", false, false },
	{ ".example.org", false, false },
	{ "a..b", false, false },
	{ "-a.example", false, false },
	{ "a-.example", false, false },
	{ LABEL63 "a.org", false, false },
	{ "a b.example", false, false },
	{ "b\xc3\xbc" "cher.example", false, false },
	{ "192.0.2.1", false, false },
	{ "192.0.2.300", false, false },
	{ "25", false, false },
};

Test(conf_name, hosts_and_domains)
{
	char longest[CONF_NAME_DOMAIN_MAX + 2];

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct span text = span_str(names[i].text);

		cr_expect_eq(conf_name_is_host(text), names[i].is_host, "%s",
		    names[i].text);
		cr_expect_eq(conf_name_is_domain(text), names[i].is_domain,
		    "%s", names[i].text);
	}
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 == 0 ? 'a' : '.';
	cr_assert(conf_name_is_host(span_of(longest, 253)));
	cr_assert_not(conf_name_is_host(span_of(longest, 255)));
}

Test(conf_name, mailboxes)
{
	cr_assert(conf_name_is_mailbox(span_str("a.b+c@example.org"), false));
	cr_assert(conf_name_is_mailbox(span_str("root"), true));
	cr_assert_not(conf_name_is_mailbox(span_str("root"), false));
	cr_assert_not(conf_name_is_mailbox(span_str("@example.org"), true));
	cr_assert_not(conf_name_is_mailbox(span_str("a@"), true));
	cr_assert_not(conf_name_is_mailbox(span_str("<a@b.example>"), true));
	cr_assert_not(conf_name_is_mailbox(span_str("a b@c.example"), true));
	cr_assert_not(conf_name_is_mailbox(span_str(""), true));
}

static const struct pattern {
	const char *text;
	enum conf_pattern_kind kind;
	const char *local, *domain;
} patterns[] = {
	{ "*", CONF_PATTERN_ANY, "", "" },
	{ "<>", CONF_PATTERN_NULL, "", "" },
	{ "example.org", CONF_PATTERN_DOMAIN, "", "example.org" },
	{ "*@example.org", CONF_PATTERN_DOMAIN, "", "example.org" },
	{ ".example.org", CONF_PATTERN_BELOW, "", "example.org" },
	{ "*.example.org", CONF_PATTERN_BELOW, "", "example.org" },
	{ "*@.example.org", CONF_PATTERN_BELOW, "", "example.org" },
	{ "*@*.example.org", CONF_PATTERN_BELOW, "", "example.org" },
	{ "u@example.org", CONF_PATTERN_ADDRESS, "u", "example.org" },
	{ "u@[192.0.2.1]", CONF_PATTERN_ADDRESS, "u", "[192.0.2.1]" },
	{ "\"a@b\"@c.example", CONF_PATTERN_ADDRESS, "\"a@b\"",
	    "c.example" },
	{ "", CONF_PATTERN_NONE, "", "" },
	{ "**", CONF_PATTERN_NONE, "", "" },
	{ "*.", CONF_PATTERN_NONE, "", "" },
	{ ".", CONF_PATTERN_NONE, "", "" },
	{ "..example.org", CONF_PATTERN_NONE, "", "" },
	{ ".[192.0.2.1]", CONF_PATTERN_NONE, "", "" },
	{ "u*@example.org", CONF_PATTERN_NONE, "", "" },
	{ "u@*", CONF_PATTERN_NONE, "", "" },
	{ "u@.example.org", CONF_PATTERN_NONE, "", "" },
	{ "@example.org", CONF_PATTERN_NONE, "", "" },
	{ "a.*.example.org", CONF_PATTERN_NONE, "", "" },
	{ "example.org.", CONF_PATTERN_NONE, "", "" },
};

Test(conf_name, patterns)
{
	for (size_t i = 0; i < COUNT_OF(patterns); i++) {
		const struct pattern *want = &patterns[i];
		struct conf_pattern got =
		    conf_name_pattern(span_str(want->text));

		cr_expect_eq(got.kind, want->kind, "%s: %d", want->text,
		    got.kind);
		if (want->kind == CONF_PATTERN_NONE)
			continue;
		cr_expect(span_equal(got.local, span_str(want->local)), "%s",
		    want->text);
		cr_expect(span_equal(got.domain, span_str(want->domain)),
		    "%s", want->text);
	}
}

/* Each text, and what is printed of it; NULL: it is refused. */
static const struct place {
	const char *text, *printed;
} addresses[] = {
	{ "*:25", "*:25" },
	{ "192.0.2.1:25", "192.0.2.1:25" },
	{ "[2001:DB8:0::1]:587", "[2001:db8::1]:587" },
	{ "[::ffff:192.0.2.1]:25", "192.0.2.1:25" },
	{ "/run/mtad/s.sock", "/run/mtad/s.sock" },
	{ "./s.sock", "/conf/s.sock" },
	{ "run/s.sock", "/conf/run/s.sock" },
	{ "*", NULL }, { "*:", NULL }, { "*:0", NULL }, { "*:65536", NULL },
	{ "*:+1", NULL }, { "25", NULL }, { ":25", NULL }, { "", NULL },
	{ "192.0.2.1", NULL }, { "2001:db8::1:25x", NULL },
	{ "localhost:25", NULL }, { "[::1]", NULL },
	{ "/012345678901234567890123456789012345678901234567890123456789"
	    "012345678901234567890123456789012345678901234567", NULL },
}, targets[] = {
	{ "mx", "mx" }, { "MX", "mx" },
	{ "smtp://relay", "smtp://relay" },
	{ "SMTP://Relay.Example:25", "smtp://Relay.Example:25" },
	{ "smtp://192.0.2.1:2525", "smtp://192.0.2.1:2525" },
	{ "smtp://[2001:db8::1]", "smtp://[2001:db8::1]" },
	{ "smtp://[2001:db8::1]:26", "smtp://[2001:db8::1]:26" },
	{ "smtps://u@relay.example", "smtps://u@relay.example" },
	{ "smtps://u@d.example@relay:465", "smtps://u@d.example@relay:465" },
	{ "lmtp://127.0.0.1:24", "lmtp://127.0.0.1:24" },
	{ "", NULL }, { "mxx", NULL }, { "mx://a", NULL },
	{ "relay.example:25", NULL }, { "http://relay", NULL },
	{ "smtp:relay", NULL }, { "smtp://", NULL }, { "smtp://:25", NULL },
	{ "smtp://relay:", NULL }, { "smtp://relay:0", NULL },
	{ "smtp://relay:25/", NULL }, { "smtp://relay/", NULL },
	{ "smtp://@relay", NULL }, { "smtp://u:p@relay", NULL },
	{ "smtp://u v@relay", NULL }, { "smtp://[relay]", NULL },
	{ "smtp://[::1", NULL }, { "smtp://::1", NULL },
	{ "smtp://[::1]x:25", NULL }, { "smtp://*", NULL },
	{ "smtp://1.2.3.4.5", NULL },
};

static struct arena *arena;
static struct buf out;

static void
expect_place(const struct place *want, enum err e)
{
	bool is_refused = want->printed == NULL;

	cr_expect_eq(e != OK, is_refused, "%s: %s", want->text, err_text(e));
	if (e == OK && !is_refused)
		cr_expect(span_equal(buf_span(&out),
		    span_str(want->printed)), "%s: %.*s", want->text,
		    (int)out.n, (char *)out.p);
	buf_reset(&out);
}

Test(conf_target, places_print_as_they_parse)
{
	struct conf_scope scope = { arena = arena_new(1 << 20), "/conf" };

	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT_OF(addresses); i++) {
		struct conf_address address;
		struct why why = { "" };
		enum err e = conf_target_parse_address(
		    span_str(addresses[i].text), &scope, &address, &why);

		if (e == OK)
			conf_target_print_address(&address, &out);
		else
			cr_expect_str_not_empty(why.text);
		expect_place(&addresses[i], e);
	}
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		struct conf_target target;
		struct why why = { "" };
		enum err e = conf_target_parse(span_str(targets[i].text),
		    &scope, &target, &why);

		if (e == OK)
			conf_target_print(&target, &out);
		else
			cr_expect_str_not_empty(why.text);
		expect_place(&targets[i], e);
	}
	buf_clear(&out);
	arena_free(&arena);
}

/* On the wire there is no folder that a path could be relative to. */
Test(conf_target, relative_paths_need_a_folder)
{
	struct conf_scope scope = { arena = arena_new(4096), NULL };
	const char *path = NULL;

	cr_assert_eq(conf_target_parse_path(span_str("a"), 99, &scope, &path,
	    NULL), ERR_SYNTAX);
	cr_assert_null(path);
	cr_assert_eq(conf_target_parse_path(span_str("/a"), 99, &scope,
	    &path, NULL), OK);
	cr_assert_str_eq(path, "/a");
	scope.dir = "/";
	cr_assert_eq(conf_target_parse_path(span_str("././a"), 99, &scope,
	    &path, NULL), OK);
	cr_assert_str_eq(path, "/a");
	cr_assert_eq(conf_target_parse_path(span_str("./a"), 1, &scope,
	    &path, NULL), ERR_RANGE);
	arena_free(&arena);
}
