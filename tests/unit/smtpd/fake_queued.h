/*
 * A queued that does what a test tells it, at the other end of a channel, and
 * a server without a parent around it.
 */
#ifndef MTAD_TESTS_SMTPD_FAKE_QUEUED_H
#define MTAD_TESTS_SMTPD_FAKE_QUEUED_H

#include "smtpd/server.h"

#define FAKE_SUBMITS_MAX 64

struct fake_submit {
	uint64_t token;
	uint64_t body_bytes;
	size_t inline_bytes;
	uint8_t flags;
	bool is_streamed;
	uint32_t rcpts;
};

struct fake {
	struct server server;
	struct channel *ours;		/* smtpd's end */
	struct channel *theirs;		/* queued's end */
	bool is_holding;		/* doesn't answer submissions */
	uint8_t result;			/* enum submit_result */
	uint8_t asked_result;
	uint32_t body_credit;		/* given at open and after data; 0: none */
	uint64_t instance;
	struct fake_submit submits[FAKE_SUBMITS_MAX];
	unsigned submit_count;
	unsigned asked;
	unsigned opened;
	unsigned dropped;
	struct buf streamed;		/* body_data, all */
	struct buf body;		/* of the last submission */
	struct buf trace;		/* of the last: head ID tail */
};

void fake_init(struct fake *f);
void fake_clear(struct fake *f);

/* A queued comes, with CREDIT for submissions; it dies. */
void fake_live(struct fake *f, uint32_t credit);
void fake_die(struct fake *f);

void fake_credit(struct fake *f, uint32_t bytes);
void fake_body_credit(struct fake *f, uint64_t token, uint32_t bytes);
void fake_body_failed(struct fake *f, uint64_t token, uint8_t why);
void fake_answer(struct fake *f, uint64_t token, uint8_t result);

/* Some turns of the loop: all that is under way arrives. */
void fake_turns(struct fake *f);

/* A client from 127.0.0.1: its end of the connection. */
int fake_client(struct fake *f);
void fake_say(struct fake *f, int client, struct span bytes);

/* What the server has said since the last call, NUL-terminated. */
const char *fake_heard(struct fake *f, int client);

#endif
