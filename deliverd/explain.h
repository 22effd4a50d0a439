/*
 * Where mail of a route would go, asked by an operator: a round over the hosts
 * of a destination as a delivery makes it, with every host that it gives out
 * and nothing dialled.
 *
 * EXPLAIN_MAX at a time; each ends within EXPLAIN_MS, with what is known then.
 */
#ifndef MTAD_DELIVERD_EXPLAIN_H
#define MTAD_DELIVERD_EXPLAIN_H

#include "common/ipc/messages.h"
#include "deliverd/deliverd.h"

enum { EXPLAIN_MAX = 8, EXPLAIN_MS = 45000 };

struct explains;

enum err explains_new(struct deliverd *d, struct explains **out);
void explains_free(struct explains **all);

/* The answer, route_hops, comes later or at once. */
void explains_ask(struct explains *all, const struct msg_route_ask *m);

/* queued is gone: nobody waits for answers. */
void explains_forget(struct explains *all);

#endif
