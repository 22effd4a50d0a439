/*
 * queued and its spool: mail comes, small and large; it is delivered, deferred,
 * refused and reported; an operator acts; queued dies and recovers, ends and
 * begins.  Whatever fails, every accepted recipient ends exactly once (I-02,
 * I-03, I-06), and a call that fails once costs at most a refusal, a channel,
 * or the process, which comes back.
 */
#include "tests/nth/nth.h"

#include "common/base/check.h"
#include "common/log/log.h"
#include "tests/unit/queued/bench.h"
#include "tests/unit/queued/bench_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAILS = 14, RCPTS = 2, TRIES = 6, LARGE_BYTES = 300 * 1024,
	MIDDLE_BYTES = 90 * 1024, LARGE_FIRST = 12 };

/* What becomes of a recipient is in its domain's name. */
static const char *const domains[] = {
	"ok.example", "later.example", "no.example", "dead.example",
	"doubt.example",
};

static struct bench b;
static char *body;

static struct mail {
	uint64_t token;
	unsigned tries;
	bool is_accepted;
	bool is_large;
	bool is_open;			/* a large one being sent */
	bool is_to_come;		/* again: it was refused */
	struct rcpt {
		unsigned delivered;
		unsigned refused;	/* told as failed */
		uint64_t report;	/* the last that tells of it */
		unsigned reported;
		bool was_later;
	} rcpts[RCPTS];
} mails[MAILS];

static bool was_cut;		/* a channel ended, or queued did: doubt */
static unsigned answered;	/* of b.leases, looked at for the answers */

/* ---- mail comes ---- */

static void
address(unsigned mail, unsigned rcpt, char out[64])
{
	(void)snprintf(out, 64, "r%u.%u@%s", mail, rcpt,
	    domains[(mail + rcpt * 2) % COUNT_OF(domains)]);
}

static void
envelope_of(unsigned i, struct buf *out)
{
	char sender[64], to[160], one[64];
	size_t n = 0;

	(void)snprintf(sender, sizeof(sender), "s%u@a.example", i);
	for (unsigned r = 0; r < RCPTS; r++) {
		address(i, r, one);
		n += (size_t)snprintf(to + n, sizeof(to) - n, "%s%s",
		    r > 0 ? " " : "", one);
	}
	buf_init(out, 1 << 16);
	bench_envelope(sender, to, out);
}

static void
send_small(unsigned i)
{
	struct buf envelope;
	size_t n = i % 2 == 0 ? MIDDLE_BYTES : 1000;

	envelope_of(i, &envelope);
	mails[i].token = bench_submit_envelope(&b.smtpds[0],
	    buf_span(&envelope), span_of(body, n), n);
	buf_clear(&envelope);
}

/* Opened; the rest follows when there is credit. */
static void
open_large(unsigned i)
{
	struct msg m = { .type = MSG_body_open };

	mails[i].token = b.next_token++;
	mails[i].is_open = true;
	b.smtpds[0].body_credit = 0;
	b.smtpds[0].body_failed = 0;
	m.body_open.token = mails[i].token;
	(void)channel_send(b.smtpds[0].theirs, &m);
}

static void
send_large(unsigned i)
{
	struct msg m = { .type = MSG_body_data };
	struct msg end = { .type = MSG_submit };
	struct buf envelope;

	mails[i].is_open = false;
	for (size_t at = 0; at < LARGE_BYTES; at += 100 * 1024) {
		m.body_data.token = mails[i].token;
		m.body_data.bytes = span_of(body + at, 100 * 1024);
		(void)channel_send(b.smtpds[0].theirs, &m);
	}
	envelope_of(i, &envelope);
	end.submit.token = mails[i].token;
	end.submit.envelope = buf_span(&envelope);
	end.submit.trace_head = SPAN_LIT("Received: from a by self id ");
	end.submit.trace_tail = SPAN_LIT("; now\r\n");
	end.submit.is_streamed = 1;
	end.submit.body_bytes = LARGE_BYTES;
	(void)channel_send(b.smtpds[0].theirs, &end);
	buf_clear(&envelope);
}

