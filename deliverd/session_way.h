/*
 * What the route of a session says of hosts, and of ourselves there.
 */
#ifndef MTAD_DELIVERD_SESSION_WAY_H
#define MTAD_DELIVERD_SESSION_WAY_H

#include "deliverd/session.h"

/* For s->setup of a new session. */
void session_way_begin(struct session *s);

/* All but domain and seed. */
struct hops_setup session_way_hops(const struct session *s);

/* Our address to meet s->at from; NULL: any, or, with a pool, none. */
const struct ipaddr *session_way_source(const struct session *s);

#endif
