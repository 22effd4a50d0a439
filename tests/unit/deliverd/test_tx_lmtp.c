/*
 * LMTP, RFC 2033: LHLO and nothing else, and a reply for each recipient that was
 * accepted, in their order, with groups and without.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/check.h"
#include "tx_play.h"

static struct play p;

static struct play_mail *
add(const char *name, const char *const *rcpts)
{
	struct play_mail *m = play_mail(&p, name, "a@b.example", "x\r\n", 3, 0);

	for (; *rcpts != NULL; rcpts++)
		play_rcpt(m, *rcpts);
	return m;
}

static const char *const abc[] = { "a@d", "b@d", "c@d", NULL };

static void
open_play(bool may_pipeline, size_t feed)
{
	play_open(&p, feed, 4096);
	tx_speak_lmtp(p.t);
	(void)add("m", abc);
	tx_connected(p.t);
	play_say(&p, "220 store.example LMTP\r\n");
	play_say(&p, may_pipeline ? "250-store.example\r\n250 PIPELINING\r\n" :
	    "250 store.example\r\n");
}

static void
end(void)
{
	play_close(&p);
}

TestSuite(tx_lmtp, .fini = end);

static size_t
count(const char *word)
{
	size_t n = 0;
	const char *at;

	buf_add_byte(&p.out, '\0');
	p.out.n--;
	for (at = (const char *)p.out.p; (at = strstr(at, word)) != NULL; at++)
		n++;
	return n;
}

static enum tx_outcome
outcome(const char *name, size_t i)
{
	return play_find(&p, name)->rcpts[i].outcome;
}

Test(tx_lmtp, each_by_itself)
{
	for (size_t feed = 1; feed < 5000; feed += 4000) {
		open_play(true, feed);
		play_say(&p, "250 ok\r\n250 ok\r\n");
		play_say(&p, "550 5.1.1 no\r\n250 ok\r\n354 go\r\n");
		cr_expect_eq(count("\r\n.\r\n"), 1);
		play_say(&p, "250 2.1.5 kept\r\n");
		cr_expect_eq(outcome("m", 0), TX_DELIVERED);
		cr_expect_eq(outcome("m", 1), TX_FAILED);
		cr_expect_eq(outcome("m", 2), TX_OPEN);
		cr_expect_not(tx_is_idle(p.t));
		play_say(&p, "452 4.2.2 full\r\n");
		cr_expect_eq(outcome("m", 2), TX_DEFERRED);
		cr_expect(play_find(&p, "m")->is_over);
		cr_expect(tx_is_idle(p.t));
		play_close(&p);
	}
	open_play(true, 4096);
}

/* RFC 3030 2, RFC 2033 4.2: the last chunk is an end like the dot. */
Test(tx_lmtp, in_a_chunk)
{
	play_open(&p, 4096, 4096);
	tx_speak_lmtp(p.t);
	(void)add("m", abc);
	tx_connected(p.t);
	play_say(&p, "220 store.example LMTP\r\n");
	play_say(&p, "250-store.example\r\n250 CHUNKING\r\n");
	play_say(&p, "250 ok\r\n");
	play_say(&p, "250 ok\r\n");
	play_say(&p, "550 no\r\n");
	play_say(&p, "250 ok\r\n");
	cr_expect_eq(count("BDAT 3 LAST\r\nx\r\n"), 1);
	play_say(&p, "250 kept\r\n");
	cr_expect_eq(outcome("m", 0), TX_DELIVERED);
	cr_expect_eq(outcome("m", 2), TX_OPEN);
	play_say(&p, "452 4.2.2 full\r\n");
	cr_expect_eq(outcome("m", 1), TX_FAILED);
	cr_expect_eq(outcome("m", 2), TX_DEFERRED);
	cr_expect(tx_is_idle(p.t));
}

Test(tx_lmtp, in_lockstep)
{
	static const char *const said[] = { "250 ok\r\n", "250 ok\r\n",
		"450 4.2.0 later\r\n", "250 ok\r\n", "354 go\r\n",
		"250 kept\r\n", "550 5.2.2 full\r\n" };

	open_play(false, 4096);
	for (size_t i = 0; i < COUNT_OF(said); i++)
		play_say(&p, said[i]);
	cr_expect_eq(outcome("m", 0), TX_DELIVERED);
	cr_expect_eq(outcome("m", 1), TX_DEFERRED);
	cr_expect_eq(outcome("m", 2), TX_FAILED);
	cr_expect(tx_is_idle(p.t));
	cr_expect_eq(count("LHLO client.example\r\n"), 1);
	cr_expect_eq(count("EHLO"), 0);
}

/* The next one's commands go with the dot; its replies come behind all of the
 * first. */
Test(tx_lmtp, ahead)
{
	open_play(true, 4096);
	(void)add("n", abc + 1);
	play_say(&p, "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	cr_expect_eq(count("MAIL FROM"), 2);
	play_say(&p, "250 1\r\n250 2\r\n");
	cr_expect_not(play_find(&p, "m")->is_over);
	play_say(&p, "250 3\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	cr_expect(play_find(&p, "m")->is_over);
	play_say(&p, "250 1\r\n554 5.6.0 no\r\n");
	cr_expect_eq(outcome("n", 0), TX_DELIVERED);
	cr_expect_eq(outcome("n", 1), TX_FAILED);
}

/* Those answered stay settled, the others are in doubt. */
Test(tx_lmtp, lost)
{
	open_play(true, 4096);
	play_say(&p, "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	play_say(&p, "250 kept\r\n");
	tx_lost(p.t, "reset", 0);
	play_pump(&p);
	cr_expect_eq(outcome("m", 0), TX_DELIVERED);
	cr_expect_eq(outcome("m", 1), TX_IN_DOUBT);
	cr_expect_eq(outcome("m", 2), TX_IN_DOUBT);
}

Test(tx_lmtp, what_is_no_lmtp)
{
	static const char *const said[] = {
		/* one reply more than recipients */
		"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
		/* nobody was accepted, and DATA all the same */
		"250 ok\r\n550 no\r\n550 no\r\n550 no\r\n354 go\r\n",
	};

	open_play(true, 4096);
	play_say(&p, said[0]);
	play_say(&p, "250 1\r\n250 2\r\n250 3\r\n250 4\r\n");
	cr_expect(tx_is_violated(p.t));
	cr_expect_eq(outcome("m", 2), TX_DELIVERED);
	play_close(&p);
	open_play(true, 4096);
	play_say(&p, said[1]);
	cr_expect(tx_is_violated(p.t));
	play_close(&p);
	/* RFC 2033 4.2.3: DATA fails then */
	open_play(true, 4096);
	play_say(&p, "250 ok\r\n550 no\r\n550 no\r\n550 no\r\n503 none\r\n");
	cr_expect_not(tx_is_violated(p.t));
	cr_expect_eq(outcome("m", 0), TX_FAILED);
	play_close(&p);
	/* a host that speaks SMTP only is no store */
	play_open(&p, 4096, 4096);
	tx_speak_lmtp(p.t);
	(void)add("m", abc);
	tx_connected(p.t);
	play_say(&p, "220 hop\r\n502 what\r\n");
	cr_expect_not(tx_is_up(p.t));
	cr_expect_eq(count("HELO"), 0);
}
