/*
 * Whether DANE can work, as the log says it.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/log/log.h"
#include "common/loop/loop.h"
#include "dnsd/resolve.h"
#include "dnsd/selftest.h"
#include "name_server.h"

static struct loop *loop;
static struct log *log_;
static struct name_server *server;
static struct resolve *resolve;
static struct selftest *selftest;
static int pipe_fds[2];
static char said[8192];

static void
tell(void *ctx, void *asker, const struct msg_dns_answer *a)
{
	(void)ctx;
	cr_assert_eq(asker, selftest);
	selftest_answer(selftest, a);
}

static void
set(const char *servers, bool is_trusted)
{
	const struct resolve_setup setup = {
		.servers = servers, .timeout_ms = 200,
		.is_trusted = is_trusted,
	};

	cr_assert_eq(resolve_set(resolve, &setup), OK);
	selftest_begin(selftest, is_trusted);
}

static void
open_all(void)
{
	cr_assert_eq(pipe2(pipe_fds, O_NONBLOCK), 0);
	cr_assert_eq(loop_new(&loop), OK);
	cr_assert_eq(log_new("dnsd", pipe_fds[1], &log_), OK);
	server = name_server_new(loop);
	cr_assert_eq(resolve_new(loop, log_, tell, NULL, &resolve), OK);
	cr_assert_eq(selftest_new(loop, log_, resolve, &selftest), OK);
}

static void
close_all(void)
{
	selftest_free(&selftest);
	resolve_free(&resolve);
	name_server_free(&server);
	log_free(&log_);
	loop_free(&loop);
}

/* Whether the log says it, in a second. */
static bool
says(const char *text)
{
	size_t n = strlen(said);

	for (int i = 0; i < 100; i++) {
		ssize_t got;

		(void)log_flush(log_);
		got = read(pipe_fds[0], said + n, sizeof(said) - 1 - n);
		if (got > 0)
			n += (size_t)got;
		said[n] = '\0';
		if (strstr(said, text) != NULL) {
			said[0] = '\0';
			return true;
		}
		loop_turn(loop, 10);
	}
	return false;
}

TestSuite(selftest, .init = open_all, .fini = close_all);

Test(selftest, of_a_resolver_that_validates)
{
	set(name_server_address(server), true);
	cr_expect(says("dns_validated"));
	/* where it stands matters as much */
	set(name_server_address(server), false);
	cr_expect(says("dns_unvalidated"));
	set(name_server_address(server), true);
	cr_expect(says("dns_validated"));
}

Test(selftest, of_one_that_does_not)
{
	name_server_stop_validating(server);
	set(name_server_address(server), true);
	cr_expect(says("does not validate"));
}

Test(selftest, of_one_that_is_not_there)
{
	set("127.0.0.1:1", true);
	cr_expect(says("does not answer"));
}
