/*
 * How fast a stranger may go: pauses between mistakes, exactly bounded, and
 * what is left of its rates.  T12 GATE-02 GATE-03
 */
#include "common/base/check.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>

static struct play p;

static void
setup(void)
{
	play_init(&p);
}

static void
teardown(void)
{
	play_clear(&p);
}

TestSuite(smtpd_pace, .init = setup, .fini = teardown);

static void
say_times(const char *text, int n)
{
	while (n-- > 0)
		play_say(&p, text);
}

/* T12: ten of twenty mistakes are free; then 50, 100 … 500 ms, then 421. */
Test(smtpd_pace, mistakes_cost_more_and_more)
{
	play_connect(&p, "192.0.2.1");
	play_say(&p, "EHLO c.example\r\n");
	say_times("XNOPE\r\n", 10);
	cr_expect_eq(p.pauses, 0);
	say_times("XNOPE\r\n", 1);
	cr_expect_eq(p.paused_ms, 50);
	say_times("XNOPE\r\n", 9);
	cr_expect_eq(p.paused_ms, 50 + 100 + 150 + 200 + 250 + 300 + 350 +
	    400 + 450 + 500);
	cr_expect_not(p.is_closed);
	/* a good command is no mistake, and takes no further pause */
	cr_expect_eq(play_code(&p, "NOOP\r\n"), 250);
	cr_expect_eq(p.paused_ms, 2750);
	cr_expect_eq(rx_pause_ms(p.rx), 0);
	cr_expect_eq(play_code(&p, "XNOPE\r\n"), 421);
	cr_expect(p.is_closed);
	cr_expect_eq(rx_pause_ms(p.rx), 0);
	cr_expect_eq(p.pauses, 10);
}

/* Idle commands are mistakes behind their budget, and cost as much. */
Test(smtpd_pace, idle_commands)
{
	static const char *const idle[] = { "NOOP\r\n", "RSET\r\n",
		"VRFY x\r\n", "HELP\r\n", "HELO c.example\r\n",
		"EHLO c.example\r\n" };

	for (size_t i = 0; i < COUNT_OF(idle); i++) {
		play_connect(&p, "192.0.2.1");
		p.paused_ms = 0;
		for (int n = 0; n < 1000 && !p.is_closed; n++)
			play_say(&p, idle[i]);
		cr_expect(p.is_closed);
		cr_expect_eq(p.paused_ms, 2750, "%s: %d ms", idle[i],
		    (int)p.paused_ms);
	}
}

Test(smtpd_pace, a_message_makes_good_for_mistakes)
{
	play_connect(&p, "192.0.2.1");
	play_say(&p, "EHLO c.example\r\n");
	say_times("XNOPE\r\n", 10);
	play_say(&p, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@example.org>\r\n"
	    "DATA\r\nx\r\n.\r\n");
	say_times("XNOPE\r\n", 10);
	cr_expect_eq(p.pauses, 0);
	cr_expect_eq(rx_pause_ms(p.rx), 0);
}

Test(smtpd_pace, our_own_do_not_wait)
{
	play_connect(&p, "127.0.0.1");
	say_times("XNOPE\r\n", 1000);
	cr_expect(p.is_closed);
	cr_expect_eq(p.pauses, 0);
}

/* While it waits nothing is read, it may be closed, and its time is ours. */
Test(smtpd_pace, nothing_goes_on_in_a_pause)
{
	struct span in = SPAN_LIT("NOOP\r\n");
	size_t taken = 0;

	play_connect(&p, "192.0.2.1");
	p.is_pausing = true;
	say_times("XNOPE\r\n", 11);
	cr_expect_eq(rx_pause_ms(p.rx), 50);
	cr_expect_eq(rx_step(p.rx, in, &taken, &p.body, &p.out), RX_WAIT);
	cr_expect_eq(taken, 0);
	cr_expect_eq(rx_phase(p.rx, true), RX_PHASE_OURS);
	rx_resume(p.rx);
	cr_expect_eq(rx_step(p.rx, in, &taken, &p.body, &p.out), RX_READ);
	cr_expect_eq(taken, in.n);
	say_times("XNOPE\r\n", 1);
	cr_expect_gt(rx_pause_ms(p.rx), 0);
	rx_close(p.rx, RX_CLOSE_STOPPING, &p.out);
	cr_expect_eq(rx_pause_ms(p.rx), 0);
	cr_expect_eq(rx_step(p.rx, in, &taken, &p.body, &p.out), RX_CLOSE);
}

