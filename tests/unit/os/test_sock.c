/* sock, sock_unix */
#include "common/base/check.h"
#include "common/os/fd.h"
#include "common/os/sock.h"
#include "common/os/sock_unix.h"
#include "tests/unit/os/os_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct endpoint
endpoint(const char *addr, uint16_t port)
{
	struct endpoint e = { .port = port };

	cr_assert_eq(ipaddr_parse(span_str(addr), &e.addr), OK);
	return e;
}

/* Listens on a free port; E says which. */
static int
listen_on(const char *addr, struct endpoint *e)
{
	int fd = -1;

	*e = endpoint(addr, 0);
	cr_assert_eq(sock_listen(e, 16, &fd), OK);
	cr_assert_eq(sock_local(fd, e), OK);
	cr_assert_neq(e->port, 0);
	return fd;
}

static int
connect_to(const struct endpoint *e, const struct ipaddr *source)
{
	struct pollfd p = { .events = POLLOUT };
	enum err err = sock_connect(e, source, &p.fd);

	cr_assert(err == OK || err == ERR_AGAIN);
	cr_assert_eq(poll(&p, 1, 5000), 1);
	return p.fd;
}

Test(sock, addresses_both_ways)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1" };
	struct endpoint none = { 0 }, back;
	struct sockaddr_storage s;
	socklen_t size;

	for (int i = 0; i < 2; i++) {
		struct endpoint e = endpoint(texts[i], 587);

		cr_assert_eq(sock_address(&e, &s, &size), OK);
		cr_assert_eq(sock_endpoint((struct sockaddr *)&s, size,
		    &back), OK);
		cr_expect(endpoint_equal(&e, &back));
		cr_expect_eq(sock_endpoint((struct sockaddr *)&s, 4, &back),
		    ERR_SYNTAX);
	}
	cr_expect_eq(sock_address(&none, &s, &size), ERR_SYNTAX);
}

Test(sock, connects_and_accepts)
{
	struct ipaddr source = endpoint("127.0.0.77", 0).addr;
	struct endpoint server, client, peer;
	int value = 0, accepted = -1, fd, listener;
	socklen_t size = sizeof(value);

	listener = listen_on("127.0.0.1", &server);
	/* what is accepted inherits it */
	cr_expect_eq(sock_set_nodelay(listener), OK);
	cr_expect_eq(sock_accept(listener, &peer, &accepted), ERR_AGAIN);
	fd = connect_to(&server, &source);
	cr_expect_eq(sock_result(fd), OK);
	cr_assert_eq(sock_accept(listener, &peer, &accepted), OK);
	cr_assert_eq(sock_local(fd, &client), OK);
	cr_expect(endpoint_equal(&peer, &client));
	cr_expect(ipaddr_equal(&peer.addr, &source));
	cr_assert_eq(sock_peer(fd, &peer), OK);
	cr_expect(endpoint_equal(&peer, &server));
	cr_expect(fcntl(accepted, F_GETFL) & O_NONBLOCK);
	cr_expect_eq(fcntl(accepted, F_GETFD), FD_CLOEXEC);
	cr_assert_eq(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &value,
	    &size), 0);
	cr_expect_eq(value, 1);
}

Test(sock, refusal_and_reset_are_told)
{
	struct endpoint server, peer;
	struct pollfd p = { .events = POLLIN };
	int accepted, listener;
	char byte;
	enum err e;

	listener = listen_on("127.0.0.1", &server);
	p.fd = connect_to(&server, NULL);
	cr_assert_eq(sock_accept(listener, &peer, &accepted), OK);
	cr_expect_eq(sock_set_abort(accepted), OK);
	fd_close(&accepted);
	cr_assert_eq(poll(&p, 1, 5000), 1);
	cr_expect_lt(read(p.fd, &byte, 1), 0);
	cr_expect_eq(errno, ECONNRESET);
	fd_close(&p.fd);

	fd_close(&listener);
	p.events = POLLOUT;
	e = sock_connect(&server, NULL, &p.fd);
	if (e == ERR_AGAIN) {
		cr_assert_eq(poll(&p, 1, 5000), 1);
		e = sock_result(p.fd);
	}
	cr_expect_eq(e, ERR_IO);
	cr_expect_eq(errno, ECONNREFUSED);
}

Test(sock, an_address_serves_one_listener)
{
	struct endpoint server;
	int again = -1, before;

	(void)listen_on("127.0.0.1", &server);
	before = os_count_fds();
	cr_expect_eq(sock_listen(&server, 1, &again), ERR_IO);
	cr_expect_eq(errno, EADDRINUSE);
	cr_expect_eq(again, -1);
	cr_expect_eq(os_count_fds(), before);
}

