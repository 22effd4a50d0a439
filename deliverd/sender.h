/*
 * The sender under which a mail leaves, where its route rewrites that
 * (routes[].masquerade, routes[].srs).  The queue, the log and reports keep the
 * one that it came with.
 */
#ifndef MTAD_DELIVERD_SENDER_H
#define MTAD_DELIVERD_SENDER_H

#include "deliverd/job.h"

struct deliverd;

/* Sets J's sender; then, or when keyd has answered, it goes on: jobs_go(), or
 * to queued as deferred. */
void sender_go(struct deliverd *d, struct job *j);

void sender_answer(struct deliverd *d, const struct msg_srs_answer *m);

/* No answer comes any more: those that wait are deferred. */
void sender_give_up(struct deliverd *d);

#endif
