/*
 * mtactl's side: states, selections, changes that are on disk when they are
 * answered, and that no operator disturbs mail or another operator.
 */
#include "bench.h"
#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "common/base/slots.h"
#include "queued/ctl_private.h"
#include "queued/store/store_read.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct bench b;

static void
begin(void)
{
	bench_open(&b, "queue: {first_retry: 10s, max_retry: 100s}\n"
	    "routes: [{to: b.example, via: \"smtp://one.example\"}, "
	    "{to: \"*\", via: \"smtp://two.example\"}]\n");
	bench_usual(&b);
}

static void
end(void)
{
	bench_close(&b);
}

/* A deferred, a held and an active message. */
static void
three_messages(uint64_t ids[3])
{
	char words[64];

	ids[0] = bench_mail(&b, "s@a.example", "deferred@b.example");
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "try later");
	WAIT(b.deliverds[0].confirms == 1);
	bench_hold_syncs(true);
	(void)bench_submit(&b, "t@a.example", "held@c.example", "x\r\n");
	bench_turn(&b, 10);
	bench_hold_syncs(false);
	WAIT(b.n_answers == 2);
	ids[1] = b.answers[1].id;
	WAIT(b.n_leases == 2);
	(void)snprintf(words, sizeof(words), "to:held@c.example");
	cr_assert_eq(bench_ask(&b, CTL_HOLD, words), 1);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "try later");
	WAIT(b.deliverds[0].confirms == 2);
	ids[2] = bench_mail(&b, "", "active@b.example");
	WAIT(b.n_leases == 3);
}

/* I-10: each message in its state, with the words for why. */
Test(ctl, states, .init = begin, .fini = end)
{
	struct bench_client *c = bench_client(&b);
	uint64_t ids[3];

	three_messages(ids);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "all"), 3);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, ""), 3);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:deferred"), 1);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:held"), 1);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:active"), 1);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "from:<>"), 1);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "domain:b.example"), 2);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "tries>=1"), 2);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "not tries>=1 or state:held"),
	    2);
	bench_send_queue(c, CTL_LIST, "state:deferred", false);
	WAIT(c->ends == 1);
	cr_expect_eq(c->rows, 1);
	cr_expect_eq(c->row.id, ids[0]);
	cr_expect_eq(c->row.state, STATE_DEFERRED);
	cr_expect_eq(c->row.tries, 1);
	cr_expect_eq(c->row.left, 1);
	cr_expect_str_eq(c->why, "try later");
}

/* Of what lies in the index alone no unit is read to tell its state: but it is
 * the right one, also when it becomes due. */
Test(ctl, states_of_what_memory_has_not, .init = begin, .fini = end)
{
	struct ctl_active active;
	uint64_t ids[3];

	bench_reload(&b, "queue: {first_retry: 2h, max_retry: 2h}\n");
	for (int i = 0; i < 3; i++) {
		ids[i] = bench_mail(&b, "s@a.example", i == 1 ?
		    "held@b.example" : "r@b.example");
		bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	}
	cr_assert_eq(bench_ask(&b, CTL_HOLD, "to:held@b.example"), 1);
	bench_stop(&b);
	bench_start(&b);
	for (int i = 0; i < 3; i++)
		cr_assert_null(store_find_unit(b.q->store, ids[i], 0));
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:deferred"), 2);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "not state:deferred"), 1);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "not state:held"), 2);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "not state:active"), 3);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:held or tries>5"), 1);
	ctl_active_init(&active);
	cr_expect(ctl_active_may_be(&active, ids[0]));	/* nobody looked */
	ctl_active_look(&active, b.q);
	for (int i = 0; i < 3; i++)
		cr_expect_not(ctl_active_may_be(&active, ids[i]));
	bench_skip(&b, 2 * MTIME_HOUR);
	ctl_active_look(&active, b.q);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(ctl_active_may_be(&active, ids[i]), i != 1);
	ctl_active_clear(&active);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "not state:deferred"), 3);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:deferred"), 0);
}

static void
tell_processes(void)
{
	const struct msg_process row = { .role = ROLE_QUEUED, .pid = 1 };
	struct msg m = { .type = MSG_processes };
	struct buf rows;

	buf_init(&rows, 4096);
	msg_put_process(&rows, &row);
	m.processes.rows.n = 1;
	m.processes.rows.bytes = buf_span(&rows);
	ctl_parent_msg(b.q, &m);
	buf_clear(&rows);
}

