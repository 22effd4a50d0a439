/* Loading: what a good file gives, and what a bad one is told. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/confload/conf_load.h"
#include "tests/unit/confload/load_help.h"

static struct loaded l;

/* Everything that DESIGN.md's example sets and this version does. */
static const char whole[] =
    "hostname: mail.example.org\n"
    "listeners:\n"
    "  - {address: \"*:25\"}\n"
    "  - {address: \"192.0.2.1:2525\"}\n"
    "  - \"[2001:db8::1]:25\"\n"
    "relay:\n"
    "  networks: [127.0.0.0/8, \"::1/128\", 10.0.0.0/8, 192.0.2.7]\n"
    "  domains: [example.org, .Example.net]\n"
    "routes:\n"
    "  - {to: example.org, via: \"smtp://mailbox.internal:2525\"}\n"
    "  - {from: \"*@shop.example.org\", via: [\"smtp://a.example.net\", "
    "\"smtp://[2001:db8::2]:26\"]}\n"
    "  - {to: [a.example, \"*.b.example\"], via: \"smtp://192.0.2.9\"}\n"
    "  - {to: \"*\", via: mx, tls: none}\n"
    "queue: {path: spool, first_retry: 500ms, max_retry: 10s, warn: 1h, "
    "expire: 2d, report_expire: 3d}\n"
    "reports: {head: 4KiB, postmaster: boss@example.org, language: en}\n"
    "limits: {message: 1MiB, recipients: 10, connections: 20, "
    "connections_per_client: 5, hops: 30, command_timeout: 7s, "
    "body_memory: 1MiB, errors: 3, data_timeout: 9s}\n"
    "content: {bare_newline: normalise}\n"
    "dns: {servers: [\"127.0.0.1:5353\", 192.0.2.53, \"::1\"], "
    "timeout: 2s}\n"
    "deliver: {port: 2500, connect_timeout: 1s, reply_timeout: 2s, "
    "helo: out.example.org, address_family: ipv4, connections: 4}\n"
    "workers: {smtpd: 2, deliverd: 3}\n"
    "runtime: ./run\n"
    "log: {level: debug, format: json, file: logs/mtad.log}\n";

Test(conf_load, whole_file_is_taken_over)
{
	const struct conf *c;

	load_help(&l, whole);
	cr_assert_eq(l.e, OK, "%s", l.text);
	cr_assert_str_empty(l.text);
	c = l.conf;
	cr_assert_str_eq(c->hostname, "mail.example.org");
	cr_assert_eq(c->listeners.n, 3);
	cr_assert_eq(c->listeners.v[0].address.kind, CONF_ADDRESS_ANY);
	cr_assert_eq(c->listeners.v[0].address.endpoint.port, 25);
	cr_assert_eq(c->listeners.v[0].service, CONF_SERVICE_MX);
	cr_assert_eq(c->listeners.v[1].address.endpoint.port, 2525);
	cr_assert_eq(c->listeners.v[2].address.endpoint.addr.family, IPADDR_6);
	cr_assert_eq(c->relay.networks.n, 4);
	cr_assert_eq(c->relay.networks.v[2].bits, 8);
	cr_assert_eq(c->relay.networks.v[3].bits, 32);
	cr_assert_eq(c->relay.domains.n, 2);
	cr_assert_str_eq(c->queue.path, "/etc/mtad/spool");
	cr_assert_eq(c->queue.first_retry_ms, 500);
	cr_assert_eq(c->queue.max_retry_ms, 10000);
	cr_assert_eq(c->queue.expire_ms, 2 * 86400000);
	cr_assert_eq(c->reports.head_bytes, 4096);
	cr_assert_str_eq(c->reports.postmaster, "boss@example.org");
	cr_assert_eq(c->limits.message_bytes, 1048576);
	cr_assert_eq(c->limits.recipients, 10);
	cr_assert_eq(c->limits.connections, 20);
	cr_assert_eq(c->limits.connections_per_client, 5);
	cr_assert_eq(c->limits.hops, 30);
	cr_assert_eq(c->limits.command_timeout_ms, 7000);
	cr_assert_eq(c->limits.body_memory_bytes, 1048576);
	cr_assert_eq(c->content.bare_newline, CONF_NEWLINE_NORMALISE);
	cr_assert_eq(c->dns.servers.n, 3);
	cr_assert_eq(c->dns.servers.v[0].port, 5353);
	cr_assert_eq(c->dns.servers.v[1].port, 53);
	cr_assert_eq(c->dns.servers.v[2].port, 53);
	cr_assert_eq(c->deliver.port, 2500);
	cr_assert_str_eq(c->deliver.helo, "out.example.org");
	cr_assert_eq(c->deliver.address_family, CONF_FAMILY_IPV4);
	cr_assert_eq(c->workers.smtpd, 2);
	cr_assert_eq(c->workers.deliverd, 3);
	cr_assert_str_eq(c->runtime, "/etc/mtad/run");
	cr_assert_eq(c->log.level, CONF_LEVEL_DEBUG);
	cr_assert_eq(c->log.format, CONF_FORMAT_JSON);
	cr_assert_str_eq(c->log.file, "/etc/mtad/logs/mtad.log");
	load_help_free(&l);
}

