/*
 * What mtactl asks of us and the parent does: the answer is the parent's, later.
 */
#ifndef MTAD_QUEUED_CTL_PARENT_H
#define MTAD_QUEUED_CTL_PARENT_H

#include <stdint.h>

struct ctl;
struct ctl_session;
struct queued;

/* Each ends the question, now or when the parent has answered. */
void ctl_parent_reload(struct ctl_session *s);
void ctl_parent_log_level(struct ctl_session *s, uint8_t level);

/* ctl: the sessions, made by whatever comes first, a listener or news of the
 * parent; NULL without memory. */
struct ctl *ctl_get(struct queued *q);

#endif
