/*
 * Connections that are not taken: one reply written at once, without a
 * session, and lines in the log that a flood can't make many of.
 */
#ifndef MTAD_SMTPD_REFUSAL_H
#define MTAD_SMTPD_REFUSAL_H

#include "common/base/endpoint.h"
#include "common/loop/timer.h"
#include "smtpd/engine/rx_reply.h"

#define REFUSAL_LINES	50	/* of the log, in … */
#define REFUSAL_SLOT_MS	10000	/* … so long; the others are counted */

struct server;

struct refusals {
	struct timer timer;	/* the end of the slot */
	uint32_t told, untold;	/* in it */
};

/* life.  ERR_NOMEM. */
enum err refusals_init(struct server *sv);
void refusals_clear(struct server *sv);

/* `refused client=… why=…', or one more of those that are counted. */
void refusal_log(struct server *sv, const struct endpoint *client,
    const char *why);

/* Takes FD: REPLY (or NONE, where a client expects TLS), the end, and a line in
 * the log. */
void refusal_send(struct server *sv, int fd, const struct endpoint *client,
    enum rx_reply_id reply, const char *why);

#endif