Test(sock, both_families_share_a_port)
{
	struct endpoint six = endpoint("::", 0), four = endpoint("0.0.0.0", 0);
	int fd6 = -1, fd4 = -1;

	if (sock_listen(&six, 1, &fd6) != OK)
		cr_skip("no IPv6 here");
	cr_assert_eq(sock_local(fd6, &six), OK);
	four.port = six.port;
	cr_expect_eq(sock_listen(&four, 1, &fd4), OK);
}

static int
accept_without_room(void *arg)
{
	int listener = *(int *)arg, fd = -1;
	struct rlimit none = { 0, 0 };
	struct endpoint peer;

	if (setrlimit(RLIMIT_NOFILE, &none) < 0)
		return 98;
	return -sock_accept(listener, &peer, &fd);
}

/* T39: told apart from "nobody there", so that a server can pause. */
Test(sock, accept_tells_when_there_is_no_room)
{
	struct endpoint server;
	int listener = listen_on("127.0.0.1", &server);
	int wrong = -1, fd = connect_to(&server, NULL);
	struct endpoint peer;

	cr_expect_eq(os_in_child(accept_without_room, &listener), -ERR_FULL);
	cr_expect_eq(sock_accept(fd, &peer, &wrong), ERR_IO, "no listener");
	cr_expect_eq(sock_accept(listener, &peer, &wrong), OK,
	    "still waiting");
}

static void
check_serving(const char *path)
{
	struct endpoint peer;
	struct stat st;
	int listener = -1, again = -1, client = -1, accepted = -1;

	cr_assert_eq(sock_unix_listen(path, 0640, 4, &listener), OK);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	cr_expect_eq(sock_unix_listen(path, 0600, 4, &again), ERR_EXISTS);
	cr_expect_eq(sock_accept(listener, &peer, &accepted), OK,
	    "the probe");
	fd_close(&accepted);
	cr_assert_eq(sock_unix_connect(path, &client), OK);
	cr_expect_eq(sock_accept(listener, &peer, &accepted), OK);
	cr_expect_eq(peer.addr.family, IPADDR_NONE);
	fd_close(&client);
	fd_close(&accepted);
	fd_close(&listener);
	cr_expect_eq(sock_unix_connect(path, &client), ERR_PEER);
	cr_expect_eq(sock_unix_listen(path, 0600, 4, &listener), OK,
	    "what was left is replaced");
	fd_close(&listener);
}

Test(sock_unix, serves_and_replaces)
{
	cr_assert_not_null(os_scratch_enter());
	check_serving("s");
	os_scratch_leave();
}

Test(sock_unix, long_paths_work)
{
	const char *scratch = os_scratch_enter();
	int before = os_count_fds();
	char path[400], part[101];

	cr_assert_not_null(scratch);
	memset(part, 'd', 100);
	part[100] = '\0';
	cr_assert_eq(mkdir(part, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s/s", scratch, part);
	cr_assert_gt(strlen(path), sizeof(((struct sockaddr_un *)0)->sun_path));
	check_serving(path);
	snprintf(path, sizeof(path), "%s/%s%s", scratch, part, part);
	cr_expect_eq(sock_unix_connect(path, &(int){ -1 }), ERR_RANGE);
	snprintf(path, sizeof(path), "%s/none%s/s", scratch, part);
	cr_expect_eq(sock_unix_connect(path, &(int){ -1 }), ERR_NOT_FOUND);
	cr_expect_eq(os_count_fds(), before);
	os_scratch_leave();
}

/* Who may not wait is told so. */
Test(sock_unix, tries)
{
	int listener = -1, clients[16];
	enum err e = OK;
	size_t n = 0;

	cr_assert_not_null(os_scratch_enter());
	cr_expect_eq(sock_unix_try("s", &clients[0]), ERR_NOT_FOUND);
	cr_assert_eq(sock_unix_listen("s", 0600, 1, &listener), OK);
	while (n < COUNT_OF(clients) &&
	    (e = sock_unix_try("s", &clients[n])) == OK)
		n++;
	cr_expect_geq(n, 1);
	cr_expect_eq(e, ERR_AGAIN);
	cr_expect_eq(fcntl(clients[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	while (n > 0)
		fd_close(&clients[--n]);
	fd_close(&listener);
	cr_expect_eq(sock_unix_try("s", &clients[0]), ERR_PEER);
	os_scratch_leave();
}

Test(sock_unix, replaces_only_sockets)
{
	struct stat st;
	int fd = -1;

	cr_assert_not_null(os_scratch_enter());
	cr_expect_eq(sock_unix_connect("none", &fd), ERR_NOT_FOUND);
	fd = open("file", O_CREAT | O_WRONLY, 0600);
	fd_close(&fd);
	cr_expect_eq(sock_unix_listen("file", 0600, 1, &fd), ERR_EXISTS);
	cr_expect_eq(stat("file", &st), 0, "still there");
	cr_expect_eq(symlink("file", "link"), 0);
	cr_expect_eq(sock_unix_listen("link", 0600, 1, &fd), ERR_EXISTS);
	cr_expect_eq(fd, -1);
	os_scratch_leave();
}