Test(conf_load, routes_are_taken_apart)
{
	const struct conf_routes *r;

	load_help(&l, whole);
	cr_assert_eq(l.e, OK, "%s", l.text);
	r = &l.conf->routes;
	cr_assert_eq(r->n, 4);
	cr_assert_str_eq(r->v[0].to.v[0], "example.org");
	cr_assert_str_eq(r->v[0].from.v[0], "*");
	cr_assert_eq(r->v[0].via.v[0].scheme, CONF_SCHEME_SMTP);
	cr_assert_str_eq(r->v[0].via.v[0].host, "mailbox.internal");
	cr_assert_eq(r->v[0].via.v[0].port, 2525);
	cr_assert_eq(r->v[1].via.n, 2);
	cr_assert_str_eq(r->v[1].to.v[0], "*");
	cr_assert_eq(r->v[1].via.v[0].port, 0);
	cr_assert(r->v[1].via.v[1].is_address);
	cr_assert_str_eq(r->v[1].via.v[1].host, "2001:db8::2");
	cr_assert_eq(r->v[2].to.n, 2);
	cr_assert(r->v[2].via.v[0].is_address);
	cr_assert_eq(r->v[3].via.v[0].scheme, CONF_SCHEME_MX);
	cr_assert_eq(r->v[3].tls, CONF_ROUTE_TLS_NONE);
	load_help_free(&l);
}

/* By which people are told of a rule. */
Test(conf_load, routes_know_their_lines)
{
	load_help(&l, whole);
	cr_assert_str_eq(l.conf->file, "/etc/mtad/t.yaml");
	cr_assert_eq(l.conf->routes.v[0].line, 10);
	cr_assert_eq(l.conf->routes.v[3].line, 13);
	load_help_free(&l);
	load_help(&l, "hostname: a.example\nroutes:\n\n # one\n"
	    "  - to: b.example\n    via: mx\n  - via: mx\n");
	cr_assert_eq(l.conf->routes.v[0].line, 5);
	cr_assert_eq(l.conf->routes.v[1].line, 7);
	load_help_free(&l);
}

Test(conf_load, routes_have_curves_and_limits)
{
	const struct conf_route *r;

	load_help(&l, "hostname: a.example\nroutes:\n"
	    " - {via: mx, retry: {first: 5s, max: 10s, warn: 0, expire: 1h},\n"
	    "    limits: {connections: 2, rate: 1/10s, window: 3}}\n"
	    " - {to: b.example, via: mx}\ndeliver: {rate: 50/s}\n");
	cr_assert_eq(l.e, OK, "%s", l.text);
	r = l.conf->routes.v;
	cr_assert_eq(r[0].retry_first_ms, 5000);
	cr_assert_eq(r[0].retry_max_ms, 10000);
	cr_assert_eq(r[0].retry_warn_ms, 0);
	cr_assert_eq(r[0].retry_expire_ms, 3600000);
	cr_assert_eq(r[0].limits_connections, 2);
	cr_assert_eq(r[0].limits_rate.count, 1);
	cr_assert_eq(r[0].limits_rate.period_ms, 10000);
	cr_assert_eq(r[0].limits_window, 3);
	/* what is not said is not 0 */
	cr_assert_eq(r[1].retry_warn_ms, -1);
	cr_assert_eq(r[1].limits_rate.period_ms, 0);
	cr_assert_eq(l.conf->deliver.rate.count, 50);
	cr_assert_eq(l.conf->deliver.rate.period_ms, 1000);
	load_help_free(&l);
}