static void
send_mail(unsigned i)
{
	mails[i].is_to_come = false;
	mails[i].is_open = false;
	if (mails[i].tries++ >= TRIES)
		nth_fail("mail %u was refused %u times", i, TRIES);
	nth_pause();
	if (mails[i].is_large)
		open_large(i);
	else
		send_small(i);
	nth_resume();
}

static void
take_answer(unsigned i)
{
	struct mail *m = &mails[i];
	const struct bench_answer *a = bench_answer(&b, m->token);

	if (m->is_accepted || m->tries == 0 || m->is_to_come)
		return;
	if (a == NULL && m->is_large && b.smtpds[0].body_failed > 0) {
		nth_note("body-failed");
		m->is_to_come = true;
	} else if (a == NULL) {
		return;
	} else if (a->result == SUBMIT_ACCEPTED) {
		m->is_accepted = true;
	} else if (a->result == SUBMIT_MALFORMED) {
		nth_fail("mail %u: our own mistake, it says", i);
	} else {
		nth_note("refused");
		m->is_to_come = true;
	}
}

static void
take_answers(void)
{
	for (unsigned i = 0; i < MAILS; i++) {
		take_answer(i);
		if (mails[i].is_open && b.smtpds[0].body_credit > 0) {
			nth_pause();
			send_large(i);
			nth_resume();
		}
	}
}

/* As smtpd does when its channel to queued is a new one. */
static void
ask_tokens(void)
{
	struct msg m = { .type = MSG_token_ask };

	for (unsigned i = 0; i < MAILS; i++) {
		if (mails[i].tries == 0 || mails[i].is_accepted ||
		    mails[i].is_to_come)
			continue;
		/* what smtpd had not sent whole it refuses */
		if (mails[i].is_open) {
			mails[i].is_open = false;
			mails[i].is_to_come = true;
			continue;
		}
		m.token_ask.token = mails[i].token;
		(void)channel_send(b.smtpds[0].theirs, &m);
	}
}

/* ---- mail goes ---- */

/* One whose channel was lost may come twice, as any mail. */
static void
take_report(const struct bench_lease *l)
{
	unsigned n;
	char want[96], one[64];

	if (sscanf((const char *)l->to.p, "s%u@a.example", &n) != 1 ||
	    n >= MAILS)
		nth_fail("a report to %s", (const char *)l->to.p);
	for (unsigned r = 0; r < RCPTS; r++) {
		address(n, r, one);
		(void)snprintf(want, sizeof(want), "rfc822; %s", one);
		if (strstr((const char *)l->content.p, want) == NULL ||
		    mails[n].rcpts[r].report == l->m.id)
			continue;
		mails[n].rcpts[r].report = l->m.id;
		mails[n].rcpts[r].reported++;
	}
}

static enum outcome
outcome_of(struct rcpt *r, const char *domain, enum verdict_scope *scope)
{
	bool was_later = r->was_later;

	r->was_later = true;
	if (strcmp(domain, "no.example") == 0) {
		r->refused++;
		return OUTCOME_FAILED;
	}
	if (strcmp(domain, "ok.example") != 0 && !was_later) {
		if (strcmp(domain, "dead.example") == 0)
			*scope = SCOPE_DESTINATION;
		return strcmp(domain, "doubt.example") == 0 ?
		    OUTCOME_IN_DOUBT : OUTCOME_DEFERRED;
	}
	r->delivered++;
	return OUTCOME_DELIVERED;
}

