/*
 * Every question to Dovecot gets one answer in time, whatever Dovecot does.
 * AUTH-10, T19.
 */
#include "common/base/check.h"
#include "common/os/fd.h"
#include "keyd/dovecot_link.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING "VERSION\t1\t2\nMECH\tPLAIN\nMECH\tOAUTHBEARER\nDONE\n"
#define JOBS 400

static struct loop *l;
static struct dovecot_link *k;
static int end_fd = -1;
static unsigned ready, lost, wanted, served, done;
static struct dovecot_job jobs[JOBS];
static unsigned answers[JOBS];

static void
on_ready(void *ctx)
{
	cr_assert_eq(ctx, &ready);
	ready++;
}

static void
on_lost(void *ctx, const char *why)
{
	cr_assert_eq(ctx, &ready);
	cr_assert_not_null(why);
	lost++;
}

static void
on_want(void *ctx, bool is_served)
{
	cr_assert_eq(ctx, &ready);
	wanted++;
	served += is_served;
}

static struct dovecot_link_ops ops = {
	on_ready, on_lost, on_want, 200, 200, 100000,
};

static void
on_done(struct dovecot_job *job)
{
	answers[job - jobs]++;
	done++;
}

static void
begin(void)
{
	cr_assert_eq(loop_new(&l), OK);
	cr_assert_eq(dovecot_link_new(l, &ops, &ready, &k), OK);
}

static void
finish(void)
{
	dovecot_link_free(&k);
	fd_close(&end_fd);
	loop_free(&l);
}

TestSuite(dovecot_link, .init = begin, .fini = finish);

static void
turn(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn(l, 1);
}

static void
wait_for(const unsigned *count, unsigned n)
{
	for (int i = 0; i < 2000 && *count < n; i++)
		loop_turn(l, 10);
	cr_assert_eq(*count, n);
}

static void
say(const char *text)
{
	cr_assert_eq(write(end_fd, text, strlen(text)),
	    (ssize_t)strlen(text));
}

static void
connect_it(const char *greeting)
{
	int ends[2];

	fd_close(&end_fd);
	cr_assert_eq(fd_pair(ends), OK);
	end_fd = ends[1];
	cr_assert_eq(dovecot_link_open(k, ends[0]), OK);
	say(greeting);
	turn();
}

static enum err
ask(unsigned i, enum dovecot_mechanism mechanism)
{
	struct dovecot_question q = {
		.mechanism = mechanism, .user = SPAN_LIT("ann"),
		.secret = SPAN_LIT("a secret that is nobody's"),
	};

	jobs[i].on_done = on_done;
	return dovecot_link_ask(k, &jobs[i], &q);
}

