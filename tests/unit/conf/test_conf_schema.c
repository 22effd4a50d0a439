/* The schema agrees with itself, and each type with its texts. */
#include <criterion/criterion.h>

#include <string.h>

#include "common/base/check.h"
#include "common/conf/conf_dnslist.h"
#include "common/conf/conf_object.h"

static const struct conf_schema *const schemas[] = {
	&conf_schema_main, &conf_schema_listener, &conf_schema_route
};

Test(conf_schema, keys_are_unique_and_told_about)
{
	for (size_t s = 0; s < COUNT_OF(schemas); s++) {
		for (size_t i = 0; i < schemas[s]->n; i++) {
			const struct conf_row *row = &schemas[s]->rows[i];

			cr_expect_eq(conf_schema_find(schemas[s],
			    span_str(row->key)), row, "%s", row->key);
			cr_expect_gt(strlen(row->doc), 3, "%s", row->key);
			cr_expect_neq(row->readers, 0, "%s", row->key);
			cr_expect_leq(row->min, row->max, "%s", row->key);
		}
	}
	cr_assert_null(conf_schema_find(&conf_schema_main,
	    SPAN_LIT("limits")));
	cr_assert_not_null(conf_schema_section(SPAN_LIT("limits")));
	cr_assert_null(conf_schema_section(SPAN_LIT("hostname")));
}

/* A value that is left out on the wire is its default at the other end: so
 * each default must know itself. */
Test(conf_schema, defaults_know_themselves)
{
	struct conf *conf;

	cr_assert_eq(conf_new(&conf), OK);
	for (size_t i = 0; i < conf_schema_main.n; i++) {
		const struct conf_row *row = &conf_schema_main.rows[i];

		if (conf_type_schema(conf_type_element(row->type)) == NULL ||
		    row->fallback[0] == '\0')
			cr_expect(conf_object_is_default(row, conf), "%s",
			    row->key);
	}
	conf->limits.hops++;
	cr_assert_not(conf_object_is_default(conf_schema_find(
	    &conf_schema_main, SPAN_LIT("limits.hops")), conf));
	conf_free(&conf);
	cr_assert_null(conf);
	conf_free(&conf);
}

/* Types' members are where the struct has them. */
Test(conf_schema, rows_lead_to_their_members)
{
	struct conf *conf;
	const struct conf_row *row;
	uint64_t bytes;

	cr_assert_eq(conf_new(&conf), OK);
	row = conf_schema_find(&conf_schema_main, SPAN_LIT("limits.message"));
	memcpy(&bytes, (char *)conf + row->offset, sizeof(bytes));
	cr_assert_eq(bytes, conf->limits.message_bytes);
	cr_assert_eq(bytes, 50 << 20);
	row = conf_schema_find(&conf_schema_main, SPAN_LIT("listeners"));
	cr_assert_eq(conf_list_get(row, conf).v, conf->listeners.v);
	cr_assert_eq(conf_list_get(row, conf).n, 2);
	conf_free(&conf);
}

static const struct value {
	const char *key;
	const char *text;
	const char *printed;	/* NULL: refused */
} values[] = {
	{ "limits.hops", "1", "1" },
	{ "limits.hops", "1000", "1000" },
	{ "limits.hops", "1001", NULL },
	{ "limits.hops", "0", NULL },
	{ "limits.hops", "", NULL },
	{ "limits.hops", "1 ", NULL },
	{ "limits.hops", "0x10", NULL },
	{ "limits.message", "4KiB", "4KiB" },
	{ "limits.message", "4096", "4KiB" },
	{ "limits.message", "2047MiB", "2047MiB" },
	{ "limits.message", "2GiB", NULL },
	{ "limits.message", "0", NULL },
	{ "limits.message", "-1", NULL },
	{ "queue.expire", "0", "0ms" },
	{ "queue.expire", "90s", "90s" },
	{ "queue.expire", "60s", "1m" },
	{ "queue.expire", "365d", "365d" },
	{ "queue.expire", "366d", NULL },
	{ "queue.expire", "5", NULL },
	{ "queue.expire", "1.5h", NULL },
	{ "queue.first_retry", "0", NULL },
	{ "queue.first_retry", "1ms", "1ms" },
	{ "deliver.rate", "50/1s", "50/1s" },
	{ "deliver.rate", "50/s", "50/1s" },
	{ "deliver.rate", "1/10s", "1/10s" },
	{ "deliver.rate", "600/60m", "600/1h" },
	{ "deliver.rate", "1000000/1ms", "1000000/1ms" },
	{ "deliver.rate", "1000001/1ms", NULL },
	{ "deliver.rate", "1/1d", "1/1d" },
	{ "deliver.rate", "1/2d", NULL },
	{ "deliver.rate", "none", "none" },
	{ "deliver.rate", "0/1s", NULL },
	{ "deliver.rate", "1/0s", NULL },
	{ "deliver.rate", "1/", NULL },
	{ "deliver.rate", "/1s", NULL },
	{ "deliver.rate", "1", NULL },
	{ "deliver.rate", "", NULL },
	{ "deliver.rate", "1/1s/1s", NULL },
	{ "deliver.rate", "1/secondsandmore", NULL },
	{ "deliver.window", "0", NULL },
	{ "limits.connections_rate", "60/1m", "60/1m" },
	{ "limits.connections_rate", "60", NULL },
	{ "gate.reverse_name", "refuse", "refuse" },
	{ "gate.reverse_name", "yes", NULL },
	{ "gate.timeout", "61s", NULL },
	{ "workers.smtpd", "auto", "auto" },
	{ "workers.smtpd", "64", "64" },
	{ "workers.smtpd", "65", NULL },
	{ "hostname", "Mail.Example.org", "Mail.Example.org" },
	{ "hostname", "a_b.example", NULL },
	{ "reports.postmaster", "a@b.example", "a@b.example" },
	{ "reports.postmaster", "a@", NULL },
	{ "log.level", "debug", "debug" },
	{ "log.level", "Debug", NULL },
	{ "deliver.address_family", "ipv6", "ipv6" },
	{ "content.bare_newline", "normalise", "normalise" },
	{ "reports.language", "en", "en" },
	{ "reports.language", "de", NULL },
	{ "queue.path", "x", "/d/x" },
	{ "queue.path", "/", "/" },
	{ "queue.path", "", NULL },
	{ "queue.path", "a\nb", NULL },
	{ "metrics.address", "127.0.0.1:9125", "127.0.0.1:9125" },
	{ "metrics.address", "127.0.0.1", NULL },
	{ "metrics.address", "*:9125", NULL },
};