Test(ctl, wrong_questions, .init = begin, .fini = end)
{
	struct bench_client *c = bench_client(&b);
	struct msg m = { .type = MSG_ctl_message };

	bench_send_queue(c, CTL_COUNT, "nonsense:1", false);
	WAIT(c->ends == 1);
	cr_expect_eq(c->result, CTL_BAD_SELECTION);
	cr_expect_neq(c->text[0], '\0');
	bench_send_queue(c, (enum ctl_verb)99, "all", false);
	WAIT(c->ends == 2);
	cr_expect_eq(c->result, CTL_FAILED);
	m.ctl_message.id = 4711;
	(void)channel_send(c->c, &m);
	WAIT(c->ends == 3);
	cr_expect_eq(c->result, CTL_NO_SUCH_MESSAGE);
	m.type = MSG_ctl_log_level;
	m.ctl_log_level.level = 99;
	(void)channel_send(c->c, &m);
	WAIT(c->ends == 4);
	cr_expect_eq(c->result, CTL_FAILED);
	m.ctl_log_level.level = 1;
	(void)channel_send(c->c, &m);
	WAIT(c->ends == 5 && b.levels_set == 1);
	/* right after the start the answer waits for the parent */
	m.type = MSG_ctl_status;
	(void)channel_send(c->c, &m);
	bench_turn(&b, 20);
	cr_expect_eq(c->ends, 5);
	tell_processes();
	WAIT(c->ends == 6 && c->figures == 1);
	bench_send_queue(c, CTL_COUNT, "all", false);
	WAIT(c->ends == 7);
	cr_expect_eq(c->result, CTL_DONE);
}

Test(ctl, show, .init = begin, .fini = end)
{
	struct bench_client *c = bench_client(&b);
	struct msg m = { .type = MSG_ctl_message };

	m.ctl_message.id = bench_mail(&b, "s@a.example",
	    "1@b.example 2@c.example 3@b.example");
	(void)channel_send(c->c, &m);
	WAIT(c->ends == 1);
	cr_expect_eq(c->result, CTL_DONE);
	cr_expect_eq(c->rows, 1);
	cr_expect_eq(c->heads, 1);
	cr_expect_eq(c->row.total, 3);
	cr_expect_eq(c->row.recipients.n, 3);
}

/* hold and release tell how many they changed, not how many they met. */
Test(ctl, hold_and_release, .init = begin, .fini = end)
{
	uint64_t ids[3];

	three_messages(ids);
	cr_expect_eq(bench_ask(&b, CTL_HOLD, "all"), 2);
	cr_expect_eq(bench_ask(&b, CTL_HOLD, "all"), 0);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:held"), 3);
	/* the active one is held when its attempt is over */
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "try later");
	WAIT(b.deliverds[0].confirms == 3);
	bench_skip(&b, 200000);
	bench_turn(&b, 50);
	cr_expect_eq(b.n_leases, 3, "a held one is leased");
	cr_expect_eq(bench_ask(&b, CTL_RELEASE, "domain:b.example"), 2);
	WAIT(b.n_leases == 5);
	cr_expect_eq(bench_ask(&b, CTL_RELEASE, "all"), 1);
	WAIT(b.n_leases == 6);
	cr_expect_eq(bench_ask(&b, CTL_RELEASE, "all"), 0);
}

/* What --dry-run tells is what would change; nothing does. */
Test(ctl, dry_run, .init = begin, .fini = end)
{
	struct bench_client *c = bench_client(&b);
	uint64_t ids[3];

	three_messages(ids);
	bench_send_queue(c, CTL_HOLD, "all", true);
	WAIT(c->ends == 1);
	cr_expect_eq(c->count, 2);
	bench_send_queue(c, CTL_DELETE, "all", true);
	WAIT(c->ends == 2);
	cr_expect_eq(c->count, 3);
	bench_send_queue(c, CTL_RETRY, "all", true);
	WAIT(c->ends == 3);
	bench_turn(&b, 20);
	cr_expect_eq(bench_messages(&b), 3);
	cr_expect_eq(b.n_leases, 3);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:held"), 1);
	cr_expect_eq(bench_log_count(&b, " operator "), 1, "the first hold");
}

/* retry makes due what waits, also behind a dead destination. */
Test(ctl, retry, .init = begin, .fini = end)
{
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_DESTINATION, "refused");
	(void)bench_mail(&b, "s@a.example", "q@b.example");
	bench_turn(&b, 30);
	cr_expect_eq(b.n_leases, 1);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:deferred"), 2);
	cr_expect_eq(bench_ask(&b, CTL_RETRY, "to:r@b.example"), 1);
	WAIT(b.n_leases >= 2);
	bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(b.n_leases == 3);
	bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
}

