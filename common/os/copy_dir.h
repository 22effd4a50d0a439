/*
 * A directory of copies while it is being made: files come into it one by one,
 * and a list in it, a file of lines, says which of them are whole.
 *
 * Names may come from who is trusted less than we are: nothing outside the
 * directory is written, whatever they are, and nothing in it is replaced.
 * What it holds belongs to whom the copied files belong, or to whom it is
 * given, if we are root.
 */
#ifndef MTAD_OS_COPY_DIR_H
#define MTAD_OS_COPY_DIR_H

#include "common/base/err.h"
#include "common/base/span.h"

#include <sys/types.h>

struct copy_dir {
	int dir_fd;
	int list_fd;
	const char *const *folders;
	bool has_owner;			/* these: */
	uid_t uid;
	gid_t gid;
	uint64_t unreadable;		/* bytes for which zeros stand */
};

/* Makes the directory PATH, or takes it when it is empty; in it FOLDERS (up to
 * a NULL; borrowed) and the file LIST.  ERR_EXISTS: it is not empty. */
enum err copy_dir_open(const char *path, const char *const *folders,
    const char *list, struct copy_dir *d, struct why *why);
void copy_dir_close(struct copy_dir *d);

/* Adds a line, with its end, to the list. */
enum err copy_dir_note(struct copy_dir *d, struct span line, struct why *why);

/* The first BYTES of FD as the file NAME.  What can't be read becomes zeros:
 * LOST (copy.h; may be NULL) is told. */
enum err copy_dir_add(struct copy_dir *d, const char *name, uint64_t bytes,
    int fd, void (*lost)(void *ctx, uint64_t at, uint64_t bytes), void *ctx,
    struct why *why);

/* What is there, and what comes, becomes that user's; needs root. */
enum err copy_dir_give(struct copy_dir *d, uid_t uid, gid_t gid);

/* All of it is on disk then. */
enum err copy_dir_sync(struct copy_dir *d, struct why *why);

#endif
