/*
 * The gate against a dnsd that answers what a test says, when it says so.
 * DNSL-03 to -12
 */
#include "common/base/check.h"
#include "common/conf/conf_match.h"
#include "common/dns/dns_reverse.h"
#include "common/dns/dns_wire.h"
#include "smtpd/admission.h"
#include "tests/unit/smtpd/fake_queued.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASKED_MAX	64

/* ---- dnsd ---- */

struct asked {
	uint32_t question;
	uint16_t type;
	char name[DNS_NAME_SIZE];
};

static struct fake f;
static struct channel *ours, *theirs;
static struct asked asked[ASKED_MAX];
static unsigned asked_n;

static void
on_asked(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct asked *a = &asked[asked_n++];

	(void)ctx;
	(void)c;
	MUST(fd < 0 && m->type == MSG_dns_ask && asked_n <= ASKED_MAX);
	a->question = m->dns_ask.question;
	a->type = m->dns_ask.type;
	(void)span_copy(m->dns_ask.name, a->name, sizeof(a->name));
}

static void
on_answered(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	(void)ctx;
	(void)c;
	MUST(fd < 0 && m->type == MSG_dns_answer);
	ask_answer(f.server.ask, &m->dns_answer);
}

static void
on_close(void *ctx, struct channel *c, enum channel_end end, const char *why)
{
	(void)ctx;
	(void)c;
	(void)end;
	(void)why;
}

static void
open_dnsd(void)
{
	static const struct channel_ops our_ops = { on_answered, on_close };
	static const struct channel_ops their_ops = { on_asked, on_close };
	const struct channel_id smtpd = { ROLE_SMTPD, 0, 1 };
	const struct channel_id dnsd = { ROLE_DNSD, 0, 2 };
	int fds[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	MUST(channel_new(f.server.loop, fds[0], &smtpd, &dnsd, &our_ops, &f,
	    &ours) == OK);
	MUST(channel_new(f.server.loop, fds[1], &dnsd, &smtpd, &their_ops, &f,
	    &theirs) == OK);
	ask_set_channel(f.server.ask, ours);
}

/* Answers the question for NAME and TYPE that was put last; DATA NULL: there is
 * no such name; "": it could not be found out. */
static void
answer(const char *name, uint16_t type, const char *data)
{
	struct msg m = { .type = MSG_dns_answer };
	struct msg_dns_record r = { .type = type, .ttl = 60 };
	struct ipaddr addr;
	struct buf list;
	unsigned i = asked_n;

	while (i > 0 && (asked[i - 1].type != type ||
	    strcmp(asked[i - 1].name, name) != 0))
		i--;
	cr_assert_gt(i, 0, "%s was not asked for", name);
	buf_init(&list, 65536);
	m.dns_answer.question = asked[i - 1].question;
	m.dns_answer.status = data == NULL ? DNS_NO_NAME :
	    data[0] == '\0' ? DNS_TEMPORARY : DNS_OK;
	if (m.dns_answer.status == DNS_OK) {
		r.data = span_str(data);
		if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) {
			cr_assert_eq(ipaddr_parse(r.data, &addr), OK);
			r.data = span_of(addr.bytes,
			    type == DNS_TYPE_A ? 4 : 16);
		}
		msg_put_dns_record(&list, &r);
		m.dns_answer.records = (struct msg_list){ 1, buf_span(&list) };
	}
	MUST(channel_send(theirs, &m) == OK);
	fake_turns(&f);
	buf_clear(&list);
}

/* ---- the server ---- */

static struct conf *
conf(void)
{
	return (struct conf *)(uintptr_t)f.server.conf;
}

static void
setup(void)
{
	static const char *domains[] = { "example.org" };

	fake_init(&f);
	asked_n = 0;
	conf()->relay.domains.v = domains;
	conf()->relay.domains.n = 1;
	conf_match_free(&f.server.match);
	MUST(conf_match_new(conf(), &f.server.match) == OK);
	f.server.site.match = f.server.match;
	open_dnsd();
}

static void
teardown(void)
{
	ask_set_channel(f.server.ask, NULL);
	channel_close(&ours);
	channel_close(&theirs);
	fake_clear(&f);
}

TestSuite(smtpd_gate, .init = setup, .fini = teardown, .timeout = 20);

static struct conf_dnslist block[2] = {
	{ "a.block", 0x7f000000, 0x7fffffff },
	{ "b.block", 0x7f000002, 0x7f00000b },
};
static struct conf_dnslist allow[1] = {
	{ "c.allow", 0x7f000000, 0x7fffffff },
};