/* What is leased; how many have been since the begin. */
static unsigned
defer_all(void)
{
	while (bench_untold(&b) != NULL)
		bench_tell(&b, bench_untold(&b), OUTCOME_DEFERRED,
		    SCOPE_RECIPIENTS, "later");
	return b.n_leases;
}

/* Of many for one destination the first ones are tried; when that has failed
 * again the others follow it, and none of them is lost sight of. */
Test(ctl, retry_of_many_that_fail_again, .init = begin, .fini = end)
{
	enum { MANY = 600, WINDOW = 4 };
	struct bench_client *c = bench_client(&b);

	bench_reload(&b, "deliver: {window: 4}\n");
	for (unsigned i = 0; i < MANY; i++)
		(void)bench_submit(&b, "s@a.example", "r@b.example",
		    "Subject: x\r\n\r\nbody\r\n");
	WAIT(defer_all() == MANY);
	bench_send_queue(c, CTL_RETRY, "all", false);
	while (c->ends == 0) {
		bench_turn(&b, 1);
		while (bench_untold(&b) != NULL)
			bench_tell(&b, bench_untold(&b), OUTCOME_DEFERRED,
			    SCOPE_DESTINATION, "down");
	}
	cr_expect_eq(c->count, MANY);
	cr_expect_leq(b.n_leases, MANY + WINDOW);
	for (int i = 0; i < 2000 && bench_messages(&b) > 0; i++) {
		if (bench_untold(&b) == NULL)
			bench_skip(&b, 10000);
		bench_turn(&b, 1);
		while (bench_untold(&b) != NULL)
			bench_tell(&b, bench_untold(&b), OUTCOME_DELIVERED,
			    SCOPE_RECIPIENTS, "ok");
	}
	cr_expect_eq(bench_messages(&b), 0);
}

/* Between two steps of a change of all that there is, at most; ms. */
static int64_t
longest_pause(enum ctl_verb verb, bool is_mail_sent)
{
	struct bench_client *c = bench_client(&b);
	const struct timer *slice = &b.q->ctl->slice;
	int64_t longest = 0;

	bench_send_queue(c, verb, "all", false);
	while (c->ends == 0) {
		b.q->figures.delivered += is_mail_sent ? 1 : 0;
		bench_turn(&b, 0);
		if (timer_is_running(slice) &&
		    slice->due_at_ms - loop_now_ms(b.loop) > longest)
			longest = slice->due_at_ms - loop_now_ms(b.loop);
	}
	return longest;
}

/* It takes a millisecond of five while mail is sent, else each turn's. */
Test(ctl, a_change_of_many_steps_aside_for_mail, .init = begin, .fini = end)
{
	enum { MANY = 1500 };

	for (unsigned i = 0; i < MANY; i++)
		(void)bench_submit(&b, "s@a.example", "r@b.example",
		    "Subject: x\r\n\r\nbody\r\n");
	WAIT(defer_all() == MANY);
	cr_expect_eq(longest_pause(CTL_HOLD, false), 0);
	cr_expect_geq(longest_pause(CTL_RELEASE, true), 3);
}

/* delete: gone at once, or when its attempt is over; without a report, with a
 * line in the log. */
Test(ctl, delete, .init = begin, .fini = end)
{
	uint64_t ids[3];

	three_messages(ids);
	cr_expect_eq(bench_ask(&b, CTL_DELETE, "state:deferred"), 1);
	cr_expect_eq(bench_messages(&b), 2);
	cr_expect_eq(bench_log_count(&b, " discarded "), 1);
	cr_expect_eq(bench_ask(&b, CTL_DELETE, "all"), 2);
	cr_expect_eq(bench_messages(&b), 1, "the one that is under way");
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_RECIPIENTS, "later");
	WAIT(bench_messages(&b) == 0);
	cr_expect_eq(bench_log_count(&b, " reported "), 0);
	bench_skip(&b, 200000);
	cr_expect_eq(b.n_leases, 3);
}

/* I-02: deleted while a deliverd had it, which gives it back untried. */
Test(ctl, delete_and_untried, .init = begin, .fini = end)
{
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 1);
	cr_expect_eq(bench_ask(&b, CTL_DELETE, "all"), 1);
	bench_tell(&b, bench_lease(&b, 0), OUTCOME_UNTRIED,
	    SCOPE_RECIPIENTS, "no time");
	WAIT(bench_messages(&b) == 0);
	bench_turn(&b, 20);
	cr_expect_eq(b.n_leases, 1);
}