/* Of its rates only what was accepted is taken. */
Test(smtpd_pace, budgets)
{
	struct rx_budget budget = { 2, 3, 0 };

	play_connect(&p, "192.0.2.1");
	play_say(&p, "EHLO c.example\r\n");
	rx_set_budget(p.rx, &budget);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@>\r\n"), 501);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
	cr_expect_eq(play_code(&p, "RCPT TO:<c@else.example>\r\n"), 550);
	cr_expect_eq(play_code(&p, "RCPT TO:<c@example.org>\r\n"), 250);
	cr_expect_eq(play_code(&p, "RCPT TO:<d@example.org>\r\n"), 250);
	budget = rx_budget(p.rx);
	cr_expect_eq(budget.messages, 1);
	cr_expect_eq(budget.recipients, 1);
	cr_expect_eq(play_code(&p, "RCPT TO:<e@example.org>\r\n"), 250);
	cr_expect_eq(play_code(&p, "RCPT TO:<f@example.org>\r\n"), 450);
	/* who was taken gets it */
	cr_expect_eq(play_code(&p, "DATA\r\n"), 354);
	cr_expect_eq(play_code(&p, ".\r\n"), 250);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
	cr_expect_eq(play_code(&p, "RSET\r\n"), 250);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 450);
	budget = (struct rx_budget){ UINT32_MAX, UINT32_MAX, 0 };
	rx_set_budget(p.rx, &budget);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
	cr_expect_eq(rx_budget(p.rx).messages, UINT32_MAX);
}

Test(smtpd_pace, our_own_have_no_rates)
{
	const struct rx_budget none = { 0, 0, 0 };

	play_connect(&p, "127.0.0.1");
	play_say(&p, "EHLO c.example\r\n");
	rx_set_budget(p.rx, &none);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
	cr_expect_eq(play_code(&p, "RCPT TO:<c@else.example>\r\n"), 250);
}

/* A quota holds for everybody; the wait is told as a person would tell it. */
Test(smtpd_pace, quota)
{
	static const struct {
		uint32_t wait_s;
		const char *said;
	} waits[] = {
		{ 1, "in 1s\r\n" }, { 120, "in 2m\r\n" }, { 121, "in 3m\r\n" },
		{ 119, "in 119s\r\n" }, { 7201, "in 3h\r\n" },
		{ UINT32_MAX, "h\r\n" },
	};
	struct rx_budget budget = { UINT32_MAX, UINT32_MAX, 0 };

	play_connect(&p, "127.0.0.1");
	play_say(&p, "EHLO c.example\r\n");
	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		budget.quota_wait_s = waits[i].wait_s;
		rx_set_budget(p.rx, &budget);
		cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 450);
		cr_expect_not_null(memmem(p.out.p, p.out.n, waits[i].said,
		    strlen(waits[i].said)), "%.*s", (int)p.out.n, p.out.p);
	}
	budget.quota_wait_s = 0;
	rx_set_budget(p.rx, &budget);
	cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
}

/* queued has counted it. */
Test(smtpd_pace, quota_at_the_end)
{
	static const struct {
		enum rx_result result;
		unsigned code;
	} ends[] = {
		{ RX_OVER_QUOTA, 450 }, { RX_BEYOND_QUOTA, 550 },
		{ RX_ACCEPTED, 250 },
	};

	play_connect(&p, "127.0.0.1");
	play_say(&p, "EHLO c.example\r\n");
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		p.result = ends[i].result;
		cr_expect_eq(play_code(&p, "MAIL FROM:<a@b.example>\r\n"), 250);
		cr_expect_eq(play_code(&p, "RCPT TO:<c@d.example>\r\n"), 250);
		cr_expect_eq(play_code(&p, "DATA\r\n"), 354);
		cr_expect_eq(play_code(&p, ".\r\n"), ends[i].code);
	}
}
