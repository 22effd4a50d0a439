/*
 * Who gets in: total and per client, the places kept for relay.networks, the
 * most idle stranger, early talkers.  T08 T11 S5321-62, promise I-06.
 */
#include "common/base/check.h"
#include "common/conf/conf_match.h"
#include "common/os/sock.h"
#include "smtpd/admission.h"
#include "smtpd/doors.h"
#include "tests/unit/smtpd/fake_queued.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fake f;
static struct endpoint here;
static int clients[32];
static unsigned client_count;

static struct conf *
conf(void)
{
	return (struct conf *)(uintptr_t)f.server.conf;
}

/* 127.0.0.1 is trusted, all else a stranger. */
static void
rules(uint32_t connections, uint32_t per_client)
{
	static struct ipaddr_prefix network;

	cr_assert_eq(ipaddr_prefix_parse(SPAN_LIT("127.0.0.1/32"), &network),
	    OK);
	conf()->relay.networks.v = &network;
	conf()->relay.networks.n = 1;
	conf()->limits.connections = connections;
	conf()->limits.connections_per_client = per_client;
	conf_match_free(&f.server.match);
	cr_assert_eq(conf_match_new(conf(), &f.server.match), OK);
	f.server.site.match = f.server.match;
}

static void
setup(void)
{
	int fd;

	fake_init(&f);
	cr_assert_eq(endpoint_parse(SPAN_LIT("127.0.0.1:1"), 0, &here), OK);
	here.port = 0;
	cr_assert_eq(sock_listen(&here, 128, &fd), OK);
	cr_assert_eq(sock_local(fd, &here), OK);
	cr_assert_eq(doors_open(&f.server, 0, SPAN_LIT("here"), fd), OK);
}

static void
teardown(void)
{
	while (client_count > 0)
		close(clients[--client_count]);
	fake_turns(&f);
	doors_shut(&f.server, 0, SPAN_LIT("here"));
	cr_expect(list_is_empty(&f.server.listeners));
	fake_clear(&f);
}

TestSuite(smtpd_doors, .init = setup, .fini = teardown, .timeout = 20);

/* A blocking connection from 127.0.0.HOST, not yet accepted. */
static int
dial(unsigned host)
{
	struct sockaddr_storage sa;
	struct endpoint from = here;
	socklen_t size;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	from.addr.bytes[3] = (uint8_t)host;
	from.port = 0;
	cr_assert_eq(sock_address(&from, &sa, &size), OK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, size), 0);
	cr_assert_eq(sock_address(&here, &sa, &size), OK);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, size), 0);
	clients[client_count++] = fd;
	return fd;
}

static const char *
greeting(int fd)
{
	return fake_heard(&f, fd);
}

static void
expect_greeting(unsigned host, const char *wanted)
{
	const char *heard = greeting(dial(host));

	cr_expect_eq(strncmp(heard, wanted, strlen(wanted)), 0,
	    "127.0.0.%u hears: %s", host, heard);
}

Test(smtpd_doors, so_many_of_one_client)
{
	int fd;

	rules(100, 2);
	expect_greeting(2, "220 mx.example ");
	fd = dial(2);
	cr_expect_eq(strncmp(greeting(fd), "220 ", 4), 0);
	expect_greeting(2, "421 4.7.0 mx.example ");
	expect_greeting(3, "220 ");
	/* one goes, one may come */
	close(fd);
	clients[1] = dup(0);
	fake_turns(&f);
	expect_greeting(2, "220 ");
	expect_greeting(2, "421 4.7.0 ");
	/* the limit is there for trusted clients, too */
	expect_greeting(1, "220 ");
	expect_greeting(1, "220 ");
	expect_greeting(1, "421 4.7.0 ");
}

Test(smtpd_doors, a_tenth_is_kept_for_our_own)
{
	rules(10, 20);
	for (unsigned i = 0; i < 9; i++)
		expect_greeting(2 + i, "220 ");
	expect_greeting(1, "220 ");
	/* full; one of our own takes a stranger's place, too */
	expect_greeting(1, "220 ");
	cr_expect_eq(strncmp(greeting(clients[0]), "421 4.3.2 ", 10), 0);
}

Test(smtpd_doors, the_most_idle_stranger_goes)
{
	rules(10, 20);
	for (unsigned i = 0; i < 9; i++)
		expect_greeting(2 + i, "220 ");
	/* the first moves, so the second is idle longest */
	fake_say(&f, clients[0], SPAN_LIT("EHLO c\r\n"));
	expect_greeting(20, "220 ");
	cr_expect_eq(strncmp(greeting(clients[1]), "421 4.3.2 mx.example", 20),
	    0);
	cr_expect_eq(strncmp(greeting(clients[0]), "250-", 4), 0);
	cr_expect_eq(client_table_total(f.server.clients), 9);
}

/* Nobody is thrown out of a transaction. */
Test(smtpd_doors, busy_strangers_stay)
{
	rules(2, 20);
	expect_greeting(2, "220 ");
	expect_greeting(3, "220 ");
	for (unsigned i = 0; i < 2; i++)
		fake_say(&f, clients[i],
		    SPAN_LIT("HELO c\r\nMAIL FROM:<a@b.example>\r\n"));
	expect_greeting(4, "421 4.3.2 ");
	expect_greeting(1, "421 4.3.2 ");
}

Test(smtpd_doors, our_own_are_never_thrown_out)
{
	rules(2, 20);
	expect_greeting(1, "220 ");
	expect_greeting(1, "220 ");
	expect_greeting(1, "421 4.3.2 ");
	expect_greeting(2, "421 4.3.2 ");
}

Test(smtpd_doors, early_talkers)
{
	int fd;

	rules(10, 20);
	fd = dial(2);
	cr_assert_eq(send(fd, "EHLO c\r\n", 8, 0), 8);
	cr_expect_eq(strncmp(greeting(fd), "554 5.5.1 mx.example:", 21), 0);
	cr_expect_eq(client_table_total(f.server.clients), 0);
	fd = dial(1);
	cr_assert_eq(send(fd, "EHLO c\r\n", 8, 0), 8);
	cr_expect_not_null(strstr(greeting(fd), "250 ENHANCEDSTATUSCODES"));
}
