/* The dump reads back to the same values, and shows what it should. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/confload/conf_dump.h"
#include "tests/unit/confload/load_help.h"

static struct loaded first, second;
static char text[64 * 1024];

static const char *const files[] = {
	"hostname: a.example\n",
	"hostname: a.example\nlisteners: []\nrelay: {networks: []}\n",
	"hostname: a.example\n"
	"listeners: [\"*:25\", {address: \"[::1]:2525\", tls: none}]\n"
	"relay: {networks: [10.0.0.0/8, \"2001:db8::/32\", 127.0.0.1, "
	"10.1.1.1, 10.1.1.2], domains: [a.example, .b.example]}\n"
	"routes: [{to: [a.example, \"u@b\", c, d, e], from: \"<>\", "
	"via: [\"smtp://[::1]:26\", \"smtp://b.example\"]}, {via: mx, retry: "
	"{first: 5s, expire: 0}, limits: {rate: 600/h, window: 7}}]\n"
	"deliver: {rate: 50/s, window: 9}\n"
	"queue: {path: \"s p\\\"\\u00e4\\u2028\\U0001f600\\\\x\", "
	"first_retry: 1500ms}\n"
	"limits: {message: 1000001}\n"
	"dns: {servers: \"[::1]:53\"}\n"
	"workers: {smtpd: 3, deliverd: 4}\n"
	"metrics: {address: \"127.0.0.1:9125\"}\n"
	"tls: {certificate: /c.pem, key: /k.pem}\n",
};

static void
dump(const struct conf *conf, unsigned flags)
{
	struct buf out;

	buf_init(&out, sizeof(text) - 1);
	conf_dump(conf, flags, &out);
	cr_assert_not(buf_failed(&out));
	memcpy(text, out.p, out.n);
	text[out.n] = '\0';
	buf_clear(&out);
}

static void
expect_same(unsigned flags)
{
	struct conf_change changes[CONF_CHANGES_MAX];
	size_t n;

	dump(first.conf, flags);
	load_help(&second, text);
	cr_assert_eq(second.e, OK, "%s%s", text, second.text);
	n = conf_compare(first.conf, second.conf, CONF_ALL, changes);
	cr_assert_eq(n, 0, "%s changed:\n%s", changes[0].key, text);
	load_help_free(&second);
}

Test(conf_dump, reads_back_to_the_same)
{
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		load_help(&first, files[i]);
		cr_assert_eq(first.e, OK, "%s%s", files[i], first.text);
		expect_same(0);
		expect_same(CONF_DUMP_DOC);
		expect_same(CONF_DUMP_CHANGED);
		expect_same(CONF_DUMP_CHANGED | CONF_DUMP_DOC);
		load_help_free(&first);
	}
}

Test(conf_dump, shows_only_what_was_changed)
{
	load_help(&first,
	    "hostname: a.example\n"
	    "deliver: {helo: a.example, port: 2525}\n"
	    "routes: [{to: [b.example, c.example], via: \"smtp://h:26\"}]\n"
	    "reports: {postmaster: x@a.example}\n"
	    "workers: {smtpd: 2, deliverd: 3}\n");
	cr_assert_eq(first.e, OK, "%s", first.text);
	dump(first.conf, CONF_DUMP_CHANGED);
	/* the default listeners are a list of objects: always shown */
	cr_assert_str_eq(text,
	    "hostname: a.example\n"
	    "listeners:\n"
	    "  - address: \"127.0.0.1:25\"\n"
	    "  - address: \"[::1]:25\"\n"
	    "routes:\n"
	    "  - to: [b.example, c.example]\n"
	    "    from: [\"*\"]\n"
	    "    via: [\"smtp://h:26\"]\n"
	    "reports:\n"
	    "    postmaster: x@a.example\n"
	    "deliver:\n"
	    "    port: 2525\n"
	    "    helo: a.example\n"
	    "workers:\n"
	    "    smtpd: 2\n"
	    "    deliverd: 3\n");
	load_help_free(&first);
}

Test(conf_dump, tells_of_each_key)
{
	load_help(&first, "hostname: a.example\n");
	dump(first.conf, CONF_DUMP_DOC);
	cr_assert_neq(strstr(text, "# what clients may use\nlimits:\n"), NULL,
	    "%s", text);
	cr_assert_neq(strstr(text, "    # size of a message\n"
	    "    message: 50MiB\n"), NULL, "%s", text);
	load_help_free(&first);
}
