/*
 * A copy of a spool at rest, file by file: a backup, or what can be saved of
 * one that is damaged.
 *
 * The spool is the working directory, and its lock is held.  Nothing of it is
 * changed.
 */
#ifndef MTAD_QUEUED_KEEP_KEEP_OUT_H
#define MTAD_QUEUED_KEEP_KEEP_OUT_H

#include "common/os/copy_dir.h"
#include "queued/survey/survey.h"

/* The folders of a copy, for copy_dir_open(); of what is saved. */
extern const char *const keep_folders[3];
extern const char *const keep_salvage_folders[4];

/* Into D, whose directory becomes the working directory; then looked at, and
 * told to be complete.  IS_SALVAGE: bears whatever can't be read, and copies
 * the history too, that knows what is not there. */
enum survey_verdict keep_out(struct copy_dir *d, bool is_salvage,
    const struct survey_sink *sink);

#endif
