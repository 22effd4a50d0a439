/*
 * The leases in hand, from queued's message to its confirmation.
 *
 * A verdict is kept until queued has confirmed it, and told again to a queued
 * that was started anew (promise I-03).
 */
#ifndef MTAD_DELIVERD_JOBS_H
#define MTAD_DELIVERD_JOBS_H

#include "deliverd/deliverd.h"
#include "deliverd/job.h"

enum err jobs_new(struct deliverd *d, struct jobs **out);
void jobs_free(struct jobs **jobs);

/* A lease: goes to the pool, or back untried. */
void jobs_lease(struct jobs *jobs, const struct msg_lease *m);

/* A job whose sender is ready: to the pool, or back untried. */
void jobs_go(struct jobs *jobs, struct job *j);

/* The fate of every recipient is known (open ones: untried): tells it.  The
 * job belongs to jobs again. */
void jobs_tell(struct jobs *jobs, struct job *j);

void jobs_confirm(struct jobs *jobs, uint64_t lease);

/* A queued that has nothing of us yet: tells it all that is in hand, and asks
 * again for content that was asked for. */
void jobs_present(struct jobs *jobs);

/* Of a generation that queued may still know, or NULL. */
struct settings *jobs_settings(const struct deliverd *d, uint32_t generation);

/* The job with this lease while it is ACTIVE, or NULL. */
struct job *jobs_active(const struct jobs *jobs, uint64_t lease);

size_t jobs_count(const struct jobs *jobs);

#endif
