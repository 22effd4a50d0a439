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

struct channel;
struct msg_policy_keep;

/* ERR_NOMEM, ERR_IO. */
enum err policies_open(struct queued *q);
void policies_close(struct queued *q);

/* A fetchd came: tells it all that is kept; it is gone. */
void policies_tell(struct queued *q, struct channel *c);
void policies_leave(struct queued *q, const struct channel *c);

/* One is to be kept, in the place of what its domain had. */
void policies_keep(struct queued *q, const struct msg_policy_keep *m);

/* The record of a domain (empty: nothing is kept of it), and one after the
 * other from a CURSOR of 0; borrowed. */
struct span policies_find(const struct queued *q, struct span domain);
struct span policies_next(const struct queued *q, size_t *cursor);

/* An operator wants it gone, here and at fetchd; false: there was none. */
bool policies_forget(struct queued *q, struct span domain);

/* Once a second. */
void policies_keep_house(struct queued *q);

#endif