/* An empty file relays for this host only. */
Test(conf_load, nothing_gives_the_safe_defaults)
{
	static const char *const nothing[] = {
		"", "\n\n", "# only a comment\n", "---\n...\n", "~\n",
		"relay:\nlimits:\n  # nothing\n",
	};

	for (size_t i = 0; i < COUNT_OF(nothing); i++) {
		const struct conf *c;

		load_help(&l, nothing[i]);
		cr_assert_eq(l.e, OK, "%zu: %s", i, l.text);
		cr_expect_eq(l.report.has_keys, nothing[i][0] == 'r');
		c = l.conf;
		cr_assert_eq(c->listeners.n, 2);
		cr_assert(ipaddr_is_loopback(
		    &c->listeners.v[0].address.endpoint.addr));
		cr_assert(ipaddr_is_loopback(
		    &c->listeners.v[1].address.endpoint.addr));
		cr_assert_eq(c->listeners.v[1].address.endpoint.port, 25);
		cr_assert_eq(c->relay.networks.n, 2);
		cr_assert_eq(c->relay.domains.n, 0);
		cr_assert_eq(c->routes.n, 0);
		cr_assert_eq(c->queue.first_retry_ms, 60000);
		cr_assert_eq(c->queue.max_retry_ms, 3600000);
		cr_assert_eq(c->queue.warn_ms, 4 * 3600000);
		cr_assert_eq(c->queue.expire_ms, 5 * 86400000);
		cr_assert_str_eq(c->queue.path, "/var/spool/mtad");
		cr_assert_str_eq(c->runtime, "/run/mtad");
		cr_assert_eq(c->limits.message_bytes, 50 << 20);
		cr_assert_eq(c->limits.recipients, 1000);
		cr_assert_eq(c->limits.connections, 2000);
		cr_assert_eq(c->limits.connections_per_client, 50);
		cr_assert_eq(c->limits.hops, 100);
		cr_assert_eq(c->limits.command_timeout_ms, 300000);
		cr_assert_eq(c->limits.body_memory_bytes, 64 << 20);
		cr_assert_eq(c->reports.head_bytes, 65536);
		cr_assert_eq(c->deliver.port, 25);
		cr_assert_eq(c->deliver.connect_timeout_ms, 30000);
		cr_assert_eq(c->deliver.reply_timeout_ms, 300000);
		cr_assert_eq(c->dns.servers.n, 0);
		cr_assert_eq(c->content.bare_newline, CONF_NEWLINE_REFUSE);
		cr_assert_geq(c->workers.smtpd, 1);
		cr_assert_str_not_empty(c->hostname);
		cr_assert_str_eq(c->deliver.helo, c->hostname);
		load_help_free(&l);
	}
}

