/*
 * deliverd as a whole, between a scripted queued and scripted next hops.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "bench.h"
#include "common/base/check.h"
#include "common/conf/conf.h"
#include "common/ipc/channel.h"
#include "deliverd/early.h"
#include "deliverd/pool.h"
#include "deliverd/settings.h"
#include "names.h"
#include "sink.h"

#define MAIL "Subject: x\r\n\r\n.dot\r\nbody\r\n"
#define WIRE "Subject: x\r\n\r\n..dot\r\nbody\r\n"
#define DEAD 1		/* a port where nobody listens */

static struct bench b;
static struct sink s;
static struct sink other;

static void
begin(void)
{
	bench_init(&b);
	sink_open(&s, b.d.loop);
	sink_open(&other, b.d.loop);
}

static void
end(void)
{
	bench_close(&b);
	sink_close(&s);
	sink_close(&other);
	loop_free(&b.d.loop);
}

/* A route to FIRST and SECOND (ports; 0: none), with MORE configuration. */
static void
open_with(unsigned first, unsigned second, const char *more)
{
	char yaml[2048], via[256];

	if (second != 0)
		(void)snprintf(via, sizeof(via), "[\"smtp://127.0.0.1:%u\", "
		    "\"smtp://127.0.0.1:%u\"]", first, second);
	else
		(void)snprintf(via, sizeof(via), "\"smtp://127.0.0.1:%u\"",
		    first);
	(void)snprintf(yaml, sizeof(yaml), "hostname: self.example\n"
	    "routes: [{to: \"*\", via: %s}]\n%s", via, more);
	bench_open(&b, yaml);
}

static uint64_t
lease(const char *rcpts)
{
	return bench_lease(&b, "hub", 0, rcpts, MAIL, 0);
}

static const struct bench_verdict *
verdict(uint64_t id)
{
	return &b.verdicts[id];
}

static void
check(uint64_t id, unsigned i, unsigned first, unsigned last,
    enum outcome outcome, unsigned code, const char *status, const char *text)
{
	const struct bench_verdict *v = verdict(id);
	const struct bench_result *r = &v->results[i];

	cr_assert_lt(i, v->n_results, "%u results", v->n_results);
	cr_assert_eq(r->outcome, outcome, "outcome %u: %s", r->outcome,
	    r->text);
	cr_assert_eq(r->first, first);
	cr_assert_eq(r->last, last);
	cr_assert_eq(r->code, code, "code %u", r->code);
	cr_assert_str_eq(r->status, status);
	cr_assert_not_null(strstr(r->text, text), "%s", r->text);
}

