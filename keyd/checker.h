/*
 * Looks at passwords in a thread of its own: each takes some ten milliseconds,
 * in which keyd has handshakes to sign.
 *
 * Two bounded queues: who is known (guesses.h) does not wait behind strangers,
 * and a flood of them leaves room for who is known.
 */
#ifndef MTAD_KEYD_CHECKER_H
#define MTAD_KEYD_CHECKER_H

#include "common/base/list.h"
#include "common/loop/loop.h"
#include "common/secret/passwords.h"

#define CHECKER_QUEUE_MAX	64u	/* in each queue */
#define CHECKER_PASSWORD_MAX	1024u	/* as in messages.def */

/* Lies in the caller's object, and is the thread's until it is told done. */
struct checker_job {
	struct list node;
	struct password_check check;
	uint8_t password[CHECKER_PASSWORD_MAX];
	size_t password_bytes;
	bool fits;			/* the answer */
};

struct checker;

/* ON_DONE comes from the loop; password and check are overwritten by then.
 * ERR_NOMEM, ERR_IO, ERR_FULL (no thread). */
enum err checker_new(struct loop *l,
    void (*on_done)(void *ctx, struct checker_job *job), void *ctx,
    struct checker **out);

/* Waits for the check that is being made; no job is told done any more, all
 * are the caller's again. */
void checker_free(struct checker **c);

/* ERR_FULL: nothing was taken. */
enum err checker_ask(struct checker *c, struct checker_job *job,
    bool is_known);

#endif
