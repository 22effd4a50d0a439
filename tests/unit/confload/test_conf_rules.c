/* What holds between values, and what is filled in. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/check.h"
#include "tests/unit/confload/load_help.h"

#define HOST "hostname: a.example\n"

static struct loaded l;

static const struct rule {
	const char *file;
	const char *says;	/* "" for nothing */
	enum err e;
} rules[] = {
	{ HOST "queue: {first_retry: 2h, max_retry: 1h}\n",
	    "t.yaml:2:22: queue.first_retry is longer", ERR_SYNTAX },
	{ HOST "queue: {warn: 5d, expire: 5d}\n",
	    "t.yaml:2:15: warning: queue.warn is not before", OK },
	{ HOST "queue: {expire: 3s}\n", "", OK },
	{ HOST "queue: {warn: 0, expire: 0}\n", "", OK },
	{ HOST "listeners: []\n", "t.yaml:2:12: warning: no listener", OK },
	{ HOST "listeners: [\"*:25\", \"127.0.0.1:25\", \"*:25\"]\n",
	    "t.yaml:2:37: this address is already the one of listener 1",
	    ERR_SYNTAX },
	{ HOST "listeners: [\"[::1]:25\", \"[0::1]:25\"]\n",
	    "already the one of listener 1", ERR_SYNTAX },
	{ HOST "listeners: \"127.0.0.1:2525\"\n", "", OK },
	{ HOST "relay: {networks: [0.0.0.0/0]}\n",
	    "t.yaml:2:19: warning: everybody may send to everybody", OK },
	{ HOST "relay: {networks: [\"::/0\"]}\n",
	    "warning: everybody may send to everybody", OK },
	{ HOST "relay: {networks: []}\n", "", OK },
	{ HOST "listeners: [{address: \"*:25\", proxy: [0.0.0.0/0]}]\n",
	    "warning: everybody may say that he is anybody", OK },
	{ HOST "listeners:\n - \"*:25\"\n - {address: \"*:26\", xclient: "
	    "[10.0.0.0/8, \"::/0\"]}\n",
	    "t.yaml:4:4: warning: everybody may say that he is anybody", OK },
	{ HOST "listeners: [{address: \"*:25\", proxy: 10.0.0.1/32}]\n", "",
	    OK },
	{ HOST "gate: {allowlists: [a.example]}\n",
	    "t.yaml:2:20: warning: gate.allowlists does nothing without", OK },
	{ HOST "gate: {allowlists: [a.example], blocklists: b.example}\n", "",
	    OK },
	{ HOST "routes: [{to: a.example, via: mx}, {via: mx}]\n", "", OK },
	{ HOST "routes:\n - {via: mx}\n - {to: b.example, via: mx}\n",
	    "t.yaml:4:4: warning: never reached: route 1 takes all", OK },
	{ HOST "routes:\n - {via: mx, from: \"<>\"}\n - {via: mx}\n", "",
	    OK },
	{ HOST "routes:\n - {via: mx, size: \">1M\"}\n - {via: mx, user: "
	    "a}\n - {via: mx, client: 10.0.0.1}\n - {via: mx, header: "
	    "\"a: b\"}\n - {via: mx}\n", "", OK },
	{ HOST "routes:\n - {via: mx, header: [\"a: x\", \"b: x\", \"c: x\", "
	    "\"d: x\", \"e: x\", \"f: x\", \"g: x\", \"A: y\"]}\n"
	    " - {via: mx, header: \"h: x\"}\n", "", OK },
	{ HOST "routes:\n - {via: mx, header: [\"a: x\", \"b: x\", \"c: x\", "
	    "\"d: x\", \"e: x\", \"f: x\", \"g: x\", \"A: y\"]}\n"
	    " - {via: mx, header: [\"h: x\", \"i: x\"]}\n",
	    "t.yaml:4:4: rules ask for more than 8 header fields", ERR_SYNTAX },
	{ HOST "routes:\n - {via: hold}\n - {via: mx}\n", "", OK },
	{ HOST "routes:\n - {via: [hold, discard]}\n",
	    "t.yaml:3:4: hold stands alone in `via`", ERR_SYNTAX },
	{ HOST "routes:\n - {via: refuse, text: \"5.1.1 x\"}\n", "", OK },
	{ HOST "routes:\n - {via: refuse, text: \"4.1.1 x\"}\n",
	    "text begins with a code that is none", ERR_SYNTAX },
	{ HOST "routes:\n - {via: refuse, text: \"550 x\"}\n",
	    "text begins with a code that is none", ERR_SYNTAX },
	{ HOST "routes:\n - {via: refuse, text: \"\u00e9\"}\n",
	    "no letters beyond ASCII", ERR_SYNTAX },
	{ HOST "routes:\n - {via: mx, masquerade: [example.org]}\n", "", OK },
	{ HOST "routes:\n - {via: mx, masquerade: [.example.org]}\n",
	    "masquerade: `.example.org` is to be the domain itself",
	    ERR_SYNTAX },
	{ HOST "routes:\n - {via: mx, srs: srs.example}\n",
	    "t.yaml:3:4: srs needs srs.secret_file", ERR_SYNTAX },
	{ HOST "srs: {secret_file: s}\nroutes:\n - {via: mx, "
	    "srs: srs.example}\n", "", OK },
	{ HOST "routes:\n - {via: mx, source: [192.0.2.1, \"2001:db8::1\"]}\n",
	    "", OK },
	{ HOST "routes:\n - {via: mx, source: 192.0.2.0/24}\n",
	    "t.yaml:3:4: source: expected addresses of this host", ERR_SYNTAX },
	{ HOST "routes:\n - {via: mx, source: 0.0.0.0}\n",
	    "source: expected addresses of this host", ERR_SYNTAX },
	{ HOST "routes:\n - {via: mx, source: 192.0.2.1, "
	    "address_family: ipv6}\n",
	    "source has no address of address_family", ERR_SYNTAX },
	{ HOST "routes:\n - {via: \"smtp://[2001:db8::2]\", "
	    "source: 192.0.2.1}\n", "source has no address of the family of "
	    "2001:db8::2", ERR_SYNTAX },
	{ HOST "deliver: {source: \"2001:db8::1\", address_family: ipv4}\n",
	    "deliver.source has no address of address_family", ERR_SYNTAX },
	{ HOST "routes:\n - {via: [\"smtp://a.example\", "
	    "\"smtp://b.example\"], share: 3}\n",
	    "share: there are no 3 hosts in `via`", ERR_SYNTAX },
	{ HOST "routes:\n - {via: [\"smtp://a.example\", "
	    "\"smtp://b.example\"], share: 2}\n", "", OK },
	{ HOST "routes:\n - {via: discard, text: x}\n",
	    "text is for `via: refuse`", ERR_SYNTAX },
	{ HOST "routes:\n - {via: mx, retry: {first: 2m, max: 1m}}\n",
	    "t.yaml:3:4: retry.first is longer than retry.max", ERR_SYNTAX },
	{ HOST "routes: [{via: mx, retry: {first: 2h}}]\n", "", OK },
	{ HOST "routes: [{via: mx, retry: {max: 1s}}]\n", "", OK },
	{ HOST "routes: [{via: mx, auth: {user: u}}]\n",
	    "auth.password_file and a user go together", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://u@h.example\"}]\n",
	    "auth.password_file and a user go together", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://h.example\", "
	    "auth: {password_file: f}}]\n",
	    "auth.user and auth.password_file go together", ERR_SYNTAX },
	{ HOST "routes: [{via: mx, auth: {user: u, password_file: f}}]\n",
	    "a password is for hosts that are named", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://h.example\", tls: none, "
	    "auth: {user: u, password_file: f}}]\n",
	    "is told no password", OK },
	{ HOST "routes: [{via: \"smtp://h.example\", tls_key: k}]\n",
	    "tls_certificate and tls_key go together", ERR_SYNTAX },
	{ HOST "routes: [{via: mx, tls: none, tls_key: k, "
	    "tls_certificate: c}]\n", "there is no TLS to show", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://h.example\", "
	    "auth: {mechanism: external}}]\n",
	    "external needs tls_certificate and tls_key", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://h.example\", "
	    "auth: {mechanism: login}}]\n",
	    "this auth.mechanism needs auth.password_file", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://h.example\", auth: {user: u, "
	    "token_url: \"https://t\", client_id: c, "
	    "refresh_token_file: f}}]\n", "", OK },
	{ HOST "routes: [{via: \"smtp://u@h.example\", auth: {scope: \"a b\", "
	    "token_url: \"https://t\", client_id: c, mechanism: xoauth2, "
	    "client_secret_file: f}}]\n", "", OK },
	{ HOST "routes: [{via: \"smtp://u@h.example\", auth: {"
	    "token_url: \"http://t\", client_id: c, "
	    "client_secret_file: f}}]\n", "is to be https://host", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://u@h.example\", auth: {"
	    "token_url: \"https://a@t/\", client_id: c, "
	    "client_secret_file: f}}]\n", "is to be https://host", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://u@h.example\", auth: {"
	    "token_url: \"https://t\", client_secret_file: f}}]\n",
	    "auth.token_url needs auth.client_id", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://u@h.example\", auth: {"
	    "token_url: \"https://t\", client_id: c}}]\n",
	    "auth.token_url needs auth.client_id", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://h.example\", auth: {"
	    "token_url: \"https://t\", client_id: c, "
	    "refresh_token_file: f}}]\n",
	    "auth.user and auth.token_url go together", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://u@h.example\", auth: {"
	    "token_url: \"https://t\", client_id: c, password_file: p, "
	    "refresh_token_file: f}}]\n", "token_url stands alone",
	    ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://h.example\", auth: {client_id: c}}]\n",
	    "belong to auth.token_url", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://u@h.example\", auth: {"
	    "mechanism: oauthbearer, password_file: p}}]\n",
	    "this auth.mechanism needs auth.token_url", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://u@h.example\", auth: {"
	    "token_url: \"https://t\", client_id: c, mechanism: plain, "
	    "refresh_token_file: f}}]\n",
	    "this auth.mechanism needs auth.password_file", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://u@h.example\", tls: none, auth: {"
	    "token_url: \"https://t\", client_id: c, "
	    "refresh_token_file: f}}]\n", "no token is told in clear",
	    ERR_SYNTAX },
	{ HOST "routes: [{via: mx, auth: {user: u, "
	    "token_url: \"https://t\", client_id: c, "
	    "refresh_token_file: f}}]\n",
	    "a password is for hosts that are named", ERR_SYNTAX },
	{ HOST "routes: [{via: \"smtp://u@h.example\", tls_key: k, "
	    "tls_certificate: c, auth: {mechanism: external}}]\n", "", OK },
	{ HOST "tls: {certificate: c}\n",
	    "tls.certificate and tls.key go together", ERR_SYNTAX },
	{ HOST "listeners: [{address: \"*:587\", service: submission}]\n",
	    "service: submission needs TLS: tls.certificate", ERR_SYNTAX },
	{ HOST "listeners: [{address: \"*:587\", service: submission}]\n",
	    "service: submission needs users: auth.passwords", ERR_SYNTAX },
	{ HOST "auth: {passwords: p, dovecot: d}\n", "not both", ERR_SYNTAX },
	{ HOST "listeners: [{address: \"*:465\", tls: implicit}]\n",
	    "tls: implicit needs tls.certificate and tls.key", ERR_SYNTAX },
	{ HOST "tls: {certificate: [c, d], key: c}\n",
	    "a key for each certificate", ERR_SYNTAX },
	{ HOST "tls: {certificate: c, key: c, ocsp: [o, p]}\n",
	    "tls.ocsp needs a file for each certificate", ERR_SYNTAX },
	{ HOST "tls: {key: c}\n",
	    "t.yaml:2:12: tls.certificate and tls.key go together",
	    ERR_SYNTAX },
	{ "hostname: single\n",
	    "t.yaml:1:11: warning: the host name 'single' has no domain", OK },
};