static void
rules(size_t n_block, size_t n_allow, enum conf_reverse reverse)
{
	conf()->gate.blocklists.v = block;
	conf()->gate.blocklists.n = n_block;
	conf()->gate.allowlists.v = allow;
	conf()->gate.allowlists.n = n_allow;
	conf()->gate.reverse_name = reverse;
	conf()->gate.timeout_ms = 200;
	MUST(gate_reload(&f.server, conf()) == OK);
	fake_turns(&f);
}

/* A stranger's connection. */
static int
dial(const char *text)
{
	struct session_door door = { .service = CONF_SERVICE_MX };
	struct endpoint e = { .port = 1 };
	int fds[2];

	MUST(ipaddr_parse(span_str(text), &e.addr) == OK);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	MUST(admission_enter(f.server.clients, f.server.conf, &e.addr,
	    false) == ADMISSION_GRANTED);
	MUST(session_new(&f.server, fds[0], &e, &door, RX_GREET_WELCOME,
	    true) == OK);
	(void)fake_heard(&f, fds[1]);
	return fds[1];
}

#define ENVELOPE "EHLO c\r\nMAIL FROM:<a@b.example>\r\n" \
	"RCPT TO:<c@example.org>\r\nRCPT TO:<postmaster>\r\n"

/* The last two replies, of the recipient and of the postmaster. */
static void
expect_replies(int fd, const char *rcpt)
{
	const char *heard = fake_heard(&f, fd), *last;

	last = strstr(heard, "2.1.0 Sender ok\r\n");
	if (last != NULL)
		heard = last + 17;
	cr_expect_eq(strncmp(heard, rcpt, strlen(rcpt)), 0, "%s, not %s",
	    heard, rcpt);
	cr_expect_not_null(strstr(heard, "250 2.1.5 "), "%s", heard);
	close(fd);
	fake_turns(&f);
}

static int
begin(const char *client)
{
	int fd = dial(client);

	fake_say(&f, fd, span_str(ENVELOPE));
	return fd;
}

/* The test of the lists is theirs alone: two questions each. */
Test(smtpd_gate, nothing_is_asked_before_it_must_be)
{
	int fd;

	rules(0, 0, CONF_REVERSE_NONE);
	cr_expect_eq(asked_n, 0);
	expect_replies(begin("192.0.2.1"), "250 2.1.5 ");
	rules(1, 0, CONF_REVERSE_NONE);
	cr_expect_eq(asked_n, 2);
	fd = dial("192.0.2.1");
	fake_say(&f, fd, SPAN_LIT("NOOP\r\n"));
	cr_expect_eq(asked_n, 2);
	fake_say(&f, fd, SPAN_LIT("EHLO c\r\n"));
	cr_expect_eq(asked_n, 3);
	fake_say(&f, fd, SPAN_LIT("EHLO c\r\n"));
	cr_expect_eq(asked_n, 3);
	close(fd);
	fake_turns(&f);
	/* one of ours */
	fd = dial("127.0.0.1");
	fake_say(&f, fd, SPAN_LIT("EHLO c\r\n"));
	cr_expect_eq(asked_n, 3);
	close(fd);
}

Test(smtpd_gate, the_first_list_in_order_is_named)
{
	int fd;

	rules(2, 0, CONF_REVERSE_NONE);
	fd = begin("192.0.2.1");
	cr_expect_not(strstr(fake_heard(&f, fd), "2.1.5") != NULL);
	answer("1.2.0.192.b.block", DNS_TYPE_A, "127.0.0.2");
	answer("1.2.0.192.a.block", DNS_TYPE_A, "127.0.0.99");
	answer("1.2.0.192.a.block", DNS_TYPE_TXT, "why\r\n250 ok");
	expect_replies(fd, "550 5.7.1 192.0.2.1 is listed by a.block: "
	    "why??250 ok\r\n250 ");
	/* an answer that does not count */
	fd = begin("192.0.2.2");
	answer("2.2.0.192.a.block", DNS_TYPE_A, NULL);
	answer("2.2.0.192.b.block", DNS_TYPE_A, "127.0.0.12");
	expect_replies(fd, "250 2.1.5 ");
	/* the text is no condition */
	fd = begin("2001:db8::1");
	answer("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0."
	    "0.2.a.block", DNS_TYPE_A, NULL);
	answer("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0."
	    "0.2.b.block", DNS_TYPE_A, "127.0.0.2");
	answer("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0."
	    "0.2.b.block", DNS_TYPE_TXT, "");
	expect_replies(fd, "550 5.7.1 2001:db8::1 is listed by b.block\r\n");
}

