/* What one configuration changes of another. */
#include "mtactl/conf_diff.h"

#include <criterion/criterion.h>

#include "common/confload/conf_load.h"

static struct output o;

static struct conf *
load(const char *text)
{
	struct conf_report report;
	struct conf *conf = NULL;

	conf_report_init(&report, "t.yaml");
	cr_assert_eq(conf_load(span_str(text), "/etc/mtad", &report, &conf),
	    OK);
	conf_report_clear(&report);
	return conf;
}

static size_t
compare(bool is_json, const char *before, const char *after)
{
	struct conf *a = load(before), *b = load(after);
	size_t n;

	memset(&o, 0, sizeof(o));
	o.is_json = is_json;
	buf_init(&o.b, 1024 * 1024);
	n = conf_diff(&o, a, b);
	cr_assert_not(o.is_failed);
	buf_add(&o.b, "", 1);
	conf_free(&a);
	conf_free(&b);
	return n;
}

#define BEFORE "hostname: a.example\nlimits: {message: 1MiB}\n" \
    "routes:\n  - {to: a.example, via: mx}\n" \
    "  - {to: b.example, via: mx}\n  - {to: c.example, via: mx}\n"
#define AFTER "hostname: a.example\nlimits: {message: 2MiB}\n" \
    "queue: {path: /elsewhere}\nroutes:\n  - {to: a.example, via: mx}\n" \
    "  - {to: b.example, via: \"smtp://r.example\"}\n" \
    "  - {to: c.example, via: mx}\n"

Test(conf_diff, for_people)
{
	cr_expect_eq(compare(false, BEFORE, AFTER), 3);
	cr_expect_not_null(strstr((const char *)o.b.p,
	    "limits.message\n- limits.message: 1MiB\n"
	    "+ limits.message: 2MiB\n"), "%s", (const char *)o.b.p);
	cr_expect_not_null(strstr((const char *)o.b.p,
	    "queue.path (takes effect at the next start)\n"
	    "- queue.path: /var/spool/mtad\n+ queue.path: /elsewhere\n"),
	    "%s", (const char *)o.b.p);
	/* of the rules only the one that differs, and of that the line */
	cr_expect_not_null(strstr((const char *)o.b.p,
	    "routes\n-     via: [mx]\n+     via: [\"smtp://r.example\"]\n"),
	    "%s", (const char *)o.b.p);
	buf_clear(&o.b);
}

Test(conf_diff, for_programs)
{
	cr_expect_eq(compare(true, BEFORE, AFTER), 3);
	cr_expect_not_null(strstr((const char *)o.b.p,
	    "{\"v\":1,\"before\":\"/etc/mtad/t.yaml\",\"after\":"
	    "\"/etc/mtad/t.yaml\",\"changes\":[{\"key\":"), "%s",
	    (const char *)o.b.p);
	cr_expect_not_null(strstr((const char *)o.b.p,
	    "{\"key\":\"queue.path\",\"before\":\"queue.path: "
	    "/var/spool/mtad\\n\",\"after\":\"queue.path: /elsewhere\\n\","
	    "\"needs_restart\":true,\"processes\":[\"mtad\",\"queued\"]}"),
	    "%s", (const char *)o.b.p);
	buf_clear(&o.b);
}

/* Comments, order and defaults mean nothing. */
Test(conf_diff, the_same)
{
	cr_expect_eq(compare(false, BEFORE, "# other\nlimits:\n"
	    "  message: 1024KiB\nhostname: a.example\nroutes:\n"
	    "  - {via: mx, to: a.example, tls: opportunistic-dane-sts}\n"
	    "  - {to: [b.example], via: mx}\n  - {to: c.example, via: mx}\n"),
	    0);
	cr_expect_str_eq((const char *)o.b.p, "no difference\n");
	buf_clear(&o.b);
}
