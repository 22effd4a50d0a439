/*
 * Owners and modes: directories made as they must be, secrets kept secret.
 *
 * WHY, which may be NULL, says what is wrong and with which path.
 */
#ifndef MTAD_OS_FILE_CHECK_H
#define MTAD_OS_FILE_CHECK_H

#include "common/base/err.h"

#include <sys/types.h>

/*
 * Makes a directory (not its parents) if need be, and checks that it is one,
 * no link, with this owner, and no more open to others than MODE.  An owner or
 * group of -1 is not looked at.  DIR may be AT_FDCWD.  ERR_DENIED when a check
 * fails, ERR_NOT_FOUND without the parent, ERR_IO.
 */
enum err file_check_dir(int dir, const char *path, uid_t uid, gid_t gid,
    mode_t mode, struct why *why);

/*
 * Whether secrets may be read from FD, which was opened from PATH: a regular
 * file of root or of our effective user, with no access for others and no
 * writing for its group.  ERR_DENIED, ERR_IO.
 */
enum err file_check_secret(int fd, const char *path, struct why *why);

/* Whether DIR is its owner's to change alone: root's, our effective user's or
 * OWNER's (-1: nobody's besides), writable by nobody else, no link.
 * ERR_DENIED, ERR_NOT_FOUND, ERR_IO. */
enum err file_check_closed(const char *dir, uid_t owner, struct why *why);

#endif
