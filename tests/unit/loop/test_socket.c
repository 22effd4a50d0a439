/* Listeners and dials on loopback addresses. */
#include "common/base/check.h"
#include "common/loop/dial.h"
#include "common/loop/listener.h"
#include "common/os/clock.h"
#include "common/os/sock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct server {
	struct loop *loop;
	struct listener *listener;
	struct endpoint at;
	unsigned accepted;
	unsigned exhausted;
	int refused_fd;
	int error;
	struct endpoint peer;
	int fds[256];
	bool closes;
};

static void
on_accept(void *ctx, int fd, const struct endpoint *peer)
{
	struct server *s = ctx;

	s->fds[s->accepted++] = fd;
	s->peer = *peer;
	if (s->closes)
		listener_close(&s->listener);
}

static void
on_exhausted(void *ctx, int fd, int error)
{
	struct server *s = ctx;

	s->exhausted++;
	s->error = error;
	s->refused_fd = fd;
	if (fd >= 0)
		close(fd);
}

static const struct listener_ops ops = { on_accept, on_exhausted };

static void
open_server(struct server *s)
{
	struct endpoint any = { .addr = ipaddr_v4((uint8_t[]){ 127, 0, 0, 1 }) };
	int fd;

	*s = (struct server){ .refused_fd = -2 };
	cr_assert_eq(loop_new(&s->loop), OK);
	cr_assert_eq(sock_listen(&any, 128, &fd), OK);
	cr_assert_eq(sock_local(fd, &s->at), OK);
	cr_assert_eq(listener_new(s->loop, fd, &ops, s, &s->listener), OK);
}

static void
close_server(struct server *s)
{
	listener_close(&s->listener);
	for (unsigned i = 0; i < s->accepted; i++)
		close(s->fds[i]);
	loop_free(&s->loop);
}

static int
connect_to(const struct endpoint *at)
{
	int fd = -1;
	enum err e = sock_connect(at, NULL, &fd);

	cr_assert(e == OK || e == ERR_AGAIN);
	return fd;
}

Test(listener, accepts_in_growing_batches)
{
	struct server s;
	int clients[100];

	open_server(&s);
	for (int i = 0; i < 100; i++)
		clients[i] = connect_to(&s.at);
	for (int i = 0; i < 20 && s.accepted < 100; i++)
		loop_turn(s.loop, 100);
	cr_assert_eq(s.accepted, 100);
	cr_assert(ipaddr_is_loopback(&s.peer.addr));
	for (int i = 0; i < 100; i++)
		close(clients[i]);
	close_server(&s);
}

Test(listener, paused_lets_them_wait)
{
	struct server s;
	int client;

	open_server(&s);
	listener_pause(s.listener);
	client = connect_to(&s.at);
	loop_turn(s.loop, 20);
	cr_assert_eq(s.accepted, 0);
	listener_resume(s.listener);
	loop_turn(s.loop, 1000);
	cr_assert_eq(s.accepted, 1);
	close(client);
	close_server(&s);
}

Test(listener, may_be_closed_from_inside)
{
	struct server s;
	int clients[2];

	open_server(&s);
	s.closes = true;
	clients[0] = connect_to(&s.at);
	clients[1] = connect_to(&s.at);
	loop_turn(s.loop, 1000);
	loop_turn(s.loop, 0);
	cr_assert_eq(s.accepted, 1);
	cr_assert_null(s.listener);
	close(clients[0]);
	close(clients[1]);
	close_server(&s);
}

/* T39: without descriptors one client is told, nothing spins, and all goes on
 * by itself. */
Test(listener, survives_running_out_of_descriptors)
{
	struct server s;
	struct rlimit limit;
	int clients[3], fillers[512], n = 0;
	int64_t begin;
	unsigned turns = 0;

	open_server(&s);
	for (int i = 0; i < 3; i++)
		clients[i] = connect_to(&s.at);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 64;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (n < 512 && (fillers[n] = dup(0)) >= 0)
		n++;
	begin = clock_mono_ms();
	while (clock_mono_ms() < begin + 100) {
		loop_turn(s.loop, 20);
		turns++;
	}
	cr_assert_eq(s.accepted, 0);
	cr_assert_eq(s.exhausted, 1);
	cr_assert_geq(s.refused_fd, 0);
	cr_assert_eq(s.error, EMFILE);
	cr_assert_lt(turns, 20, "it must not spin: %u turns", turns);
	while (n > 0)
		close(fillers[--n]);
	begin = clock_mono_ms();
	while (s.accepted < 2 && clock_mono_ms() < begin + 2000)
		loop_turn(s.loop, 20);
	cr_assert_eq(s.accepted, 2);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close_server(&s);
}

