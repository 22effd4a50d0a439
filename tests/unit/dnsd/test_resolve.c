/*
 * The resolver against a name server of our own; T25, T28.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/check.h"
#include "common/base/ipaddr.h"
#include "common/dns/dns_wire.h"
#include "common/log/log.h"
#include "dnsd/resolve.h"
#include "name_server.h"

#define ANSWERS 4096

struct told {
	uint32_t question;
	void *asker;
	uint8_t status;
	bool is_secure;
	unsigned n;
	char first[256];	/* record, as text */
	char canonical[256];
	char text[256];
};

static struct loop *loop;
static struct log *log_;
static struct name_server *server;
static struct resolve *resolve;
static struct told told[ANSWERS];
static unsigned n_told;

static void
note_record(struct told *t, const struct msg_dns_record *r)
{
	struct ipaddr ip;
	char address[IPADDR_TEXT_SIZE];

	if (r->type == DNS_TYPE_MX) {
		(void)snprintf(t->first, sizeof(t->first), "%u %.*s",
		    r->preference, (int)r->data.n, (const char *)r->data.p);
		return;
	}
	if (r->type == DNS_TYPE_TLSA) {
		(void)snprintf(t->first, sizeof(t->first), "%u %u %u %zu",
		    r->usage, r->selector, r->matching, r->data.n);
		return;
	}
	ip = r->type == DNS_TYPE_A ? ipaddr_v4(r->data.p) :
	    ipaddr_v6(r->data.p);
	(void)ipaddr_format(&ip, address);
	(void)snprintf(t->first, sizeof(t->first), "%s", address);
}

static void
tell(void *ctx, void *asker, const struct msg_dns_answer *a)
{
	struct told *t = &told[n_told++];
	struct msg_list list = a->records;
	struct msg_dns_record r;

	(void)ctx;
	cr_assert_leq(n_told, ANSWERS);
	memset(t, 0, sizeof(*t));
	t->asker = asker;
	t->question = a->question;
	t->status = a->status;
	t->is_secure = a->is_secure;
	(void)span_copy(a->canonical, t->canonical, sizeof(t->canonical));
	(void)span_copy(a->text, t->text, sizeof(t->text));
	while (msg_next_dns_record(&list, &r))
		if (t->n++ == 0)
			note_record(t, &r);
}

static void
set(const char *servers, int64_t timeout_ms, bool is_trusted)
{
	const struct resolve_setup setup = {
		.hosts = SPAN_LIT("192.0.2.77 file.test\n"),
		.servers = servers, .timeout_ms = timeout_ms,
		.is_trusted = is_trusted,
	};

	cr_assert_eq(resolve_set(resolve, &setup), OK);
}

static void
open_all(void)
{
	cr_assert_eq(loop_new(&loop), OK);
	cr_assert_eq(log_new("dnsd", 2, &log_), OK);
	server = name_server_new(loop);
	cr_assert_eq(resolve_new(loop, log_, tell, NULL, &resolve), OK);
	n_told = 0;
	set(name_server_address(server), 3000, true);
}

static void
close_all(void)
{
	resolve_free(&resolve);
	name_server_free(&server);
	log_free(&log_);
	loop_free(&loop);
}

static void
ask(uint32_t question, const char *name, uint16_t type)
{
	const struct msg_dns_ask m = {
		.question = question, .type = type, .name = span_str(name),
	};

	resolve_ask(resolve, &loop, &m);
}

static void
wait_for(unsigned n)
{
	for (int i = 0; i < 2000 && n_told < n; i++)
		loop_turn(loop, 10);
	cr_assert_eq(n_told, n);
}

static struct told *
ask_one(const char *name, uint16_t type)
{
	n_told = 0;
	ask(42, name, type);
	wait_for(1);
	cr_assert_eq(told[0].question, 42);
	cr_assert_eq(told[0].asker, &loop);
	return &told[0];
}

