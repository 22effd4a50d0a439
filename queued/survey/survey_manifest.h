/*
 * A copy of a spool (backup, salvage): the file `backup' in its directory,
 * lines of text that say what it is and which files belong to it.
 *
 * While the copy is being made it is called `backup.incomplete'; it gets its
 * name, and a sum as its last line, when everything else is on disk.  So a
 * directory with `backup' is whole, and queued starts on neither of the two.
 * docs/SPOOL.md has each line.
 */
#ifndef MTAD_QUEUED_SURVEY_SURVEY_MANIFEST_H
#define MTAD_QUEUED_SURVEY_SURVEY_MANIFEST_H

#include "common/base/buf.h"
#include "queued/store/store_identity.h"
#include "queued/store/store_overlay.h"

#define SURVEY_MANIFEST		STORE_COPY_NAME
#define SURVEY_MANIFEST_NEW	STORE_COPY_NEW_NAME

enum { SURVEY_FILE_NAME = 32 };

#define SURVEY_MANIFEST_MAX ((size_t)256 << 20)

struct survey_file {
	char name[SURVEY_FILE_NAME];	/* "log/log.N", "body/body.ID", … */
	uint64_t bytes;
};

/* Groups between two that were found; there may be none. */
struct survey_lost {
	uint64_t after, before;
};

struct survey_manifest {
	uint8_t uuid[16];		/* of the spool */
	bool is_salvage;
	uint64_t at;			/* wall ms of its moment */
	/* the log's end; segment 0 until the copy was looked at */
	struct store_position end;
	struct survey_file *files;
	size_t n, size;
	struct survey_lost *lost;
	size_t lost_n, lost_size;
	uint64_t damages;		/* found when it was made */
	bool is_complete;
};

void survey_manifest_clear(struct survey_manifest *m);

/* ERR_NOMEM; ERR_SYNTAX for a name that no file of a copy has. */
enum err survey_manifest_add(struct survey_manifest *m, struct span name,
    uint64_t bytes);
enum err survey_manifest_add_lost(struct survey_manifest *m, uint64_t after,
    uint64_t before);

/* Whether a copy may have a file of this name. */
bool survey_manifest_knows(struct span name);

/* Appends it: all, or the lines before those of the files. */
void survey_manifest_put(struct buf *out, const struct survey_manifest *m);
void survey_manifest_put_head(struct buf *out,
    const struct survey_manifest *m);
void survey_manifest_put_file(struct buf *out, const char *name,
    uint64_t bytes);

/* [pure] IS_COMPLETE: the last line must be there.  ERR_CORRUPT, ERR_VERSION,
 * ERR_NOMEM; OUT is to be cleared in any case. */
enum err survey_manifest_parse(struct span text, bool is_complete,
    struct survey_manifest *out);

/* That of the directory, complete or not.  ERR_NOT_FOUND: it is no copy. */
enum err survey_manifest_read(int dir_fd, struct survey_manifest *out,
    struct why *why);

/* Makes the copy complete: all else is on disk. */
enum err survey_manifest_finish(int dir_fd, const struct survey_manifest *m);

#endif
