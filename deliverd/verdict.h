/*
 * What came of a lease, as queued wants to hear it: the hosts that were tried
 * and the result of each recipient, equal neighbours together.
 */
#ifndef MTAD_DELIVERD_VERDICT_H
#define MTAD_DELIVERD_VERDICT_H

#include "deliverd/job.h"

struct channel;
struct verdict;

/* Memory to write them with. */
enum err verdict_new(struct verdict **out);
void verdict_free(struct verdict **v);

/* C may be NULL (then queued hears it when it is back).  Recipients without
 * an outcome are untried.  GROUP: the hosts behind its destination. */
void verdict_send(struct verdict *v, struct channel *c, const struct job *j,
    struct span group);

/* A lease that isn't taken: N recipients untried, or deferred when it makes
 * no sense to us. */
void verdict_give_back(struct verdict *v, struct channel *c,
    const struct msg_lease *m, uint32_t n, bool is_broken);

/* The words of the wire for those of the dialogue. */
enum outcome verdict_outcome(enum tx_outcome o);
enum attempt_stage verdict_stage(enum tx_stage s);

#endif
