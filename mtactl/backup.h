/*
 * The list of a spool's files, as queued tells it for a backup [pure].
 *
 * Who runs mtactl trusts queued less than himself: only names that files of a
 * spool have are taken.
 */
#ifndef MTAD_MTACTL_BACKUP_H
#define MTAD_MTACTL_BACKUP_H

#include "common/base/span.h"

enum { BACKUP_NAME = 32 };

struct backup_line {
	struct span text;		/* with its end */
	bool is_file;
	char name[BACKUP_NAME];		/* of a file */
	uint64_t bytes;
};

/* Takes the first line off *REST; false when what is left is none, or names
 * what no spool has. */
bool backup_next(struct span *rest, struct backup_line *out);

#endif
