/*
 * Dovecot, which knows about users what is not in our file.
 *
 * The parent makes connections and hands their descriptors over; here they are
 * spoken on.  Every question gets one answer within DOVECOT_LINK_ANSWER_MS,
 * whatever Dovecot does: AUTH_LATER when it says nothing, nonsense, or is
 * gone.  Nothing here waits for it.
 *
 * A process of Dovecot that was replaced goes on answering as long as it is
 * asked, by what it knew.  So another connection is wanted now and then; the
 * one before is used until that has greeted, and ends with its last answer.
 */
#ifndef MTAD_KEYD_DOVECOT_LINK_H
#define MTAD_KEYD_DOVECOT_LINK_H

#include "common/base/list.h"
#include "common/ipc/ipc_words.h"
#include "common/loop/loop.h"
#include "common/secret/dovecot.h"

#define DOVECOT_LINK_GREETING_MS 10000
/* Dovecot itself makes who guesses wait, up to 17 s. */
#define DOVECOT_LINK_ANSWER_MS	25000
#define DOVECOT_LINK_RENEW_MS	60000
#define DOVECOT_LINK_JOBS_MAX	256u	/* questions on a connection */
#define DOVECOT_LINK_NOISE_MAX	256u	/* lines that answer none of them */

struct dovecot_link;

/* Lies in the caller's object until it is told done. */
struct dovecot_job {
	struct list node;
	void (*on_done)(struct dovecot_job *job);
	uint32_t id;
	int64_t until_ms;
	enum dovecot_mechanism mechanism;
	/* the answer */
	enum auth_result result;
	char user[DOVECOT_USER_MAX];	/* GOOD: as Dovecot calls the user */
	size_t user_n;			/* 0: it did not say */
	uint8_t challenge[DOVECOT_CHALLENGE_MAX]; /* BAD: of a token, may be
						   * none */
	size_t challenge_n;
};

struct dovecot_link_ops {
	/* It may be asked, and could not before; or the mechanisms are
	 * others. */
	void (*on_ready)(void *ctx);
	/* It can't be asked, for WHY. */
	void (*on_lost)(void *ctx, const char *why);
	/* A connection, please; IS_SERVED: not that there is none. */
	void (*on_want)(void *ctx, bool is_served);
	int64_t greeting_ms, answer_ms, renew_ms;	/* as above, but in
							 * tests */
};

/* OPS is borrowed.  ERR_NOMEM. */
enum err dovecot_link_new(struct loop *l, const struct dovecot_link_ops *ops,
    void *ctx, struct dovecot_link **out);

/* Jobs under way are told nothing any more; they are the caller's again. */
void dovecot_link_free(struct dovecot_link **k);

/* Takes FD, a Unix stream socket, in any case.  ERR_PEER (it is none),
 * ERR_NOMEM, ERR_IO: it is closed, and none is wanted for that. */
enum err dovecot_link_open(struct dovecot_link *k, int fd);

/* Closes all connections; jobs are answered AUTH_LATER.  None is wanted. */
void dovecot_link_close(struct dovecot_link *k);

/* enum dovecot_mechanism: those of the last connection, and before the first
 * one what every Dovecot has. */
unsigned dovecot_link_mechanisms(const struct dovecot_link *k);

/* Q's number is made here.  ERR_AGAIN: there is no connection; ERR_FULL,
 * ERR_RANGE, ERR_NOMEM.  on_done comes later, from the loop. */
enum err dovecot_link_ask(struct dovecot_link *k, struct dovecot_job *job,
    struct dovecot_question *q);

#endif