struct call {
	unsigned count;
	int fd;
	int error;
};

static void
on_dialled(void *ctx, int fd, int error)
{
	struct call *c = ctx;

	c->count++;
	c->fd = fd;
	c->error = error;
}

static void
wait_for(struct loop *l, const struct call *c)
{
	int64_t begin = clock_mono_ms();

	while (c->count == 0 && clock_mono_ms() < begin + 5000)
		loop_turn(l, 100);
	cr_assert_eq(c->count, 1);
}

Test(dial, connects_from_a_chosen_address)
{
	struct server s;
	struct ipaddr from = ipaddr_v4((uint8_t[]){ 127, 0, 0, 9 });
	struct call c = { 0 };
	struct dial *d;

	open_server(&s);
	cr_assert_eq(dial_start(s.loop, &s.at, &from, 1000, on_dialled, &c,
	    &d), OK);
	cr_assert_eq(c.count, 0, "never from inside");
	wait_for(s.loop, &c);
	cr_assert_geq(c.fd, 0);
	cr_assert_eq(c.error, 0);
	while (s.accepted == 0)
		loop_turn(s.loop, 100);
	cr_assert(ipaddr_equal(&s.peer.addr, &from));
	close(c.fd);
	close_server(&s);
}

Test(dial, tells_a_refusal_and_what_fails_at_once)
{
	struct server s;
	struct endpoint nobody;
	struct ipaddr foreign = ipaddr_v4((uint8_t[]){ 192, 0, 2, 1 });
	struct call c = { 0 };
	struct dial *d;

	open_server(&s);
	nobody = s.at;
	listener_close(&s.listener);
	cr_assert_eq(dial_start(s.loop, &nobody, NULL, 1000, on_dialled, &c,
	    &d), OK);
	wait_for(s.loop, &c);
	cr_assert_eq(c.fd, -1);
	cr_assert_eq(c.error, ECONNREFUSED);

	c = (struct call){ 0 };
	cr_assert_eq(dial_start(s.loop, &nobody, &foreign, 1000, on_dialled,
	    &c, &d), OK);
	cr_assert_eq(c.count, 0, "never from inside");
	wait_for(s.loop, &c);
	cr_assert_eq(c.error, EADDRNOTAVAIL);
	close_server(&s);
}

/* A listener whose backlog is full answers no further SYN. */
Test(dial, ends_at_its_deadline_or_when_cancelled)
{
	struct loop *l;
	struct endpoint at = { .addr = ipaddr_v4((uint8_t[]){ 127, 0, 0, 1 }) };
	struct call c = { 0 };
	struct dial *d;
	int fd, fillers[8];
	int64_t begin;

	cr_assert_eq(loop_new(&l), OK);
	cr_assert_eq(sock_listen(&at, 0, &fd), OK);
	cr_assert_eq(sock_local(fd, &at), OK);
	for (int i = 0; i < 8; i++)
		fillers[i] = connect_to(&at);
	begin = clock_mono_ms();
	cr_assert_eq(dial_start(l, &at, NULL, 60, on_dialled, &c, &d), OK);
	wait_for(l, &c);
	cr_assert_eq(c.error, ETIMEDOUT);
	cr_assert_geq(clock_mono_ms(), begin + 60);

	c.count = 0;
	cr_assert_eq(dial_start(l, &at, NULL, 10, on_dialled, &c, &d), OK);
	dial_cancel(&d);
	dial_cancel(&d);
	loop_turn(l, 30);
	cr_assert_eq(c.count, 0);
	for (int i = 0; i < 8; i++)
		close(fillers[i]);
	close(fd);
	loop_free(&l);
}
