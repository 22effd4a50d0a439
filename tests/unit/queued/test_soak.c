/*
 * queued among everything at once: mail, verdicts of all kinds, deaths of any
 * process, operators, reloads, time.  In the end every recipient that was
 * accepted ended, and ended once (I-02, I-03).
 */
#include "bench.h"
#include "common/base/rng.h"

#include <stdio.h>

enum { STEPS = 900, RCPTS_MAX = 4000, DESTS = 5 };

static struct bench b;
static struct rng dice;

/* What the world outside knows of a recipient. */
static struct {
	unsigned message;	/* number in the sender's address */
	bool is_accepted;
	bool was_deleted;	/* perhaps */
	unsigned delivered;	/* told by deliverd */
	unsigned doubts;	/* deliverd died with a `delivered` untold */
	unsigned reported;
} rcpts[RCPTS_MAX];

static unsigned n_rcpts, n_messages;

static struct {
	uint64_t token;
	unsigned first, last;	/* recipients */
	bool is_known;		/* what became of it */
} mails[RCPTS_MAX];

#define QUEUE "workers: {smtpd: 1, deliverd: 2}\n" \
	"queue: {first_retry: 5s, max_retry: 60s, expire: 40m, warn: 0s}\n"

static const char *const confs[] = {
	QUEUE,
	QUEUE
	    "routes: [{to: d0.example, via: \"smtp://zero.example\"}, "
	    "{to: \"*\", via: mx}]\n",
	QUEUE
	    "routes: [{to: [d1.example, d2.example], "
	    "via: \"smtp://one.example\"}]\n",
};

/* ---- mail comes ---- */

static void
send_mail(void)
{
	char to[512] = "", sender[32];
	size_t n = 0;
	unsigned count = 1 + (unsigned)rng_below(&dice, 5);

	mails[n_messages].first = n_rcpts;
	for (unsigned i = 0; i < count; i++) {
		n += (size_t)snprintf(to + n, sizeof(to) - n,
		    "%sr%u@d%u.example", i > 0 ? " " : "", n_rcpts,
		    (unsigned)rng_below(&dice, DESTS));
		rcpts[n_rcpts++].message = n_messages;
	}
	mails[n_messages].last = n_rcpts - 1;
	(void)snprintf(sender, sizeof(sender), "s%u@a.example", n_messages);
	mails[n_messages++].token = bench_submit(&b, sender, to, "x\r\n");
}

static void
take_answers(void)
{
	for (unsigned i = 0; i < n_messages; i++) {
		const struct bench_answer *a =
		    bench_answer(&b, mails[i].token);

		if (mails[i].is_known || a == NULL)
			continue;
		mails[i].is_known = true;
		for (unsigned r = mails[i].first; r <= mails[i].last; r++)
			rcpts[r].is_accepted =
			    a->result == SUBMIT_ACCEPTED;
	}
}

/* As smtpd does when queued comes back. */
static void
ask_tokens(void)
{
	struct msg m = { .type = MSG_token_ask };

	take_answers();
	for (unsigned i = 0; i < n_messages; i++) {
		m.token_ask.token = mails[i].token;
		if (!mails[i].is_known)
			(void)channel_send(b.smtpds[0].theirs, &m);
	}
}

/* ---- mail goes ---- */

/* For each recipient that a report tells of: it was delivered, or nobody will
 * ever know. */
static void
note_report(const struct bench_lease *l, bool is_doubt)
{
	char want[32];
	unsigned n;

	if (sscanf((const char *)l->to.p, "s%u@a.example", &n) != 1)
		return;
	for (unsigned r = mails[n].first; r <= mails[n].last; r++) {
		(void)snprintf(want, sizeof(want), "rfc822; r%u@", r);
		if (strstr((char *)l->content.p, want) == NULL)
			continue;
		if (is_doubt)
			rcpts[r].doubts++;
		else
			rcpts[r].reported++;
	}
}

/* A recipient of the lease: its number. */
static unsigned
next_rcpt(const char **p)
{
	unsigned n = RCPTS_MAX;

	(void)sscanf(*p, "r%u@", &n);
	*p = strchr(*p, ' ');
	*p = *p != NULL ? *p + 1 : "";
	return n;
}

static void
answer(struct bench_lease *l, bool is_end)
{
	struct msg_result rows[8];
	const char *p = (const char *)l->to.p;
	uint32_t n = 0;
	bool is_dead = !is_end && rng_below(&dice, 5) == 0;

	if (l->sender.n == 0) {
		note_report(l, false);
		bench_tell(&b, l, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "ok");
		return;
	}
	while (*p != '\0' && n < 8) {
		unsigned r = next_rcpt(&p);
		uint64_t x = is_end ? 9 : rng_below(&dice, 10);
		enum outcome o = is_dead || x < 3 ? OUTCOME_DEFERRED :
		    x == 3 ? OUTCOME_FAILED : x == 4 ? OUTCOME_IN_DOUBT :
		    OUTCOME_DELIVERED;

		cr_assert_lt(r, n_rcpts);
		rcpts[r].delivered += o == OUTCOME_DELIVERED;
		rows[n] = (struct msg_result){ .first = n, .last = n,
		    .outcome = (uint8_t)o, .code = 250,
		    .status = SPAN_LIT("5.0.0"), .text = SPAN_LIT("w") };
		n++;
	}
	bench_tell_rows(&b, l, is_dead ? SCOPE_DESTINATION :
	    SCOPE_RECIPIENTS, rows, n);
}

