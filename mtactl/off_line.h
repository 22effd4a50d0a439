/*
 * queued's own program, run on a spool that nobody serves: mtactl never opens
 * one.  Where they succeed these do not come back; else they give the code to
 * end with.
 */
#ifndef MTAD_MTACTL_OFF_LINE_H
#define MTAD_MTACTL_OFF_LINE_H

#include "mtactl/mtactl.h"

/* On the directory SPOOL; WORDS, up to a NULL, are the verb and what it
 * needs. */
int off_line_run(struct mtactl *m, const char *spool,
    const char *const *words);

/* There is none to ask, and with --socket that was the wish. */
int off_line_not(const struct mtactl *m, const struct why *why);

/* On the spool that the configuration names. */
int off_line_spool(struct mtactl *m, const char *const *words);

#endif