/* Each wrong file, and the beginning of what is said about it. */
static const struct bad {
	const char *file;
	const char *says;
} bads[] = {
	{ "listner: []\n",
	    "t.yaml:1:1: unknown key 'listner'; did you mean 'listeners'?\n"
	    "  listner: []\n"
	    "  ^\n" },
	{ "limits:\n  hop: 3\n",
	    "t.yaml:2:3: unknown key 'hop'; did you mean 'hops'?\n"
	    "    hop: 3\n"
	    "    ^\n" },
	{ "hops: 3\n",
	    "t.yaml:1:1: unknown key 'hops' here; did you mean "
	    "'limits.hops'?\n" },
	{ "zzzzzz: 3\n", "t.yaml:1:1: unknown key 'zzzzzz'\n" },
	{ "limits: {connection: 3}\n",
	    "t.yaml:1:10: unknown key 'connection'; did you mean "
	    "'connections'?\n"
	    "  limits: {connection: 3}\n"
	    "           ^\n" },
	{ "hostname: a.example\nhostname: b.example\n",
	    "t.yaml:2:1: duplicate key 'hostname': it stands in line 1 "
	    "already\n" },
	{ "limits: {hops: 1}\nlimits: {hops: 2}\n",
	    "t.yaml:2:1: duplicate key 'limits': it stands in line 1 "
	    "already\n" },
	{ "limits: {hops: 1, hops: 1}\n",
	    "t.yaml:1:19: duplicate key 'hops'" },
	{ "listeners: [{address: \"*:25\", address: \"*:26\"}]\n",
	    "t.yaml:1:31: duplicate key 'address'" },
	{ "limits: {message: 50MB0}\n",
	    "t.yaml:1:19: limits.message: expected a size such as 4KiB, "
	    "50MiB or 1048576\n"
	    "  limits: {message: 50MB0}\n"
	    "                    ^\n" },
	{ "limits: {hops: -1}\n",
	    "t.yaml:1:16: limits.hops: expected a number\n" },
	{ "limits: {hops: 0}\n",
	    "t.yaml:1:16: limits.hops: must be between 1 and 1000\n" },
	{ "limits: {hops: 99999999999999999999}\n",
	    "t.yaml:1:16: limits.hops: must be between" },
	{ "queue: {expire: 5}\n",
	    "t.yaml:1:17: queue.expire: expected a duration such as 500ms, "
	    "10s, 5m, 2h or 3d\n" },
	{ "queue: {expire: 400w}\n",
	    "t.yaml:1:17: queue.expire: must be between 0" },
	{ "log: {level: warn}\n",
	    "t.yaml:1:14: log.level: expected one of error, warning, info, "
	    "debug" },
	{ "content: {bare_newline: normalize}\n",
	    "t.yaml:1:25: content.bare_newline: expected one of refuse, "
	    "normalise; did you mean 'normalise'?\n" },
	{ "hostname: under_score.example\n",
	    "t.yaml:1:11: hostname: expected a host name such as" },
	{ "hostname: \"\"\n", "t.yaml:1:11: hostname: must not be empty\n" },
	{ "hostname:\n", "t.yaml:1:10: hostname has no value\n" },
	{ "hostname: [a.example]\n",
	    "t.yaml:1:11: hostname: expected a single value\n" },
	{ "limits: 5\n", "t.yaml:1:9: limits: expected keys and values\n" },
	{ "relay: {networks: }\n",
	    "t.yaml:1:19: relay.networks has no value; write [] for an "
	    "empty list\n" },
	{ "relay: {networks: [10.0.0.1/8]}\n",
	    "t.yaml:1:20: relay.networks: this is an address, not a "
	    "network" },
	{ "relay: {networks: [example.org]}\n",
	    "t.yaml:1:20: relay.networks: expected an address or a network" },
	{ "relay: {domains: [\"*\"]}\n",
	    "t.yaml:1:19: relay.domains: * would make this an open relay" },
	{ "relay: {domains: [user@example.org]}\n",
	    "t.yaml:1:19: relay.domains: expected a domain" },
	{ "relay: {domains: {a: b}}\n",
	    "t.yaml:1:18: relay.domains: expected a list" },
	{ "relay: {domains: [[a.example]]}\n",
	    "t.yaml:1:19: relay.domains: expected plain values\n" },
	{ "listeners: [{address: 25}]\n",
	    "t.yaml:1:23: listeners[].address: a port alone is not enough; "
	    "did you mean \"*:25\"?\n" },
	{ "listeners: [{address: \"localhost:25\"}]\n",
	    "t.yaml:1:23: listeners[].address: expected an address and a "
	    "port" },
	{ "listeners: [{address: \"127.0.0.1:0\"}]\n",
	    "t.yaml:1:23: listeners[].address: expected" },
	{ "listeners: [{service: mx}]\n",
	    "t.yaml:1:13: listeners[].address is missing\n" },
	{ "listeners: [{address: *:25}]\n",
	    "t.yaml:1:23: a value that begins with '*' needs quotes" },
	{ "routes: [{to: *.example.org, via: mx}]\n",
	    "t.yaml:1:15: a value that begins with '*' needs quotes" },
	{ "routes: [{to: *all, via: mx}]\n",
	    "t.yaml:1:15: a value that begins with '*' needs quotes" },
	{ "routes: [\"smtp://relay.example\"]\n",
	    "t.yaml:1:10: routes: expected a rule such as" },
	{ "routes: {to: \"*\", via: mx}\n",
	    "t.yaml:1:9: routes: expected a list" },
	{ "routes: [{to: example.org}]\n",
	    "t.yaml:1:10: routes[].via is missing\n" },
	{ "routes: [{to: [], via: mx}]\n",
	    "t.yaml:1:15: routes[].to must not be empty\n" },
	{ "routes: [{to: \"a*b\", via: mx}]\n",
	    "t.yaml:1:15: routes[].to: expected *, example.org" },
	{ "routes: [{to: \"<>\", via: mx}]\n",
	    "t.yaml:1:15: routes[].to: nobody sends to the null address" },
	{ "routes: [{via: relay.example.org}]\n",
	    "t.yaml:1:16: routes[].via: expected mx, or smtp://host:port" },
	{ "routes: [{via: \"smtp://host:0\"}]\n",
	    "t.yaml:1:16: routes[].via: expected a port" },
	{ "routes: [{via: \"smtp://192.0.2.300\"}]\n",
	    "t.yaml:1:16: routes[].via: expected the name or the address" },
	{ "routes: [{via: \"smtp://[relay.example.org]\"}]\n",
	    "t.yaml:1:16: routes[].via: brackets are for IPv6" },
	{ "routes: [{via: \"smtp://2001:db8::1\"}]\n",
	    "t.yaml:1:16: routes[].via: an IPv6 address stands in brackets" },
	{ "routes: [{via: \"smtp://u:secret@h.example\"}]\n",
	    "t.yaml:1:16: routes[].via: a user name has no blank" },
	{ "routes: [{via: \"lmtp:///\\x01\"}]\n",
	    "t.yaml:1:16: routes[].via: expected a path" },
	{ "routes: [{via: \"smtp:///run/x\"}]\n",
	    "t.yaml:1:16: routes[].via: expected the name or the address" },
	{ "routes: [{via: mx, size: 10MiB}]\n",
	    "t.yaml:1:26: routes[].size: expected >, >=, < or <= and a size" },
	{ "routes: [{via: mx, size: \">\"}]\n",
	    "t.yaml:1:26: routes[].size: expected >, >=, < or <=" },
	{ "routes: [{via: mx, size: \"=<1\"}]\n",
	    "t.yaml:1:26: routes[].size: expected >, >=, < or <=" },
	{ "routes: [{via: mx, header: X-Route}]\n",
	    "t.yaml:1:28: routes[].header: expected a field's name, a colon" },
	{ "routes: [{via: mx, header: \": x\"}]\n",
	    "t.yaml:1:28: routes[].header: expected a field's name" },
	{ "routes: [{via: mx, header: \"a b: x\"}]\n",
	    "t.yaml:1:28: routes[].header: expected a field's name" },
	{ "routes: [{via: mx, client: 10.0.0.1/8}]\n",
	    "t.yaml:1:28: routes[].client: this is an address, not a" },
	{ "routes: [{via: [mx, \"smtp://a.example\"]}]\n"
	    "hostname: a.example\n",
	    "t.yaml:1:10: mx stands alone in `via`" },
	{ "routes: [{via: mx, auth: {usr: x}}]\n",
	    "t.yaml:1:27: unknown key 'usr'; did you mean 'user'?\n" },
	{ "deliver: {port: 70000}\n",
	    "t.yaml:1:17: deliver.port: must be between 1 and 65535\n" },
	{ "workers: {smtpd: many}\n",
	    "t.yaml:1:18: workers.smtpd: expected a number or auto\n" },
	{ "dns: {servers: [dns.example.org]}\n",
	    "t.yaml:1:17: dns.servers: expected an address, perhaps with" },
	{ "- a\n- b\n",
	    "t.yaml:1:1: expected keys and values such as" },
	{ "just text\n", "t.yaml:1:1: expected keys and values such as" },
	{ "a: &x 1\n", "t.yaml:1:4: a value that begins with '*' needs" },
	{ "hostname: !!str a.example\n",
	    "t.yaml:1:11: YAML's tags are not used here\n" },
	{ "hostname: a.example\n---\nhostname: b.example\n",
	    "t.yaml:2:1: a second document; there can be one only\n" },
	{ "limits:\n\thops: 3\n",
	    "t.yaml:2:1: YAML allows no tab" },
	{ "limits: {hops: 3\n", "t.yaml:2:1: " },
	{ "? [a]\n: b\n", "t.yaml:1:3: a key is a plain word\n" },
	{ "hostname: \"a\\0b\"\n", "t.yaml:1:11: a NUL has no place here\n" },
	{ "log: {file: \"a\\x07b\"}\n",
	    "t.yaml:1:13: log.file: expected a path\n" },
	{ "a: \xff\n", "t.yaml: not UTF-8 text" },
};

