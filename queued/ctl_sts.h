/*
 * `mtactl sts` in queued: see ctl_private.h for what a session is.
 */
#ifndef MTAD_QUEUED_CTL_STS_H
#define MTAD_QUEUED_CTL_STS_H

struct ctl_session;
struct msg_ctl_sts;

/* Answers, or begins a job that does. */
void ctl_sts(struct ctl_session *s, const struct msg_ctl_sts *m);

#endif
