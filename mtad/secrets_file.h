/*
 * One file of a secret, or of what goes with one, in memory.
 */
#ifndef MTAD_MTAD_SECRETS_FILE_H
#define MTAD_MTAD_SECRETS_FILE_H

#include "common/base/buf.h"
#include "common/base/err.h"

#define SECRETS_CHAIN_MAX	((size_t)64 * 1024)	/* as in messages.def */
#define SECRETS_KEY_MAX		((size_t)16 * 1024)

/* All of PATH, MAX bytes at most, behind what OUT has; a secret must be closed
 * to others.  ERR_DENIED, ERR_NOT_FOUND, ERR_RANGE, ERR_IO, ERR_NOMEM, with the
 * name in WHY (or NULL). */
enum err secrets_file_read(const char *path, size_t max, bool is_secret,
    struct buf *out, struct why *why);

/* OUT: the first line of PATH, a secret, as an editor leaves it, of 1 to MAX bytes;
 * borrowed from FILE, which is initialised here and to be wiped in any case.
 * Errors as above; ERR_RANGE also without such a line. */
enum err secrets_file_line(const char *path, size_t max, struct buf *file,
    struct span *out, struct why *why);

/* Before the memory goes back: a later allocation may be sent somewhere. */
void secrets_file_wipe(struct buf *b);

#endif
