/*
 * Questions about users: one answer each, to who asked, also when there are
 * more than can be looked at (AUTH-10, T19).
 */
#include "common/base/check.h"
#include "common/ipc/ipc_words.h"
#include "common/os/fd.h"
#include "keyd/auth.h"
#include "keyd/checker.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE_TURNS 6000	/* of 10 ms */

/* "secret", as `openssl passwd -6 -salt salt` has it */
static const char file[] = "anna:$6$salt$egUxKNxDs8kPfh8iPMNcosMhb2eWah6"
    "d3R44JDm5Rj/j/XWR5E33QPd0YmHXoDHOIDR6kL5D3JcQcz0O8"
    "FHE00\n";

static struct loop *l;
static struct passwords passwords;
static struct auth *a;
static unsigned counts[AUTH_RESULT_COUNT];
static unsigned asked[256];		/* answers, by cookie */

static void
take(void *ctx, uint64_t peer, const struct msg *m)
{
	cr_assert_eq(ctx, &counts);
	cr_assert_eq(peer, 7);
	cr_assert_eq(m->type, MSG_auth_done);
	cr_assert_lt(m->auth_done.cookie, COUNT_OF(asked));
	cr_assert_lt(m->auth_done.result, AUTH_RESULT_COUNT);
	asked[m->auth_done.cookie]++;
	counts[m->auth_done.result]++;
}

static void
begin(void)
{
	const struct siphash_key seed = { 1, 2 };
	struct buf text;

	buf_init(&text, 4096);
	cr_assert_eq(loop_new(&l), OK);
	cr_assert_eq(passwords_load(SPAN_LIT("/p"), span_str(file), &seed,
	    &passwords, &text), OK);
	cr_assert_eq(auth_new(l, &passwords, take, &counts, &a), OK);
	buf_clear(&text);
}

static void
end(void)
{
	auth_free(&a);
	passwords_clear(&passwords);
	loop_free(&l);
}

TestSuite(auth, .init = begin, .fini = end);

static void
ask(uint64_t cookie, const char *user, const char *password)
{
	const uint8_t client[4] = { 10, 0, 0, (uint8_t)cookie };
	struct msg m = { .type = MSG_auth_check };

	m.auth_check.cookie = cookie;
	m.auth_check.user = span_str(user);
	m.auth_check.password = span_str(password);
	m.auth_check.client = span_of(client, sizeof(client));
	auth_message(a, 7, &m);
}

static unsigned
answers(void)
{
	unsigned n = 0;

	for (int i = 0; i < AUTH_RESULT_COUNT; i++)
		n += counts[i];
	return n;
}

static void
wait_for(unsigned n)
{
	for (int i = 0; i < PATIENCE_TURNS && answers() < n; i++)
		loop_turn(l, 10);
	cr_assert_eq(answers(), n);
}

Test(auth, users_are_told_from_others)
{
	ask(1, "anna", "secret");
	ask(2, "anna", "Secret");
	ask(3, "bert", "secret");
	cr_expect_eq(answers(), 0, "nothing is looked at in the loop");
	wait_for(3);
	cr_expect_eq(counts[AUTH_GOOD], 1);
	cr_expect_eq(counts[AUTH_BAD], 2);
}

/* The thread may have taken one or some by then. */
Test(auth, more_than_can_wait_are_told_to_come_later)
{
	char user[16];

	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);
		ask(i, user, "x");
	}
	cr_expect_geq(counts[AUTH_LATER], 1);
	cr_expect_leq(counts[AUTH_LATER], 200 - CHECKER_QUEUE_MAX);
	wait_for(200);
	cr_expect_eq(counts[AUTH_GOOD], 0);
	for (unsigned i = 0; i < 200; i++)
		cr_expect_eq(asked[i], 1, "question %u", i);
}

Test(auth, who_has_no_address_is_not_looked_at)
{
	struct msg m = { .type = MSG_auth_check };

	m.auth_check.user = SPAN_LIT("anna");
	m.auth_check.password = SPAN_LIT("secret");
	auth_message(a, 7, &m);
	cr_expect_eq(counts[AUTH_LATER], 1);
}

Test(auth, no_proof_without_a_secret)
{
	struct msg m = { .type = MSG_scram_begin };

	m.scram_begin.user = SPAN_LIT("anna");
	auth_message(a, 7, &m);
	cr_expect_eq(counts[AUTH_LATER], 1);
}

Test(auth, it_ends_with_questions_that_wait)
{
	for (unsigned i = 0; i < 20; i++)
		ask(i, "anna", "x");
	auth_free(&a);
	cr_expect_eq(counts[AUTH_GOOD], 0);
}

