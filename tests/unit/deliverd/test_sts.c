/*
 * deliverd and MTA-STS, with a scripted fetchd: hosts without TLS, so that
 * what a policy forbids can be told from what it allows (STS-05 to -10).
 * With TLS: system/test_sts.py.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>

#include "bench.h"
#include "common/ipc/channel.h"
#include "deliverd/sts_ask.h"
#include "names.h"
#include "sink.h"

#define HOUR_MS	3600000

static struct bench b;
static struct sink s;

/* What fetchd says of every domain. */
static struct script {
	bool is_mute;
	uint8_t mode;		/* enum policy_mode, or none at all */
	bool is_uncertain;
	const char *mx;
	unsigned asked;
	char domain[64];
	struct channel *ours, *theirs;
} script;

static void
answer_policy(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct msg answer = { .type = MSG_policy_answer };
	struct msg_policy_answer *a = &answer.policy_answer;

	(void)ctx;
	(void)fd;
	if (m->type != MSG_policy_ask)
		return;
	script.asked++;
	cr_assert(span_copy(m->policy_ask.domain, script.domain,
	    sizeof(script.domain)));
	if (script.is_mute)
		return;
	a->question = m->policy_ask.question;
	a->mode = script.mode;
	a->is_certain = !script.is_uncertain;
	a->until_at = (uint64_t)(loop_wall_ms(b.d.loop) + HOUR_MS);
	a->mx = span_str(script.mx);
	a->text = script.is_uncertain ? SPAN_LIT("nobody answers") :
	    SPAN_NONE;
	(void)channel_send(c, &answer);
}

static void
take_answer(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	(void)ctx;
	(void)c;
	(void)fd;
	if (m->type == MSG_policy_answer)
		sts_ask_answer(b.d.sts_ask, &m->policy_answer);
}

static void
on_close(void *ctx, struct channel *c, enum channel_end e, const char *why)
{
	(void)ctx;
	(void)c;
	(void)e;
	cr_assert_fail("%s", why);
}

static void
open_fetchd(void)
{
	static const struct channel_ops ask_ops = { take_answer, on_close };
	static const struct channel_ops answer_ops = { answer_policy,
	    on_close };
	const struct channel_id deliverd = { ROLE_DELIVERD, 0, 5 };
	const struct channel_id fetchd = { ROLE_FETCHD, 0, 8 };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	cr_assert_eq(channel_new(b.d.loop, fds[0], &deliverd, &fetchd,
	    &ask_ops, NULL, &script.ours), OK);
	cr_assert_eq(channel_new(b.d.loop, fds[1], &fetchd, &deliverd,
	    &answer_ops, NULL, &script.theirs), OK);
	sts_ask_set_channel(b.d.sts_ask, script.ours);
}

static void
close_fetchd(void)
{
	sts_ask_set_channel(b.d.sts_ask, NULL);
	channel_close(&script.ours);
	channel_close(&script.theirs);
}

static void
begin(void)
{
	script = (struct script){ .mode = POLICY_MODE_ENFORCE,
	    .mx = "mx.example\n" };
	bench_init(&b);
	sink_open(&s, b.d.loop);
}

static void
open_with(const char *route)
{
	char yaml[512];

	(void)snprintf(yaml, sizeof(yaml), "hostname: self.example\n"
	    "routes: [{to: \"*\", %s}]\n"
	    "deliver: {port: %u, address_family: ipv4}\n"
	    "dns: {timeout: 500ms}\n", route, s.port);
	bench_open(&b, yaml);
	names_open(&b);
	open_fetchd();
}

static void
end(void)
{
	close_fetchd();
	names_close(&b);
	bench_close(&b);
	sink_close(&s);
	loop_free(&b.d.loop);
}

static const struct bench_verdict *
send_one(uint32_t route)
{
	uint64_t id = bench_lease(&b, "b.example", route, "r@b.example",
	    "Subject: x\r\n\r\nbody\r\n", 0);

	cr_assert(bench_wait(&b, b.n_told + 1, 20));
	return &b.verdicts[id];
}

static void
expect_delivered(uint32_t route)
{
	cr_expect_eq(send_one(route)->results[0].outcome, OUTCOME_DELIVERED);
}

