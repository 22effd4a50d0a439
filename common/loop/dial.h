/*
 * A TCP connection being made, without blocking and with a deadline.
 */
#ifndef MTAD_LOOP_DIAL_H
#define MTAD_LOOP_DIAL_H

#include "common/base/endpoint.h"
#include "common/loop/loop.h"

struct dial;

/* Gives FD (connected, non-blocking, TCP_NODELAY), or -1 and an errno value
 * (ETIMEDOUT after the deadline).  The dial is gone then. */
typedef void dial_fn(void *ctx, int fd, int error);

/*
 * Connects to TO, from the address FROM (NULL: any).  FN is called later,
 * once, never from inside this call, also for what fails at once.
 * ERR_NOMEM.
 */
enum err dial_start(struct loop *l, const struct endpoint *to,
    const struct ipaddr *from, int64_t timeout_ms, dial_fn *fn, void *ctx,
    struct dial **out);

/* Ends it without a call; NULL is fine. */
void dial_cancel(struct dial **d);

#endif