Test(auth, the_offer_is_what_can_be_answered)
{
	struct msg m;

	auth_offer(a, &m);
	cr_expect_eq(m.type, MSG_auth_offer);
	cr_expect(m.auth_offer.has_plain);
	cr_expect_not(m.auth_offer.has_scram);
}

/* ---- Dovecot ---- */

static void
ignore(void *ctx)
{
	(void)ctx;
}

static void
ignore_lost(void *ctx, const char *why)
{
	(void)ctx;
	(void)why;
}

static void
ignore_want(void *ctx, bool is_served)
{
	(void)ctx;
	(void)is_served;
}

static const struct dovecot_link_ops ops = {
	ignore, ignore_lost, ignore_want, 10000, 10000, 10000,
};

/* The file is not asked beside it. */
Test(auth, without_dovecot_they_come_later)
{
	struct msg m = { .type = MSG_auth_token };
	const uint8_t client[4] = { 10, 0, 0, 3 };
	struct dovecot_link *k;

	m.auth_token.cookie = 3;
	m.auth_token.token = SPAN_LIT("token");
	m.auth_token.client = span_of(client, sizeof(client));
	auth_message(a, 7, &m);
	cr_expect_eq(counts[AUTH_LATER], 1, "nobody knows of tokens");
	cr_assert_eq(dovecot_link_new(l, &ops, NULL, &k), OK);
	auth_set_dovecot(a, k);
	auth_message(a, 7, &m);
	ask(1, "anna", "secret");
	cr_expect_eq(counts[AUTH_LATER], 3);
	m = (struct msg){ .type = MSG_scram_begin };
	m.scram_begin.user = SPAN_LIT("anna");
	auth_message(a, 7, &m);
	cr_expect_eq(counts[AUTH_LATER], 4);
	auth_offer(a, &m);
	cr_expect(m.auth_offer.has_plain);
	cr_expect_not(m.auth_offer.has_scram);
	cr_expect_not(m.auth_offer.has_bearer);
	dovecot_link_free(&k);
}

/* What it says, and what it calls the user, and who is told. */
static struct msg_auth_done last;
static char last_user[256];

static void
take_last(void *ctx, uint64_t peer, const struct msg *m)
{
	take(ctx, peer, m);
	last = m->auth_done;
	cr_assert(span_copy(m->auth_done.user, last_user,
	    sizeof(last_user)));
}

static void
say(int fd, const char *text)
{
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

Test(auth, dovecot_is_asked)
{
	struct auth *b;
	struct dovecot_link *k;
	int ends[2];
	struct msg m;

	cr_assert_eq(auth_new(l, &passwords, take_last, &counts, &b), OK);
	cr_assert_eq(dovecot_link_new(l, &ops, NULL, &k), OK);
	cr_assert_eq(fd_pair(ends), OK);
	auth_set_dovecot(b, k);
	cr_assert_eq(dovecot_link_open(k, ends[0]), OK);
	say(ends[1], "VERSION\t1\t1\nMECH\tPLAIN\nMECH\tOAUTHBEARER\n"
	    "DONE\n");
	for (int i = 0; i < 10; i++)
		loop_turn(l, 1);
	auth_offer(b, &m);
	cr_expect(m.auth_offer.has_bearer);
	m = (struct msg){ .type = MSG_auth_check };
	m.auth_check.cookie = 5;
	m.auth_check.user = SPAN_LIT("bert");
	m.auth_check.password = SPAN_LIT("x");
	m.auth_check.client = span_of("\012\0\0\1", 4);
	auth_message(b, 7, &m);
	say(ends[1], "OK\t1\tuser=albert\n");
	wait_for(1);
	cr_expect_eq(last.result, AUTH_GOOD);
	cr_expect_str_eq(last_user, "albert");
	m.auth_check.cookie = 6;
	auth_message(b, 7, &m);
	say(ends[1], "FAIL\t2\tuser=albert\n");
	wait_for(2);
	cr_expect_eq(last.result, AUTH_BAD);
	cr_expect_str_eq(last_user, "");
	/* the end of the connection is no verdict, and no guess */
	for (unsigned i = 10; i < 20; i++) {
		m.auth_check.cookie = i;
		m.auth_check.client = span_of("\012\0\0\2", 4);
		auth_message(b, 7, &m);
		dovecot_link_close(k);
		cr_expect_eq(last.result, AUTH_LATER);
		cr_expect_eq(asked[i], 1);
	}
	cr_expect_eq(counts[AUTH_LATER], 10);
	close(ends[1]);
	dovecot_link_free(&k);
	auth_free(&b);
}
