/*
 * Who gets in: total and per client, the places kept for relay.networks, the
 * most idle stranger, early talkers, and what comes by proxies.  T08 T11
 * S5321-62 PROXY-07 PROXY-08, promise I-06.
 */
#include "common/base/check.h"
#include "common/conf/conf_match.h"
#include "common/os/sock.h"
#include "smtpd/admission.h"
#include "smtpd/doors.h"
#include "tests/unit/smtpd/fake_queued.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
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

/* ... but for who has none, one of many of the same address. */
Test(smtpd_doors, a_crowd_makes_room_for_one)
{
	rules(10, 20);
	for (unsigned i = 0; i < 9; i++) {
		expect_greeting(i < 4 ? 2 : 20 + i, "220 ");
		fake_say(&f, clients[i],
		    SPAN_LIT("HELO c\r\nMAIL FROM:<a@b.example>\r\nRC"));
	}
	/* its message is on its way */
	fake_say(&f, clients[0],
	    SPAN_LIT("PT TO:<c@example.org>\r\nDATA\r\n"));
	(void)fake_heard(&f, clients[0]);
	(void)fake_heard(&f, clients[1]);
	expect_greeting(3, "220 ");
	cr_expect_eq(strncmp(greeting(clients[1]), "421 4.3.2 ", 10), 0);
	/* three are no crowd, and who has one needs no second */
	fake_say(&f, clients[9],
	    SPAN_LIT("HELO c\r\nMAIL FROM:<a@b.example>\r\n"));
	expect_greeting(4, "421 4.3.2 ");
	expect_greeting(3, "421 4.3.2 ");
	cr_expect_eq(client_table_total(f.server.clients), 9);
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

/* ---- proxies: 127.0.0.128/25 are some, at this listener ---- */

#define HEADER(from) "PROXY TCP4 " from " 192.0.2.99 40000 25\r\n"

static void
proxies(void)
{
	static struct ipaddr_prefix network;

	cr_assert_eq(ipaddr_prefix_parse(SPAN_LIT("127.0.0.128/25"),
	    &network), OK);
	conf()->listeners.v[0].proxy.v = &network;
	conf()->listeners.v[0].proxy.n = 1;
}

/* A connection of a proxy that says so much at once. */
static int
dial_with(unsigned host, const char *bytes)
{
	int fd = dial(host);

	cr_assert_eq(send(fd, bytes, strlen(bytes), 0),
	    (ssize_t)strlen(bytes));
	return fd;
}

static bool
is_closed(int fd)
{
	char byte;

	fake_turns(&f);
	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 ||
	    (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void
expect_proxied(const char *header, const char *wanted)
{
	const char *heard = greeting(dial_with(200, header));

	cr_expect_eq(strncmp(heard, wanted, strlen(wanted)), 0, "%s hears: %s",
	    header, heard);
}

/* The client counts that the header names; the proxy never does. */
Test(smtpd_doors, a_proxy_is_not_the_client)
{
	struct ipaddr proxy, client;

	rules(100, 2);
	proxies();
	cr_assert_eq(ipaddr_parse(SPAN_LIT("127.0.0.200"), &proxy), OK);
	cr_assert_eq(ipaddr_parse(SPAN_LIT("192.0.2.1"), &client), OK);
	expect_proxied(HEADER("192.0.2.1"), "220 ");
	expect_proxied(HEADER("192.0.2.1"), "220 ");
	expect_proxied(HEADER("192.0.2.1"), "421 4.7.0 ");
	expect_proxied(HEADER("192.0.2.2"), "220 ");
	cr_expect_eq(client_table_count(f.server.clients, &client), 2);
	cr_expect_eq(client_table_count(f.server.clients, &proxy), 0);
	cr_expect_eq(f.server.arrival_count, 0);
	/* the proxy speaks for itself */
	expect_proxied("PROXY UNKNOWN\r\n", "220 ");
	cr_expect_eq(client_table_count(f.server.clients, &proxy), 1);
}

/* Trust is the client's as well, with all that hangs on it. */
Test(smtpd_doors, trust_goes_by_the_header)
{
	rules(100, 20);
	proxies();
	/* early: a stranger must wait, one of ours need not */
	expect_proxied(HEADER("192.0.2.1") "EHLO c\r\n",
	    "554 5.5.1 mx.example:");
	expect_proxied(HEADER("127.0.0.1") "EHLO c\r\n",
	    "220 mx.example ESMTP mtad\r\n250-");
}

Test(smtpd_doors, nobody_else_comes_to_the_door_of_proxies)
{
	rules(100, 20);
	proxies();
	expect_greeting(2, "554 5.7.1 mx.example ");
	cr_expect(is_closed(clients[0]));
	/* whatever he says */
	cr_expect_eq(strncmp(greeting(dial_with(1, HEADER("127.0.0.1"))),
	    "554 5.7.1 ", 10), 0);
	cr_expect_eq(f.server.arrival_count, 0);
	cr_expect_eq(client_table_total(f.server.clients), 0);
}

/* PROXY-07: octet by octet, and the greeting not before its end. */
Test(smtpd_doors, a_header_in_pieces)
{
	static const char header[] = HEADER("192.0.2.1");
	int fd;

	rules(100, 20);
	proxies();
	fd = dial(200);
	for (size_t i = 0; i < sizeof(header) - 1; i++) {
		cr_expect_str_empty(greeting(fd));
		cr_expect_eq(f.server.arrival_count, 1);
		cr_assert_eq(send(fd, header + i, 1, 0), 1);
	}
	cr_expect_eq(strncmp(greeting(fd), "220 ", 4), 0);
	cr_expect_eq(f.server.arrival_count, 0);
}

/* PROXY-08: what is no header ends it without a word. */
Test(smtpd_doors, a_header_that_is_none)
{
	static const char *const texts[] = {
		"EHLO client.example\r\n", "PROXY TCP4 192.0.2.1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "\r\n\r\nx",
	};
	int fd;

	rules(100, 20);
	proxies();
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		fd = dial_with(200, texts[i]);
		cr_expect_str_empty(greeting(fd));
		cr_expect(is_closed(fd), "%s", texts[i]);
	}
	/* half of one, and a look whether we are here */
	close(dial_with(200, "PROXY TC"));
	close(dial(200));
	client_count -= 2;
	fake_turns(&f);
	cr_expect_eq(f.server.arrival_count, 0);
	cr_expect_eq(client_table_total(f.server.clients), 0);
}

/* The listener goes, and with it those that wait before it. */
Test(smtpd_doors, arrivals_end_with_their_door)
{
	int fd;

	rules(100, 20);
	proxies();
	fd = dial_with(200, "PROXY ");
	fake_turns(&f);
	cr_assert_eq(f.server.arrival_count, 1);
	doors_shut(&f.server, 0, SPAN_LIT("here"));
	cr_expect_eq(f.server.arrival_count, 0);
	cr_expect(is_closed(fd));
}

Test(smtpd_doors, arrivals_are_bounded)
{
	rules(2, 20);
	proxies();
	(void)dial(200);
	(void)dial(200);
	fake_turns(&f);
	cr_expect_eq(f.server.arrival_count, 2);
	cr_expect(is_closed(dial(200)));
	cr_expect_eq(f.server.arrival_count, 2);
}
