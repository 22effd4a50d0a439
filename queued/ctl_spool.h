/*
 * The verbs of `mtactl spool` that a running queued answers.
 */
#ifndef MTAD_QUEUED_CTL_SPOOL_H
#define MTAD_QUEUED_CTL_SPOOL_H

#include "queued/ctl_private.h"

void ctl_spool(struct ctl_session *s, const struct msg_ctl_spool *m);

/* S ends: so does what it had asked for. */
void ctl_spool_gone(struct ctl_session *s);

/* The spool's room has changed: a check keeps files that could go. */
void ctl_spool_room(struct queued *q, bool is_accepting);

#endif