Test(conf_value, texts_are_checked_and_printed)
{
	struct arena *arena = arena_new(1 << 20);
	const struct conf_scope scope = { arena, "/d" };
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		const struct conf_row *row = conf_schema_find(
		    &conf_schema_main, span_str(values[i].key));
		void *value = arena_alloc(arena, 1, conf_type_size(row->type));
		struct why why = { "" };
		enum err e = conf_value_parse(row, row->type,
		    span_str(values[i].text), &scope, value, &why);

		cr_expect_eq(e == OK, values[i].printed != NULL, "%s %s",
		    values[i].key, values[i].text);
		if (e != OK) {
			cr_expect_str_not_empty(why.text);
			continue;
		}
		buf_reset(&out);
		conf_value_print(row->type, value, &out);
		cr_expect(span_equal(buf_span(&out),
		    span_str(values[i].printed)), "%s %s: %.*s",
		    values[i].key, values[i].text, (int)out.n, (char *)out.p);
	}
	buf_clear(&out);
	arena_free(&arena);
}

/* An element of gate.blocklists. */
static const struct {
	const char *text;
	const char *printed;	/* NULL: refused */
} lists[] = {
	{ "zen.example.org", "zen.example.org" },
	{ "z.example=127.0.0.2", "z.example=127.0.0.2" },
	{ "z.example=127.0.0.2-11", "z.example=127.0.0.2-11" },
	{ "z.example=127.0.0.2-2", "z.example=127.0.0.2" },
	{ "z.example=127.1.2.0-255", "z.example=127.1.2.0-255" },
	{ "z.example=127.0.0.2-1", NULL },
	{ "z.example=127.0.0.2-256", NULL },
	{ "z.example=127.0.0.2-", NULL },
	{ "z.example=128.0.0.2", NULL },
	{ "z.example=::1", NULL },
	{ "z.example=", NULL },
	{ "=127.0.0.2", NULL },
	{ "example", NULL },
	{ "z example.org", NULL },
	{ "*.example.org", NULL },
	{ ".example.org", NULL },
	{ "", NULL },
};

Test(conf_value, lists_in_the_dns)
{
	struct arena *arena = arena_new(1 << 20);
	const struct conf_scope scope = { arena, "/d" };
	const struct conf_row *row = conf_schema_find(&conf_schema_main,
	    SPAN_LIT("gate.blocklists"));
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		struct conf_dnslist list;
		struct why why = { "" };
		enum err e = conf_value_parse(row, CONF_TYPE_DNSLIST,
		    span_str(lists[i].text), &scope, &list, &why);

		cr_expect_eq(e == OK, lists[i].printed != NULL, "%s",
		    lists[i].text);
		if (e != OK) {
			cr_expect_str_not_empty(why.text);
			continue;
		}
		buf_reset(&out);
		conf_value_print(CONF_TYPE_DNSLIST, &list, &out);
		cr_expect(span_equal(buf_span(&out),
		    span_str(lists[i].printed)), "%s", lists[i].text);
	}
	buf_clear(&out);
	arena_free(&arena);
}

Test(conf_value, answers_of_lists_that_count)
{
	struct arena *arena = arena_new(1 << 20);
	const struct conf_scope scope = { arena, "/d" };
	struct conf_dnslist all, some;

	cr_assert_eq(conf_dnslist_parse(SPAN_LIT("z.example"), &scope, &all,
	    NULL), OK);
	cr_assert_eq(conf_dnslist_parse(SPAN_LIT("z.example=127.0.0.2-11"),
	    &scope, &some, NULL), OK);
	cr_expect(conf_dnslist_counts(&all, 0x7f000000));
	cr_expect(conf_dnslist_counts(&all, 0x7fffffff));
	cr_expect_not(conf_dnslist_counts(&all, 0x7effffff));
	cr_expect_not(conf_dnslist_counts(&all, 0x80000000));
	cr_expect_not(conf_dnslist_counts(&some, 0x7f000001));
	cr_expect(conf_dnslist_counts(&some, 0x7f000002));
	cr_expect(conf_dnslist_counts(&some, 0x7f00000b));
	cr_expect_not(conf_dnslist_counts(&some, 0x7f00000c));
	arena_free(&arena);
}

Test(conf_value, no_memory_is_not_the_texts_fault)
{
	struct arena *arena = arena_new(8);
	const struct conf_scope scope = { arena, "/d" };
	const struct conf_row *row = conf_schema_find(&conf_schema_main,
	    SPAN_LIT("hostname"));
	const char *host = "untouched";

	cr_assert_eq(conf_value_parse(row, row->type,
	    SPAN_LIT("a.quite.long.example"), &scope, &host, NULL),
	    ERR_NOMEM);
	cr_assert_str_eq(host, "untouched");
	arena_free(&arena);
}