static void
expect_deferred(uint32_t route, const char *status, const char *words)
{
	const struct bench_verdict *v = send_one(route);
	const struct bench_result *r = &v->results[0];

	cr_expect_eq(r->outcome, OUTCOME_DEFERRED);
	cr_expect_str_eq(r->status, status);
	cr_expect_not_null(strstr(r->text, words), "%s", r->text);
	cr_expect_gt(v->n_attempts, 0);
	cr_expect_eq(s.n_mails, 0);
}

#define BY_MX "via: mx, tls: opportunistic-dane-sts"

Test(sts, enforced, .init = begin, .fini = end)
{
	open_with(BY_MX);
	expect_deferred(0, "4.7.4", "by the MTA-STS policy of its "
	    "domain");
	cr_expect_eq(script.asked, 1);
	cr_expect_str_eq(script.domain, "b.example");
	cr_expect_geq(s.connections, 1);
}

/* No connection is made to a host that the policy does not name. */
Test(sts, other_host, .init = begin, .fini = end)
{
	script.mx = "mx.other.example\n*.example.org\n";
	open_with(BY_MX);
	expect_deferred(0, "4.7.5", "none of those that the MTA-STS "
	    "policy allows of b.example");
	cr_expect_eq(s.connections, 0);
}

Test(sts, testing_delivers, .init = begin, .fini = end)
{
	script.mode = POLICY_MODE_TESTING;
	open_with(BY_MX);
	expect_delivered(0);
	script.mx = "mx.other.example\n";
	expect_delivered(0);
}

Test(sts, none_and_unknown_deliver, .init = begin, .fini = end)
{
	script.mode = POLICY_MODE_NONE;
	script.mx = "";
	open_with(BY_MX);
	expect_delivered(0);
	script.is_uncertain = true;
	expect_delivered(0);
}

/* A fetchd that has gone astray says nothing. */
Test(sts, nonsense, .init = begin, .fini = end)
{
	script.mx = "mx.other.example";
	open_with(BY_MX);
	expect_delivered(0);
	script.mx = "mx.other.example\n";
	script.mode = POLICY_MODE_COUNT;
	expect_delivered(0);
}

Test(sts, demanded, .init = begin, .fini = end)
{
	open_with("via: mx, tls: sts");
	script.mode = POLICY_MODE_NONE;
	script.mx = "";
	expect_deferred(0, "4.7.4", "there is no policy of "
	    "b.example");
	script.is_uncertain = true;
	expect_deferred(0, "4.7.5", "nobody answers");
}

/* STS-10: hosts of a route have policies of their own. */
Test(sts, smart_host, .init = begin, .fini = end)
{
	char route[128];

	(void)snprintf(route, sizeof(route), "via: \"smtp://Hub.example:%u\"",
	    s.port);
	open_with(route);
	expect_deferred(0, "4.7.5", "policy allows of ");
	cr_expect_str_eq(script.domain, "Hub.example");
	script.mx = "hub.example\n";
	expect_deferred(0, "4.7.4", "by the MTA-STS policy of its domain");
}

Test(sts, other_routes_do_not_ask, .init = begin, .fini = end)
{
	open_with("via: mx, tls: opportunistic");
	expect_delivered(0);
	cr_expect_eq(script.asked, 0);
}

/* An address has no policy. */
Test(sts, address, .init = begin, .fini = end)
{
	char route[128];

	(void)snprintf(route, sizeof(route), "via: \"smtp://127.0.0.1:%u\"",
	    s.port);
	open_with(route);
	expect_delivered(0);
	cr_expect_eq(script.asked, 0);
}

/* A question goes to the next fetchd; what the last one told is remembered
 * while there is none (STS-07). */
Test(sts, fetchd_dies, .init = begin, .fini = end)
{
	script.is_mute = true;
	script.mx = "mx.other.example\n";
	open_with(BY_MX);
	(void)bench_lease(&b, "b.example", 0, "r@b.example",
	    "Subject: x\r\n\r\nbody\r\n", 0);
	bench_turn(&b, 50);
	cr_assert_eq(script.asked, 1);
	close_fetchd();
	script.is_mute = false;
	open_fetchd();
	cr_assert(bench_wait(&b, 1, 5));
	cr_assert_eq(script.asked, 2);
	close_fetchd();
	expect_deferred(0, "4.7.5", "policy allows of b.example");
	open_fetchd();
}