/* What came so far. */
static const char *
heard(void)
{
	static char text[65536];
	const ssize_t n = recv(end_fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(dovecot_link, answers_in_any_order)
{
	cr_expect_eq(dovecot_link_mechanisms(k), DOVECOT_PLAIN);
	cr_expect_eq(ask(0, DOVECOT_PLAIN), ERR_AGAIN);
	connect_it(GREETING);
	cr_expect_eq(ready, 1);
	cr_expect_eq(dovecot_link_mechanisms(k),
	    DOVECOT_PLAIN | DOVECOT_OAUTHBEARER);
	cr_expect_eq(strncmp(heard(), "VERSION\t1\t1\nCPID\t", 17), 0);
	for (unsigned i = 0; i < 4; i++)
		cr_expect_eq(ask(i, DOVECOT_PLAIN), OK);
	turn();
	cr_expect_not_null(strstr(heard(), "AUTH\t1\tPLAIN\t"));
	say("FAIL\t3\nOK\t1\tuser=a\nOK\t9\nFAIL\t2\ttemp\nOK\t1\n"
	    "OK\t4\tuser=\x7f\n");
	wait_for(&done, 4);
	cr_expect_eq(jobs[0].result, AUTH_GOOD);
	cr_expect(span_equal(span_of(jobs[0].user, jobs[0].user_n),
	    SPAN_LIT("a")));
	cr_expect_eq(jobs[1].result, AUTH_LATER);
	cr_expect_eq(jobs[2].result, AUTH_BAD);
	cr_expect_eq(jobs[3].result, AUTH_LATER);
	cr_expect_eq(lost, 0);
}

Test(dovecot_link, a_token_that_is_refused)
{
	connect_it(GREETING);
	cr_expect_eq(ask(0, DOVECOT_OAUTHBEARER), OK);
	turn();
	(void)heard();
	say("CONT\t1\te30=\n");
	turn();
	cr_expect_str_eq(heard(), "CONT\t1\tAQ==\n");
	cr_expect_eq(done, 0);
	say("FAIL\t1\n");
	wait_for(&done, 1);
	cr_expect_eq(jobs[0].result, AUTH_BAD);
	cr_expect(span_equal(span_of(jobs[0].challenge,
	    jobs[0].challenge_n), SPAN_LIT("{}")));
	/* a password has no second step */
	cr_expect_eq(ask(1, DOVECOT_PLAIN), OK);
	say("CONT\t2\te30=\n");
	wait_for(&lost, 1);
	cr_expect_eq(jobs[1].result, AUTH_LATER);
}

/* It hangs: who asked is told, and the connection is given up. */
Test(dovecot_link, silence)
{
	connect_it(GREETING);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(ask(i, DOVECOT_PLAIN), OK);
	wait_for(&lost, 1);
	cr_expect_eq(done, 3);
	cr_expect_eq(jobs[2].result, AUTH_LATER);
	cr_expect_eq(ask(3, DOVECOT_PLAIN), ERR_AGAIN);
	/* nor does it greet */
	connect_it("");
	wait_for(&lost, 2);
	connect_it("VERSION\t1\t1\nMECH");
	wait_for(&lost, 3);
	connect_it(GREETING);
	cr_expect_eq(ask(3, DOVECOT_PLAIN), OK);
}

/* One answer that is late leaves the others their connection. */
Test(dovecot_link, one_is_late)
{
	char text[32];

	connect_it(GREETING);
	cr_expect_eq(ask(0, DOVECOT_PLAIN), OK);
	for (unsigned i = 1; done == 0 || answers[0] == 0; i++) {
		cr_assert_lt(i, JOBS);
		cr_expect_eq(ask(i, DOVECOT_PLAIN), OK);
		(void)snprintf(text, sizeof(text), "OK\t%u\n", i + 1);
		say(text);
		for (int turns = 0; answers[i] == 0 && turns < 1000; turns++)
			loop_turn(l, 10);
		cr_expect_eq(jobs[i].result, AUTH_GOOD);
		(void)heard();
		turn();
	}
	cr_expect_eq(jobs[0].result, AUTH_LATER);
	cr_expect_eq(lost, 0);
	/* then it comes, for nobody */
	say("OK\t1\tuser=a\n");
	turn();
	cr_expect_eq(answers[0], 1);
	cr_expect_eq(lost, 0);
}

static const char *const nonsense[] = {
	"OK\n", "FAIL\tx\n", "CONT\t1\te30=\n", "VERSION\t1\t1",
};

Test(dovecot_link, nonsense_and_ends)
{
	static char big[20000];

	memset(big, 'x', sizeof(big) - 1);
	for (unsigned i = 0; i < 6; i++) {
		connect_it(GREETING);
		cr_expect_eq(ask(i, DOVECOT_PLAIN), OK);
		turn();
		if (i < COUNT_OF(nonsense) - 1)
			say(nonsense[i == 2 ? 0 : i]);
		else if (i == 3)
			say(big);
		else if (i == 4)
			for (unsigned n = 0; n <= DOVECOT_LINK_NOISE_MAX; n++)
				say("NEWS\n");
		else
			fd_close(&end_fd);
		wait_for(&lost, i + 1);
		cr_expect_eq(answers[i], 1);
		cr_expect_eq(jobs[i].result, AUTH_LATER);
	}
}

/* The one before answers what it was asked, and ends; nobody notices. */
Test(dovecot_link, another_takes_over)
{
	char octet;
	int old;

	ops.renew_ms = 50;
	connect_it(GREETING);
	cr_expect_eq(ask(0, DOVECOT_PLAIN), OK);
	wait_for(&wanted, 1);
	cr_expect_eq(served, 1);
	old = end_fd;
	end_fd = -1;
	ops.renew_ms = 100000;
	/* one that does not greet is none */
	connect_it("VERSION\t2\t0\nDONE\n");
	cr_expect_eq(wanted, 2);
	cr_expect_eq(ask(1, DOVECOT_PLAIN), OK);
	connect_it(GREETING);
	cr_expect_eq(ask(2, DOVECOT_PLAIN), OK);
	turn();
	cr_expect_not_null(strstr(heard(), "AUTH\t1\t"));
	cr_expect_eq(write(old, "OK\t1\nFAIL\t2\n", 12), 12);
	say("OK\t1\n");
	wait_for(&done, 3);
	cr_expect_eq(jobs[0].result, AUTH_GOOD);
	cr_expect_eq(jobs[1].result, AUTH_BAD);
	cr_expect_eq(jobs[2].result, AUTH_GOOD);
	turn();
	while (recv(old, &octet, 1, MSG_DONTWAIT) == 1)
		;
	cr_expect_eq(recv(old, &octet, 1, MSG_DONTWAIT), 0, "it has ended");
	close(old);
	cr_expect_eq(ready, 1);
	cr_expect_eq(lost, 0);
	/* without questions the one before ends at once */
	old = end_fd;
	end_fd = -1;
	connect_it("VERSION\t1\t1\nMECH\tPLAIN\nDONE\n");
	while (recv(old, &octet, 1, MSG_DONTWAIT) == 1)
		;
	cr_expect_eq(recv(old, &octet, 1, MSG_DONTWAIT), 0);
	close(old);
	cr_expect_eq(ready, 2, "its mechanisms are others");
	cr_expect_eq(dovecot_link_mechanisms(k), DOVECOT_PLAIN);
	fd_close(&end_fd);
	wait_for(&lost, 1);
	cr_expect_eq(wanted, 3);
	cr_expect_eq(served, 2);
}

/* More than it takes, or than is asked at a time. */
Test(dovecot_link, bounds)
{
	unsigned n = 0;
	int pair[2];

	connect_it(GREETING);
	while (n < JOBS && ask(n, DOVECOT_PLAIN) == OK)
		n++;
	cr_expect_eq(n, DOVECOT_LINK_JOBS_MAX);
	cr_expect_eq(ask(n, DOVECOT_PLAIN), ERR_FULL);
	dovecot_link_close(k);
	cr_expect_eq(done, n);
	cr_expect_eq(lost, 0);
	for (unsigned i = 0; i < n; i++)
		cr_expect_eq(answers[i], 1);
	/* what is no such socket is not spoken to */
	cr_assert_eq(pipe(pair), 0);
	cr_expect_eq(dovecot_link_open(k, pair[0]), ERR_PEER);
	cr_expect_eq(close(pair[0]), -1);
	close(pair[1]);
	cr_expect_eq(ask(n, DOVECOT_PLAIN), ERR_AGAIN);
}

Test(dovecot_link, it_ends_with_questions_that_wait)
{
	connect_it(GREETING);
	for (unsigned i = 0; i < 5; i++)
		cr_expect_eq(ask(i, DOVECOT_PLAIN), OK);
	dovecot_link_free(&k);
	cr_expect_eq(done, 0);
}
