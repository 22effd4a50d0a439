/*
 * Waits of those who guess (T19), in virtual time.
 */
#include "common/base/check.h"
#include "keyd/guesses.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct siphash_key key = { 7, 8 };
static struct guesses *g;

static void
begin(void)
{
	cr_assert_eq(guesses_new(&key, &g), OK);
}

static void
end(void)
{
	guesses_free(&g);
}

TestSuite(guesses, .init = begin, .fini = end);

/* How long the answer waits; -1: it is not to be looked at. */
static int64_t
ask(const char *client, const char *user, int64_t now_ms, bool is_good)
{
	struct ipaddr a;
	struct guess guess;

	cr_assert_eq(ipaddr_parse(span_str(client), &a), OK);
	if (guesses_begin(g, &a, span_str(user), now_ms, &guess) != OK)
		return -1;
	if (is_good)
		guesses_good(g, &guess, now_ms);
	return guess.answer_at_ms - now_ms;
}

Test(guesses, the_wait_of_a_client_doubles)
{
	static const int64_t waits[] = {
		0, 0, 0, 1000, 2000, 4000, 8000, 16000, 30000, 30000,
	};
	int64_t now = 1000;
	char user[16];

	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		(void)snprintf(user, sizeof(user), "u%zu", i);
		cr_expect_eq(ask("192.0.2.1", user, now, false), waits[i],
		    "guess %zu", i);
		now += waits[i];
	}
	cr_expect_eq(ask("192.0.2.2", "v", now, false), 0);
	cr_expect_eq(ask("192.0.2.1", "v", now + GUESSES_FORGET_MS + 1,
	    false), 0, "forgotten");
}

Test(guesses, one_network_of_ipv6_is_one_client)
{
	char client[40];

	for (int i = 0; i < 3; i++) {
		(void)snprintf(client, sizeof(client), "2001:db8::%x", i);
		cr_expect_eq(ask(client, "u", 0, false), 0);
	}
	cr_expect_eq(ask("2001:db8:0:0:ffff::1", "v", 0, false), 1000);
	cr_expect_eq(ask("2001:db8:0:1::1", "v", 0, false), 0);
}

/* In an hour: what 1 + 2 + 4 + 8 + 16 s leave, and one in 30 s each. */
Test(guesses, many_connections_guess_no_faster_than_one)
{
	unsigned looked_at = 0;
	char user[16];

	for (int i = 0; i < 36000; i++) {
		(void)snprintf(user, sizeof(user), "u%d", i);
		looked_at += ask("192.0.2.1", user, (int64_t)i * 100,
		    false) >= 0;
	}
	cr_expect_leq(looked_at, 130, "%u", looked_at);
	cr_expect_geq(looked_at, 100, "%u", looked_at);
}

Test(guesses, strangers_delay_an_owner_by_a_second_at_most)
{
	char client[20];

	for (int i = 0; i < 10000; i++) {
		(void)snprintf(client, sizeof(client), "10.0.%d.%d", i / 250,
		    i % 250);
		cr_expect_leq(ask(client, "anna", i, false), GUESSES_USER_MS);
	}
	cr_expect_eq(ask("192.0.2.1", "anna", 10000, true), GUESSES_USER_MS);
	cr_expect_eq(ask("192.0.2.1", "anna", 10001, true), 0, "known now");
}

/* Also where a guesser sits behind the same address. */
Test(guesses, an_owner_who_is_known_there_waits_for_own_mistakes_only)
{
	cr_expect_eq(ask("192.0.2.1", "anna", 0, true), 0);
	for (int i = 0; i < 50; i++)
		(void)ask("192.0.2.1", "bert", 1, false);
	cr_expect_eq(ask("192.0.2.1", "bert", 2, false), -1);
	cr_expect_eq(ask("192.0.2.1", "anna", 2, true), 0);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(ask("192.0.2.1", "anna", 3, false), 0);
	cr_expect_eq(ask("192.0.2.1", "anna", 3, true), 1000);
	cr_expect_eq(ask("192.0.2.1", "anna", 2000, true), 0);
}

Test(guesses, who_has_one_password_gets_no_free_guesses_by_it)
{
	int64_t waited = 0;

	for (int i = 0; i < 6; i++) {
		cr_expect_geq(ask("192.0.2.1", "own", waited, true), 0);
		waited += ask("192.0.2.1", "anna", waited, false);
	}
	cr_expect_eq(waited, 1000 + 2000 + 4000);
}

Test(guesses, what_was_not_looked_at_does_not_count)
{
	struct ipaddr a;
	struct guess guess;

	cr_assert_eq(ipaddr_parse(SPAN_LIT("192.0.2.1"), &a), OK);
	for (int i = 0; i < 10; i++) {
		cr_assert_eq(guesses_begin(g, &a, SPAN_LIT("u"), 0, &guess),
		    OK);
		cr_expect_eq(guess.answer_at_ms, 0);
		guesses_undo(g, &guess, 0);
	}
}

/* A flood of addresses must not make those forget that failed often. */
Test(guesses, a_flood_does_not_wash_a_guesser_away)
{
	int64_t now = 0;
	char client[20];

	for (int i = 0; i < 8; i++)
		now += ask("192.0.2.1", "anna", now, false);
	for (int i = 0; i < 200000; i++) {
		(void)snprintf(client, sizeof(client), "10.%d.%d.%d",
		    i >> 16, i >> 8 & 255, i & 255);
		(void)ask(client, client, now, false);
	}
	cr_expect_eq(ask("192.0.2.1", "bert", now, false), 30000);
}
