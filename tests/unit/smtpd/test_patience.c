/* How long a client may take: S5321-33 T10, in virtual time. */
#include "smtpd/engine/rx_patience.h"

#include "common/conf/conf.h"

#include <criterion/criterion.h>

#define MINUTE ((int64_t)60000)

static struct conf *conf;

static void
setup(void)
{
	cr_assert_eq(conf_new(&conf), OK);
	cr_assert_eq(conf->limits.command_timeout_ms, 5 * MINUTE);
	cr_assert_eq(conf->limits.data_timeout_ms, 5 * MINUTE);
}

static void
teardown(void)
{
	conf_free(&conf);
}

TestSuite(smtpd_patience, .init = setup, .fini = teardown);

Test(smtpd_patience, each_command_has_its_five_minutes)
{
	struct rx_patience p;

	rx_patience_init(&p, 1000);
	cr_expect_eq(rx_patience_deadline(&p, conf), 1000 + 5 * MINUTE);
	/* four minutes of silence, then a whole command */
	rx_patience_note(&p, RX_PHASE_COMMAND, 1, 6, 1000 + 4 * MINUTE);
	cr_expect_eq(rx_patience_deadline(&p, conf), 1000 + 9 * MINUTE);
}

Test(smtpd_patience, an_octet_now_and_then_buys_no_time_for_a_line)
{
	struct rx_patience p;

	rx_patience_init(&p, 0);
	rx_patience_note(&p, RX_PHASE_LINE, 0, 1, 30000);
	for (int64_t at = 60000; at < 5 * MINUTE; at += 30000)
		rx_patience_note(&p, RX_PHASE_LINE, 0, 1, at);
	cr_expect_eq(rx_patience_deadline(&p, conf), 30000 + 5 * MINUTE);
}

Test(smtpd_patience, content_must_keep_up_a_rate)
{
	struct rx_patience p;
	int64_t at = 0;

	rx_patience_init(&p, 0);
	rx_patience_note(&p, RX_PHASE_CONTENT, 4, 0, 0);
	cr_expect_eq(rx_patience_deadline(&p, conf), 5 * MINUTE);
	/* one octet every 30 s */
	while (rx_patience_deadline(&p, conf) > at && at < 60 * MINUTE) {
		at += 30000;
		rx_patience_note(&p, RX_PHASE_CONTENT, 4, 1, at);
	}
	cr_expect_eq(at, 10 * MINUTE);

	/* 1000 octets a second are never cut */
	rx_patience_init(&p, 0);
	rx_patience_note(&p, RX_PHASE_CONTENT, 4, 0, 0);
	for (at = 1000; at < 24 * 60 * MINUTE; at += 1000) {
		rx_patience_note(&p, RX_PHASE_CONTENT, 4, 1000, at);
		cr_assert_gt(rx_patience_deadline(&p, conf), at);
	}
	/* silence is */
	cr_expect_eq(rx_patience_deadline(&p, conf), at - 1000 + 5 * MINUTE);
}

Test(smtpd_patience, waiting_for_us_is_free)
{
	struct rx_patience p;

	rx_patience_init(&p, 0);
	rx_patience_note(&p, RX_PHASE_OURS, 5, 100, 1000);
	cr_expect_eq(rx_patience_deadline(&p, conf), MTIME_NEVER);
	rx_patience_note(&p, RX_PHASE_COMMAND, 6, 0, 100 * MINUTE);
	cr_expect_eq(rx_patience_deadline(&p, conf), 105 * MINUTE);
}

/* T10: octets now and then hold no place that others need. */
Test(smtpd_patience, slow_is_silent_or_long_at_one_line_or_below_the_rate)
{
	const int64_t slow = RX_PATIENCE_SLOW_MS;
	struct rx_patience p;

	rx_patience_init(&p, 0);
	rx_patience_note(&p, RX_PHASE_COMMAND, 1, 6, 5000);
	cr_expect_not(rx_patience_is_slow(&p, 5000 + slow - 1));
	cr_expect(rx_patience_is_slow(&p, 5000 + slow));
	for (int64_t at = 6000; at < 6000 + slow; at += 1000) {
		rx_patience_note(&p, RX_PHASE_LINE, 1, 1, at);
		cr_expect_not(rx_patience_is_slow(&p, at + 999));
	}
	cr_expect(rx_patience_is_slow(&p, 6000 + slow));
	/* a whole one is as good as any */
	rx_patience_note(&p, RX_PHASE_COMMAND, 2, 1, 16000);
	cr_expect_not(rx_patience_is_slow(&p, 16001));

	rx_patience_note(&p, RX_PHASE_CONTENT, 3, 0, 20000);
	for (int64_t at = 21000; at <= 60000; at += 1000) {
		rx_patience_note(&p, RX_PHASE_CONTENT, 3, 500, at);
		cr_expect_not(rx_patience_is_slow(&p, at));
	}
	rx_patience_init(&p, 0);
	rx_patience_note(&p, RX_PHASE_CONTENT, 3, 0, 0);
	for (int64_t at = 1000; at <= slow; at += 1000)
		rx_patience_note(&p, RX_PHASE_CONTENT, 3, 100, at);
	cr_expect(rx_patience_is_slow(&p, slow));
}