static void
check_hosts(uint64_t id, const char *format, ...)
{
	char want[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(want, sizeof(want), format, args);
	va_end(args);
	cr_assert_str_eq(verdict(id)->hosts, want);
}

Test(core, one_mail, .init = begin, .fini = end)
{
	uint64_t id;

	open_with(s.port, 0, "");
	id = lease("r@b.example no@b.example q@b.example later@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	cr_assert_eq(verdict(id)->n_results, 4);
	check(id, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	check(id, 1, 1, 1, OUTCOME_FAILED, 550, "5.1.1", "not here");
	check(id, 2, 2, 2, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	check(id, 3, 3, 3, OUTCOME_DEFERRED, 450, "4.2.1", "later");
	cr_assert_eq(verdict(id)->scope, SCOPE_RECIPIENTS);
	check_hosts(id, "127.0.0.1:%u/%u/250", s.port, STAGE_FINAL);
	cr_assert_eq(verdict(id)->results[0].attempt, 0);
	cr_assert_eq(s.n_mails, 1);
	cr_assert_str_eq(s.mails[0].rcpts, "<r@b.example> <q@b.example>");
	cr_assert(span_equal(buf_span(&s.mails[0].content), SPAN_LIT(WIRE)));
	bench_turn(&b, 20);
	cr_assert_eq(jobs_count(b.d.jobs), 0);
}

/* Equal neighbours share a result. */
Test(core, ranges, .init = begin, .fini = end)
{
	uint64_t id;

	open_with(s.port, 0, "");
	id = lease("a@b.example b@b.example no1@b.example c@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	cr_assert_eq(verdict(id)->n_results, 3);
	check(id, 0, 0, 1, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	check(id, 1, 2, 2, OUTCOME_FAILED, 550, "5.1.1", "not here");
	check(id, 2, 3, 3, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
}

/* Many mails: few connections, each used again; QUIT at their end. */
static void
burst(bool is_plain)
{
	open_with(s.port, 0, "deliver: {connections: 4, idle_timeout: 200ms}");
	s.is_plain = is_plain;
	for (int i = 0; i < 1000; i++)
		(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 1000, 20), "%u", b.n_told);
	for (uint64_t id = 1; id <= 1000; id++) {
		cr_assert_eq(verdict(id)->count, 1);
		check(id, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	}
	cr_assert_eq(s.n_mails, 1000);
	cr_assert_leq(s.most_open, 4);
	cr_assert_leq(s.connections, 4);
	bench_turn(&b, 600);
	cr_assert_eq(s.quits, s.connections);
	cr_assert_eq(s.open, 0);
	cr_assert_eq(pool_sessions(b.d.pool), 0);
}

Test(core, burst_pipelined, .init = begin, .fini = end)
{
	burst(false);
}

Test(core, burst_lockstep, .init = begin, .fini = end)
{
	burst(true);
}

/* A trickle needs one connection only. */
Test(core, trickle, .init = begin, .fini = end)
{
	open_with(s.port, 0, "");
	for (unsigned i = 1; i <= 20; i++) {
		(void)lease("r@b.example");
		cr_assert(bench_wait(&b, i, 5));
	}
	cr_assert_eq(s.connections, 1);
}

Test(core, messages_per_connection, .init = begin, .fini = end)
{
	open_with(s.port, 0, "deliver: {messages_per_connection: 10, "
	    "connections: 1}");
	for (int i = 0; i < 50; i++)
		(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 50, 5));
	cr_assert_eq(s.connections, 5);
	cr_assert_eq(s.n_mails, 50);
}

/* That of the rule, and of the provider that the host is one of. */
static void
fewer_per_connection(const char *limits, const char *more,
    unsigned connections)
{
	char yaml[1024];

	(void)snprintf(yaml, sizeof(yaml), "hostname: self.example\n"
	    "deliver: {connections: 1}\n"
	    "routes: [{to: \"*\", via: \"smtp://127.0.0.1:%u\"%s}]\n%s",
	    s.port, limits, more);
	bench_open(&b, yaml);
	for (int i = 0; i < 12; i++)
		(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 12, 5));
	cr_assert_eq(s.connections, connections, "%u", s.connections);
}

Test(core, messages_per_connection_of_a_rule, .init = begin, .fini = end)
{
	fewer_per_connection(", limits: {messages_per_connection: 4}", "", 3);
}

Test(core, messages_per_connection_of_a_provider, .init = begin, .fini = end)
{
	fewer_per_connection("", "providers: [{name: x, mx: x.example}, "
	    "{name: big, mx: [\"127.*\", \"*b.example\"], "
	    "messages_per_connection: 3}]", 4);
}

/* The host says when a connection was used enough: nothing is deferred, and
 * nothing delivered twice. */
static void
host_limits_mails(unsigned each)
{
	open_with(s.port, 0, "deliver: {connections: 3}");
	s.mails_each = each;
	for (int i = 0; i < 300; i++)
		(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 300, 20), "%u", b.n_told);
	for (uint64_t id = 1; id <= 300; id++)
		check(id, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	cr_assert_eq(s.n_mails, 300);
	cr_assert_leq(s.most_open, 4);
}

Test(core, host_takes_one_mail, .init = begin, .fini = end)
{
	host_limits_mails(1);
}

Test(core, host_takes_two_mails, .init = begin, .fini = end)
{
	host_limits_mails(2);
}

Test(core, host_takes_seven_mails, .init = begin, .fini = end)
{
	host_limits_mails(7);
}

/* C5321-30 through all of deliverd */
Test(core, host_limits_recipients, .init = begin, .fini = end)
{
	uint64_t id;

	open_with(s.port, 0, "");
	s.rcpts_max = 2;
	id = lease("a@b.example b@b.example c@b.example d@b.example "
	    "e@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	for (unsigned i = 0; i < verdict(id)->n_results; i++)
		cr_assert_eq(verdict(id)->results[i].outcome,
		    OUTCOME_DELIVERED);
	cr_assert_eq(s.n_mails, 3);
	cr_assert_str_eq(s.mails[2].rcpts, "<e@b.example>");
	cr_assert_eq(s.connections, 1);
}

/* Content that is too large for a frame is pulled, a piece at a time. */
Test(core, large_content, .init = begin, .fini = end)
{
	uint64_t id;

	open_with(s.port, 0, "");
	while (b.large.n < 5000000)
		buf_addf(&b.large, "line %zu of a long message\r\n",
		    b.large.n);
	id = bench_lease(&b, "hub", 0, "a@b.example b@b.example", NULL,
	    b.large.n);
	s.rcpts_max = 1;
	cr_assert(bench_wait(&b, 1, 20));
	cr_assert_eq(verdict(id)->results[0].outcome, OUTCOME_DELIVERED);
	cr_assert_eq(s.n_mails, 2);
	for (int i = 0; i < 2; i++)
		cr_assert(span_equal(buf_span(&s.mails[i].content),
		    buf_span(&b.large)));
	cr_assert_geq(b.wanted, 2 * 19);
}

/* queued goes away in the middle of it and comes back. */
Test(core, large_content_new_queued, .init = begin, .fini = end)
{
	open_with(s.port, 0, "");
	while (b.large.n < 2000000)
		buf_addf(&b.large, "line %zu of a long message\r\n",
		    b.large.n);
	(void)bench_lease(&b, "hub", 0, "a@b.example", NULL, b.large.n);
	b.want_limit = 3;
	bench_turn(&b, 200);
	cr_assert_eq(b.n_told, 0);
	bench_die(&b);
	b.want_limit = 0;
	bench_live(&b);
	cr_assert(bench_wait(&b, 1, 10));
	cr_assert_eq(b.held, 1);
	cr_assert_eq(s.n_mails, 1);
	cr_assert(span_equal(buf_span(&s.mails[0].content),
	    buf_span(&b.large)));
}

/* I-03: a verdict is kept until it is confirmed, and told again. */
Test(core, new_queued, .init = begin, .fini = end)
{
	uint64_t done, busy;

	open_with(s.port, 0, "");
	b.is_confirming = false;
	done = lease("r@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	s.is_mute_final = true;
	busy = lease("r@b.example");
	bench_turn(&b, 100);
	bench_die(&b);
	bench_turn(&b, 20);
	b.is_confirming = true;
	bench_live(&b);
	bench_turn(&b, 20);
	cr_assert_eq(verdict(done)->count, 2);
	cr_assert_eq(verdict(busy)->count, 0);
	/* the lease of the verdict, too: queued has to know what it is about */
	cr_assert_eq(b.held, 2);
	cr_assert_eq(b.presented, 2);
	cr_assert_eq(jobs_count(b.d.jobs), 1);
	cr_assert_eq(s.n_mails, 2);
}

/* Whose presence nobody has taken note of is new to the next queued, too. */
Test(core, new_until_it_is_known, .init = begin, .fini = end)
{
	const struct msg known = { .type = MSG_confirm };

	open_with(s.port, 0, "");
	for (unsigned i = 2; i <= 3; i++) {
		bench_die(&b);
		bench_live(&b);
		bench_turn(&b, 20);
		cr_assert_eq(b.presented_new, i);
	}
	(void)channel_send(b.theirs, &known);
	bench_turn(&b, 20);
	bench_die(&b);
	bench_live(&b);
	bench_turn(&b, 20);
	cr_assert_eq(b.presented, 4);
	cr_assert_eq(b.presented_new, 3);
}

/* Nobody listens: the destination as a whole is deferred. */
Test(core, refused, .init = begin, .fini = end)
{
	open_with(DEAD, 0, "");
	for (int i = 0; i < 20; i++)
		(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 20, 5));
	for (uint64_t id = 1; id <= 20; id++) {
		check(id, 0, 0, 0, OUTCOME_DEFERRED, 0, "4.4.1", "refused");
		cr_assert_eq(verdict(id)->scope, SCOPE_DESTINATION);
		check_hosts(id, "127.0.0.1:%u/%u/0", DEAD, STAGE_CONNECT);
	}
	bench_turn(&b, 20);
	cr_assert_eq(pool_sessions(b.d.pool), 0);
	/* and it is tried again when more comes */
	(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 21, 5));
}

/* The next of the hosts takes over; all attempts are told. */
Test(core, failover_refused, .init = begin, .fini = end)
{
	uint64_t id;

	open_with(DEAD, s.port, "");
	id = lease("r@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	check(id, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	check_hosts(id, "127.0.0.1:%u/%u/0 127.0.0.1:%u/%u/250", DEAD,
	    STAGE_CONNECT, s.port, STAGE_FINAL);
	cr_assert_eq(verdict(id)->results[0].attempt, 1);
}

/* NH-07: greetings that mean "not ready" */
static void
not_ready(const char *greeting, unsigned code)
{
	uint64_t id;

	open_with(other.port, s.port, "deliver: {reply_timeout: 300ms}");
	other.greeting = greeting;
	id = lease("r@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	check(id, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	check_hosts(id, "127.0.0.1:%u/%u/%u 127.0.0.1:%u/%u/250", other.port,
	    STAGE_GREETING, code, s.port, STAGE_FINAL);
}

Test(core, greeting_554, .init = begin, .fini = end)
{
	not_ready("554 5.7.1 not you\r\n", 554);
	bench_turn(&b, 50);
	cr_assert_eq(other.quits, 1);	/* C5321-12 */
}

Test(core, greeting_421, .init = begin, .fini = end)
{
	not_ready("421 4.3.2 not now\r\n", 421);
}

Test(core, greeting_binary, .init = begin, .fini = end)
{
	not_ready("\x16\x03\x01\x02", 0);
}

Test(core, greeting_silence, .init = begin, .fini = end)
{
	not_ready("", 0);
}

/* All of them greet with 5xx: no recipient is bad. */
Test(core, all_greet_554, .init = begin, .fini = end)
{
	uint64_t id;

	open_with(other.port, s.port, "");
	other.greeting = "554 5.7.1 not you\r\n";
	s.greeting = "554 5.3.2 nor you\r\n";
	id = lease("r@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	check(id, 0, 0, 0, OUTCOME_DEFERRED, 554, "4.3.2", "nor you");
	cr_assert_eq(verdict(id)->scope, SCOPE_DESTINATION);
	cr_assert_eq(verdict(id)->n_attempts, 2);
	cr_assert_eq(verdict(id)->results[0].attempt, 1);
}

/* T32: the final reply is lost, or never comes. */
Test(core, in_doubt, .init = begin, .fini = end)
{
	uint64_t id;

	open_with(s.port, 0, "deliver: {reply_timeout: 200ms}");
	s.drops_final = true;
	id = lease("r@b.example no@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	check(id, 0, 0, 0, OUTCOME_IN_DOUBT, 0, "4.4.2", "closed");
	check(id, 1, 1, 1, OUTCOME_FAILED, 550, "5.1.1", "not here");
	s.drops_final = false;
	s.is_mute_final = true;
	id = lease("r@b.example");
	cr_assert(bench_wait(&b, 2, 5));
	check(id, 0, 0, 0, OUTCOME_IN_DOUBT, 0, "4.4.2", "timed out");
}

/* C5321-31: a refused MAIL counts for its own message only. */
Test(core, mail_refused, .init = begin, .fini = end)
{
	open_with(s.port, 0, "deliver: {connections: 1}");
	s.mail_reply = "550 5.7.1 not from you\r\n";
	(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	check(1, 0, 0, 0, OUTCOME_FAILED, 550, "5.7.1", "not from you");
	s.mail_reply = NULL;
	(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 2, 5));
	check(2, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	cr_assert_eq(s.connections, 1);
}

/* A destination that hangs doesn't hold up others (T33). */
Test(core, other_destinations, .init = begin, .fini = end)
{
	char yaml[512];

	(void)snprintf(yaml, sizeof(yaml), "hostname: self.example\n"
	    "routes:\n- {to: slow.example, via: \"smtp://127.0.0.1:%u\"}\n"
	    "- {to: \"*\", via: \"smtp://127.0.0.1:%u\"}\n", other.port,
	    s.port);
	bench_open(&b, yaml);
	other.greeting = "";
	for (int i = 0; i < 100; i++)
		(void)bench_lease(&b, "slow", 0, "r@slow.example", MAIL, 0);
	for (int i = 0; i < 100; i++)
		(void)bench_lease(&b, "fast", 1, "r@fast.example", MAIL, 0);
	cr_assert(bench_wait(&b, 100, 5));
	cr_assert_eq(s.n_mails, 100);
	cr_assert_leq(other.open, 17);
}

/* Those that look for a host may take as long as is configured while they are
 * few, and only some seconds when they are most of all. */
Test(core, patience)
{
	cr_assert_eq(early_patience_ms(125, 500), INT64_MAX);
	cr_assert_leq(early_patience_ms(126, 500), EARLY_MOST_MS);
	cr_assert_eq(early_patience_ms(250, 500),
	    (EARLY_MOST_MS + EARLY_LEAST_MS) / 2);
	cr_assert_eq(early_patience_ms(375, 500), EARLY_LEAST_MS);
	cr_assert_eq(early_patience_ms(UINT32_MAX, 500), EARLY_LEAST_MS);
	cr_assert_eq(early_patience_ms(7, 7), INT64_MAX);
	for (uint32_t n = 1; n < 500; n++)
		cr_assert_leq(early_patience_ms(n, 500),
		    early_patience_ms(n - 1, 500));
}

/* Destinations that hang take every place, but not for long; then those that
 * answer have them. */
Test(core, hanging_destinations, .init = begin, .fini = end)
{
	char yaml[512], key[16];

	(void)snprintf(yaml, sizeof(yaml), "hostname: self.example\n"
	    "deliver: {connections_total: 16}\n"
	    "routes:\n- {to: slow.example, via: \"smtp://127.0.0.1:%u\"}\n"
	    "- {to: \"*\", via: \"smtp://127.0.0.1:%u\"}\n", other.port,
	    s.port);
	bench_open(&b, yaml);
	other.greeting = "";
	for (int i = 0; i < 16; i++) {
		(void)snprintf(key, sizeof(key), "slow%d", i);
		(void)bench_lease(&b, key, 0, "r@slow.example", MAIL, 0);
	}
	bench_turn(&b, 50);
	cr_assert_eq(pool_sessions(b.d.pool), 16);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(key, sizeof(key), "fast%d", i);
		(void)bench_lease(&b, key, 1, "r@fast.example", MAIL, 0);
	}
	for (int i = 0; i < 80 && s.n_mails < 20; i++)
		bench_turn(&b, 100);
	cr_assert_eq(s.n_mails, 20);
	check(1, 0, 0, 0, OUTCOME_DEFERRED, 0, "4.4.1", "others need");
	cr_assert_eq(verdict(1)->scope, SCOPE_DESTINATION);
}

/* A host that says nothing has one place, whatever waits for it. */
Test(core, one_that_hangs_has_one_place, .init = begin, .fini = end)
{
	open_with(s.port, 0, "deliver: {connections_total: 12}");
	s.greeting = "";
	for (int i = 0; i < 300; i++)
		(void)lease("r@b.example");
	bench_turn(&b, 200);
	cr_assert_eq(pool_sessions(b.d.pool), 1);
}

/* Of one that is slow a second connection leaves as many places as it has. */
Test(core, one_destination_leaves_half, .init = begin, .fini = end)
{
	open_with(s.port, 0, "deliver: {connections_total: 12}");
	s.is_mute_final = true;
	for (int i = 0; i < 300; i++)
		(void)lease("r@b.example");
	bench_turn(&b, 200);
	cr_assert_eq(pool_sessions(b.d.pool), 6);
}

/* Several have half of all places between them. */
Test(core, slow_destinations_share, .init = begin, .fini = end)
{
	open_with(s.port, 0, "deliver: {connections_total: 40}");
	s.is_mute_final = true;
	for (int i = 0; i < 400; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "slow%d", i % 4);
		(void)bench_lease(&b, key, 0, "r@b.example", MAIL, 0);
	}
	bench_turn(&b, 300);
	cr_assert_eq(pool_sessions(b.d.pool), 20);
}

Test(core, connections_of_a_route, .init = begin, .fini = end)
{
	char yaml[256];

	(void)snprintf(yaml, sizeof(yaml), "hostname: self.example\n"
	    "routes: [{to: \"*\", via: \"smtp://127.0.0.1:%u\", "
	    "limits: {connections: 2}}]\n", s.port);
	bench_open(&b, yaml);
	for (int i = 0; i < 60; i++)
		(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 60, 10));
	cr_assert_eq(s.n_mails, 60);
	cr_assert_leq(s.most_open, 2);
}

/* All connections are in use: idle ones of other destinations make room. */
Test(core, connections_total, .init = begin, .fini = end)
{
	open_with(s.port, 0, "deliver: {connections_total: 2}");
	for (unsigned i = 0; i < 60; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "d%u", i % 20);
		(void)bench_lease(&b, key, 0, "r@b.example", MAIL, 0);
	}
	cr_assert(bench_wait(&b, 60, 20), "%u", b.n_told);
	for (uint64_t id = 1; id <= 60; id++)
		check(id, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	cr_assert_leq(s.most_open, 3);
}

/* The same with a host that takes few mails a connection: destinations wait
 * for a place, or for a new connection, while their own connections end. */
static void
used_up(unsigned total, unsigned each, unsigned keys)
{
	char more[64];

	(void)snprintf(more, sizeof(more), "deliver: {connections_total: %u}",
	    total);
	open_with(s.port, 0, more);
	s.mails_each = each;
	for (unsigned i = 0; i < 400; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "d%u", i % keys);
		(void)bench_lease(&b, key, 0, "r@b.example", MAIL, 0);
	}
	cr_assert(bench_wait(&b, 400, 20), "%u", b.n_told);
	for (uint64_t id = 1; id <= 400; id++)
		check(id, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	cr_assert_eq(s.n_mails, 400);
	cr_assert_leq(s.most_open, total + 1);
}

Test(core, used_up_one_mail, .init = begin, .fini = end)
{
	used_up(12, 1, 2);
}

Test(core, used_up_two_mails, .init = begin, .fini = end)
{
	used_up(12, 2, 3);
}

/* A reload: idle connections of the old configuration end, leases of both
 * generations are served. */
Test(core, reload, .init = begin, .fini = end)
{
	open_with(s.port, 0, "");
	(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	b.d.previous = b.d.settings;
	cr_assert_eq(settings_new(b.conf, 8, 1, &b.d.settings), OK);
	pool_reload(b.d.pool);
	bench_turn(&b, 50);
	cr_assert_eq(s.quits, 1);
	(void)lease("r@b.example");
	b.lease_generation = 8;
	(void)lease("r@b.example");
	cr_assert(bench_wait(&b, 3, 5));
	check(2, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	check(3, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
}

Test(core, unknown_generation, .init = begin, .fini = end)
{
	open_with(s.port, 0, "");
	b.d.settings->generation = 8;
	(void)lease("r@b.example q@b.example");
	cr_assert(bench_wait(&b, 1, 5));
	check(1, 0, 0, 1, OUTCOME_UNTRIED, 0, "4.3.0", "");
	cr_assert_eq(jobs_count(b.d.jobs), 0);
}

Test(core, bad_route, .init = begin, .fini = end)
{
	open_with(s.port, 0, "");
	(void)bench_lease(&b, "hub", 77, "r@b.example", MAIL, 0);
	cr_assert(bench_wait(&b, 1, 5));
	check(1, 0, 0, 0, OUTCOME_DEFERRED, 0, "4.3.0", "no sense");
}

/* An orderly end: what waits goes back untried, what is under way is
 * finished. */
Test(core, drain, .init = begin, .fini = end)
{
	unsigned untried = 0, delivered = 0;

	open_with(s.port, 0, "deliver: {connections: 1}");
	for (int i = 0; i < 100; i++)
		(void)lease("r@b.example");
	while (s.n_mails == 0)
		bench_turn(&b, 0);
	b.d.is_draining = true;
	pool_drain(b.d.pool);
	(void)lease("late@b.example");
	cr_assert(bench_wait(&b, 101, 5), "%u", b.n_told);
	bench_turn(&b, 50);
	for (uint64_t id = 1; id <= 101; id++) {
		cr_assert_eq(verdict(id)->count, 1);
		untried += verdict(id)->results[0].outcome == OUTCOME_UNTRIED;
		delivered += verdict(id)->results[0].outcome ==
		    OUTCOME_DELIVERED;
	}
	cr_assert_eq(untried + delivered, 101);
	cr_assert_eq(delivered, s.n_mails);
	cr_assert_geq(untried, 50);
	cr_assert(b.is_drained);
	cr_assert_eq(s.open, 0);
	cr_assert_eq(s.quits, s.connections);
}

/* ---- names ---- */

static void
open_mx(void)
{
	char yaml[256];

	(void)snprintf(yaml, sizeof(yaml), "hostname: self.example\n"
	    "routes: [{to: \"*\", via: mx, tls: opportunistic}]\n"
	    "deliver: {port: %u}\ndns: {timeout: 100ms}\n", s.port);
	bench_open(&b, yaml);
}

Test(core, by_mx, .init = begin, .fini = end)
{
	open_mx();
	names_open(&b);
	(void)bench_lease(&b, "b.example", 0, "r@b.example", MAIL, 0);
	(void)bench_lease(&b, "gone.example", 0, "r@gone.example", MAIL, 0);
	cr_assert(bench_wait(&b, 2, 5));
	check(1, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	check(2, 0, 0, 0, OUTCOME_FAILED, 0, "5.1.2", "does not exist");
	cr_assert_eq(verdict(2)->scope, SCOPE_RECIPIENTS);
	cr_assert_eq(verdict(2)->n_attempts, 0);
	names_close(&b);
}

/* T28: no dnsd, or one that dies: asked again, deferred in the end */
Test(core, no_dnsd, .init = begin, .fini = end)
{
	open_mx();
	(void)bench_lease(&b, "b.example", 0, "r@b.example", MAIL, 0);
	bench_turn(&b, 50);
	names_open(&b);
	cr_assert(bench_wait(&b, 1, 5));
	check(1, 0, 0, 0, OUTCOME_DELIVERED, 250, "2.0.0", "taken");
	names_close(&b);
	(void)bench_lease(&b, "c.example", 0, "r@c.example", MAIL, 0);
	cr_assert(bench_wait(&b, 2, 5));
	check(2, 0, 0, 0, OUTCOME_DEFERRED, 0, "4.4.3", "no answer");
	cr_assert_eq(verdict(2)->scope, SCOPE_DESTINATION);
}