Test(conf_load, wrong_files_are_explained)
{
	for (size_t i = 0; i < COUNT_OF(bads); i++) {
		const struct bad *bad = &bads[i];

		load_help(&l, bad->file);
		cr_expect_eq(l.e, ERR_SYNTAX, "%s: %d", bad->file, l.e);
		cr_expect_null(l.conf);
		cr_expect_eq(strncmp(l.text, bad->says, strlen(bad->says)), 0,
		    "%sgave\n%sinstead of\n%s", bad->file, l.text, bad->says);
		load_help_free(&l);
	}
}

Test(conf_load, all_errors_come_at_once_in_the_order_of_the_file)
{
	load_help(&l,
	    "limits: {hops: x}\n"
	    "hostnam: a\n"
	    "queue: {warn: 1}\n"
	    "routes:\n"
	    "  - {via: nothing}\n"
	    "  - {to: a b, via: mx}\n");
	cr_assert_eq(l.report.n_errors, 5, "%s", l.text);
	cr_assert_neq(strstr(l.text, "t.yaml:1:16:"), NULL);
	cr_assert_lt(strstr(l.text, "t.yaml:2:1:"),
	    strstr(l.text, "t.yaml:3:15:"));
	cr_assert_lt(strstr(l.text, "t.yaml:5:11:"),
	    strstr(l.text, "t.yaml:6:10:"));
	load_help_free(&l);
}