/* I-10: deleted right after a start, while a deliverd has it that did not say
 * so yet: it may have been delivered, and then that is told. */
Test(ctl, delete_before_deliverd_has_spoken, .init = begin, .fini = end)
{
	struct bench_client *c;

	(void)bench_mail(&b, "s@a.example", "r@b.example");
	WAIT(b.n_leases == 1);
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	c = bench_client(&b);
	bench_send_queue(c, CTL_DELETE, "all", false);
	bench_turn(&b, 20);
	cr_expect_eq(bench_messages(&b), 1);
	bench_live(&b.deliverds[0]);
	bench_tell_held(&b.deliverds[0], bench_lease(&b, 0));
	bench_present(&b.deliverds[0]);
	WAIT(c->ends == 1);
	bench_tell(&b, bench_lease(&b, 0), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 0);
	cr_expect_eq(bench_log_count(&b, " delivered "), 1);
	cr_expect_eq(bench_log_count(&b, " discarded "), 0);
}

/* I-10: what waits, what is held, and what the next hop did of late. */
Test(ctl, forecast, .init = begin, .fini = end)
{
	const struct msg ask = { .type = MSG_ctl_forecast };
	struct bench_client *c;
	uint64_t ids[3];

	three_messages(ids);
	c = bench_client(&b);
	cr_assert_eq(channel_send(c->c, &ask), OK);
	WAIT(c->ends == 1);
	cr_expect_eq(c->result, CTL_DONE);
	cr_expect_eq(c->forecast.recipients + c->forecast.held,
	    bench_recipients(&b));
	cr_expect_gt(c->forecast.held, 0);
	cr_expect_geq(c->forecast.destinations, 1);
	cr_expect_eq(c->forecast_rows, c->forecast.destinations);
	cr_expect_neq(c->forecast.all_ms, UINT64_MAX);
	cr_expect_leq(c->forecast.half_ms, c->forecast.all_ms);
	/* a channel that ends in the middle of it */
	c = bench_client(&b);
	cr_assert_eq(channel_send(c->c, &ask), OK);
	channel_close(&c->c);
	bench_turn(&b, 20);
	cr_expect_eq(bench_messages(&b), 3);
}

/* I-01: the answer to a change comes when it is on disk, and then it stays,
 * whatever happens. */
Test(ctl, answers_after_the_sync, .init = begin, .fini = end)
{
	struct bench_client *c = bench_client(&b);
	uint64_t ids[3];

	three_messages(ids);
	bench_hold_syncs(true);
	bench_send_queue(c, CTL_DELETE, "state:deferred", false);
	bench_turn(&b, 60);
	cr_expect_eq(c->ends, 0, "answered before the sync");
	bench_hold_syncs(false);
	WAIT(c->ends == 1);
	cr_expect_eq(c->count, 1);
	bench_kill(&b);
	bench_start(&b);
	cr_expect_eq(bench_messages(&b), 2);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:held"), 1);
}

/* One question at a time: the second is told so, the first goes on. */
Test(ctl, busy, .init = begin, .fini = end)
{
	struct bench_client *c = bench_client(&b);

	for (int i = 0; i < 600; i++)
		(void)bench_submit(&b, "s@a.example", "r@b.example", "x\r\n");
	WAIT(b.n_answers == 600);
	bench_send_queue(c, CTL_HOLD, "all", false);
	bench_send_queue(c, CTL_COUNT, "all", false);
	WAIT(c->ends == 1);
	cr_expect_eq(c->busy, 1);
	cr_expect_eq(c->result, CTL_DONE);
	cr_expect_eq(c->count, 600);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "state:held"), 600);
	/* also while only the disk is awaited */
	bench_hold_syncs(true);
	bench_send_queue(c, CTL_RELEASE, "all", false);
	bench_turn(&b, 100);
	bench_send_queue(c, CTL_COUNT, "all", false);
	WAIT(c->busy == 2);
	cr_expect_eq(c->ends, 1);
	bench_hold_syncs(false);
	WAIT(c->ends == 2);
	cr_expect_eq(c->result, CTL_DONE);
	cr_expect_eq(c->count, 600);
}

