/*
 * What the route of a session says of ourselves at its hosts.
 */
#ifndef MTAD_DELIVERD_SESSION_WAY_H
#define MTAD_DELIVERD_SESSION_WAY_H

#include "deliverd/session.h"

/* For s->setup of a new session. */
void session_way_begin(struct session *s);

/* Our address to meet s->at from; NULL: any, or, with a pool, none. */
const struct ipaddr *session_way_source(const struct session *s);

#endif