Test(conf_rules, each_rule_is_kept)
{
	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		const struct rule *rule = &rules[i];

		load_help(&l, rule->file);
		cr_expect_eq(l.e, rule->e, "%s%s", rule->file, l.text);
		if (rule->says[0] == '\0')
			cr_expect_str_empty(l.text, "%s%s", rule->file,
			    l.text);
		else
			cr_expect_neq(strstr(l.text, rule->says), NULL,
			    "%s%s", rule->file, l.text);
		load_help_free(&l);
	}
}

Test(conf_rules, one_retry_time_alone_drags_the_other)
{
	load_help(&l, HOST "queue: {max_retry: 2s}\n");
	cr_assert_eq(l.conf->queue.first_retry_ms, 2000);
	cr_assert_eq(l.conf->queue.max_retry_ms, 2000);
	load_help_free(&l);
	load_help(&l, HOST "queue: {first_retry: 3h}\n");
	cr_assert_eq(l.conf->queue.first_retry_ms, 3 * 3600000);
	cr_assert_eq(l.conf->queue.max_retry_ms, 3 * 3600000);
	load_help_free(&l);
	load_help(&l, HOST "queue: {first_retry: 1s}\n");
	cr_assert_eq(l.conf->queue.max_retry_ms, 3600000);
	load_help_free(&l);
}

