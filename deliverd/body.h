/*
 * Content on its way from a job into its dialogue: at once when it came with
 * the lease, else pulled from queued piece by piece, the next one only when
 * the host has taken what it was given.
 */
#ifndef MTAD_DELIVERD_BODY_H
#define MTAD_DELIVERD_BODY_H

#include "deliverd/job.h"

#define BODY_PIECE	((uint32_t)256 * 1024)
#define BODY_BACKLOG	((size_t)128 * 1024)	/* unsent, before we ask on */

struct session;

/* The dialogue wants content.  False when it has to wait for it. */
bool body_feed(struct session *s, struct job *j);

/* A piece came. */
void body_content(struct session *s, struct job *j,
    const struct msg_content *m);

#endif