/* A reload is asked of the parent, and answered when it is done. */
Test(ctl, reload, .init = begin, .fini = end)
{
	struct bench_client *c = bench_client(&b);
	struct msg m = { .type = MSG_ctl_reload };

	(void)channel_send(c->c, &m);
	WAIT(b.reload_asked == 1);
	bench_send_queue(c, CTL_COUNT, "all", false);
	WAIT(c->busy == 1);
	m.type = MSG_reload_done;
	m.reload_done.cookie = b.reload_cookie;
	m.reload_done.is_done = 0;
	m.reload_done.text = SPAN_LIT("unknown key");
	ctl_parent_msg(b.q, &m);
	WAIT(c->ends == 1);
	cr_expect_eq(c->result, CTL_FAILED);
	cr_expect_str_eq(c->text, "unknown key");
	bench_send_queue(c, CTL_COUNT, "all", false);
	WAIT(c->ends == 2);
	cr_expect_eq(c->result, CTL_DONE);
}

/* I-04: who does not read is waited for, not buffered for. */
Test(ctl, slow_reader, .init = begin, .fini = end)
{
	struct bench_client *c = bench_client(&b);
	struct ctl_session *s;
	char rcpts[8192] = "";
	size_t most = 0, n = 0;
	uint32_t cursor = 0;

	for (int i = 0; i < 90; i++)
		n += (size_t)snprintf(rcpts + n, sizeof(rcpts) - n,
		    "%sa-rather-long-name-to-fill-a-row-%d@b.example",
		    i > 0 ? " " : "", i);
	for (int i = 0; i < 1000; i++)
		(void)bench_submit(&b, "s@a.example", rcpts, "x\r\n");
	WAIT(b.n_answers == 1000);
	channel_pause(c->c);
	bench_send_queue(c, CTL_LIST, "all", false);
	s = slots_next(b.q->ctl->sessions, &cursor);
	cr_assert_not_null(s);
	WAIT(channel_backlog(s->channel) > 0);
	bench_turn(&b, 200);
	most = channel_backlog(s->channel);
	cr_expect_lt(most, (size_t)8 << 20, "%zu bytes wait", most);
	(void)bench_mail(&b, "s@a.example", "r@c.example");
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "all"), 1001);
	channel_resume(c->c);
	WAIT(c->ends == 1);
	cr_expect_geq(c->rows, 1000);
	cr_expect_leq(c->rows, 1001);
}

/* Sessions are limited; who goes away in the middle leaves nothing. */
Test(ctl, sessions, .init = begin, .fini = end)
{
	struct bench_client *c;

	for (int i = 0; i < 100; i++)
		(void)bench_submit(&b, "s@a.example", "r@b.example", "x\r\n");
	WAIT(b.n_answers == 100);
	for (int i = 0; i < CTL_SESSIONS_MAX; i++)
		c = bench_client(&b);
	bench_send_queue(c, CTL_COUNT, "all", false);
	WAIT(c->ends == 1);
	c = bench_client(&b);
	WAIT(c->is_cut);
	for (int i = 0; i < CTL_SESSIONS_MAX; i++) {
		bench_send_queue(&b.clients[i], i % 2 == 0 ? CTL_LIST :
		    CTL_RELEASE, "all", false);
		if (i % 3 == 0)
			bench_turn(&b, 1);
		channel_close(&b.clients[i].c);
	}
	bench_turn(&b, 50);
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "all"), 100);
	cr_expect_eq(slots_count(b.q->ctl->sessions), 1);
}

/* I-05: noise on the control socket ends that session alone. */
Test(ctl, noise, .init = begin, .fini = end)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct rng dice;
	uint8_t junk[256];

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", b.sock);
	rng_init(&dice, 9);
	for (int i = 0; i < 50; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		cr_assert_eq(connect(fd, (struct sockaddr *)&sun,
		    sizeof(sun)), 0);
		for (size_t k = 0; k < sizeof(junk); k++)
			junk[k] = (uint8_t)rng_below(&dice,
			    i % 2 == 0 ? 256 : 12);
		cr_assert_eq(write(fd, junk, sizeof(junk)),
		    (ssize_t)sizeof(junk));
		bench_turn(&b, 1);
		(void)close(fd);
	}
	cr_expect_eq(bench_ask(&b, CTL_COUNT, "all"), 0);
}

/* A second queued finds the spool in use, and leaves nothing behind. */
Test(ctl, spool_in_use, .init = begin, .fini = end)
{
	static struct queued second;
	struct why why = { .text = "" };

	cr_expect_neq(queued_open(&second, b.proc, &why), OK);
	cr_expect_neq(why.text[0], '\0');
	(void)bench_mail(&b, "s@a.example", "r@b.example");
}