/* Not built yet: an error where ignoring it would hurt, else a warning. */
static const struct later {
	const char *file;
	const char *says;
	enum err e;
} laters[] = {
	{ "listeners: [{address: \"/run/mtad/submit.sock\"}]\n",
	    "socket file is not available", ERR_SYNTAX },
	{ "aliases: a\n", "aliases is not available", ERR_SYNTAX },
	{ "metrics: {address: \"127.0.0.1:9125\"}\n",
	    "warning: metrics.address", OK },
};

Test(conf_load, what_is_not_built_yet_is_said)
{
	for (size_t i = 0; i < COUNT_OF(laters); i++) {
		load_help(&l, laters[i].file);
		cr_expect_eq(l.e, laters[i].e, "%s%s", laters[i].file,
		    l.text);
		cr_expect_neq(strstr(l.text, laters[i].says), NULL,
		    "%s%s", laters[i].file, l.text);
		load_help_free(&l);
	}
}

/* T48: bombs, floods, depth, size: bounded, and an error. */
Test(conf_load, T48_floods_are_bounded)
{
	static char big[CONF_LOAD_MAX + 2];
	size_t n = 0;

	memset(big, 'a', sizeof(big));
	load_help_span(&l, span_of(big, sizeof(big)));
	cr_assert_eq(l.e, ERR_SYNTAX);
	cr_assert_str_eq(l.text, "t.yaml: larger than 1048576 bytes\n");
	load_help_free(&l);

	memset(big, '[', 100000);
	load_help_span(&l, span_of(big, 100000));
	cr_assert_eq(l.e, ERR_SYNTAX);
	cr_assert_neq(strstr(l.text, "nested too deeply"), NULL);
	load_help_free(&l);

	while (n + 8 < CONF_LOAD_MAX) {
		memcpy(big + n, "q: 1\n", 5);
		n += 5;
	}
	load_help_span(&l, span_of(big, n));
	cr_assert_eq(l.e, ERR_SYNTAX);
	cr_assert_eq(l.report.n, CONF_REPORT_MAX, "%zu", l.report.n);
	load_help_free(&l);

	for (n = 0; n + 4 < CONF_LOAD_MAX; n += 4)
		memcpy(big + n, "- a\n", 4);
	load_help_span(&l, span_of(big, n));
	cr_assert_eq(l.e, ERR_SYNTAX, "%s", l.text);
	load_help_free(&l);
}

