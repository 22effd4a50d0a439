/*
 * Files: opened without following surprises, read within bounds, written whole.
 *
 * Descriptors are close-on-exec and the caller's.  ERR_IO leaves errno; WHY
 * may be NULL everywhere.  DIR may be AT_FDCWD.
 */
#ifndef MTAD_OS_FILE_H
#define MTAD_OS_FILE_H

#include "common/base/buf.h"

#include <fcntl.h>
#include <sys/types.h>

/* Opens for reading what must be a regular file; symbolic links are followed,
 * as administrators use them.  ERR_NOT_FOUND, ERR_DENIED, ERR_SYNTAX (not a
 * regular file), ERR_IO. */
enum err file_open_read(int dir, const char *path, int *fd, struct why *why);

/* open() below DIR: no symbolic link on the way, no way out ("..", "/").
 * ERR_NOT_FOUND, ERR_EXISTS, ERR_DENIED (a link or a way out), ERR_FULL (disk,
 * descriptors), ERR_IO. */
enum err file_open_beneath(int dir, const char *path, int flags, mode_t mode,
    int *fd);

/* Appends all that FD has; ERR_RANGE above MAX bytes, ERR_NOMEM, ERR_IO. */
enum err file_read_fd(int fd, size_t max, struct buf *out);

/* file_open_read() and file_read_fd(). */
enum err file_read(int dir, const char *path, size_t max, struct buf *out,
    struct why *why);

/* All N bytes or an error: ERR_FULL (disk, quota), ERR_IO; for pread also
 * ERR_RANGE when the file ends before. */
enum err file_write_all(int fd, const void *p, size_t n);
enum err file_pwrite_all(int fd, const void *p, size_t n, off_t at);
enum err file_pread_all(int fd, void *p, size_t n, off_t at);

/* False also when it can't be read. */
bool file_dir_is_empty(int dir_fd);

/* Makes names in a directory durable. */
enum err file_sync_dir(int dir_fd);

/* Puts CONTENT in the place of NAME in a directory, durably: after a crash
 * there is the old content or the new.  ERR_FULL, ERR_IO. */
enum err file_replace(int dir_fd, const char *name, mode_t mode,
    struct span content);

/* The same without waiting for the disk: after a crash of the machine there may
 * be the old content, the new, or a part of it. */
enum err file_replace_soon(int dir_fd, const char *name, mode_t mode,
    struct span content);

#endif