/* All answers are waited for: an allowlist may be the last of them. */
Test(smtpd_gate, an_allowlist_wins)
{
	int fd;

	rules(1, 1, CONF_REVERSE_NONE);
	fd = begin("192.0.2.1");
	answer("1.2.0.192.a.block", DNS_TYPE_A, "127.0.0.2");
	cr_expect_null(strstr(fake_heard(&f, fd), "2.1.5"));
	answer("1.2.0.192.c.allow", DNS_TYPE_A, "127.0.5.1");
	expect_replies(fd, "250 2.1.5 ");
}

Test(smtpd_gate, answers_that_are_none)
{
	static const char *const answers[] = { "192.0.2.99", "128.0.0.2",
		"127.255.255.252", "127.255.255.255", "" };

	rules(1, 0, CONF_REVERSE_NONE);
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		int fd = begin("192.0.2.1");

		answer("1.2.0.192.a.block", DNS_TYPE_A, answers[i]);
		expect_replies(fd, "250 2.1.5 ");
	}
}

/* RFC 5782 section 5, and again when it is well. */
Test(smtpd_gate, a_list_of_everybody)
{
	int fd;

	rules(1, 0, CONF_REVERSE_NONE);
	answer("2.0.0.127.a.block", DNS_TYPE_A, "127.0.0.2");
	answer("1.0.0.127.a.block", DNS_TYPE_A, "127.0.0.2");
	fd = begin("192.0.2.1");
	answer("1.2.0.192.a.block", DNS_TYPE_A, "127.0.0.2");
	expect_replies(fd, "250 2.1.5 ");
	gate_lists_test(f.server.gate_lists);
	fake_turns(&f);
	answer("1.0.0.127.a.block", DNS_TYPE_A, NULL);
	fd = begin("192.0.2.1");
	answer("1.2.0.192.a.block", DNS_TYPE_A, "127.0.0.2");
	answer("1.2.0.192.a.block", DNS_TYPE_TXT, NULL);
	expect_replies(fd, "550 5.7.1 ");
}

/* The clock decides, and late answers are nobody's. */
Test(smtpd_gate, silence)
{
	int fd;

	rules(2, 0, CONF_REVERSE_REFUSE);
	fd = begin("192.0.2.1");
	answer("1.2.0.192.b.block", DNS_TYPE_A, NULL);
	usleep(250000);
	fake_turns(&f);
	expect_replies(fd, "250 2.1.5 ");
	answer("1.2.0.192.a.block", DNS_TYPE_A, "127.0.0.2");
	/* what has answered counts */
	fd = begin("192.0.2.1");
	answer("1.2.0.192.b.block", DNS_TYPE_A, "127.0.0.2");
	usleep(250000);
	fake_turns(&f);
	expect_replies(fd, "550 5.7.1 192.0.2.1 is listed by b.block\r\n");
}

/* Whoever leaves is not asked about any more; lists may go meanwhile. */
Test(smtpd_gate, gone_meanwhile)
{
	int fd;

	rules(2, 1, CONF_REVERSE_LOG);
	fd = begin("192.0.2.1");
	rules(1, 0, CONF_REVERSE_NONE);
	close(fd);
	fake_turns(&f);
	answer("1.2.0.192.c.allow", DNS_TYPE_A, "127.0.0.2");
	fd = begin("192.0.2.2");
	rules(0, 0, CONF_REVERSE_NONE);
	answer("2.2.0.192.a.block", DNS_TYPE_A, "127.0.0.2");
	answer("2.2.0.192.a.block", DNS_TYPE_TXT, "old");
	expect_replies(fd, "550 5.7.1 192.0.2.2 is listed by a.block: old");
	/* one that never goes on */
	(void)begin("192.0.2.3");
}

Test(smtpd_gate, names)
{
	static const struct {
		const char *name, *addr;	/* NULL: none */
		const char *reply;
	} rows[] = {
		{ "good.example", "192.0.2.1", "250 2.1.5 " },
		{ "bad.example", "192.0.2.2", "550 5.7.25 192.0.2.1 has no " },
		{ "gone.example", NULL, "550 5.7.25 " },
		{ "later.example", "", "250 2.1.5 " },
		{ "no name.example", NULL, "550 5.7.25 " },
		{ NULL, NULL, "550 5.7.25 " },
		{ "", NULL, "250 2.1.5 " },
	};

	rules(0, 0, CONF_REVERSE_REFUSE);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int fd = begin("192.0.2.1");
		unsigned before = asked_n;

		answer("1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, rows[i].name);
		if (asked_n > before)
			answer(rows[i].name, DNS_TYPE_A, rows[i].addr);
		expect_replies(fd, rows[i].reply);
	}
}
