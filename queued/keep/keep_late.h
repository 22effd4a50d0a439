/*
 * What the log of the spool that is replaced says beyond its history: the
 * verdicts of the last second or so, if they can still be read.
 */
#ifndef MTAD_QUEUED_KEEP_KEEP_LATE_H
#define MTAD_QUEUED_KEEP_KEEP_LATE_H

#include "queued/keep/keep_known.h"

/* SPOOL_FD: that spool's directory, M's own or another (then nothing is done).
 * N has been applied to K; its counts go on.  What can't be read is passed
 * over.  ERR_*: the store's. */
enum err keep_late_apply(struct keep_known *n, struct keep_store *k,
    int spool_fd, const struct survey_manifest *m);

#endif
