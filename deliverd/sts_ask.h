/*
 * Questions to fetchd for policies of MTA-STS.
 *
 * A question outlives a fetchd that dies: it is put again to the next one.
 * When there is none for STS_ASK_AWAY_MS, or no answer in STS_ASK_ANSWER_MS,
 * the answer is what we remember ourselves: a policy that fetchd has told
 * before and that has not expired, else that nothing is known.
 */
#ifndef MTAD_DELIVERD_STS_ASK_H
#define MTAD_DELIVERD_STS_ASK_H

#include "common/base/siphash.h"
#include "common/ipc/messages.h"
#include "common/sts/sts_policy.h"

#define STS_ASK_AWAY_MS		5000
#define STS_ASK_ANSWER_MS	75000	/* fetchd has 5 s and a minute */

struct channel;
struct loop;
struct sts_ask;

struct sts_answer {
	enum sts_mode mode;
	bool is_certain;		/* else there may be a policy … */
	enum policy_trouble trouble;	/* with looking for it */
	struct span mx;			/* see sts_policy.h */
	struct span text;		/* … and why that isn't known */
};

/* ANSWER is borrowed. */
typedef void sts_ask_fn(void *ctx, const struct sts_answer *answer);

/* life: ERR_NOMEM. */
enum err sts_ask_new(struct loop *l, const struct siphash_key *seed,
    struct sts_ask **out);
void sts_ask_free(struct sts_ask **a);

/* NULL while there is no fetchd. */
void sts_ask_set_channel(struct sts_ask *a, struct channel *c);

/* FN comes once, later.  DOMAIN is copied.  ERR_NOMEM, ERR_RANGE. */
enum err sts_ask_question(struct sts_ask *a, const char *domain,
    sts_ask_fn *fn, void *ctx);

/* Forgets the question of CTX, if there is one. */
void sts_ask_cancel(struct sts_ask *a, const void *ctx);

void sts_ask_answer(struct sts_ask *a, const struct msg_policy_answer *m);

#endif