static void
answer(struct bench_lease *l)
{
	enum verdict_scope scope = SCOPE_RECIPIENTS;
	unsigned n, r;
	char domain[32];
	enum outcome o;

	if (l->sender.n == 0) {
		take_report(l);
		bench_tell(&b, l, OUTCOME_DELIVERED, scope, "taken");
		return;
	}
	if (l->rcpts != 1 || sscanf((const char *)l->to.p, "r%u.%u@%31s", &n,
	    &r, domain) != 3 || n >= MAILS || r >= RCPTS)
		nth_fail("a lease for %s", (const char *)l->to.p);
	o = outcome_of(&mails[n].rcpts[r], domain, &scope);
	bench_tell(&b, l, o, scope, "said so");
}

/* A large one is asked for piece by piece. */
static void
want_content(const struct bench_lease *l)
{
	struct msg m = { .type = MSG_content_want };

	m.content_want.lease = l->m.lease;
	m.content_want.offset = 200 * 1024;
	m.content_want.bytes = 64 * 1024;
	if (l->content.n == 0)
		(void)channel_send(b.deliverds[0].theirs, &m);
}

static void
answer_leases(void)
{
	nth_pause();
	for (; answered < b.n_leases; answered++) {
		struct bench_lease *l = &b.leases[answered];

		if (l->is_told)
			continue;
		want_content(l);
		answer(l);
	}
	nth_resume();
}

/* ---- life and death ---- */

static void
connect_smtpd(void)
{
	bench_live(&b.smtpds[0]);
	if (b.smtpds[0].theirs != NULL)
		ask_tokens();
}

static void
connect_deliverd(void)
{
	bench_live(&b.deliverds[0]);
	if (b.deliverds[0].theirs != NULL)
		bench_return(&b.deliverds[0]);
}

/* A start that fails is tried again by the parent. */
static void
start(void)
{
	struct why why = { .text = "" };
	int tries = 0;

	while (bench_try_start(&b, &why) != OK) {
		nth_note("start-failed");
		if (tries++ > 0)
			nth_fail("the second start fails: %s", why.text);
	}
	nth_pause();
	connect_smtpd();
	connect_deliverd();
	nth_resume();
}

static void
kill_and_start(void)
{
	nth_pause();
	bench_kill(&b);
	nth_resume();
	start();
}

/* A channel that ended, whoever ended it, is made anew by the parent; both
 * processes live on. */
static void
mend(struct bench_peer *p, void (*again)(void))
{
	uint64_t instance = p->instance;

	if (p->ours != NULL && p->theirs != NULL)
		return;
	nth_note("channel-lost");
	was_cut = true;
	nth_pause();
	bench_die(p);
	p->instance = instance;
	again();
	nth_resume();
}

static void
turn(int ms)
{
	bench_turn(&b, ms);
	if (b.is_failed) {
		nth_note("left");
		was_cut = true;
		kill_and_start();
	}
	mend(&b.smtpds[0], connect_smtpd);
	mend(&b.deliverds[0], connect_deliverd);
	take_answers();
	answer_leases();
}

static bool
are_known(void)
{
	for (unsigned i = 0; i < MAILS; i++) {
		if (mails[i].tries > 0 && !mails[i].is_accepted)
			return false;
	}
	return true;
}

/* As a client does that was refused for now: after a while. */
static void
send_again(void)
{
	bool is_later = false;

	for (unsigned i = 0; i < MAILS; i++) {
		if (!mails[i].is_to_come)
			continue;
		/* the store's clock ticks in real time, twice a second */
		if (!is_later) {
			bench_turn(&b, 600);
			bench_skip(&b, 1000);
		}
		is_later = true;
		send_mail(i);
	}
}

static void
wait_for_answers(void)
{
	int64_t end = bench_real_ms() + 10000;

	while (!are_known()) {
		turn(1);
		send_again();
		if (bench_real_ms() > end)
			nth_fail("a submission has no answer");
	}
}

/* ---- an operator ---- */

