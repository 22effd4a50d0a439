/*
 * What can be saved of a spool that is damaged, at rest.
 *
 * The spool is the working directory, its lock is held, and nothing of it is
 * changed.  All of it that can be read becomes a copy, from which a spool can
 * be made (keep_restore.h); zeros stand for what can't.  Then a store is opened
 * on links to these files, as a start would, and each message is read: one that
 * can't be is named, and so is one that only the history knows.
 */
#ifndef MTAD_QUEUED_KEEP_KEEP_SALVAGE_H
#define MTAD_QUEUED_KEEP_KEEP_SALVAGE_H

#include "queued/keep/keep_out.h"

/* D was opened with keep_salvage_folders.  WANTS_MAIL: each message as files
 * too (keep_mail.h), in `mail' of it.  SURVEY_DAMAGED: not all was saved, or
 * something is damaged. */
enum survey_verdict keep_salvage(struct copy_dir *d, bool wants_mail,
    const struct survey_sink *sink);

#endif
