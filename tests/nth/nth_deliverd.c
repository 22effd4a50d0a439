/*
 * deliverd: leases come, are delivered over connections used again, refused
 * for good or for now, large content is fetched in pieces; queued dies and
 * comes back.  Whatever fails, each lease gets its verdict, and a verdict says
 * `delivered' only of what the next hop has, nothing but `delivered' or `in
 * doubt' of what it has (I-03).
 */
#include "tests/nth/nth.h"

#include "common/base/check.h"
#include "common/ipc/channel.h"
#include "common/ipc/ipc_words.h"
#include "common/os/clock.h"
#include "deliverd/pool.h"
#include "tests/unit/deliverd/bench.h"
#include "tests/unit/deliverd/sink.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LEASES = 12, RCPTS = 3, TRIES = 8, LARGE_BYTES = 600 * 1024 };

#define MAIL "Subject: x\r\n\r\n.dot\r\nbody\r\n"

/* By number: what the sink says to its RCPT is in the name. */
static const char *const names[RCPTS] = { "yes", "no", "later" };

static struct bench b;
static struct sink sink;
static pthread_t sink_thread;
static _Atomic bool is_sink_over;
static _Atomic unsigned sink_port;
static int64_t skipped_ms;

static struct one {
	uint64_t lease;
	unsigned tries;
	bool is_done;
	unsigned delivered[RCPTS], doubted[RCPTS];
} ones[LEASES];

/* ---- clocks, in front of common/os ---- */

static int64_t
read_ms(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC) + skipped_ms;
}

int64_t
clock_mono_ns(void)
{
	return clock_mono_ms() * 1000000;
}

int64_t
clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

/* ---- the next hop, in a thread of its own ---- */

static void *
run_sink(void *arg)
{
	struct loop *l;

	(void)arg;
	nth_stay_out();
	MUST(loop_new(&l) == OK);
	sink_open(&sink, l);
	sink.mails_each = 5;
	atomic_store(&sink_port, sink.port);
	while (!atomic_load(&is_sink_over))
		loop_turn(l, 5);
	sink_close(&sink);
	loop_free(&l);
	return NULL;
}

static unsigned
taken(const char *rcpt)
{
	char want[64];
	unsigned n = 0;

	(void)snprintf(want, sizeof(want), "<%s>", rcpt);
	for (unsigned i = 0; i < sink.n_mails; i++)
		n += strstr(sink.mails[i].rcpts, want) != NULL;
	return n;
}

/* ---- leases ---- */

static void
name_of(unsigned i, unsigned r, char out[32])
{
	(void)snprintf(out, 32, "%s%u@x.example", names[r], i);
}

static void
lease(unsigned i)
{
	char rcpts[128], one[RCPTS][32];
	bool is_large = i % 5 == 4;

	if (ones[i].tries++ >= TRIES)
		nth_fail("lease %u comes back untried for ever", i);
	for (unsigned r = 0; r < RCPTS; r++)
		name_of(i, r, one[r]);
	(void)snprintf(rcpts, sizeof(rcpts), "%s %s %s", one[0], one[1],
	    one[2]);
	nth_pause();
	if (b.theirs != NULL)
		ones[i].lease = bench_lease(&b, i % 3 == 0 ? "a" : "b", 0,
		    rcpts, is_large ? NULL : MAIL, is_large ? LARGE_BYTES :
		    0);
	nth_resume();
}

static enum outcome
outcome_of(const struct bench_verdict *v, unsigned r)
{
	for (unsigned i = 0; i < v->n_results; i++) {
		if (v->results[i].first <= r && r <= v->results[i].last)
			return (enum outcome)v->results[i].outcome;
	}
	nth_fail("a verdict without row %u", r);
}

/* What was not tried, or failed for now for our own reasons, is leased again,
 * as queued does; all of it, for that is a new attempt. */
static void
take_verdict(unsigned i)
{
	const struct bench_verdict *v = &b.verdicts[ones[i].lease];
	bool is_final = true;

	for (unsigned r = 0; r < RCPTS; r++) {
		enum outcome o = outcome_of(v, r);

		ones[i].delivered[r] += o == OUTCOME_DELIVERED;
		ones[i].doubted[r] += o == OUTCOME_IN_DOUBT;
		if (o == OUTCOME_FAILED && r != 1)
			nth_fail("row %u failed: %s", r, v->results[0].text);
		if (r == 0)
			is_final = o == OUTCOME_DELIVERED;
	}
	if (is_final)
		ones[i].is_done = true;
	else
		lease(i);
}

