/*
 * mtactl's side of queued: sessions on the control socket.
 *
 * Only root, our own user and members of the group that owns the socket may
 * speak (peer credentials).  A malformed frame ends that session alone.  What
 * an answer tells is on disk: answers to changes wait for the sync (I-01).
 */
#ifndef MTAD_QUEUED_CTL_H
#define MTAD_QUEUED_CTL_H

#include "queued/queued.h"

/* Takes FD, the listening control socket; an earlier one is closed.  Members
 * of GROUP may speak (~0: nobody by that). */
void ctl_listen(struct queued *q, int fd, uint32_t group);

/* A client of smtpd calls for mail: what waits is due, and its destinations' back-off
 * is lifted; what its sender put off stays so. */
struct msg_etrn;
void ctl_call(struct queued *q, const struct msg_etrn *m);

/* EFFECT_ANSWER: the group that session A's answer waits for is synced. */
void ctl_synced(struct queued *q, uint64_t session);

/* processes, reload_done, … from the parent. */
void ctl_parent_msg(struct queued *q, const struct msg *m);

/* Ends all sessions. */
void ctl_clear(struct queued *q);

#endif
