/*
 * The spool's own file: which format, which spool; and its lock.
 */
#ifndef MTAD_QUEUED_STORE_STORE_IDENTITY_H
#define MTAD_QUEUED_STORE_STORE_IDENTITY_H

#include "queued/store/store_io.h"

#include <stdbool.h>

enum { STORE_UUID_BYTES = 16 };

/* A directory with one of these is a copy (queued/survey/survey_manifest.h):
 * it is restored, never started on, lest mail be sent again. */
#define STORE_COPY_NAME		"backup"
#define STORE_COPY_NEW_NAME	"backup.incomplete"

/* Reads it, or makes it for a new spool.  ERR_VERSION for another format,
 * ERR_DENIED for a copy, ERR_CORRUPT, ERR_FULL, ERR_IO. */
enum err store_identity(const struct store_io *io, int dir_fd,
    uint8_t uuid[STORE_UUID_BYTES], struct why *why);

/* Only reads it; ERR_NOT_FOUND too. */
enum err store_identity_read(int dir_fd, uint8_t uuid[STORE_UUID_BYTES],
    struct why *why);

/* Only one process has a spool open.  ERR_EXISTS when another has. */
enum err store_identity_lock(const struct store_io *io, int dir_fd,
    int *lock_fd, struct why *why);

/* The same for a tool, which makes no file: false when another has it.  Held
 * until the caller's DIR_FD and *LOCK_FD (-1: there is no file) are closed. */
bool store_identity_lock_as_is(int dir_fd, int *lock_fd);

#endif