/* Of a lease that went down with its channel queued knows nothing: it says
 * `in doubt', and leases it again. */
static void
take_verdicts(void)
{
	for (unsigned i = 0; i < LEASES; i++) {
		if (!ones[i].is_done && ones[i].lease != 0 &&
		    b.verdicts[ones[i].lease].count > 0)
			take_verdict(i);
	}
}

/* ---- the play ---- */

static void
connect_again(void)
{
	nth_pause();
	bench_die(&b);
	bench_live(&b);
	nth_resume();
}

/* The parent makes a new channel; deliverd presents what it has. */
static void
mend(void)
{
	if (b.ours != NULL && b.theirs != NULL)
		return;
	nth_note("channel-lost");
	connect_again();
}

/* A lease that was lost on its way: queued, which was told of all that is in
 * hand, sees that and leases again. */
static void
lease_what_was_lost(void)
{
	for (unsigned i = 0; i < LEASES; i++) {
		if (!ones[i].is_done &&
		    b.verdicts[ones[i].lease].count == 0)
			lease(i);
	}
}

static bool
is_over(void)
{
	for (unsigned i = 0; i < LEASES; i++) {
		if (!ones[i].is_done)
			return false;
	}
	return true;
}

static void
play(void)
{
	int64_t end = read_ms(CLOCK_MONOTONIC) + 15000;
	int turns = 0, idle = 0;

	while (!is_over()) {
		bench_turn(&b, 2);
		mend();
		take_verdicts();
		idle = jobs_count(b.d.jobs) == 0 ? idle + 1 : 0;
		if (idle % 40 == 39)
			lease_what_was_lost();
		/* patience passes: verdicts are told again, pauses end */
		if (++turns % 50 == 0)
			skipped_ms += 31000;
		if (read_ms(CLOCK_MONOTONIC) > end)
			nth_fail("a lease has no verdict");
	}
}

static void
check(unsigned i)
{
	for (unsigned r = 0; r < RCPTS; r++) {
		const struct one *one = &ones[i];
		char name[32];
		unsigned n;

		name_of(i, r, name);
		n = taken(name);
		if (n < one->delivered[r])
			nth_fail("%s is not delivered, the verdict says so",
			    name);
		if (n > one->delivered[r] + one->doubted[r])
			nth_fail("%s was taken %u times, %u delivered, "
			    "%u in doubt", name, n, one->delivered[r],
			    one->doubted[r]);
	}
}

static void
begin(void)
{
	char yaml[512];

	MUST(pthread_create(&sink_thread, NULL, run_sink, NULL) == 0);
	while (atomic_load(&sink_port) == 0)
		(void)sched_yield();
	bench_init(&b);
	(void)snprintf(yaml, sizeof(yaml), "hostname: self.example\n"
	    "routes: [{to: \"*\", via: \"smtp://127.0.0.1:%u\"}]\n"
	    "deliver: {connect_timeout: 20s, reply_timeout: 20s}\n",
	    atomic_load(&sink_port));
	bench_open(&b, yaml);
	b.may_end = true;
	for (size_t n = 0; n < LARGE_BYTES; n += 16)
		buf_add(&b.large, "line line line\r\n", 16);
}

static void
finish(void)
{
	bench_close(&b);
	loop_free(&b.d.loop);
	atomic_store(&is_sink_over, true);
	MUST(pthread_join(sink_thread, NULL) == 0);
}

void
nth_scenario(void)
{
	nth_pause();
	begin();
	nth_resume();
	for (unsigned i = 0; i < LEASES / 2; i++)
		lease(i);
	bench_turn(&b, 3);
	/* queued dies and comes back; leases in hand stay */
	connect_again();
	for (unsigned i = LEASES / 2; i < LEASES; i++)
		lease(i);
	play();
	b.d.is_draining = true;
	pool_drain(b.d.pool);
	bench_turn(&b, 5);
	nth_pause();
	finish();
	for (unsigned i = 0; i < LEASES; i++)
		check(i);
	nth_resume();
}
