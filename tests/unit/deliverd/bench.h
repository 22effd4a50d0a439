/*
 * deliverd without a parent: its parts on a loop, a queued at the other end
 * of a channel that does what a test tells it.
 */
#ifndef MTAD_TESTS_DELIVERD_BENCH_H
#define MTAD_TESTS_DELIVERD_BENCH_H

#include "deliverd/deliverd.h"
#include "deliverd/jobs.h"

#define BENCH_LEASES	4096
#define BENCH_RESULTS	16

struct bench_result {
	uint32_t first, last;
	uint8_t outcome;
	uint16_t code;
	uint8_t attempt;
	char status[16];
	char text[256];
};

struct bench_verdict {
	unsigned count;		/* times it was told */
	uint8_t scope;
	unsigned n_results;
	unsigned n_attempts;
	struct bench_result results[BENCH_RESULTS];
	char hosts[512];	/* "127.0.0.1:2525/greeting/554 …" */
};

struct bench {
	struct deliverd d;
	struct conf *conf;
	struct channel *ours;
	struct channel *theirs;
	bool is_confirming;
	bool may_end;		/* a channel may: the test makes a new one */
	bool is_drained;
	uint64_t next_lease;
	uint32_t lease_generation;
	struct bench_verdict verdicts[BENCH_LEASES];
	unsigned n_told;	/* leases with a verdict */
	unsigned held;
	unsigned presented, presented_new;
	uint64_t instance;
	struct buf large;	/* content for content_want */
	unsigned wanted;
	unsigned want_limit;	/* answers no more than these; 0: all */
};

/* First the loop, for next hops to live on; then the rest.  CONF is YAML. */
void bench_init(struct bench *b);
void bench_open(struct bench *b, const char *conf);
void bench_close(struct bench *b);

/* A queued comes, or goes. */
void bench_live(struct bench *b);
void bench_die(struct bench *b);

/* Leases a message for RCPTS ("a@b c@d"); returns the lease.  Content NULL:
 * SIZE octets of b->large are to be asked for. */
uint64_t bench_lease(struct bench *b, const char *destination,
    uint32_t route, const char *rcpts, const char *content, uint64_t size);

/* Turns the loop until N leases have their verdict, or SECONDS are over. */
bool bench_wait(struct bench *b, unsigned n, int seconds);

/* Turns it for MS. */
void bench_turn(struct bench *b, int ms);

#endif