/* What a file says about itself reaches no terminal as a command. */
Test(conf_load, reports_are_plain_text)
{
	load_help(&l, "\"\\x1b[31mred\\u009b\": 1\n");
	cr_assert_eq(l.e, ERR_SYNTAX);
	cr_assert_neq(strstr(l.text, "unknown key '?[31mred?\?'"), NULL, "%s",
	    l.text);
	load_help_free(&l);
}

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

Test(conf_load, files_are_read_and_missing_ones_explained)
{
	char dir[] = "/tmp/mtad-conf-XXXXXX", path[64], spool[64], text[256];
	struct conf_report report;
	struct conf *conf = NULL;
	struct buf out;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/mtad.yaml", dir);
	snprintf(spool, sizeof(spool), "%s/spool", dir);
	write_file(path, "hostname: a.example\nqueue: {path: spool}\n");
	conf_report_init(&report, path);
	cr_assert_eq(conf_load_file(path, &report, &conf), OK);
	cr_assert_str_eq(conf->queue.path, spool);
	conf_free(&conf);

	/* relative to where we are */
	cr_assert_eq(chdir(dir), 0);
	cr_assert_eq(conf_load_file("mtad.yaml", &report, &conf), OK);
	cr_assert_str_eq(conf->queue.path, spool);
	conf_free(&conf);
	conf_report_clear(&report);

	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(conf_load_file(path, &report, &conf), ERR_IO);
	cr_assert_null(conf);
	buf_init(&out, 4096);
	conf_report_print(&report, false, &out);
	snprintf(text, sizeof(text), "%s: No such file or directory\n", path);
	cr_assert(span_equal(buf_span(&out), span_str(text)), "%.*s",
	    (int)out.n, (char *)out.p);
	buf_clear(&out);
	conf_report_clear(&report);
	cr_assert_eq(rmdir(dir), 0);
}

/* The file that is installed: as it is, and with every line of it in effect
 * (what stands behind `#` without one blank is not a sentence). */
Test(conf_load, the_installed_file_is_right)
{
	static char as_is[16384], in_effect[16384];
	const char *source = getenv("MTAD_SOURCE");
	char path[4096], line[256];
	FILE *file;

	if (source == NULL)
		cr_skip_test("MTAD_SOURCE is not set");
	snprintf(path, sizeof(path), "%s/etc/mtad.yaml", source);
	cr_assert_not_null(file = fopen(path, "r"), "%s", path);
	while (fgets(line, sizeof(line), file) != NULL) {
		bool is_sentence = line[0] != '#' ||
		    (line[1] == ' ' && line[2] != ' ') || line[1] == '\n';

		cr_assert_lt(strlen(as_is) + sizeof(line), sizeof(as_is));
		strcat(as_is, line);
		strcat(in_effect, line + (is_sentence ? 0 : 1));
	}
	fclose(file);
	load_help(&l, as_is);
	cr_assert_eq(l.e, OK, "%s", l.text);
	cr_assert_eq(l.conf->listeners.n, 2);
	load_help_free(&l);
	load_help(&l, in_effect);
	cr_assert_eq(l.e, OK, "%s", l.text);
	cr_assert_str_eq(l.conf->hostname, "mail.example.org");
	cr_assert_eq(l.conf->routes.n, 6);
	load_help_free(&l);
}

/* However it is cut, a file is an error or a configuration, never a crash. */
Test(conf_load, cut_and_flipped_files_are_survived)
{
	static char file[sizeof(whole)];

	for (size_t n = 0; n < sizeof(whole) - 1; n += 3) {
		load_help_span(&l, span_of(whole, n));
		cr_assert((l.e == OK) == (l.conf != NULL));
		load_help_free(&l);
	}
	for (size_t bit = 0; bit < (sizeof(whole) - 1) * 8; bit += 7) {
		memcpy(file, whole, sizeof(file));
		file[bit / 8] ^= (char)(1 << bit % 8);
		load_help_span(&l, span_of(file, sizeof(file) - 1));
		cr_assert((l.e == OK) == (l.conf != NULL));
		load_help_free(&l);
	}
}
