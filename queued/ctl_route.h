/*
 * `mtactl route explain`: which rule, told by the table that plans, and which
 * hosts, told by a deliverd.
 */
#ifndef MTAD_QUEUED_CTL_ROUTE_H
#define MTAD_QUEUED_CTL_ROUTE_H

#include "common/ipc/messages.h"
#include "queued/queued.h"

struct ctl_session;

/* A job: rules first, then a deliverd is asked. */
void ctl_route(struct ctl_session *s, const struct msg_ctl_route *m);

/* What it has left, if anything, is freed. */
void ctl_route_end(struct ctl_session *s);

/* A deliverd has answered; it is gone; once a second: it takes too long. */
void ctl_route_hops(struct queued *q, const struct msg_route_hops *m);
void ctl_route_gone(struct queued *q, const struct queued_peer *peer);
void ctl_route_keep_house(struct queued *q);

#endif
