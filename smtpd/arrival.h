/*
 * Connections of proxies (listeners[].proxy) whose PROXY header has not come
 * yet.  None of them is a session or counted as one: a client is known only
 * when the header has named it.
 */
#ifndef MTAD_SMTPD_ARRIVAL_H
#define MTAD_SMTPD_ARRIVAL_H

#include "common/base/endpoint.h"
#include "common/base/list.h"

#define ARRIVAL_WAIT_MS	10000	/* for all of the header */

struct server;

/* Gives FD, with the header taken out of it and nothing else; CLIENT is who
 * the header names, or the proxy itself. */
typedef void arrival_fn(void *ctx, int fd, const struct endpoint *client,
    const struct ipaddr *proxy);

/*
 * Takes FD; FN may come from inside the call.  Whatever is wrong with the
 * header, its time or our memory closes FD, with a line in the log.  LIST has
 * those that wait; arrivals_close() ends them.
 */
void arrival_begin(struct server *sv, struct list *list, int fd,
    const struct endpoint *proxy, arrival_fn *fn, void *ctx);
void arrivals_close(struct list *list);

#endif
