/*
 * `queued --spool PATH restore DIR`: the copy DIR becomes the spool PATH.
 *
 * Files are copied as whoever calls; what they say is read by the user that
 * the spool belongs to, in a process of its own.  The new spool is made beside
 * PATH, and comes to its place by a rename when it is finished: until then
 * PATH is as it was, and what was there is kept under another name.
 */
#ifndef MTAD_QUEUED_OFFLINE_RESTORE_H
#define MTAD_QUEUED_OFFLINE_RESTORE_H

#include "common/os/creds.h"
#include "queued/survey/survey.h"

struct offline_restore {
	const char *spool;
	const char *dir;
	const char *journal;		/* a spool, or its history; or NULL */
	bool may_set_aside;		/* what is at PATH */
	bool does_release;
	const struct survey_sink *sink;
	/* who owns what STAT tells, with its group */
	struct creds_user (*owner_of)(uid_t uid, gid_t gid);
};

/* Gives the exit code. */
int offline_restore(const struct offline_restore *o);

#endif
