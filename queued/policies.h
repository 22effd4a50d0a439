/*
 * Policies of MTA-STS that fetchd has found, kept for the next fetchd in the
 * spool's file `policies`.  To queued they are bytes: only a domain, until when
 * they are of use, and a record that fetchd alone reads.
 *
 * Bounded as fetchd's own cache is; written some seconds after a change, and
 * when the process ends.  A file that can't be read is told of and dropped.
 */
#ifndef MTAD_QUEUED_POLICIES_H
#define MTAD_QUEUED_POLICIES_H

#include "queued/queued.h"

#define POLICIES_MAX		10000
#define POLICIES_FILE_MAX	((size_t)16 * 1024 * 1024)

struct msg_policy_keep;

/* ERR_NOMEM, ERR_IO. */
enum err policies_open(struct queued *q);
void policies_close(struct queued *q);

/* A fetchd came: tells it all that is kept. */
void policies_tell(struct queued *q, struct channel *c);

/* One is to be kept, in the place of what its domain had. */
void policies_keep(struct queued *q, const struct msg_policy_keep *m);

/* Once a second. */
void policies_keep_house(struct queued *q);

#endif