Test(resolve, answers, .init = open_all, .fini = close_all)
{
	static const struct {
		const char *name;
		uint16_t type;
		enum dns_status status;
		unsigned n;
		const char *first;
	} rows[] = {
		{ "a.test", DNS_TYPE_A, DNS_OK, 1, "192.0.2.1" },
		{ "A.TEST.", DNS_TYPE_AAAA, DNS_OK, 1, "2001:db8::1" },
		{ "a.test", DNS_TYPE_MX, DNS_OK, 2, "10 mx.test" },
		{ "alias.test", DNS_TYPE_A, DNS_OK, 1, "192.0.2.1" },
		{ "nx.test", DNS_TYPE_A, DNS_NO_NAME, 0, "" },
		{ "none.test", DNS_TYPE_MX, DNS_NO_DATA, 0, "" },
		{ "fail.test", DNS_TYPE_A, DNS_TEMPORARY, 0, "" },
		{ "no.test", DNS_TYPE_A, DNS_TEMPORARY, 0, "" },
		{ "evil.test", DNS_TYPE_MX, DNS_TEMPORARY, 0, "" },
		{ "tc.test", DNS_TYPE_A, DNS_OK, 20, "192.0.2.1" },
		{ "_25.tcp.test", DNS_TYPE_TLSA, DNS_OK, 2, "3 1 1 32" },
		/* half of a set is none: DANE-09 */
		{ "_26.tcp.test", DNS_TYPE_TLSA, DNS_TEMPORARY, 0, "" },
		{ "file.test", DNS_TYPE_A, DNS_OK, 1, "192.0.2.77" },
		{ "file.test", DNS_TYPE_AAAA, DNS_NO_DATA, 0, "" },
		{ "localhost", DNS_TYPE_AAAA, DNS_OK, 1, "::1" },
		{ "", DNS_TYPE_A, DNS_REFUSED, 0, "" },
		{ "a..test", DNS_TYPE_A, DNS_REFUSED, 0, "" },
		{ "a\\.test", DNS_TYPE_A, DNS_REFUSED, 0, "" },
		{ "a b.test", DNS_TYPE_A, DNS_REFUSED, 0, "" },
		{ "\xc3\xa4.test", DNS_TYPE_A, DNS_REFUSED, 0, "" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct told *t = ask_one(rows[i].name, rows[i].type);

		cr_assert_eq(t->status, rows[i].status, "%s %u: %u (%s)",
		    rows[i].name, rows[i].type, t->status, t->text);
		cr_assert_eq(t->n, rows[i].n, "%s: %u records", rows[i].name,
		    t->n);
		cr_assert_str_eq(t->first, rows[i].first);
		if (t->status == DNS_TEMPORARY || t->status == DNS_REFUSED)
			cr_assert_str_neq(t->text, "", "%s", rows[i].name);
	}
	cr_assert(name_server_saw_ad(server));
	cr_assert_eq(name_server_tcp_count(server), 3);
	cr_assert_str_eq(ask_one("alias.test", DNS_TYPE_A)->canonical,
	    "a.test");
}

/* Hostile packets never end more than their question. */
Test(resolve, hostile, .init = open_all, .fini = close_all)
{
	set(name_server_address(server), 300, true);
	cr_assert_eq(ask_one("junk.test", DNS_TYPE_A)->status, DNS_TEMPORARY);
	cr_assert_eq(ask_one("other.test", DNS_TYPE_A)->status,
	    DNS_TEMPORARY);
	cr_assert_eq(ask_one("a.test", DNS_TYPE_A)->status, DNS_OK);
}

/* Kept by TTL, failures not; asked once for all who ask at a time. */
Test(resolve, cache_and_join, .init = open_all, .fini = close_all)
{
	for (uint32_t i = 0; i < 50; i++)
		ask(i, i % 2 ? "a.test" : "A.test", DNS_TYPE_A);
	wait_for(50);
	cr_assert_eq(name_server_count(server), 1);
	(void)ask_one("a.test", DNS_TYPE_A);
	(void)ask_one("nx.test", DNS_TYPE_A);
	(void)ask_one("nx.test", DNS_TYPE_A);
	cr_assert_eq(name_server_count(server), 2);
	(void)ask_one("fail.test", DNS_TYPE_A);
	(void)ask_one("fail.test", DNS_TYPE_A);
	cr_assert_geq(name_server_count(server), 4);
}

/* More than may be in flight wait their turn. */
Test(resolve, burst, .init = open_all, .fini = close_all)
{
	char name[64];

	for (uint32_t i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "a-%u.test", i);
		ask(i, name, DNS_TYPE_A);
	}
	wait_for(1000);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(told[i].status, DNS_OK);
	cr_assert_eq(name_server_count(server), 1000);
}

/* T28: nobody answers, or nobody is there */
Test(resolve, silence, .init = open_all, .fini = close_all)
{
	char name[64];

	set(name_server_address(server), 300, true);
	for (uint32_t i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "drop-%u.test", i);
		ask(i, name, DNS_TYPE_A);
	}
	wait_for(300);
	for (unsigned i = 0; i < 300; i++)
		cr_assert_eq(told[i].status, DNS_TEMPORARY);
	/* its late end disturbs nobody, and it serves again */
	for (int i = 0; i < 80; i++)
		loop_turn(loop, 10);
	cr_assert_eq(ask_one("a.test", DNS_TYPE_A)->status, DNS_OK);
	set("127.0.0.1:1", 300, true);
	cr_assert_eq(ask_one("a.test", DNS_TYPE_A)->status, DNS_TEMPORARY);
}

/* The AD bit of a resolver that isn't trusted means nothing. */
Test(resolve, secure, .init = open_all, .fini = close_all)
{
	cr_assert(ask_one("a.test", DNS_TYPE_A)->is_secure);
	set(name_server_address(server), 300, false);
	cr_assert_not(ask_one("a.test", DNS_TYPE_A)->is_secure);
}

/* Other name servers: what is in flight is asked of them. */
Test(resolve, reload, .init = open_all, .fini = close_all)
{
	struct name_server *other = name_server_new(loop);

	n_told = 0;
	ask(1, "a.test", DNS_TYPE_A);
	ask(2, "a.test", DNS_TYPE_MX);
	set(name_server_address(other), 3000, true);
	wait_for(2);
	cr_assert_eq(told[0].status, DNS_OK);
	cr_assert_eq(name_server_count(other), 2);
	name_server_free(&other);
	cr_assert_neq(resolve_set(resolve, &(struct resolve_setup){
	    .servers = "nonsense", .timeout_ms = 1 }), OK);
	cr_assert_eq(ask_one("a.test", DNS_TYPE_A)->status, DNS_OK);
}

Test(resolve, forget, .init = open_all, .fini = close_all)
{
	const struct msg_dns_ask other = {
		.question = 2, .type = DNS_TYPE_A, .name = SPAN_LIT("a.test"),
	};

	n_told = 0;
	ask(1, "a.test", DNS_TYPE_A);
	resolve_ask(resolve, &server, &other);
	resolve_forget(resolve, &loop);
	wait_for(1);
	cr_assert_eq(told[0].question, 2);
}

/* Freed with questions in every state. */
Test(resolve, end, .init = open_all, .fini = close_all)
{
	char name[64];

	for (uint32_t i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "drop-%u.test", i);
		ask(i, name, DNS_TYPE_A);
	}
	loop_turn(loop, 10);
}