Test(conf_rules, names_are_completed)
{
	load_help(&l, HOST);
	cr_assert_str_eq(l.conf->deliver.helo, "a.example");
	cr_assert_str_eq(l.conf->reports.postmaster, "postmaster@a.example");
	load_help_free(&l);
	load_help(&l, HOST "reports: {postmaster: root}\n");
	cr_assert_str_eq(l.conf->reports.postmaster, "root@a.example");
	load_help_free(&l);
	load_help(&l, HOST "workers: {smtpd: auto}\n");
	cr_assert_geq(l.conf->workers.smtpd, 1);
	cr_assert_geq(l.conf->workers.deliverd, 1);
	load_help_free(&l);
}

/* What the processes could not be told is refused before it is loaded. */
Test(conf_rules, too_much_is_refused)
{
	static char file[512 * 1024];
	size_t n = 0;

	n += (size_t)snprintf(file, sizeof(file), HOST "routes:\n - via: mx\n"
	    "   to: [a.example");
	for (int i = 1; i < 500; i++)
		n += (size_t)snprintf(file + n, sizeof(file) - n,
		    ", b%d.example", i);
	n += (size_t)snprintf(file + n, sizeof(file) - n, "]\n   from: [a");
	for (int i = 1; i < 401; i++)
		n += (size_t)snprintf(file + n, sizeof(file) - n, ", b%d", i);
	snprintf(file + n, sizeof(file) - n, "]\n");
	load_help(&l, file);
	cr_assert_eq(l.e, ERR_SYNTAX);
	cr_assert_neq(strstr(l.text, "t.yaml:3:4: too many pairs"), NULL,
	    "%s", l.text);
	load_help_free(&l);
}
