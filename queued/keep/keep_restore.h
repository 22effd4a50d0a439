/*
 * A spool made of a copy: a new one, that nobody takes for the old.
 *
 * The files lie in the working directory already, the history with them; what
 * they say is a stranger's.  No mail is sent again of which the history knows
 * the end; what nobody knows enough of is held, unless the operator says
 * otherwise.
 */
#ifndef MTAD_QUEUED_KEEP_KEEP_RESTORE_H
#define MTAD_QUEUED_KEEP_KEEP_RESTORE_H

#include "queued/survey/survey.h"

struct keep_restore {
	int present_fd;			/* the spool it replaces; -1 */
	const char *aside;		/* its name then; NULL */
	bool does_release;		/* nothing is held */
};

/* All in words or as one JSON object; SURVEY_DAMAGED: restored, but damage was
 * found. */
enum survey_verdict keep_restore(const struct keep_restore *r,
    const struct survey_sink *sink);

#endif
