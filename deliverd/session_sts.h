/*
 * MTA-STS of a session: what way_sts.h finds, for its hosts.
 */
#ifndef MTAD_DELIVERD_SESSION_STS_H
#define MTAD_DELIVERD_SESSION_STS_H

#include <stdbool.h>

struct session;

/* By MX: asks, while the exchangers are asked for. */
void session_sts_begin(struct session *s);

/* What counts for the host now tried is known (in s->sts.facts); false: the
 * dial goes on by itself when it is. */
bool session_sts_find(struct session *s);

/* The connection is up: a policy that is testing would have refused it? */
void session_sts_note(struct session *s);

#endif