static void
answer_some(bool is_end)
{
	struct bench_lease *l;

	for (unsigned i = 0; i < b.n_leases; i++) {
		l = &b.leases[i];
		if (!l->is_told && (is_end || rng_below(&dice, 3) > 0))
			answer(l, is_end);
	}
}

/* ---- deaths ---- */

/* What it has not had confirmed it takes with it. */
static void
kill_deliverd(struct bench_peer *p)
{
	struct bench_lease *l;
	const char *at;

	for (unsigned i = 0; i < b.n_leases; i++) {
		l = &b.leases[i];
		if (l->peer != p->index || l->is_confirmed)
			continue;
		l->is_confirmed = true;		/* nobody knows of it */
		for (at = (char *)l->to.p; l->is_told && l->sender.n > 0 &&
		    *at != '\0';)
			rcpts[next_rcpt(&at)].doubts++;
		if (l->is_told && l->sender.n == 0)
			note_report(l, true);
		l->is_told = true;
	}
	bench_die(p);
	bench_live(p);
	bench_present(p);
}

static void
kill_queued(void)
{
	for (uint64_t i = rng_below(&dice, 8); i > 0; i--)
		loop_turn(b.loop, 0);
	bench_kill(&b);
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	ask_tokens();
	for (int i = 0; i < 2; i++) {
		bench_live(&b.deliverds[i]);
		bench_return(&b.deliverds[i]);
	}
}

static void
operate(void)
{
	static const enum ctl_verb verbs[] = { CTL_HOLD, CTL_RELEASE,
		CTL_RETRY, CTL_COUNT, CTL_LIST, CTL_DELETE };
	enum ctl_verb verb = verbs[rng_below(&dice, 6)];
	unsigned n = (unsigned)rng_below(&dice, n_messages + 1);
	char words[64];

	if (verb == CTL_DELETE || rng_below(&dice, 2) == 0)
		(void)snprintf(words, sizeof(words), "from:s%u@a.example", n);
	else
		(void)snprintf(words, sizeof(words), "all");
	for (unsigned r = 0; r < n_rcpts; r++)
		rcpts[r].was_deleted |= verb == CTL_DELETE &&
		    rcpts[r].message == n;
	(void)bench_ask(&b, verb, words);
}

static void
step(void)
{
	uint64_t x = rng_below(&dice, 100);

	if (x < 45 && n_rcpts < RCPTS_MAX - 8)
		send_mail();
	else if (x < 75)
		answer_some(false);
	else if (x < 80)
		operate();
	else if (x < 83)
		kill_deliverd(&b.deliverds[rng_below(&dice, 2)]);
	else if (x < 86)
		kill_queued();
	else if (x < 88)
		bench_reload(&b, confs[rng_below(&dice, 3)]);
	else if (x < 93)
		bench_skip(&b, (int64_t)rng_below(&dice, 30000));
	else
		bench_turn(&b, (int)rng_below(&dice, 4));
	take_answers();
}

/* The story of a recipient, for who must find out. */
static void
print_leases(unsigned r)
{
	char want[32];

	(void)snprintf(want, sizeof(want), "r%u@", r);
	for (unsigned i = 0; i < b.n_leases; i++) {
		const struct bench_lease *l = &b.leases[i];

		if (strstr((char *)l->to.p, want) != NULL)
			fprintf(stderr, "lease %jx of %jx/%u at deliverd %u "
			    "to %s, %u results, %s\n",
			    (uintmax_t)l->m.lease, (uintmax_t)l->m.id,
			    l->m.unit, l->peer, (char *)l->to.p,
			    l->n_results,
			    l->is_confirmed ? "confirmed" : "open");
	}
}

static void
check(unsigned r)
{
	unsigned ends = rcpts[r].delivered + rcpts[r].reported;

	if (!rcpts[r].is_accepted) {
		cr_expect_eq(ends, 0, "%u was not accepted", r);
		return;
	}
	cr_expect(ends > 0 || rcpts[r].was_deleted, "%u is lost", r);
	if (ends > 1 + rcpts[r].doubts)
		print_leases(r);
	cr_expect(ends <= 1 + rcpts[r].doubts, "%u: %u times, %u reports, "
	    "%u doubts", r, rcpts[r].delivered, rcpts[r].reported,
	    rcpts[r].doubts);
}

static void
soak(uint64_t seed)
{
	rng_init(&dice, seed);
	memset(rcpts, 0, sizeof(rcpts));
	memset(mails, 0, sizeof(mails));
	n_rcpts = n_messages = 0;
	bench_open(&b, confs[0]);
	bench_usual(&b);
	bench_live(&b.deliverds[1]);
	bench_present(&b.deliverds[1]);
	for (int i = 0; i < STEPS; i++)
		step();
	bench_turn(&b, 20);
	(void)bench_ask(&b, CTL_RELEASE, "all");
	for (int i = 0; i < 100 && bench_messages(&b) > 0; i++) {
		answer_some(true);
		bench_turn(&b, 5);
		bench_skip(&b, 30000);
	}
	cr_expect_eq(bench_messages(&b), 0, "seed %u: %u messages stay",
	    (unsigned)seed, (unsigned)bench_messages(&b));
	take_answers();
	for (unsigned r = 0; r < n_rcpts; r++)
		check(r);
	bench_close(&b);
}

Test(soak, everything_at_once)
{
	for (uint64_t seed = 1; seed <= 3; seed++)
		soak(seed);
}