/* Whether he was told that it is done. */
static bool
ask_once(enum ctl_verb verb, const char *words)
{
	int64_t end = bench_real_ms() + 3000;
	struct bench_client *c;
	bool is_done;

	nth_pause();
	c = bench_client(&b);
	bench_send_queue(c, verb, words, false);
	nth_resume();
	while (c->ends == 0 && !c->is_cut && bench_real_ms() < end)
		bench_turn(&b, 1);
	is_done = c->ends == 1 && c->result == CTL_DONE;
	nth_pause();
	channel_close(&c->c);
	nth_resume();
	return is_done;
}

static void
ask(enum ctl_verb verb, const char *words)
{
	for (int i = 0; i < 3; i++) {
		if (ask_once(verb, words))
			return;
		nth_note("operator-refused");
		turn(2);
	}
	nth_fail("mtactl gets no answer: %s", words);
}

/* ---- the play ---- */

static void
send_some(unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++) {
		mails[i].is_large = i >= LARGE_FIRST;
		send_mail(i);
		/* pieces of one large body at a time */
		if (mails[i].is_large)
			wait_for_answers();
	}
	wait_for_answers();
}

static void
skip(int64_t ms)
{
	bench_skip(&b, ms);
	turn(3);
}

static bool
is_empty(void)
{
	return !b.is_down && bench_messages(&b) == 0;
}

static void
drain(void)
{
	for (int i = 0; i < 120 && !is_empty(); i++) {
		nth_pause();
		bench_tell_again(&b);
		nth_resume();
		skip(20000);
	}
	if (!is_empty())
		nth_fail("%u messages stay",
		    (unsigned)bench_messages(&b));
}

static void
check(unsigned i, unsigned r)
{
	const struct rcpt *rcpt = &mails[i].rcpts[r];
	char to[64];
	unsigned ends = rcpt->delivered + rcpt->reported;

	address(i, r, to);
	if (ends == 0)
		nth_fail("%s is lost", to);
	/* a verdict that a cut channel took with it is told again, or the
	 * attempt is made again */
	if (ends > 1 && !was_cut)
		nth_fail("%s: delivered %u times, reported %u times", to,
		    rcpt->delivered, rcpt->reported);
	/* one for each message that there was: a client that was refused for
	 * now, for nobody knew, has sent another */
	if (rcpt->reported > (was_cut ? mails[i].tries : 1) ||
	    (rcpt->refused > 0) != (rcpt->reported > 0))
		nth_fail("%s: sent %u times, refused %u times, %u reports",
		    to, mails[i].tries, rcpt->refused, rcpt->reported);
}

static void
in_peer(bool begins)
{
	if (begins)
		nth_pause();
	else
		nth_resume();
}

static void
begin(void)
{
	body = malloc(LARGE_BYTES + 100);
	MUST(body != NULL);
	memset(body, 'x', LARGE_BYTES + 100);
	for (size_t i = 78; i < LARGE_BYTES + 100; i += 80)
		memcpy(body + i, "\r\n", 2);
	memcpy(body, "Subject: a\r\n\r\n", 14);
	bench_open(&b, "routes: [{to: \"*\", via: mx}]\n");
	b.in_peer = in_peer;
	bench_usual(&b);
}

void
nth_scenario(void)
{
	nth_pause();
	begin();
	nth_resume();
	send_some(0, 6);
	turn(5);
	ask(CTL_HOLD, "from:s1@a.example");
	skip(1200);
	send_some(6, MAILS - 1);
	skip(1200);
	ask(CTL_LIST, "all");
	send_some(MAILS - 1, MAILS);
	kill_and_start();
	skip(4000);
	bench_reload(&b, "routes: [{to: \"ok.example\", via: mx}, "
	    "{to: \"*\", via: mx}]\n");
	turn(3);
	ask(CTL_RELEASE, "all");
	drain();
	skip(1200);
	bench_stop(&b);
	start();
	drain();
	for (unsigned i = 0; i < MAILS; i++) {
		for (unsigned r = 0; r < RCPTS; r++)
			check(i, r);
	}
	nth_pause();
	bench_close(&b);
	free(body);
	nth_resume();
}
