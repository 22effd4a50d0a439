/*
 * Quotas of users, clients and networks (quota/quota.h): counted here, where all
 * mail comes by, and kept in the spool's file `quotas`, so that they survive a
 * restart.  smtpds are told who has used one up.
 *
 * Counting loses a few seconds when the process is killed, more when the power
 * fails; a file that can't be read is told of, and counting begins anew.
 */
#ifndef MTAD_QUEUED_QUOTAS_H
#define MTAD_QUEUED_QUOTAS_H

#include "queued/queued.h"

struct envelope;
struct quota;

/* ERR_NOMEM, ERR_IO. */
enum err quotas_open(struct queued *q);
void quotas_close(struct queued *q);

/* After a new configuration.  ERR_NOMEM. */
enum err quotas_reload(struct queued *q);

/* Counts a message.  ERR_AGAIN: not now; ERR_DENIED: it has more recipients
 * than may be at all. */
enum err quotas_count(struct queued *q, const struct envelope *envelope,
    uint32_t recipients);

/* A smtpd came. */
void quotas_tell(struct queued_peer *peer);

/* Forgets what one has used; returns how many counts that were. */
uint32_t quotas_reset(struct queued *q, enum conf_each each,
    struct span name);

const struct quota *quotas_counts(const struct queued *q);

/* Once a second. */
void quotas_keep_house(struct queued *q);

#endif
