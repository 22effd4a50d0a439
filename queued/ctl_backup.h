/*
 * The files of a backup, which mtactl copies: each is handed over by a
 * descriptor that can only be read.
 */
#ifndef MTAD_QUEUED_CTL_BACKUP_H
#define MTAD_QUEUED_CTL_BACKUP_H

#include "queued/ctl_private.h"

/* Sends the file NAME of the spool, and the end of the answer. */
void ctl_backup_file(struct ctl_session *s, struct span name);

#endif
